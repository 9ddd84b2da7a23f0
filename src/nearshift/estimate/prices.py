"""The prices that an estimate multiplies with: a file that one can edit, or the packaged one."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from nearshift.errors import ConfigurationError

Price = Annotated[float, Meta(ge=0)]


class Kinesis(Struct, frozen=True, forbid_unknown_fields=True):
    """Kinesis Data Streams, both capacity modes."""

    page: str
    shard_hour: Price
    million_put_units: Price
    extended_shard_hour: Price
    on_demand_stream_hour: Price
    on_demand_gb_in: Price
    on_demand_gb_out: Price


class DynamoDb(Struct, frozen=True, forbid_unknown_fields=True):
    """What DynamoDB asks for writing changes to a stream."""

    page: str
    million_capture_units: Price


class Redshift(Struct, frozen=True, forbid_unknown_fields=True):
    """Redshift Serverless, a provisioned cluster, and their storage; `compression` is bytes stored per byte read."""

    page: str
    rpu_hour: Price
    base_rpu: Annotated[int, Meta(ge=4, le=1024)]
    node_hour: Price
    nodes: Annotated[int, Meta(ge=1, le=128)]
    managed_gb_month: Price
    compression: Annotated[float, Meta(gt=0)]


class Scheduler(Struct, frozen=True, forbid_unknown_fields=True):
    """EventBridge Scheduler."""

    page: str
    million_invocations: Price


class Prices(Struct, frozen=True, forbid_unknown_fields=True):
    """One region's list prices and the month that they are of."""

    as_of: str
    region: str
    currency: str
    kinesis: Kinesis
    dynamodb: DynamoDb
    redshift: Redshift
    scheduler: Scheduler


def read_prices(path: Path | None) -> Prices:
    """Return the prices of a file, or those of the package. Raises ConfigurationError, which names the file and the key."""
    try:
        if path is None:
            text = (resources.files("nearshift") / "estimate" / "prices.toml").read_text(encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is not text in UTF-8").lower()
        raise ConfigurationError(f'could not read "{path}": {reason}') from error
    hint = "Copy the packaged file and change its numbers: nearshift estimate --write-prices FILE"
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f'"{path}" is not valid TOML: {str(error)[:1].lower()}{str(error)[1:]}', hint=hint) from error
    try:
        return msgspec.convert(table, Prices)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        key = place.rstrip("`").lstrip(".")
        where = f'"{path}", key "{key}"' if key else f'"{path}"'
        raise ConfigurationError(f"{where}: {reason.lower()}".replace("`", '"'), hint=hint) from error


def packaged_text() -> str:
    """Return the packaged file, to be written where somebody edits it."""
    return (resources.files("nearshift") / "estimate" / "prices.toml").read_text(encoding="utf-8")
