INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING; -- fault: not-in-redshift
