SELECT a FROM t WHERE a = 'x '; -- fault: trailing-blanks
