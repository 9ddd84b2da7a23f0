SELECT listagg(a), regexp_substr(a, 'x|xy') FROM t; -- fault: function-differs
