-- Written by nearshift generate (text 0a3c899731723014). Change nearshift.toml instead: once changed by hand, this file is yours.
SET enable_case_sensitive_identifier TO true;

-- One row per load: how it stands, how far it has read, and what it did since the table was made. watermark is a refresh_time that the
-- load has read, never the clock: refresh_time grows in the order of commits, so nothing can appear behind it.
CREATE TABLE etl_audit (
  load_name     varchar(127) NOT NULL,
  status        varchar(20) NOT NULL,
  started_at    timestamp,
  finished_at   timestamp,
  watermark     timestamp NOT NULL,
  run_count     bigint NOT NULL,
  change_count  bigint NOT NULL,
  stale_count   bigint NOT NULL,
  written_count bigint NOT NULL,
  removed_count bigint NOT NULL,
  error         varchar(2000)
);
