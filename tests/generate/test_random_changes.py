"""Any order, any doubling, any batches: generated loads end with what a model in Python says."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nearshift.generate.folder import plan_files, write
from nearshift.pipeline.bench import Bench, Benches
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.testfile import change_record

ORDERS = Path(__file__).parent / "orders"
SECONDS = 1767225600  # 2026-01-01


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Benches]:
    folder = tmp_path_factory.mktemp("random") / "orders"
    shutil.copytree(ORDERS, folder)
    write(plan_files(folder))
    with Benches(read_folder(folder)) as made:
        yield made


@dataclass(frozen=True)
class Change:
    at: int
    key: str
    new: dict[str, Any] | None


def happened(source: random.Random) -> list[Change]:
    """What happens to three items, each moment once."""
    changes: list[Change] = []
    live: set[str] = set()
    for at in range(1, 25):
        key = source.choice("abc")
        if key in live and source.random() < 0.25:
            live.discard(key)
            changes.append(Change(at, key, None))
            continue
        live.add(key)
        new: dict[str, Any] = {"status": source.choice("XYZ"), "tier": source.choice("PQ")}
        for name in ("amount", "price"):
            if source.random() < 0.5:
                new[name] = source.randint(1, 3)
        if source.random() < 0.5:
            new["provider"] = source.choice("mn")
        changes.append(Change(at, key, new))
    return changes


def record(change: Change, kind: str) -> bytes:
    event = "REMOVE" if change.new is None else "MODIFY"
    given = {"at": SECONDS + change.at, "event": event, "pk": "C#1", "sk": f"{kind}#{change.key}"}
    return change_record(given if change.new is None else given | {"new": change.new}, None)


def expected_image(changes: list[Change]) -> list[tuple[Any, ...]]:
    rows = {}
    for one in changes:
        rows[one.key] = one.new
    return sorted((key, new["status"], new.get("amount")) for key, new in rows.items() if new is not None)


def expected_non_null(changes: list[Change]) -> list[tuple[Any, ...]]:
    rows: dict[str, dict[str, Any]] = {}
    for one in changes:
        if one.new is None:
            rows.pop(one.key, None)
        else:
            rows.setdefault(one.key, {}).update(one.new)
    return sorted((key, new["status"], new.get("amount"), new.get("provider")) for key, new in rows.items())


def expected_history(changes: list[Change]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for key in sorted({one.key for one in changes}):
        current: tuple[Any, ...] | None = None
        since = 0
        for one in [one for one in changes if one.key == key]:
            image = None if one.new is None else (one.new["tier"], one.new.get("price"))
            if image != current:
                rows += [(key, *current, since, one.at)] if current is not None else []
                current, since = image, one.at
        rows += [(key, *current, since, None)] if current is not None else []
    return sorted(rows, key=lambda row: (row[0], row[3]))


def rows(bench: Bench, query: str) -> list[tuple[Any, ...]]:
    return [tuple(int(value) if hasattr(value, "as_integer_ratio") else value for value in row) for row in bench.run(query).rows]


@pytest.mark.parametrize("seed", range(4))
def test_loads_end_as_the_model_whatever_the_delivery(benches: Benches, seed: int) -> None:
    source = random.Random(seed)
    changes = happened(source)
    delivered = changes + source.choices(changes, k=8)
    source.shuffle(delivered)
    bench = benches.open()
    try:
        while delivered:
            batch = [delivered.pop() for _ in range(min(len(delivered), source.randint(1, 10)))]
            for one in batch:
                for kind in ("ORDER", "CLAIM", "PLAN"):
                    bench.put(record(one, kind))
            bench.run("REFRESH MATERIALIZED VIEW stream_vw")
            for name in ("order_fact", "claim_fact", "plan_dim"):
                bench.run(f"CALL sp_load_{name}()")
        epoch = f"date_part(epoch, {{}}) - {SECONDS}"
        assert rows(bench, "SELECT order_id, status, amount FROM order_fact ORDER BY 1") == expected_image(changes)
        assert rows(bench, "SELECT claim_id, status, amount, provider FROM claim_fact ORDER BY 1") == expected_non_null(changes)
        history = f"SELECT plan_id, tier, price, {epoch.format('valid_from')}, {epoch.format('valid_to')} FROM plan_dim ORDER BY 1, 4"
        assert rows(bench, history) == expected_history(changes)
        assert rows(bench, "SELECT count(*) FROM plan_dim WHERE is_current <> (valid_to IS NULL)") == [(0,)]
    finally:
        bench.close()
