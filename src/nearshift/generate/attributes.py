"""What the attributes of some items are made of, and which columns that makes: types, lengths, nested maps and lists, what is ambiguous."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from nearshift.generate.naming import legal
from nearshift.sql.names import NAME_BYTES_MAX

DEPTH_MAX: Final = 4  # of maps within maps; what is deeper stays one SUPER column
MAP_KEYS_MAX: Final = 40  # a map with more names than this holds data in its names
_SIZES: Final = (16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65535)
_DIGITS_MAX: Final = 38
_MONEY: Final = re.compile(r"amount|price|cost|total|fee|balance|salary|revenue|discount", re.IGNORECASE)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_INSTANT: Final = re.compile(_TIME.pattern + r"(Z|[+-]\d\d(:?\d\d)?)")


@dataclass(slots=True)
class Seen:
    """What was seen of one attribute in all items: counts by DynamoDB type, and the extremes of its values."""

    kinds: Counter[str] = field(default_factory=Counter)
    bytes_max: int = 0
    whole_digits: int = 0
    fraction_digits: int = 0
    has_exponent: bool = False
    times: Counter[str] = field(default_factory=Counter)
    values: set[str] = field(default_factory=set)
    fields: dict[str, Seen] = field(default_factory=dict)
    element: Seen | None = None

    @property
    def count(self) -> int:
        """How many values there were, NULL left out."""
        return self.kinds.total() - self.kinds["NULL"]

    def add(self, value: dict[str, Any]) -> None:
        """Take one value in DynamoDB's JSON."""
        for kind, inner in value.items():
            self.kinds[kind] += 1
            if kind in {"S", "B"}:
                self._text(inner if isinstance(inner, str) else "x" * (len(inner) * 4 // 3 + 4))
            elif kind == "N":
                self._number(inner)
            elif kind == "M":
                for name, one in inner.items():
                    self.fields.setdefault(name, Seen()).add(one)
            elif kind in {"L", "SS", "NS", "BS"}:
                self.element = self.element or Seen()
                for one in inner:
                    self.element.add(one if kind == "L" else {kind[0]: one})

    def _text(self, text: str) -> None:
        self.bytes_max = max(self.bytes_max, len(text.encode("utf-8", "surrogatepass")))
        forms = (("timestamptz", _INSTANT), ("timestamp", _TIME), ("date", _DATE))
        self.times[next((name for name, form in forms if form.fullmatch(text)), "text")] += 1
        if len(self.values) <= 20:
            self.values.add(text[:64])

    def _number(self, text: str) -> None:
        self.has_exponent = self.has_exponent or "e" in text.lower()
        whole, _, fraction = text.lstrip("-").partition(".")
        self.whole_digits = max(self.whole_digits, len(whole))
        self.fraction_digits = max(self.fraction_digits, len(fraction))


@dataclass(frozen=True, slots=True)
class ProposedElement:
    """A column of a list; `path` leads from the element, empty when that is the value."""

    name: str
    type: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProposedColumn:
    """A column with its path, the remarks that stand above it, and the columns of its list's elements, where it is a list worth a view."""

    name: str
    type: str
    path: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    elements: tuple[ProposedElement, ...] = ()
    is_choice: bool = False


def seen_in(items: Iterable[dict[str, Any]], without: frozenset[str]) -> dict[str, Seen]:
    """Return what was seen of each attribute, in order of name; the attributes `without` are left out."""
    found: dict[str, Seen] = {}
    for item in items:
        for name, value in item.items():
            if name not in without:
                found.setdefault(name, Seen()).add(value)
    return dict(sorted(found.items()))


def columns_of(
    seen: dict[str, Seen], is_taken: Callable[[str], bool], above: tuple[str, ...] = (), label: tuple[str, ...] = ()
) -> Iterator[ProposedColumn]:
    """Yield the columns of attributes; those of a map follow with its name in front. `above` is the path to them."""
    for name, one in seen.items():
        path, names = (*above, name), (*label, name)
        kind = _kind(one)
        if kind == "M" and not _is_long(name) and 0 < len(one.fields) <= MAP_KEYS_MAX and len(names) <= DEPTH_MAX:
            inner = list(columns_of(one.fields, is_taken, (*path, "M"), names))
            mixed = _mixed(one, "M")
            if inner and mixed:
                inner[0] = _remarked(inner[0], tuple(f"{'.'.join(names)}: {text}" for text in mixed))
            yield from inner
            continue
        if kind is None or _is_long(name):
            continue
        yield _column(one, kind, path, legal("_".join(names), "attribute", is_taken))


def _remarked(column: ProposedColumn, remarks: tuple[str, ...]) -> ProposedColumn:
    return ProposedColumn(column.name, column.type, column.path, (*remarks, *column.remarks), column.elements, column.is_choice)


def unnamed(seen: dict[str, Seen]) -> list[str]:
    """Return the attributes for which there was only NULL, so that no type is known."""
    return [name for name, one in seen.items() if _kind(one) is None]


def too_long(seen: dict[str, Seen]) -> int:
    """Return how many attributes, in maps too, have a name that is too long for an identifier."""
    return sum(_is_long(name) + too_long(one.fields) for name, one in seen.items())


def _is_long(name: str) -> bool:
    return len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES_MAX


def _kind(seen: Seen) -> str | None:
    found = [(count, kind) for kind, count in seen.kinds.items() if kind != "NULL"]
    return max(found)[1] if found else None


def _mixed(seen: Seen, kind: str) -> tuple[str, ...]:
    others = {other: count for other, count in sorted(seen.kinds.items()) if other not in {kind, "NULL"}}
    if not others:
        return ()
    words = ", ".join(f"{other} {count} times" for other, count in others.items())
    return (f"Mixed: {kind} {seen.kinds[kind]} times, {words}. What is not {kind} is NULL here and listed in the misfit view.",)


def _column(seen: Seen, kind: str, path: tuple[str, ...], name: str) -> ProposedColumn:
    remarks = list(_mixed(seen, kind))
    if kind in {"L", "SS", "NS", "BS"}:
        elements = _elements(seen.element, is_set=kind != "L") if seen.element else ()
        if seen.element is not None and kind == "L" and len(_without_null(seen.element)) > 1:
            remarks.append("The list's elements are of several types: it stays one column.")
            elements = ()
        return ProposedColumn(name, "super", (*path, kind), tuple(remarks), elements)
    if kind == "M":
        reason = "names that look like data" if len(seen.fields) > MAP_KEYS_MAX else "nothing in it" if not seen.fields else "deep nesting"
        remarks.append(f"A map with {reason}: it stays one column.")
        return ProposedColumn(name, "super", (*path, "M"), tuple(remarks))
    type_, more = _scalar(seen, kind, path[-1])
    is_choice = kind == "S" and type_.startswith("varchar") and 1 < len(seen.values) <= 12 and seen.count >= 2 * len(seen.values)
    return ProposedColumn(name, type_, (*path, kind), (*remarks, *more), is_choice=is_choice)


def _without_null(seen: Seen) -> list[str]:
    return [kind for kind in seen.kinds if kind != "NULL"]


def _elements(seen: Seen, *, is_set: bool) -> tuple[ProposedElement, ...]:
    """Return the columns of a list's elements: those of its maps, or the one value."""
    kind = _kind(seen)
    if kind is None:
        return ()
    taken: set[str] = {"key_hash", "key_check", "pk", "sk", "place", "valid_from", "valid_to", "is_current"}

    def is_taken(name: str) -> bool:
        if name in taken:
            return True
        taken.add(name)
        return False

    if kind == "M":
        return tuple(ProposedElement(one.name, one.type, one.path) for one in columns_of(seen.fields, is_taken, ("M",)))
    if kind in {"S", "N", "BOOL", "B"}:
        type_, _ = _scalar(seen, kind, "value")
        return (ProposedElement(legal("value", "value", is_taken), type_, () if is_set else (kind,)),)
    return ()


def _scalar(seen: Seen, kind: str, name: str) -> tuple[str, list[str]]:
    if kind == "BOOL":
        return "boolean", []
    if kind == "N":
        return _number_type(seen, name)
    if kind == "B":
        return _text_type(seen.bytes_max), ["Binary, as Base64."]
    forms = [form for form, count in seen.times.items() if count]
    if len(forms) == 1 and forms[0] != "text":
        return forms[0], []
    remarks = []
    if len(forms) > 1 and "text" not in forms:
        remarks.append(f"Times in several forms ({', '.join(sorted(forms))}): kept as text.")
    elif len(forms) > 1 and seen.times["text"] * 10 < seen.times.total():
        remarks.append("Most values are times, some are not: kept as text.")
    if seen.bytes_max > _SIZES[-1]:
        remarks.append("Values longer than 65535 bytes are cut, and listed in the misfit view.")
    return _text_type(seen.bytes_max), remarks


def _text_type(bytes_max: int) -> str:
    """Return a type with room for twice what was seen."""
    return f"varchar({next((size for size in _SIZES if size >= 2 * bytes_max), _SIZES[-1])})"


def _number_type(seen: Seen, name: str) -> tuple[str, list[str]]:
    if seen.has_exponent or seen.whole_digits + seen.fraction_digits > _DIGITS_MAX:
        return "double precision", ["Numbers with exponents or more than 38 digits: double precision keeps 15 of them."]
    if seen.fraction_digits == 0 and not _MONEY.search(name):
        return ("bigint", []) if seen.whole_digits <= 18 else (f"decimal({_DIGITS_MAX},0)", [])
    scale = max(2, seen.fraction_digits)
    precision = 18 if seen.whole_digits + scale <= 16 else _DIGITS_MAX
    if seen.whole_digits + scale > _DIGITS_MAX:
        return "double precision", ["Too many digits for a decimal: double precision keeps 15 of them."]
    return f"decimal({precision},{scale})", []
