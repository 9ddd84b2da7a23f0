"""A short campaign; `make chaos` runs a long one."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

from nearshift.testing.fault_proxy import Disturbance


@pytest.fixture(scope="module")
def campaign() -> ModuleType:
    """The program next to this file, as a module."""
    spec = importlib.util.spec_from_file_location("chaos_campaign", Path(__file__).with_name("campaign.py"))
    assert spec is not None, "the program is there"
    assert spec.loader is not None, "it can be loaded"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses ask for it
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_nothing_is_lost_doubled_or_out_of_order_whatever_happens(campaign: ModuleType, tmp_path: Path) -> None:
    plan = campaign.Plan(records=5_000, kills=4, reshards=4, seed=11, life_seconds=1.0, disturbed=0.15)
    with ExitStack() as stack:
        found = campaign.Campaign(plan, tmp_path, stack).run(lambda _line: None)
    assert found["wrong"] == dict.fromkeys(found["wrong"], 0)
    assert found["records"] == 5_000 + 2 * 2_000
    assert (found["kills"] >= 4, found["reshards"]) == (True, 4)
    assert sum(found["disturbances"].values()) > 0, "it was disturbed at all"
    assert set(found["disturbances"]) <= {one.value for one in Disturbance}
    assert found["after_trimming"]["holds"], found["after_trimming"]
    assert found["quarantined"] == 5


def test_the_judge_sees_what_is_wrong(campaign: ModuleType) -> None:
    written = campaign.Written(good=3, filtered=1, bad=1, total=6, latest={1: (3, 3), 2: (1, 1)})
    right = {
        "stored": 3, "distinct": 3, "sum": 6, "raw": 5, "raw_distinct": 5, "quarantined": 1, "quarantined_distinct": 1, "disorder": 0,
        "ledger": [["change", 5, 3, 1, 1, 0, True], ["whole", 5, 5, 0, 0, 0, True]], "gaps": [], "fact": [[1, 3, 3], [2, 1, 1]], "loads": 1,
    }  # fmt: skip
    assert not any(campaign.judge(written, right)["wrong"].values())
    for change, told in (
        ({"distinct": 2, "stored": 2}, "lost"),
        ({"stored": 4}, "doubled"),
        ({"sum": 7}, "others"),
        ({"disorder": 1}, "out_of_order"),
        ({"quarantined": 0}, "quarantine"),
        ({"gaps": [["change", "shardId-0", "why"]]}, "gaps"),
        ({"fact": [[1, 2, 2], [2, 1, 1]]}, "facts"),
        ({"fact": [[1, 3, 3], [2, 1, 1], [9, 1, 1]]}, "facts"),
        ({"ledger": [["change", 5, 3, 1, 0, 1, True], ["whole", 5, 5, 0, 0, 0, True]]}, "ledger"),
    ):
        assert campaign.judge(written, right | change)["wrong"][told] > 0, told
