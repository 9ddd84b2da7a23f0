"""Who may do what: pure decisions over a snapshot of the catalog, what passwords are checked against, and the guard at the door."""
