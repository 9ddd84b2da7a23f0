"""How many records a second go from the bytes of GetRecords to committed fact rows, on the example pipeline.

Prints JSON: records per second of the whole road and of its parts (decode and streaming view, derived views and load), beside what DuckDB
alone needs to parse the same JSON text, which is the limit. Intakes are those of a stream that is far behind.

    python -m benchmarks.road [--records 200000] [--shards 4] [--page 10000]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from random import Random

import pyarrow as pa
from benchmarks.canned import CannedSource
from benchmarks.pipeline_files import apply_example
from benchmarks.records import change_record, get_records_answer

from nearshift.engine import Engine
from nearshift.warehouse import Warehouse


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--page", type=int, default=10_000)
    options = parser.parse_args()
    random = Random(7)
    keys = [random.randrange(options.records) for _ in range(options.records)]
    payloads = [change_record(random, key, 1_780_000_000_000_000 + i, "MODIFY") for i, key in enumerate(keys)]
    source = CannedSource(options.shards)
    shards = list(source.answers)
    for i in range(0, len(payloads), options.page):
        shard = shards[(i // options.page) % len(shards)]
        source.answers[shard].append(get_records_answer(payloads[i : i + options.page], 10**55 + i))
    limit = _limit(payloads)
    with tempfile.TemporaryDirectory() as folder, Warehouse.open(Path(folder) / "w.duckdb", sources=lambda _s, _n: source) as warehouse:
        session = warehouse.session()
        apply_example(session)
        start, cpu = time.perf_counter(), time.process_time()
        while any(source.answers.values()):
            for result in session.execute_script("REFRESH MATERIALIZED VIEW demo_stream_vw"):
                result.rows()
        streamed, cpu_streamed = time.perf_counter(), time.process_time()
        for result in session.execute_script("CALL sp_load_customer_transaction_fact()"):
            result.rows()
        end, cpu_end = time.perf_counter(), time.process_time()
        facts = session.execute("SELECT count(*) FROM customer_transaction_fact").rows()[0][0]
        stored = session.execute("SELECT sum(stored_rows), bool_and(is_balanced) FROM sys_nearshift_ledger").rows()[0]
    count = len(payloads)
    print(
        json.dumps(
            {
                "benchmark": "road",
                "records": count,
                "bytes_per_record": sum(map(len, payloads)) // count,
                "fact_rows": facts,
                "stored": int(stored[0]),
                "ledger_balanced": stored[1],
                "records_per_second": round(count / (end - start)),
                "streaming_view_records_per_second": round(count / (streamed - start)),
                "load_records_per_second": round(count / (end - streamed)),
                "streaming_view_cpu_us_per_record": round((cpu_streamed - cpu) / count * 1e6, 1),
                "load_cpu_us_per_record": round((cpu_end - cpu_streamed) / count * 1e6, 1),
                "load_average": round(os.getloadavg()[0], 1),
                "limit_json_parse_records_per_second": round(limit),
            }
        )
    )


def _limit(payloads: list[bytes]) -> float:
    """Return the records per second that DuckDB parses and stores when it does nothing else with them."""
    engine = Engine.open(None)
    connection = engine.connect()
    with connection.registered("payloads", pa.table({"d": pa.array(payloads, pa.binary())})):
        start = time.perf_counter()
        connection.execute("CREATE TABLE parsed AS SELECT decode(d)::JSON AS j FROM payloads")
        seconds = time.perf_counter() - start
    connection.close()
    engine.close()
    return len(payloads) / seconds


if __name__ == "__main__":
    main()
