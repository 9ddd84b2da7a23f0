"""Generated SQL applied to a warehouse: it survives what the published pipeline does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearshift.clock import SystemClock
from nearshift.generate.folder import plan_files, write
from nearshift.pipeline.bench import Benches
from nearshift.pipeline.folder import Pipeline, read_folder
from nearshift.pipeline.trial import find_cases, run_cases

ORDERS = Path(__file__).parent / "orders"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("generated") / "orders"
    shutil.copytree(ORDERS, folder)
    write(plan_files(folder))
    return read_folder(folder)


@pytest.fixture(scope="module")
def benches(pipeline: Pipeline) -> Iterator[Benches]:
    with Benches(pipeline) as made:
        yield made


def test_generated_loads_survive_every_defect(pipeline: Pipeline, benches: Benches) -> None:
    verdicts = list(run_cases(find_cases(pipeline), benches.open, SystemClock().monotonic))
    assert [failure for one in verdicts for failure in one.failures] == []
    assert len(verdicts) >= 10


def test_each_load_has_a_schedule(pipeline: Pipeline) -> None:
    found = {one.name: one for one in pipeline.manifest.schedules}
    assert found["load_order_fact"].statement == "CALL sp_load_order_fact()"
    assert found["load_order_fact"].local == "on refresh of stream_vw"
    assert found["load_customer_dim"].aws == "rate(1 minute)"
