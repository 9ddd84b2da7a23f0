SELECT 1 FROM WHERE; -- fault: refused
