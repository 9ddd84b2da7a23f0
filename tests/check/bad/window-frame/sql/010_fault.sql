SELECT sum(a) OVER (ORDER BY b) FROM t; -- fault: window-frame
