-- Records of the Kinesis Producer Library that hold many: how many came, and how many user records are in them.
ALTER TABLE nearshift.ledger ADD COLUMN aggregate_rows BIGINT DEFAULT 0;
ALTER TABLE nearshift.ledger ADD COLUMN user_records BIGINT DEFAULT 0;
