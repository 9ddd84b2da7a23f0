"""The life of a health plan's claims: an endless, seeded sequence of changes.

A claim is submitted, priced (amounts and the time of completion are added, a note is taken away), sometimes adjusted, reversed, withdrawn
and, rarely, submitted again under the same key. Customers come by Zipf's law, with a profile and dependents of their own, which change too.
Among the values are those that break pipelines: attributes missing or NULL, numbers of 38 digits, names in many scripts, nested lists.

Customers are dealt out to lanes; lanes share no key, so that they may be written at the same time and the final items are still known.
"""

from __future__ import annotations

import heapq
import itertools
import random
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from nearshift.workload.changes import AttributeValue, Change, Delete, Item, Key, Put, Together, Update

_START = datetime(2026, 1, 1, tzinfo=UTC)
_ZIPF_EXPONENT = 0.9
_NAMES = (
    "Ana", "Björn", "Chloé", "Đorđe", "Eleni Παππά", "李小龙", "Zoë O'Neil", "नेहा", "Мария", 'Sam "Sunny" Lee', "אבי", "José\\Ñ", "👩‍⚕️ Kim",
)  # fmt: skip
_NOTES = (
    "ok", "", "tab\there", "line\nbreak", "100 % covered; see #7", "naïve café – 東京", '{"not": "json"}', "it's 'quoted'", "\\N",
    " trailing ",
)  # fmt: skip
_STATES = ("NY", "CA", "TX", "WA", "FL", "OH")


def text(value: str) -> AttributeValue:
    """Return a string attribute."""
    return {"S": value}


def number(value: float | str) -> AttributeValue:
    """Return a number attribute; floats with two decimals at most, trimmed as DynamoDB does."""
    return {"N": f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)}


@dataclass(slots=True)
class _Family:
    customer: str
    maximum: float
    dependents: dict[str, str] = field(default_factory=dict)

    @property
    def pk(self) -> str:
        return f"CUSTOMER#{self.customer}"


