"""DynamoDB's items as batches: "Loading data from an Amazon DynamoDB table", for the items of a table and for those of an export.

Attributes go to the columns of the same name, whatever its case; attributes without a column are dropped, columns without an attribute
become NULL. Only strings and numbers can be loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

from nearshift.streams.dynamodb import Attribute
from nearshift.transfer.batches import Batch, Failure, LoadColumn, Trace
from nearshift.transfer.delimited import ascii_only

_LOADED = frozenset({"S", "N", "NULL"})
Item = Mapping[str, Attribute]


def item_batch(items: Sequence[Item], columns: Sequence[LoadColumn], before: int) -> Batch:
    """Return the batch of some items; `before` is how many of their source came before them, from which their numbers follow."""
    places = {column.name.lower(): place for place, column in enumerate(columns)}
    rows: list[list[str | None]] = []
    kept: list[int] = []
    failures: list[Failure] = []
    for number, item in enumerate(items):
        row: list[str | None] = [None] * len(columns)
        matched: dict[int, str] = {}
        reason = None
        for name, attribute in item.items():
            place = places.get(name.lower())
            if place is None:
                continue
            if place in matched:
                reason = (place, f'attributes "{matched[place]}" and "{name}" differ only by case')
            elif attribute.kind not in _LOADED:
                reason = (place, f'attribute "{name}" has type {attribute.kind}: only S and N can be loaded')
            matched[place] = name
            row[place] = attribute.text
        if reason is None:
            rows.append(row)
            kept.append(number)
        else:
            line = before + number + 1
            failures.append(Failure(line, columns[reason[0]], 0, _shown(item), "", 1200, reason[1], tuple(row)))
    arrays = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)] if rows else [pa.array([], pa.string()) for _ in columns]

    def trace(wanted: Sequence[int]) -> list[Trace]:
        return [Trace(before + kept[row] + 1, _shown(items[kept[row]])) for row in wanted]

    return Batch(arrays, len(rows), len(items), trace, failures)


def _shown(item: Item) -> str:
    return ascii_only(json.dumps({name: {one.kind: one.text} for name, one in item.items()}, ensure_ascii=False))
