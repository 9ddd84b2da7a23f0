"""The warehouses of a pipeline's tests: what they obey of the manifest, and what they cannot stand in for."""

from __future__ import annotations

from pathlib import Path

import pytest

from nearshift.errors import NearshiftError
from nearshift.pipeline.bench import Benches
from nearshift.pipeline.definitions import FileError
from nearshift.pipeline.folder import read_folder

VIEW = "CREATE MATERIALIZED VIEW v AS SELECT from_varbyte(kinesis_data, 'utf-8')::int AS n FROM kds.events;"


def write(folder: Path, sql: str, manifest: str = "") -> None:
    (folder / "sql").mkdir()
    (folder / "sql" / "1.sql").write_text(sql)
    (folder / "nearshift.toml").write_text(f'name = "p"\n{manifest}')


@pytest.mark.parametrize("setting", ["quarantine", "fail"])
def test_bad_records_do_what_the_manifest_says(tmp_path: Path, setting: str) -> None:
    write(
        tmp_path,
        f"CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;\n{VIEW}",
        f'[targets.local]\nstreaming_errors = "{setting}"',
    )
    with Benches(read_folder(tmp_path)) as benches:
        bench = benches.open()
        bench.put(b"bad")
        if setting == "fail":
            with pytest.raises(NearshiftError, match="bad"):
                bench.run("REFRESH MATERIALIZED VIEW v")
        else:
            bench.run("REFRESH MATERIALIZED VIEW v")
        assert bench.run("SELECT count(*) FROM sys_nearshift_quarantine").rows == [(int(setting == "quarantine"),)]
        bench.close()


def test_a_topic_has_no_stand_in(tmp_path: Path) -> None:
    write(
        tmp_path,
        "CREATE EXTERNAL SCHEMA k FROM KAFKA AUTHENTICATION none URI 'b:9092';\n"
        "CREATE MATERIALIZED VIEW v AS SELECT kafka_offset FROM k.events;",
    )
    with pytest.raises(FileError, match='topic "events" of external schema "k"'), Benches(read_folder(tmp_path)):
        pass
