UPDATE t SET status = "Running"; -- fault: double-quotes
