"""A pipeline folder, and bringing a target to what it says."""
