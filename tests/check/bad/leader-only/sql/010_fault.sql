INSERT INTO t SELECT now() FROM u; -- fault: leader-only
