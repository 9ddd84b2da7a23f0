CREATE TABLE t (a int);
CREATE VIEW v AS
SELECT b FROM t; -- fault: unbound
CREATE VIEW w AS SELECT b FROM v;
