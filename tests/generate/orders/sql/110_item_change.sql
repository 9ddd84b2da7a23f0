-- Written by nearshift generate (text ace2d60ec787fde0). Change nearshift.toml instead: once changed by hand, this file is yours.
SET enable_case_sensitive_identifier TO true;

-- One row per change: of which item it is, where it stands in time, and the item's new image.
--
-- change_us orders the changes of an item, sequence_number breaks ties; arrival orders nothing. DynamoDB writes milliseconds or
-- microseconds as the streaming destination was set at that moment, and both may stand in one stream. Their size tells them apart: below
-- 10^14 it is milliseconds until the year 5138, above it microseconds since 1973.
-- key_hash and key_check are the two halves of one MD5 of the whole key: 120 bits that tell keys apart, so that loads join on two numbers
-- and never read the texts of the rows that they search.
-- The partition key goes in as an MD5 of its own, which keeps the keys a|b, c and a, b|c apart.
-- is_expired: DynamoDB's time to live removed the item, not a request.
-- A record that cannot be placed has a reject_reason; its payload stays in stream_vw under the same shard_id and sequence_number.
CREATE MATERIALIZED VIEW mv_item_change AS
SELECT s.refresh_time,
       s.shard_id,
       s.sequence_number,
       s.payload."eventID"::varchar(64) AS event_id,
       s.payload."dynamodb"."ApproximateCreationDateTime"::bigint
         * CASE WHEN s.payload."dynamodb"."ApproximateCreationDateTime"::bigint < 100000000000000 THEN 1000 ELSE 1 END AS change_us,
       strtol(left(md5(md5(s.payload."dynamodb"."Keys"."pk"."S"::varchar(2048)) ||
                       s.payload."dynamodb"."Keys"."sk"."S"::varchar(1024)), 15), 16) AS key_hash,
       strtol(substring(md5(md5(s.payload."dynamodb"."Keys"."pk"."S"::varchar(2048)) ||
                       s.payload."dynamodb"."Keys"."sk"."S"::varchar(1024)), 16, 15), 16) AS key_check,
       s.payload."dynamodb"."Keys"."pk"."S"::varchar(2048) AS pk,
       s.payload."dynamodb"."Keys"."sk"."S"::varchar(1024) AS sk,
       nvl(upper(s.payload."eventName"::varchar(16)), '') = 'REMOVE' AS is_removed,
       nvl(upper(s.payload."eventName"::varchar(16)), '') = 'REMOVE'
         AND nvl(s.payload."userIdentity"."principalId"::varchar(64), '') = 'dynamodb.amazonaws.com' AS is_expired,
       s.payload."dynamodb"."NewImage" AS new_image,
       CASE WHEN s.payload IS NULL THEN 'not JSON'
            WHEN s.payload."dynamodb"."Keys"."pk"."S"::varchar(2048) IS NULL THEN 'no partition key'
            WHEN s.payload."dynamodb"."Keys"."sk"."S"::varchar(1024) IS NULL THEN 'no sort key'
            WHEN s.payload."dynamodb"."ApproximateCreationDateTime"::bigint IS NULL THEN 'no change time'
            WHEN s.payload."dynamodb"."NewImage" IS NULL
                 AND nvl(upper(s.payload."eventName"::varchar(16)), '') <> 'REMOVE' THEN 'no new image'
       END AS reject_reason
FROM stream_vw s;
