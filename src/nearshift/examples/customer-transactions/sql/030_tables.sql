-- Facts and dimensions hold the latest image of each item. A tombstone holds the version at which an item was removed, so that an older change
-- that arrives late does not bring it back.
CREATE TABLE customer_transaction_fact (
  key_hash                  bigint NOT NULL,
  key_check                 bigint NOT NULL,
  pk                        varchar(2048) NOT NULL,
  sk                        varchar(1024) NOT NULL,
  customer_id               varchar(2048),
  transaction_id            varchar(1024),
  event_type                varchar(64),
  status                    varchar(64),
  provider                  varchar(500),
  billed_amount             decimal(18,2),
  outofpock_amount          decimal(18,2),
  outofpock_max             decimal(18,2),
  outofpock_percent         decimal(5,2),
  ledger_number             decimal(38,0),
  note                      varchar(4096),
  completion_datetime       timestamptz,
  last_calculation_datetime timestamptz,
  dependents                super,
  changed_at                timestamp NOT NULL,
  change_us                 bigint NOT NULL,
  sequence_number           varchar(128) NOT NULL,
  event_id                  varchar(64),
  loaded_at                 timestamp NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

CREATE TABLE customer_transaction_tombstone (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

CREATE TABLE customer_dim (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  customer_id     varchar(2048),
  email           varchar(320),
  plan_year       integer,
  outofpock_max   decimal(18,2),
  zip             varchar(16),
  state           varchar(16),
  is_active       boolean,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL,
  loaded_at       timestamp NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

CREATE TABLE customer_tombstone (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

CREATE TABLE dependent_dim (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  customer_id     varchar(2048),
  dependent_id    varchar(1024),
  name            varchar(500),
  relationship    varchar(64),
  birth_year      integer,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL,
  loaded_at       timestamp NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

CREATE TABLE dependent_tombstone (
  key_hash        bigint NOT NULL,
  key_check       bigint NOT NULL,
  pk              varchar(2048) NOT NULL,
  sk              varchar(1024) NOT NULL,
  change_us       bigint NOT NULL,
  sequence_number varchar(128) NOT NULL
) DISTKEY (key_hash) SORTKEY (key_hash);

-- One row per load: how it stands, how far it has read, and what it did since the table was made. watermark is a refresh_time that the load has
-- read, never the clock: refresh_time grows in the order of commits, so nothing can appear behind it.
CREATE TABLE etl_audit (
  load_name     varchar(100) NOT NULL,
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

INSERT INTO etl_audit (load_name, status, watermark, run_count, change_count, stale_count, written_count, removed_count) VALUES
  ('customer_transaction_fact', 'Ready', '1970-01-01 00:00:00', 0, 0, 0, 0, 0),
  ('customer_dim', 'Ready', '1970-01-01 00:00:00', 0, 0, 0, 0, 0),
  ('dependent_dim', 'Ready', '1970-01-01 00:00:00', 0, 0, 0, 0, 0);

-- Records that no load could use, with the reason. Their payload is in demo_stream_vw.
CREATE VIEW rejected_record AS
SELECT refresh_time, shard_id, sequence_number, event_id, reject_reason
FROM mv_item_change
WHERE reject_reason IS NOT NULL;
