"""Generated SQL applied to a warehouse: it survives what the published pipeline does not, and its tests would notice if it did not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nearshift.clock import SystemClock
from nearshift.generate.folder import plan_files, write
from nearshift.pipeline.bench import Benches
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.trial import Verdict, find_cases, run_cases

HERE = Path(__file__).parent


def generated(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    shutil.copytree(HERE / name, folder)
    if (folder / "sql_own.sql").exists():
        (folder / "sql").mkdir()
        (folder / "sql_own.sql").rename(folder / "sql" / "010_own.sql")
    write(plan_files(folder))
    return folder


def verdicts(folder: Path, only: str | None = None) -> list[Verdict]:
    pipeline = read_folder(folder)
    with Benches(pipeline) as benches:
        return list(run_cases(find_cases(pipeline, only), benches.open, SystemClock().monotonic))


@pytest.mark.parametrize("name", ["orders", "sensors"])
def test_generated_loads_survive_every_defect(tmp_path: Path, name: str) -> None:
    found = verdicts(generated(tmp_path, name))
    assert [failure for one in found for failure in one.failures] == []
    assert found


@pytest.mark.parametrize(
    ("file", "right", "wrong", "test"),
    [
        ("order_fact", "watermark = greatest(watermark, v_to)", "watermark = dateadd(second, 60, getdate())", "between runs"),
        ("order_fact", "WHERE NOT is_removed;", "WHERE true;", "removed item goes"),
        ("order_fact", "(t.change_us > stage_order_fact.change_us", "(false", "removed item goes"),
        ("order_fact", "(f.change_us > stage_order_fact.change_us", "(false", "newest change wins"),
        ("claim_fact", "CASE WHEN v.provider_version > i.cut_version THEN f.provider END", "f.provider", "removal cuts"),
        ("claim_fact", "ORDER BY e.status_version DESC", "ORDER BY e.status_version", "late change fills"),
        ("claim_fact", "OR stage_claim_fact.version <= i.cut_version", "", "removal cuts"),
        ("plan_dim", "OR p.hash_before <> p.image_hash", "OR true", "what stays the same"),
        ("plan_dim", "WHERE NOT is_removed;", "WHERE true;", "removal closes"),
    ],
)
def test_a_spoiled_load_fails_its_test(tmp_path: Path, file: str, right: str, wrong: str, test: str) -> None:
    folder = generated(tmp_path, "orders")
    load = folder / "sql" / f"200_{file}.sql"
    text = load.read_text()
    assert right in text
    load.write_text(text.replace(right, wrong))
    assert not all(one.has_passed for one in verdicts(folder, test))


def test_each_load_has_a_schedule(tmp_path: Path) -> None:
    found = {one.name: one for one in read_folder(generated(tmp_path, "orders")).manifest.schedules}
    assert found["load_order_fact"].statement == "CALL sp_load_order_fact()"
    assert found["load_order_fact"].local == "on refresh of stream_vw"
    assert found["load_customer_dim"].aws == "rate(1 minute)"


def test_a_folder_that_defines_the_stream_itself_keeps_it(tmp_path: Path) -> None:
    assert "100_stream.sql" not in [path.name for path in (generated(tmp_path, "sensors") / "sql").iterdir()]
