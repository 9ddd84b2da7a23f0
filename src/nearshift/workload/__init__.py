"""A health plan's customer transactions as DynamoDB sees them change, and what an analyst must then find."""
