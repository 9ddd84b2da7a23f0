"""A pipeline brought to AWS's stand-ins, changed, cut off, and taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.conftest import Cloud
from tests.deploy.folders import SQL, write_folder
from tests.deploy.formation import Formation
from tests.deploy.places import SessionRemote

from nearshift.deploy.deployment import Deployment, Surroundings
from nearshift.deploy.memory import Made
from nearshift.deploy.outline import Part
from nearshift.deploy.stack import Standing, classify_status
from nearshift.errors import ConfigurationError, NearshiftError, TargetError
from nearshift.pipeline.folder import Pipeline

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")

CLUSTER = 'cluster = "analytics"\nuser = "dev"\ntable = "existing"'
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/events"


@pytest.fixture
def cluster(cloud: Cloud) -> Cloud:
    cloud.aws.roles["analytics"] = []
    cloud.aws.call(
        "dynamodb", "create_table", TableName="orders", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )  # fmt: skip
    return cloud


def test_a_deployment_is_planned_done_and_done_once(cloud: Cloud, tmp_path: Path) -> None:
    cloud.has_data_api = True
    pipeline = write_folder(tmp_path)
    plan = cloud.deployment(pipeline).plan()
    made = {line.name for line in plan.lines if line.part is Part.STACK}
    assert {"Stream", "Table", "WarehouseRole", "Namespace", "Workgroup", "SchedulerRole", "ScheduleLoad"} <= made
    assert [line.name for line in plan.lines if line.part is Part.SQL][:2] == ["kds", "public.records"]
    assert plan.lines[-1].part is Part.SCHEDULES
    assert cloud.deployment(pipeline).stack.look().standing is Standing.ABSENT
    done = cloud.deploy(pipeline)
    assert done[-1] == "schedules enable nearshift-shop"
    assert "sql create public.sp_load()" in done
    assert cloud.deploy(pipeline) == []
    assert cloud.deployment(pipeline).plan().is_empty
    found = cloud.deployment(pipeline).stack.look()
    assert (found.status, found.parameters["SchedulesState"], found.tags["nearshift:pipeline"]) == ("UPDATE_COMPLETE", "ENABLED", "shop")
    assert cloud.aws.call("kinesis", "describe_stream_summary", StreamName="events")
    assert cloud.redshift.rows("SELECT note FROM fact") == [("it's begun",)]
    policy = cloud.aws.call("iam", "get_role_policy", RoleName="nearshift-shop-redshift", PolicyName="read-stream")["PolicyDocument"]
    assert "arn:aws:kinesis:eu-west-1:123456789012:stream/events" in str(policy)


def test_a_change_of_the_folder_changes_what_it_must(cloud: Cloud, tmp_path: Path) -> None:
    cloud.deploy(write_folder(tmp_path))
    changed = write_folder(tmp_path, 'retention_hours = 48', sql=SQL.replace("'loaded'", "'again'"))
    lines = cloud.deployment(changed).plan().lines
    assert {line.part for line in lines} == {Part.STACK, Part.SQL}
    done = cloud.deploy(changed)
    assert "sql replace public.sp_load()" in done
    assert cloud.deployment(changed).stack.look().parameters["SchedulesState"] == "ENABLED"
    assert cloud.deploy(changed) == []


def test_a_changed_streaming_view_is_refused_with_the_safe_steps(cloud: Cloud, tmp_path: Path) -> None:
    from nearshift.deploy.successor import write_successors

    cloud.deploy(write_folder(tmp_path))
    for number in range(3):
        cloud.redshift.stream.put(b'{"n": %d}' % number)
    cloud.redshift.rows("REFRESH MATERIALIZED VIEW records")
    wanted = SQL.replace("AS payload FROM", "AS payload, partition_key FROM")
    changed = write_folder(tmp_path, sql=wanted)
    with pytest.raises(ConfigurationError, match=r'streaming view "public\.records" is not changed') as caught:
        cloud.deploy(changed)
    assert "--allow public.records" in (caught.value.hint or "")
    (path,) = write_successors(changed, cloud.deployment(changed).plan())
    text = path.read_text()
    assert "(public.typed)" in text
    # As the file says: the old text back, the file into sql/, and what reads the old view reads both.
    write_folder(tmp_path)
    (tmp_path / "sql" / "005_old.sql").write_text(SQL[: SQL.index("CREATE MATERIALIZED VIEW typed")])
    (tmp_path / "sql" / "006_new.sql").write_text(text)
    rest = SQL[SQL.index("CREATE MATERIALIZED VIEW typed") :].replace("FROM records", "FROM records_whole").replace("MATERIALIZED", "")
    beside = write_folder(tmp_path, sql=rest)
    assert "sql create public.records_next" in cloud.deploy(beside)
    cloud.redshift.stream.put(b'{"n": 3}')
    cloud.redshift.rows("REFRESH MATERIALIZED VIEW records_next")
    assert cloud.redshift.rows("SELECT n FROM typed ORDER BY 1") == [(0,), (1,), (2,), (3,)]
    assert cloud.redshift.rows("SELECT count(*), count(partition_key) FROM records_whole") == [(4, 4)]


def test_an_existing_cluster_gets_the_role_and_gives_it_back(cluster: Cloud, tmp_path: Path) -> None:
    cluster.aws.formation = Formation()
    cluster.has_data_api = True
    pipeline = write_folder(tmp_path, CLUSTER)
    done = cluster.deploy(pipeline)
    assert "beside add nearshift-shop-redshift to analytics" in done
    assert "beside enable orders to events" in done
    assert cluster.aws.roles["analytics"] == ["arn:aws:iam::123456789012:role/nearshift-shop-redshift"]
    assert '"is_done": true' in (tmp_path / "deploy" / "state.json").read_text()
    assert cluster.deploy(pipeline) == []
    gone = cluster.destroy(pipeline)
    assert gone[0] == "schedules disable nearshift-shop"
    assert gone[-1] == "stack delete nearshift-shop"
    assert gone.index("sql drop public.typed") < gone.index("sql drop public.records") < gone.index("sql drop kds")
    assert cluster.aws.roles["analytics"] == []
    assert not (tmp_path / "deploy" / "state.json").exists()
    assert cluster.redshift.rows("SELECT count(*) FROM svv_tables WHERE table_schema = 'public'") == [(0,)]
    assert cluster.destroy(pipeline) == []


def test_a_role_that_was_there_before_stays(cluster: Cloud, tmp_path: Path) -> None:
    own = "arn:aws:iam::123456789012:role/nearshift-shop-redshift"
    cluster.aws.roles["analytics"] = [own]
    pipeline = write_folder(tmp_path, CLUSTER)
    assert not any(line.startswith("beside add") for line in cluster.deploy(pipeline))
    assert not any(line.startswith("beside remove") for line in cluster.destroy(pipeline))
    assert cluster.aws.roles["analytics"] == [own]


_WRITES = frozenset({
    "create_change_set", "execute_change_set", "delete_change_set", "delete_stack", "modify_cluster_iam_roles",
    "enable_kinesis_streaming_destination", "disable_kinesis_streaming_destination",
})  # fmt: skip


class _Network:
    """A network that breaks at the n-th deed, before it is done or before we hear of it, and stays broken."""

    def __init__(self, cloud: Cloud, at: int, *, is_done: bool) -> None:
        self._cloud = cloud
        self._is_done = is_done
        self.region = cloud.aws.region
        self.left = at

    def deployment(self, pipeline: Pipeline) -> Deployment:
        return Deployment(pipeline, Surroundings(self, self._cloud.clock, lambda _names: _CutConnection(self, self._cloud)))

    def call(self, service: str, operation: str, **members: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.carry(operation in _WRITES, lambda: self._cloud.aws.call(service, operation, **members))
        return answer

    def carry(self, is_write: bool, deed: Callable[[], Any]) -> Any:
        if self.left <= 0:
            raise TargetError("the network is cut")
        self.left -= is_write
        if self.left == 0 and not self._is_done:
            raise TargetError("the network is cut")
        answer = deed()
        if self.left == 0:
            raise TargetError("the network is cut")
        return answer


class _CutConnection:
    def __init__(self, network: _Network, cloud: Cloud) -> None:
        self._network = network
        self._inner = SessionRemote(cloud.redshift.warehouse)

    def run(self, text: str) -> Any:
        return self._network.carry(not text.startswith("SELECT"), lambda: self._inner.run(text))

    def run_each(self, texts: Sequence[str]) -> None:
        self._network.carry(True, lambda: self._inner.run_each(texts))

    def run_together(self, texts: Sequence[str]) -> None:
        self._network.carry(True, lambda: self._inner.run_together(texts))

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_a_deployment_that_was_cut_off_anywhere_goes_on(cluster: Cloud, tmp_path: Path, is_done: bool) -> None:
    cluster.aws.formation = Formation()
    # How the SQL part is cut at each of its statements is tested with the targets: here one object of each kind will do.
    pipeline = write_folder(tmp_path, CLUSTER, sql=SQL[: SQL.index("CREATE MATERIALIZED VIEW records")] + "CREATE TABLE fact (n int);")
    cuts = 0
    for at in range(1, 100):
        left: list[int] = []
        for is_deploying in (True, False):
            network = _Network(cluster, at, is_done=is_done)
            try:
                deployment = network.deployment(pipeline)
                list(deployment.deploy() if is_deploying else deployment.destroy())
            except NearshiftError as error:
                assert error.message == "the network is cut"  # noqa: PT017 - whether it is raised depends on the place
                cuts += 1
            left.append(network.left)
            whole = _Network(cluster, 1000, is_done=is_done).deployment(pipeline)
            if is_deploying:
                _end_of_deploying(cluster, whole)
            else:
                _end_of_destroying(cluster, whole)
        if all(one > 0 for one in left):
            break
    assert cuts > 20


def _end_of_deploying(cloud: Cloud, whole: Deployment) -> None:
    list(whole.deploy())
    assert whole.plan().is_empty
    assert whole.stack.look().parameters["SchedulesState"] == "ENABLED"
    assert cloud.redshift.rows("SELECT count(*) FROM fact") == [(0,)]
    assert whole.memory.find("capture", "orders") == Made("capture", "orders", STREAM, is_done=True)


def _end_of_destroying(cloud: Cloud, whole: Deployment) -> None:
    list(whole.destroy())
    assert whole.stack.look().standing is Standing.ABSENT
    assert whole.plan_destroy().lines == ()
    assert cloud.aws.roles == {"analytics": []}
    assert set(cloud.aws.destinations["orders"].values()) <= {"DISABLED"}
    assert cloud.redshift.rows("SELECT count(*) FROM svv_tables WHERE table_schema = 'public'") == [(0,)]


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        ("REVIEW_IN_PROGRESS", Standing.ABSENT), ("DELETE_COMPLETE", Standing.ABSENT), ("CREATE_IN_PROGRESS", Standing.BUSY),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Standing.BUSY), ("UPDATE_ROLLBACK_COMPLETE", Standing.READY),
        ("ROLLBACK_COMPLETE", Standing.STUCK), ("UPDATE_ROLLBACK_FAILED", Standing.STUCK), ("DELETE_FAILED", Standing.STUCK),
    ],
)  # fmt: skip
def test_every_state_of_a_stack_says_what_can_be_done(status: str, standing: Standing) -> None:
    assert classify_status(status) is standing
