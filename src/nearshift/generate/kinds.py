"""Which kinds of item a table holds, told apart by their keys: `CUSTOMER#1` with `PROFILE`, or with `ORDER#2`.

Only the keys are looked at, since the record of a removal has nothing else. A kind is a word before the first separator, or a whole sort
key that many partitions share.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nearshift.generate.sampling import TableShape

Item = dict[str, Any]

SEPARATORS: Final = "#|:/~"
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_CONSTANTS_MAX: Final = 20
KINDS_MAX: Final = 25


@dataclass(frozen=True, slots=True)
class Kind:
    """Items whose keys look alike.

    `partition_begins` and `sort_begins` end with the separator; `sort_key` is a whole sort key. None where keys tell nothing.
    """

    items: tuple[Item, ...]
    partition_begins: str | None
    sort_begins: str | None
    sort_key: str | None

    @property
    def words(self) -> tuple[str, ...]:
        """What names it: the word of the partition key, then that of the sort key."""
        found = (self.partition_begins, self.sort_begins or self.sort_key)
        return tuple(re.sub(rf"[{re.escape(SEPARATORS)}]$", "", one) for one in found if one)


@dataclass(frozen=True, slots=True)
class Kinds:
    """All kinds of a sample; `separator` parts the keys, `others` is how many items no kind could be made of."""

    kinds: tuple[Kind, ...]
    separator: str
    others: int
    needs_partition: bool


def split_kinds(items: Sequence[Item], shape: TableShape) -> Kinds:
    """Return the kinds of a sample, the one with most items first. One kind without conditions when keys tell nothing apart."""
    separator = _separator(items, shape)
    constants = _constants(items, shape, separator)
    groups: dict[tuple[str | None, str | None, str | None], list[Item]] = defaultdict(list)
    for item in items:
        partition = _begin(_text(item, shape.partition_key), separator)
        text = _text(item, shape.sort_key)
        exact = text if text in constants else None
        groups[partition, None if exact else _begin(text, separator), exact].append(item)
    named = {key: found for key, found in groups.items() if any(key)}
    others = len(items) - sum(len(found) for found in named.values())
    if not named or others > len(items) // 2:
        return Kinds((Kind(tuple(items), None, None, None),), separator, 0, needs_partition=False)
    sorts = Counter((key[1], key[2]) for key in named)
    needs_partition = any(count > 1 for count in sorts.values()) or (None, None) in sorts
    kinds = sorted((Kind(tuple(found), *key) for key, found in named.items()), key=lambda kind: (-len(kind.items), kind.words))
    others += sum(len(kind.items) for kind in kinds[KINDS_MAX:])
    return Kinds(tuple(kinds[:KINDS_MAX]), separator, others, needs_partition)


def part_counts(kind: Kind, attribute: str | None, separator: str) -> list[int]:
    """Return of how many parts the kind's keys are made, ascending; more than one number means that they differ."""
    texts = (_text(item, attribute) for item in kind.items)
    return sorted({text.count(separator) + 1 for text in texts if text is not None})


def nested_words(kind: Kind, attribute: str | None, separator: str) -> bool:
    """Tell whether some keys of a kind go on with another word, as `ORDER#1#LINE#2` beside `ORDER#1`: two kinds under one beginning."""
    shapes = set()
    for item in kind.items:
        text = _text(item, attribute)
        if text is not None:
            shapes.add(tuple(part for part in text.split(separator)[2:] if _WORD.fullmatch(part) and part.isupper() and len(part) > 1))
    return len(shapes) > 1 and any(shapes) and len(shapes) <= _CONSTANTS_MAX


def _separator(items: Iterable[Item], shape: TableShape) -> str:
    counts: Counter[str] = Counter()
    for item in items:
        for text in (_text(item, shape.partition_key), _text(item, shape.sort_key)):
            counts.update(one for one in SEPARATORS if _begin(text, one) is not None)
    return counts.most_common(1)[0][0] if counts else "#"


def _constants(items: Iterable[Item], shape: TableShape, separator: str) -> frozenset[str]:
    """Return the sort keys that are words of their own and stand in more than one partition."""
    partitions: dict[str, set[str]] = defaultdict(set)
    for item in items:
        text = _text(item, shape.sort_key)
        if text is not None and separator not in text and _WORD.fullmatch(text):
            partitions[text].add(str(item.get(shape.partition_key)))
    found = frozenset(text for text, where in partitions.items() if len(where) > 1)
    return found if len(found) <= _CONSTANTS_MAX else frozenset()


def _begin(text: str | None, separator: str) -> str | None:
    if text is None:
        return None
    word, found, _ = text.partition(separator)
    return word + separator if found and _WORD.fullmatch(word) else None


def _text(item: Item, attribute: str | None) -> str | None:
    value = item.get(attribute, {}).get("S") if attribute else None
    return value if isinstance(value, str) else None
