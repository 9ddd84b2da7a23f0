"""Change records as DynamoDB writes them to Kinesis, made in bulk and seeded: about a kilobyte, keys of the example pipeline."""

from __future__ import annotations

import base64
import json
from random import Random


def change_record(random: Random, key: int, change_us: int, name: str) -> bytes:
    """Return one change of transaction `key` at `change_us`, as JSON in UTF-8."""
    customer = f"CUSTOMER#CUST_{key % 50_000}"
    keys = {"pk": {"S": customer}, "sk": {"S": f"TRANSACTION#2026-07-08T23:59:59Z#TX_{key}"}}
    dependents = [{"M": {"sk": {"S": f"CUSTOMER#2026-07-08T23:59:59Z#CUST_{key % 977 + i}"}, "pk": {"S": customer}}} for i in range(2)]
    amount = random.randrange(100, 500_000)
    image = {
        **keys,
        "completionDateTime": {"S": "2026-07-08T23:59:59Z"},
        "OutofPockPercent": {"N": "50.00"},
        "calculationRequirements": {"M": {"dependentIds": {"L": dependents}}},
        "Event": {"S": "CLAIM"},
        "status": {"S": "PAID"},
        "Provider": {"S": f"PV-{key % 97:03d}"},
        "billedAmount": {"N": f"{amount / 50:.2f}"},
        "OutofPockAmount": {"N": f"{amount / 100:.2f}"},
        "lastCalculationDateTime": {"S": "2026-07-08T00:00:00Z"},
        "OutofPockMax": {"N": "2000"},
    }
    record = {
        "awsRegion": "us-east-1",
        "eventID": f"{random.getrandbits(128):032x}",
        "eventName": name,
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": "customer-transactions",
        "dynamodb": {
            "ApproximateCreationDateTime": change_us,
            "ApproximateCreationDateTimePrecision": "MICROSECOND",
            "Keys": keys,
            "NewImage": image,
            "SizeBytes": 594,
        },
        "eventSource": "aws:dynamodb",
    }
    return json.dumps(record, separators=(",", ":")).encode()


def get_records_answer(records: list[bytes], first_sequence: int) -> bytes:
    """Return the body of a GetRecords answer with these payloads."""
    body = {
        "Records": [
            {
                "SequenceNumber": str(first_sequence + i),
                "ApproximateArrivalTimestamp": 1_780_000_000.0 + i / 1000,
                "Data": base64.b64encode(data).decode(),
                "PartitionKey": "k",
            }
            for i, data in enumerate(records)
        ],
        "NextShardIterator": "next",
        "MillisBehindLatest": 0,
    }
    return json.dumps(body, separators=(",", ":")).encode()
