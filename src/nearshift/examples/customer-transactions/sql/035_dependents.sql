-- Which dependents a live transaction names: the list in the fact, unnested when it is read. A table of its own would have to be searched and
-- rewritten at each load, for twice as many rows as there are facts.
SET enable_case_sensitive_identifier TO true;

CREATE VIEW customer_transaction_dependent AS
SELECT f.key_hash, f.key_check, f.pk, f.sk,
       d."M"."pk"."S"::varchar(2048) AS dependent_pk,
       d."M"."sk"."S"::varchar(1024) AS dependent_sk
FROM customer_transaction_fact f, f.dependents d;
