-- One row per change. Add the attributes of your items: c.payload."dynamodb"."NewImage"."price"."N"::decimal(18,2) AS price
SET enable_case_sensitive_identifier TO true;

CREATE MATERIALIZED VIEW mv_change AS
SELECT c.refresh_time,
       c.sequence_number,
       c.payload."eventName"::varchar(16) AS event_name,
       c.payload."dynamodb"."ApproximateCreationDateTime"::bigint AS change_time,
       c.payload."dynamodb"."Keys"."pk"."S"::varchar(2048) AS pk,
       c.payload."dynamodb"."Keys"."sk"."S"::varchar(1024) AS sk,
       c.payload."dynamodb"."NewImage" AS new_image
FROM stream_vw c
WHERE c.payload IS NOT NULL;
