SET timezone TO 'America/New_York'; -- fault: session-zone
CREATE TABLE t (a int);
