"""Drift: every kind of difference between what arrives and what is declared is found, and nothing is where nothing differs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nearshift.cli import drift as command
from nearshift.cli.main import main
from nearshift.errors import ConfigurationError
from nearshift.generate.drift import Drift, find_drift
from nearshift.generate.folder import plan_files, write
from nearshift.pipeline.bench import Bench, Benches
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.manifest import parse_manifest
from nearshift.pipeline.testfile import change_record

ORDERS = Path(__file__).parent / "orders"


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Benches]:
    folder = tmp_path_factory.mktemp("drift") / "orders"
    shutil.copytree(ORDERS, folder)
    write(plan_files(folder))
    with Benches(read_folder(folder)) as made:
        yield made


@pytest.fixture
def bench(benches: Benches) -> Iterator[Bench]:
    made = benches.open()
    yield made
    made.close()


def put(bench: Bench, sk: str, **new: Any) -> None:
    bench.put(change_record({"at": 1767225600, "event": "INSERT", "pk": "C#1", "sk": sk, "new": new}, None))


def differences(bench: Bench) -> set[tuple[str | None, str, str]]:
    for view in ("stream_vw", "mv_item_change"):
        bench.run(f"REFRESH MATERIALIZED VIEW {view}")
    manifest = read_folder(ORDERS).manifest
    return {(one.table, one.kind.value, one.attribute) for one in find_drift(manifest, bench.run, 1000).differences}


WHOLE: dict[str, Any] = {
    "status": "A", "amount": 1.5, "ledger": 1, "paidAt": "2026-01-01T00:00:00Z", "address": {"zip": "1"}, "lines": [{"any": "thing"}],
}  # fmt: skip


def test_nothing_differs_when_all_is_as_declared(bench: Bench) -> None:
    for number in range(25):
        put(bench, f"ORDER#{number}", **WHOLE)
    assert differences(bench) == set()


def test_new_mixed_long_and_unfit_values_and_unclaimed_items(bench: Bench) -> None:
    put(bench, "ORDER#1", **(WHOLE | {"coupon": "X", "address": {"zip": "1", "city": "y"}}))
    put(bench, "ORDER#2", **(WHOLE | {"amount": "text", "status": "S" * 40}))
    put(bench, "ORDER#3", **(WHOLE | {"paidAt": "yesterday", "address": "a text"}))
    put(bench, "SURPRISE#1", what=1)
    assert differences(bench) == {
        ("order_fact", "new", "coupon"),
        ("order_fact", "new", "address.city"),
        ("order_fact", "mixed", "amount"),
        ("order_fact", "too long", "status"),
        ("order_fact", "misfit", "paidAt"),
        ("order_fact", "mixed", "address"),
        (None, "unclaimed", ""),
    }


def test_an_attribute_that_no_item_has_any_more_is_lost(bench: Bench) -> None:
    for number in range(20):
        put(bench, f"ORDER#{number}", **{name: value for name, value in WHOLE.items() if name not in {"ledger", "address"}})
    assert differences(bench) == {("order_fact", "lost", "ledger"), ("order_fact", "lost", "address.zip")}


def test_elements_of_a_declared_list_are_compared_too(bench: Bench) -> None:
    manifest = parse_manifest(
        (ORDERS / "nearshift.toml")
        .read_text()
        .replace(
            '[[facts]]\nname = "claim_fact"',
            '[[facts.lists]]\nname = "order_line"\ncolumn = "lines"\n'
            'columns = [{ name = "sku", type = "varchar(3)", path = "M.sku.S" }]\n\n[[facts]]\nname = "claim_fact"',
        )
    )
    put(bench, "ORDER#1", **(WHOLE | {"lines": [{"sku": "long text", "price": 1}]}))
    for view in ("stream_vw", "mv_item_change"):
        bench.run(f"REFRESH MATERIALIZED VIEW {view}")
    found = {(one.table, one.kind, one.attribute) for one in find_drift(manifest, bench.run, 10).differences}
    assert found == {("order_line", Drift.NEW, "lines[].price"), ("order_line", Drift.TOO_LONG, "lines[].sku")}


def test_no_values_are_shown(bench: Bench) -> None:
    put(bench, "ORDER#1", **(WHOLE | {"secret": "hunter2"}))
    bench.run("REFRESH MATERIALIZED VIEW stream_vw")
    bench.run("REFRESH MATERIALIZED VIEW mv_item_change")
    assert "hunter2" not in repr(find_drift(read_folder(ORDERS).manifest, bench.run, 10))


class _Lasting:
    """A bench that a command may close."""

    def __init__(self, bench: Bench) -> None:
        self.run = bench.run

    def close(self) -> None:
        """Leave it open."""


def test_the_command_ends_with_3_when_something_differs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(bench, "ORDER#1", **(WHOLE | {"coupon": "X"}))
    bench.run("REFRESH MATERIALIZED VIEW stream_vw")
    bench.run("REFRESH MATERIALIZED VIEW mv_item_change")
    monkeypatch.setattr(command, "open_connection", lambda _folder: _Lasting(bench))
    with pytest.raises(SystemExit) as ended:
        main(["drift", str(ORDERS), "--json"])
    assert ended.value.code == 3
    (one,) = json.loads(capsys.readouterr().out)["differences"]
    assert one == {"table": "order_fact", "kind": "new", "attribute": "coupon", "declared": None, "found": "S 1 times", "count": 1}
    with pytest.raises(SystemExit):
        main(["drift", str(ORDERS)])
    assert "1 differences in 1 changes" in capsys.readouterr().out


def test_a_warehouse_to_which_nothing_was_applied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ORDERS, tmp_path / "p")
    with pytest.raises(SystemExit) as ended:
        main(["drift", str(tmp_path / "p")])
    assert ended.value.code == 1
    assert 'there is no view "mv_item_change"' in capsys.readouterr().err


def test_a_folder_that_declares_nothing() -> None:
    with pytest.raises(ConfigurationError, match="nothing is declared"):
        find_drift(parse_manifest('name = "p"\n[source]\ntable = "t"\nstream = "s"\n'), lambda _query: None, 1)
