"""The example's own tests, as `nearshift test` runs them; and that they notice loads that are wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nearshift.clock import SystemClock
from nearshift.generate.folder import Verdict as FileVerdict
from nearshift.generate.folder import plan_files
from nearshift.pipeline.bench import Benches
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.trial import Verdict, find_cases, run_cases

EXAMPLES = Path(__file__).parents[2] / "src" / "nearshift" / "examples"


def verdicts(folder: Path, only: str | None = None) -> list[Verdict]:
    pipeline = read_folder(folder)
    with Benches(pipeline) as benches:
        return list(run_cases(find_cases(pipeline, only), benches.open, SystemClock().monotonic))


@pytest.mark.parametrize("name", ["customer-transactions", "starter"])
def test_the_tests_of_the_examples_pass(name: str) -> None:
    found = verdicts(EXAMPLES / name)
    assert [failure for one in found for failure in one.failures] == []
    assert found


def test_the_example_is_what_generate_writes() -> None:
    """After a meant change: `nearshift generate src/nearshift/examples/customer-transactions`, and read the difference."""
    changes = plan_files(EXAMPLES / "customer-transactions")
    assert {one.verdict for one in changes} == {FileVerdict.KEEP}
    assert {one.path for one in changes} == set((EXAMPLES / "customer-transactions" / "sql").iterdir())


@pytest.mark.parametrize(
    ("right", "wrong", "test"),
    [
        ("watermark = greatest(watermark, v_to)", "watermark = dateadd(second, 60, getdate())", "between runs"),
        ("WHERE NOT is_removed;", "WHERE true;", "removed item"),
        ("(t.change_us > stage_customer_transaction_fact.change_us", "(false", "removed item"),
        ("(f.change_us > stage_customer_transaction_fact.change_us", "(false", "newest change wins"),
        ("ORDER BY e.change_us DESC", "ORDER BY e.change_us", "newest change wins"),
    ],
)
def test_a_spoiled_load_fails_its_test(tmp_path: Path, right: str, wrong: str, test: str) -> None:
    shutil.copytree(EXAMPLES / "customer-transactions", tmp_path / "p")
    load = tmp_path / "p" / "sql" / "200_customer_transaction_fact.sql"
    text = load.read_text()
    assert right in text
    load.write_text(text.replace(right, wrong))
    assert not all(one.has_passed for one in verdicts(tmp_path / "p", test))
