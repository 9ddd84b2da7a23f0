"""Pipeline folders for the tests of deployment."""

from __future__ import annotations

from pathlib import Path

from nearshift.pipeline.folder import Pipeline, read_folder

SQL = """
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW records AS
  SELECT refresh_time, approximate_arrival_timestamp, shard_id, sequence_number, json_parse(kinesis_data) AS payload FROM kds.events;
CREATE MATERIALIZED VIEW typed AS SELECT payload.n::int AS n FROM records;
CREATE TABLE fact (n int, note varchar(100));
INSERT INTO fact VALUES (0, 'it''s begun');
CREATE OR REPLACE PROCEDURE sp_load() AS $$ BEGIN INSERT INTO fact SELECT n, 'loaded' FROM typed; END; $$ LANGUAGE plpgsql;
"""
MANIFEST = """
name = "shop"
[source]
table = "orders"
stream = "events"
partition_key = "pk"
sort_key = "sk"
[targets.redshift]
region = "eu-west-1"
{settings}
[[schedules]]
name = "load"
statement = "CALL sp_load()"
local = "on refresh of records"
aws = "rate(1 minute)"
[[schedules]]
name = "nightly"
statement = "CALL sp_load()"
local = "cron(0 3 * * ? *)"
"""


def write_folder(folder: Path, settings: str = "", sql: str = SQL, manifest: str = MANIFEST) -> Pipeline:
    """Write a pipeline folder and read it."""
    (folder / "sql").mkdir(parents=True, exist_ok=True)
    (folder / "sql" / "010.sql").write_text(sql)
    (folder / "nearshift.toml").write_text(manifest.replace("{settings}", settings))
    return read_folder(folder)
