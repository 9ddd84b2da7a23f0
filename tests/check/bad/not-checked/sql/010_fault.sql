CREATE DATASHARE d; -- fault: not-checked
