-- What a Kafka record has beside the columns that records of every stream have, so that it can be put through its view again.
ALTER TABLE nearshift.quarantine ADD COLUMN kafka_timestamp_type VARCHAR;
ALTER TABLE nearshift.quarantine ADD COLUMN kafka_key BLOB;
ALTER TABLE nearshift.quarantine ADD COLUMN kafka_headers VARCHAR;
