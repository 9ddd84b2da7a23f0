-- From records to typed rows. One row per change: of which item it is, where it stands in time, and the item's new image.
SET enable_case_sensitive_identifier TO true;

-- change_us orders the changes of an item, sequence_number breaks ties; arrival orders nothing. DynamoDB writes milliseconds or microseconds as
-- the streaming destination was set at that moment, and both may stand in one stream. Their size tells them apart: below 10^14 it is milliseconds
-- until the year 5138, above it microseconds since 1973.
-- key_hash and key_check are the two halves of one MD5 of the whole key: 120 bits that tell keys apart, so that loads join on two numbers
-- and never read the texts of the rows that they search.
-- A record that cannot be placed has a reject_reason; its payload stays in demo_stream_vw under the same shard_id and sequence_number.
CREATE MATERIALIZED VIEW mv_item_change AS
SELECT s.refresh_time,
       s.shard_id,
       s.sequence_number,
       s.payload."eventID"::varchar(64) AS event_id,
       upper(s.payload."eventName"::varchar(16)) AS event_name,
       s.payload."dynamodb"."ApproximateCreationDateTime"::bigint
         * CASE WHEN s.payload."dynamodb"."ApproximateCreationDateTime"::bigint < 100000000000000 THEN 1000 ELSE 1 END AS change_us,
       strtol(left(md5(s.payload."dynamodb"."Keys"."pk"."S"::varchar(2048) || '|' ||
                       s.payload."dynamodb"."Keys"."sk"."S"::varchar(1024)), 15), 16) AS key_hash,
       strtol(substring(md5(s.payload."dynamodb"."Keys"."pk"."S"::varchar(2048) || '|' ||
                       s.payload."dynamodb"."Keys"."sk"."S"::varchar(1024)), 16, 15), 16) AS key_check,
       s.payload."dynamodb"."Keys"."pk"."S"::varchar(2048) AS pk,
       s.payload."dynamodb"."Keys"."sk"."S"::varchar(1024) AS sk,
       s.payload."dynamodb"."NewImage" AS new_image,
       CASE WHEN s.payload IS NULL THEN 'not JSON'
            WHEN s.payload."dynamodb"."Keys"."pk"."S"::varchar(2048) IS NULL THEN 'no partition key'
            WHEN s.payload."dynamodb"."Keys"."sk"."S"::varchar(1024) IS NULL THEN 'no sort key'
            WHEN s.payload."dynamodb"."ApproximateCreationDateTime"::bigint IS NULL THEN 'no change time'
            WHEN s.payload."dynamodb"."NewImage" IS NULL AND nvl(upper(s.payload."eventName"::varchar(16)), '') <> 'REMOVE' THEN 'no new image'
       END AS reject_reason
FROM demo_stream_vw s;

-- In the views below an attribute that is missing, or of another DynamoDB type than its path names, is NULL.
-- Keys: CUSTOMER#<customer> with TRANSACTION#<time>#<transaction>, PROFILE, or CUSTOMER#<time>#<dependent>.
CREATE MATERIALIZED VIEW mv_customer_transaction_event AS
SELECT c.refresh_time, c.shard_id, c.sequence_number, c.event_id, c.event_name, c.change_us, c.key_hash, c.key_check, c.pk, c.sk,
       timestamp 'epoch' + (c.change_us / 1000000) * interval '1 second' AS changed_at,
       split_part(c.pk, '#', 2) AS customer_id,
       split_part(c.sk, '#', 3) AS transaction_id,
       c.new_image."Event"."S"::varchar(64) AS event_type,
       c.new_image."status"."S"::varchar(64) AS status,
       c.new_image."Provider"."S"::varchar(500) AS provider,
       c.new_image."billedAmount"."N"::decimal(18,2) AS billed_amount,
       c.new_image."OutofPockAmount"."N"::decimal(18,2) AS outofpock_amount,
       c.new_image."OutofPockMax"."N"::decimal(18,2) AS outofpock_max,
       c.new_image."OutofPockPercent"."N"::decimal(5,2) AS outofpock_percent,
       c.new_image."ledgerNumber"."N"::decimal(38,0) AS ledger_number,
       c.new_image."note"."S"::varchar(4096) AS note,
       c.new_image."completionDateTime"."S"::timestamptz AS completion_datetime,
       c.new_image."lastCalculationDateTime"."S"::timestamptz AS last_calculation_datetime,
       c.new_image."calculationRequirements"."M"."dependentIds"."L" AS dependents
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND split_part(c.sk, '#', 1) = 'TRANSACTION';

CREATE MATERIALIZED VIEW mv_customer_profile_event AS
SELECT c.refresh_time, c.shard_id, c.sequence_number, c.event_id, c.event_name, c.change_us, c.key_hash, c.key_check, c.pk, c.sk,
       split_part(c.pk, '#', 2) AS customer_id,
       c.new_image."email"."S"::varchar(320) AS email,
       c.new_image."planYear"."N"::integer AS plan_year,
       c.new_image."OutofPockMax"."N"::decimal(18,2) AS outofpock_max,
       c.new_image."address"."M"."zip"."S"::varchar(16) AS zip,
       c.new_image."address"."M"."state"."S"::varchar(16) AS state,
       c.new_image."isActive"."BOOL"::boolean AS is_active
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND c.sk = 'PROFILE';

CREATE MATERIALIZED VIEW mv_dependent_profile_event AS
SELECT c.refresh_time, c.shard_id, c.sequence_number, c.event_id, c.event_name, c.change_us, c.key_hash, c.key_check, c.pk, c.sk,
       split_part(c.pk, '#', 2) AS customer_id,
       split_part(c.sk, '#', 3) AS dependent_id,
       c.new_image."name"."S"::varchar(500) AS name,
       c.new_image."relationship"."S"::varchar(64) AS relationship,
       c.new_image."birthYear"."N"::integer AS birth_year
FROM mv_item_change c
WHERE c.reject_reason IS NULL AND split_part(c.sk, '#', 1) = 'CUSTOMER';
