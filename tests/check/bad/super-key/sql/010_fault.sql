CREATE TABLE t (a int, p super) SORTKEY (p); -- fault: super-key
