CALL sys_nearshift_replay('v'); -- fault: here-only
