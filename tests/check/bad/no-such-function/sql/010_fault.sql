SELECT string_agg(a, ',') FROM t; -- fault: no-such-function
