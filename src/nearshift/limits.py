"""Every bound of the package: its unit is in its name, its reason above it, its relation to its neighbours asserted below."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# Redshift refuses statements above 16 MB ("Quotas and limits in Amazon Redshift").
STATEMENT_BYTES_MAX: Final = 16 * MIB
# A client message may carry a statement and its parameters; anything longer is garbage or an attack.
WIRE_MESSAGE_BYTES_MAX: Final = 2 * STATEMENT_BYTES_MAX + MIB
# The startup packet of PostgreSQL 15 may have 10,000 bytes; drivers of Redshift send a few more keys.
WIRE_STARTUP_BYTES_MAX: Final = 16 * KIB
# Redshift allows 2,000 connections; one thread each is kept well below that on one machine.
WIRE_CONNECTIONS_MAX: Final = 500
# Sockets beyond those, so that a full server can still say so and still hears a request to cancel.
WIRE_CONNECTIONS_SPARE: Final = 50
# A longer message is read past and refused up to this size, PostgreSQL's own bound; above it the connection ends.
WIRE_DISCARD_BYTES_MAX: Final = 1024 * MIB
# From accept to the end of the login; PostgreSQL's authentication_timeout is one minute.
WIRE_LOGIN_SECONDS_MAX: Final = 60
# How long a stopping server waits for its connections to end by themselves.
WIRE_STOP_SECONDS_MAX: Final = 10
# Output is handed to the socket in pieces of about this size, and a batch is encoded in pieces of at most so many bytes of values.
WIRE_OUTPUT_BYTES: Final = 128 * KIB
WIRE_ENCODE_BYTES_MAX: Final = 8 * MIB
# Named prepared statements, and open portals, of one connection.
WIRE_STATEMENTS_MAX: Final = 5_000
WIRE_PORTALS_MAX: Final = 1_000
# The unread rest of a suspended portal is kept in memory up to the first bound, then in a temporary file up to the second.
PORTAL_MEMORY_BYTES_MAX: Final = 16 * MIB
PORTAL_FILE_BYTES_MAX: Final = 1024 * MIB
# Rows of one Arrow batch on the way to a client: the first row goes out within milliseconds.
RESULT_BATCH_ROWS: Final = 8192
# Nested expressions and subqueries that the parser will follow before it refuses.
STATEMENT_DEPTH_MAX: Final = 400
# A path, object or array nesting inside SUPER ("SUPER data type limitations").
SUPER_DEPTH_MAX: Final = 1000
SUPER_BYTES_MAX: Final = 16 * MIB
# Levels of a hierarchy (CONNECT BY) before it counts as one without end.
HIERARCHY_LEVELS_MAX: Final = 10_000
# Redshift's bound on nested CALLs, cursors, arguments and variables of a procedure.
CALL_DEPTH_MAX: Final = 16
PROCEDURE_ARGUMENTS_MAX: Final = 32
PROCEDURE_VARIABLES_MAX: Final = 1024
PROCEDURE_SOURCE_BYTES_MAX: Final = 2 * MIB
# SQL functions inside each other, and the text that one call may become: a call is replaced by its expression.
FUNCTION_CALL_DEPTH_MAX: Final = 32
FUNCTION_TEXT_CHARACTERS_MAX: Final = MIB
# Translations of statements kept per warehouse.
TRANSLATIONS_MAX: Final = 2000
# GetRecords answers at most 10,000 records or 10 MiB ("GetRecords", Kinesis API reference).
GET_RECORDS_COUNT_MAX: Final = 10_000
GET_RECORDS_BYTES_MAX: Final = 10 * MIB
# What one refresh transaction takes in at most: large enough for speed, small enough for memory and for a reader's patience.
REFRESH_BYTES_MAX: Final = 64 * MIB
REFRESH_RECORDS_MAX: Final = 100_000
# Answers of one stream that are kept until all its views have taken them; a view further behind reads for itself.
SHARED_BYTES_MAX: Final = 64 * MIB
# Shards of one stream that one view reads at a time: what it takes in may exceed REFRESH_BYTES_MAX by an answer for each.
FEED_READERS_MAX: Final = 6
# A shard without records for this long is idle: background refreshes look at a stream's idle shards this often in all.
SHARD_IDLE_SECONDS: Final = 30
IDLE_LOOKS_PER_SECOND_MAX: Final = 40
# Kinesis allows 5 GetRecords per second and shard, for all readers together.
SHARD_READ_INTERVAL_MS: Final = 200
# Empty answers before the tip that one refresh follows in one shard; the next refresh goes on from there.
EMPTY_PAGES_MAX: Final = 20
# Retries of one call to a stream before the refresh fails, with full jitter between these bounds.
STREAM_RETRIES_MAX: Final = 8
STREAM_BACKOFF_MS_MIN: Final = 50
STREAM_BACKOFF_MS_MAX: Final = 5_000
# After a throttled read a shard is read at the pace above for this long: a full answer of GetRecords may close it for five seconds.
STREAM_THROTTLED_SECONDS: Final = 5
# One call to a stream: to connect, and between two pieces of its answer. A GetRecords of 10 MiB has a slow first byte.
STREAM_CONNECT_SECONDS_MAX: Final = 5
STREAM_ANSWER_SECONDS_MAX: Final = 20
# DescribeStreamSummary is allowed 20 times per second and account, for all views together: one answer serves a view for this long.
STREAM_DESCRIPTION_SECONDS: Final = 5
# Connections that one source keeps open: one per shard read at the same time.
STREAM_CONNECTIONS_MAX: Final = 32
# Pages of ListShards, 1,000 shards each: no account may have more shards than that by default.
SHARD_PAGES_MAX: Final = 100
# An assumed role of a chain lasts at most one hour ("Role chaining", IAM User Guide); shorter ones are renewed at every call by boto3.
ROLE_SECONDS: Final = 3600
# Pages of GetMetricData for one chart: each holds up to 100,800 values.
METRIC_PAGES_MAX: Final = 10
# A role chain of IAM_ROLE has at most ten roles ("CREATE EXTERNAL SCHEMA").
ROLE_CHAIN_MAX: Final = 10
# The write-ahead log is folded into the file above the first bound at a quiet moment, and at once above the second.
WAL_BYTES_QUIET: Final = 256 * MIB
WAL_BYTES_MAX: Final = 1024 * MIB
# A transaction that wrote holds the write lane; an idle one is ended after this long so that streams go on.
IDLE_IN_TRANSACTION_SECONDS_MAX: Final = 60
# How long a statement waits for the write lane.
LANE_WAIT_SECONDS_MAX: Final = 120
# Rows that the console and the command line fetch of one query.
CONSOLE_ROWS_MAX: Final = 10_000
CONSOLE_STATEMENT_MS_MAX: Final = 30_000
# Query passes over the dashboards that are open: at least this far apart, and at this distance when nothing is committed, since spans end
# now.
CONSOLE_PASS_INTERVAL_MS: Final = 250
CONSOLE_IDLE_PASS_MS: Final = 5_000
# Threads that run passes: a heavy dashboard must leave room for ingestion.
CONSOLE_PASS_THREADS: Final = 2
# Browser tabs that are pushed to, and query editors with a session of their own.
CONSOLE_VIEWERS_MAX: Final = 64
CONSOLE_EDITORS_MAX: Final = 16
# A request to the console: a statement and little else.
CONSOLE_REQUEST_BYTES_MAX: Final = STATEMENT_BYTES_MAX + MIB
# The Data API's quotas ("Considerations when calling the Data API"): active statements and sessions, a statement's text, a result, how long
# results and tokens are kept.
DATA_API_ACTIVE_MAX: Final = 500
DATA_API_SESSIONS_MAX: Final = 500
DATA_API_SQL_BYTES_MAX: Final = 200 * KIB
DATA_API_RESULT_BYTES_MAX: Final = 500 * MIB
DATA_API_KEPT_SECONDS: Final = 24 * 3600
DATA_API_TOKEN_SECONDS: Final = 8 * 3600
# A request carries a batch of forty statements at most, as JSON.
DATA_API_REQUEST_BYTES_MAX: Final = 40 * 2 * DATA_API_SQL_BYTES_MAX
# Ours, since one machine keeps it all: statements run at a time, statements remembered, callers that wait, bytes of one page, of a result
# that stays in memory, and of all results together.
DATA_API_WORKERS: Final = 8
DATA_API_STATEMENTS_KEPT_MAX: Final = 10_000
DATA_API_WAITING_MAX: Final = 24
DATA_API_PAGE_BYTES: Final = MIB
DATA_API_MEMORY_BYTES_MAX: Final = 16 * KIB
DATA_API_RESULTS_BYTES_MAX: Final = 4096 * MIB
# One row of a file that COPY reads, and one JSON document ("COPY", "COPY from JSON format").
COPY_ROW_BYTES_MAX: Final = 4 * MIB
COPY_DOCUMENT_BYTES_MAX: Final = 4 * MIB
# What COPY reads of a file at a time, and UNLOAD keeps in memory of one before it goes to a temporary file.
COPY_PIECE_BYTES: Final = 4 * MIB
UNLOAD_MEMORY_BYTES_MAX: Final = 16 * MIB
# Rows of a columnar file, and of an export, that are loaded at a time.
COPY_BATCH_ROWS: Final = 65_536
# MAXERROR's bound; bad rows beyond it are counted and not kept.
COPY_ERRORS_MAX: Final = 100_000
# A manifest or a file of JSON paths: hundreds of thousands of files.
COPY_MANIFEST_BYTES_MAX: Final = 64 * MIB
# Files of UNLOAD ("MAXFILESIZE"): the default and the smallest, in bytes.
UNLOAD_FILE_BYTES_DEFAULT: Final = 6_657_199_308
UNLOAD_FILE_BYTES_MIN: Final = 5 * MIB
# How long load errors and the history of loads are kept; Redshift keeps seven days of its logs.
LOAD_HISTORY_DAYS: Final = 7
# A template handed over in the request itself ("AWS CloudFormation quotas").
TEMPLATE_BYTES_MAX: Final = 51_200
# Failed logins of an address before it must wait, for how long at most, when they are forgotten, and how many addresses are remembered.
LOGIN_FAILURES_FREE: Final = 5
LOGIN_PAUSE_SECONDS_MAX: Final = 60.0
LOGIN_FAILURES_SECONDS: Final = 900.0
LOGIN_ADDRESSES_MAX: Final = 10_000
# Notes of logins that wait to be written to the file.
CONNECTION_NOTES_MAX: Final = 10_000

assert RESULT_BATCH_ROWS <= REFRESH_RECORDS_MAX
assert GET_RECORDS_COUNT_MAX <= REFRESH_RECORDS_MAX
assert GET_RECORDS_BYTES_MAX <= REFRESH_BYTES_MAX
assert WAL_BYTES_QUIET < WAL_BYTES_MAX
assert STREAM_BACKOFF_MS_MIN < STREAM_BACKOFF_MS_MAX
assert WIRE_STARTUP_BYTES_MAX < WIRE_MESSAGE_BYTES_MAX < WIRE_DISCARD_BYTES_MAX
assert PORTAL_MEMORY_BYTES_MAX < PORTAL_FILE_BYTES_MAX
assert DATA_API_MEMORY_BYTES_MAX < DATA_API_PAGE_BYTES < DATA_API_RESULT_BYTES_MAX < DATA_API_RESULTS_BYTES_MAX
assert COPY_PIECE_BYTES <= UNLOAD_MEMORY_BYTES_MAX < UNLOAD_FILE_BYTES_DEFAULT
assert COPY_ROW_BYTES_MAX <= COPY_MANIFEST_BYTES_MAX
