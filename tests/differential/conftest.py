"""Two sides of one comparison: this project and a real PostgreSQL server, with the same tables in both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from tests.differential.postgres_server import programs, running
from tests.differential.sides import TABLES, Sides

from nearshift.testing.text_bench import Bench
from nearshift.testing.text_drivers import InProcess

# `make differential` sets it; the gate does with a sample that takes seconds.
TIMES = int(os.environ.get("NEARSHIFT_DIFFERENTIAL_TIMES", "1"))
settings.register_profile(
    "differential", derandomize=TIMES == 1, deadline=None, database=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)  # fmt: skip


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Both servers with their tables filled."""
    directory = programs()
    if directory is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql (initdb is not in PATH nor in /usr/lib/postgresql/*/bin)")
    bench = Bench(Path(tmp_path_factory.mktemp("differential")) / "warehouse.db", InProcess())
    bench.open()
    with running(directory) as socket, psycopg.connect(host=socket, user="dev", dbname="postgres", autocommit=True) as postgres:
        both = Sides(bench, postgres)
        for statement in TABLES:
            both.prepare(statement)
        yield both
    bench.close()
