"""Near-real-time analytics on DynamoDB and Kinesis in Amazon Redshift's SQL."""

from __future__ import annotations