class Claims:
    """One lane of the plan's changes. The same arguments give the same sequence for ever."""

    def __init__(self, seed: int, *, lane: int = 0, lanes: int = 1, customers: int = 1000) -> None:
        self._random = random.Random(f"{seed}/{lane}/{lanes}")
        self._members = range(lane, max(customers, lanes), lanes)
        self._weights = list(itertools.accumulate(1 / (rank + 1) ** _ZIPF_EXPONENT for rank in range(len(self._members))))
        self._families: dict[int, _Family] = {}
        self._due: list[tuple[int, int, Callable[[], Iterator[Change]]]] = []
        self._count = itertools.count()
        self._step = 0
        self._lane = lane

    def changes(self) -> Iterator[Change]:
        """Yield changes without end."""
        while True:
            self._step += 1
            if self._due and self._due[0][0] <= self._step:
                yield from heapq.heappop(self._due)[2]()
            else:
                yield from self._arrive()

    def _after(self, mean_steps: float, what: Callable[[], Iterator[Change]]) -> None:
        step = self._step + 1 + int(self._random.expovariate(1 / mean_steps))
        heapq.heappush(self._due, (step, next(self._count), what))

    def _now(self) -> AttributeValue:
        return text((_START + timedelta(seconds=self._step)).strftime("%Y-%m-%dT%H:%M:%SZ"))

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _arrive(self) -> Iterator[Change]:
        member = self._members[bisect_left(self._weights, self._random.random() * self._weights[-1])]
        family = self._families.get(member)
        if family is None:
            family = self._families[member] = _Family(self._customer(member), float(self._random.choice((1000, 1500, 2000, 3000, 5000))))
            yield from self._enrol(family)
        yield from self._submit(family)

    def _customer(self, member: int) -> str:
        return f"CUST_{member}" if member % 40 else f"CUST_Ωμέγα_{member}"

    def _enrol(self, family: _Family) -> Iterator[Change]:
        born: list[Put | Update | Delete] = [Put(self._profile(family))]
        for index in range(self._random.choices((0, 1, 2, 3, 4), (25, 25, 25, 15, 10))[0]):
            dependent = f"{family.customer}_D{index}"
            sk = f"CUSTOMER#{self._now()['S']}#{dependent}"
            family.dependents[sk] = dependent
            born.append(Put(self._dependent(family, sk)))
        if self._chance(0.5):
            yield Together(tuple(born))
        else:
            yield from born
        self._after(self._profile_steps(), lambda: self._change_profile(family))

    def _profile(self, family: _Family) -> Item:
        item = {
            "pk": text(family.pk), "sk": text("PROFILE"), "Event": text("ENROLL"), "OutofPockMax": number(family.maximum),
            "planYear": number("2026"), "isActive": {"BOOL": True}, "email": text(f"{family.customer.lower()}@example.com"),
            "address": {"M": {"zip": text(f"{self._random.randrange(100_000):05}"), "state": text(self._random.choice(_STATES))}},
            "tags": {"SS": sorted({"web", self._random.choice(("gold", "silver"))})},
        }  # fmt: skip
        if self._chance(0.2):
            item["email"] = {"NULL": True}
        return item

    def _dependent(self, family: _Family, sk: str) -> Item:
        return {
            "pk": text(family.pk), "sk": text(sk), "Event": text("DEPENDENT"), "name": text(self._random.choice(_NAMES)),
            "relationship": text(self._random.choice(("SPOUSE", "CHILD", "PARENT"))),
            "birthYear": number(str(self._random.randrange(1940, 2026))),
        }  # fmt: skip

    def _change_profile(self, family: _Family) -> Iterator[Change]:
        key = (family.pk, "PROFILE")
        draw = self._random.random()
        if draw < 0.5:
            address = {"M": {"zip": text(f"{self._random.randrange(100_000):05}")}}
            yield Update(key, {"address": address, "email": text(self._random.choice(_NAMES) + "@example.org")})
        elif draw < 0.65:
            yield Update(key, {"isActive": {"BOOL": False}}, ("email", "address"))
        elif draw < 0.75:
            yield Delete(key)
            self._after(100, lambda: iter((Put(self._profile(family)),)))
        elif family.dependents:
            yield from self._change_dependent(family)
        self._after(self._profile_steps(), lambda: self._change_profile(family))

    def _profile_steps(self) -> float:
        """Return a mean distance at which all families together make one step in twenty, however many they are."""
        return 20.0 * max(len(self._families), 20)

    def _change_dependent(self, family: _Family) -> Iterator[Change]:
        sk = self._random.choice(sorted(family.dependents))
        if self._chance(0.5):
            yield Update((family.pk, sk), {"name": text(self._random.choice(_NAMES))}, ("birthYear",))
        else:
            yield Delete((family.pk, sk))
            self._after(150, lambda: iter((Put(self._dependent(family, sk)),)))

    def _submit(self, family: _Family) -> Iterator[Change]:
        key = (family.pk, f"TRANSACTION#{self._now()['S']}#TX_{self._lane}_{self._step}")
        amount = round(min(self._random.lognormvariate(4.6, 1.1), 50_000), 2)
        yield Put(self._claim(family, key, amount))
        draw = self._random.random()
        if draw < 0.85:
            self._after(120, lambda: self._price(family, key, amount))
        elif draw < 0.92:
            self._after(200, lambda: self._withdraw(family, key, amount))

    def _claim(self, family: _Family, key: Key, amount: float) -> Item:
        item: Item = {
            "pk": text(key[0]), "sk": text(key[1]),
            "Event": text(self._random.choices(("VISIT", "RX", "LAB", "SAMPLE"), (45, 30, 20, 5))[0]),
            "status": text("SUBMITTED"), "billedAmount": number(amount), "OutofPockMax": number(family.maximum),
            "lastCalculationDateTime": self._now(), "ledgerNumber": number(self._ledger()),
        }  # fmt: skip
        if self._chance(0.85):
            item["Provider"] = {"NULL": True} if self._chance(0.06) else text(f"PV-{self._random.randrange(1, 400)}")
        if self._chance(0.3):
            item["note"] = text(self._random.choice(_NOTES))
        if family.dependents and self._chance(0.7):
            item["calculationRequirements"] = self._requirements(family)
        return item

    def _ledger(self) -> str:
        digits = self._random.choice((38, 38, 20, 9))
        sign = "-" if self._chance(0.1) else ""
        return f"{sign}{self._random.randrange(10 ** (digits - 1), 10**digits)}"

    def _requirements(self, family: _Family) -> AttributeValue:
        chosen = [sk for sk in sorted(family.dependents) if self._chance(0.6)]
        return {"M": {"dependentIds": {"L": [{"M": {"sk": text(sk), "pk": text(family.pk)}} for sk in chosen]}}}

    def _price(self, family: _Family, key: Key, amount: float) -> Iterator[Change]:
        percent = self._random.choice((0.0, 10.0, 12.5, 20.0, 33.33, 50.0))
        share = round(min(amount * percent / 100, family.maximum), 2)
        values: Item = {
            "OutofPockPercent": number(percent), "OutofPockAmount": number(share),
            "completionDateTime": self._now(), "status": text("PAID"),
        }  # fmt: skip
        if self._chance(0.2):
            values["Provider"] = text(f"PV-{self._random.randrange(1, 400)}")
        yield Update(key, values, ("note",) if self._chance(0.3) else ())
        draw = self._random.random()
        if draw < 0.15:
            self._after(250, lambda: self._adjust(family, key))
        elif draw < 0.22:
            self._after(300, lambda: self._reverse(key))
        elif draw < 0.26:
            self._after(300, lambda: self._withdraw(family, key, amount))

    def _adjust(self, family: _Family, key: Key) -> Iterator[Change]:
        if self._chance(0.4):
            yield Update(key, {"lastCalculationDateTime": self._now()}, ("calculationRequirements",))
        else:
            yield Update(key, {"lastCalculationDateTime": self._now(), "calculationRequirements": self._requirements(family)})
        if self._chance(0.3):  # a hot item: changes close to each other
            for _ in range(self._random.randrange(2, 5)):
                amount = number(round(self._random.random() * 100, 2))
                yield Update(key, {"OutofPockAmount": amount, "lastCalculationDateTime": self._now()})

    def _reverse(self, key: Key) -> Iterator[Change]:
        yield Update(key, {"status": text("REVERSED"), "OutofPockAmount": number("0")}, ("completionDateTime", "OutofPockPercent"))

    def _withdraw(self, family: _Family, key: Key, amount: float) -> Iterator[Change]:
        yield Delete(key)
        if self._chance(0.3):
            self._after(80, lambda: iter((Put(self._claim(family, key, amount)),)))
