"""`nearshift estimate`: what the traffic that the warehouse has seen would need and cost on AWS."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nearshift.cli.connect import open_connection
from nearshift.cli.options import AsJson, Folder
from nearshift.cli.terminal import write_json, write_table
from nearshift.errors import ConfigurationError
from nearshift.pipeline.manifest import FILE_NAME, read_manifest

app = typer.Typer(add_completion=False)

Rate = Annotated[float | None, typer.Option(min=0.001, help="As if so many came; else as seen.")]
Size = Annotated[int | None, typer.Option(min=1, max=10_485_760, help="As if records had so many bytes; else as seen.")]


@app.command()
def estimate(
    folder: Folder = Path(),
    prices: Annotated[Path | None, typer.Option(metavar="FILE", help="Your prices; else the packaged list prices.")] = None,
    records_per_second: Rate = None,
    record_bytes: Size = None,
    retention_hours: Annotated[int, typer.Option(min=24, max=8760, help="How long the stream keeps records.")] = 24,
    write_prices: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the packaged prices to a new file, and stop.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Estimate records, bytes, shards, storage per day and the cost on AWS, from the records that the local warehouse has read.

    Two ways each for Kinesis (provisioned, on demand) and Redshift (Serverless, a cluster) are shown beside each other.
    """
    from nearshift.estimate.cost import estimate as work_out
    from nearshift.estimate.prices import packaged_text, read_prices
    from nearshift.estimate.traffic import read_traffic, scaled

    if write_prices is not None:
        if write_prices.exists():
            raise ConfigurationError(f'"{write_prices}" exists already', hint="Name a new file.")
        write_prices.write_text(packaged_text(), encoding="utf-8")
        sys.stdout.write(f"{write_prices} has the packaged prices: change them, then use --prices {write_prices}\n")
        return
    listed = read_prices(prices)
    manifest = read_manifest(folder / FILE_NAME)
    connection = open_connection(folder)
    try:
        seen = read_traffic(connection.run)
        auto = connection.run("SELECT count(*) FROM svv_mv_info WHERE autorefresh = 't'").rows
    finally:
        connection.close()
    stream = manifest.source.stream if manifest.source is not None else "stream"
    traffic = scaled(seen, records_per_second, record_bytes, stream)
    expressions = [schedule.aws for schedule in manifest.schedules if schedule.aws is not None]
    is_streaming = any(int(count) > 0 for (count,) in auto)
    found = work_out(traffic, expressions, listed, retention_hours=retention_hours, is_streaming=is_streaming)
    if as_json:
        write_json(_plain(found, listed))
        return
    _write(found, listed, is_streaming=is_streaming)


_WAYS = (("provisioned", "serverless"), ("provisioned", "cluster"), ("on-demand", "serverless"), ("on-demand", "cluster"))


def _plain(found: Any, listed: Any) -> dict[str, Any]:
    return {
        "streams": [
            {
                "name": one.stream, "records": one.records, "bytes": one.bytes, "seconds": round(one.seconds, 3),
                "records_per_second": round(one.records_per_second, 3), "bytes_per_second": round(one.bytes_per_second, 1),
                "peak_records_per_second": round(one.peak_records_per_second, 3),
                "peak_bytes_per_second": round(one.peak_bytes_per_second, 1), "shards": found.shards[one.stream],
            }
            for one in found.traffic
        ],
        "records_per_day": round(found.records_per_day), "stored_gb_per_day": round(found.stored_gb_per_day, 6),
        "serverless_hours_per_day": round(found.busy_hours_per_day, 3),
        "lines": [
            {
                "item": line.item, "choice": line.choice, "quantity_per_day": round(line.quantity, 6), "unit": line.unit,
                "price": line.price, "per_day": round(line.per_day, 6), "page": line.page,
            }
            for line in found.lines
        ],
        "totals_per_day": {"+".join(way): round(found.per_day(frozenset(way)), 4) for way in _WAYS},
        "prices": {"as_of": listed.as_of, "region": listed.region, "currency": listed.currency},
    }  # fmt: skip


def _write(found: Any, listed: Any, *, is_streaming: bool) -> None:
    columns = ("stream", "records", "bytes", "seconds", "records/s", "busiest minute/s", "bytes/s", "shards")
    rows = [
        (
            one.stream, one.records, one.bytes, round(one.seconds), round(one.records_per_second, 1),
            round(one.peak_records_per_second, 1), round(one.bytes_per_second), found.shards[one.stream],
        )
        for one in found.traffic
    ]  # fmt: skip
    write_table(columns, rows)
    sys.stdout.write(f"\na day like that: {found.records_per_day:,.0f} records, {found.stored_gb_per_day:,.3f} GB stored\n\n")
    sys.stdout.flush()
    lines = [
        (one.item, f"{one.quantity:,.3f}", one.unit, f"{one.price:g}", f"{one.per_day:,.2f}", f"{one.per_day * 30:,.2f}")
        for one in found.lines
    ]
    write_table(("item", "per day", "unit", "price", f"{listed.currency}/day", f"{listed.currency}/month"), lines)
    sys.stdout.write("\n")
    for way in _WAYS:
        total = found.per_day(frozenset(way))
        sys.stdout.write(f"{' + '.join(way)}: {total:,.2f} {listed.currency} a day, {total * 30:,.2f} a month\n")
    why = "the streaming view refreshes itself" if is_streaming else "what its schedules start"
    sys.stdout.write(f"Serverless is busy {found.busy_hours_per_day:.1f} hours a day ({why}).\n")
    sys.stdout.write(f"List prices of {listed.region}, {listed.as_of}, without taxes, transfer and discounts: see --prices.\n")
