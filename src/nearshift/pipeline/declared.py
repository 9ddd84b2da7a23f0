"""The facts and dimensions that `nearshift.toml` declares, from which `nearshift generate` writes their SQL."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Mode = Literal["latest-image", "latest-non-null"]
DeletedBy = Literal["remove", "expiry"]


class DeclaredColumn(Struct, frozen=True, forbid_unknown_fields=True):
    """A column: its Redshift type, and either a path into the item or a key of it.

    `path` is written as DynamoDB writes values, `address.M.zip.S`; a list of its parts where a name has a dot. `key` is `partition` or
    `sort`; with `part`, counted from 1, it is that part of the key between `separator`s. A change without a `required` column is rejected.
    """

    name: str
    type: str
    path: str | tuple[str, ...] | None = None
    key: Literal["partition", "sort"] | None = None
    part: int | None = None
    separator: str = "#"
    required: bool = False


class DeclaredElement(Struct, frozen=True, forbid_unknown_fields=True):
    """A column of a nested list; `path` leads from one element of the list (`M.name.S`), without it the element itself is the value."""

    name: str
    type: str
    path: str | tuple[str, ...] | None = None


class DeclaredList(Struct, frozen=True, forbid_unknown_fields=True):
    """A list in a SUPER column of the table, one row per element: a view of its own name."""

    name: str
    column: str
    columns: tuple[DeclaredElement, ...]


class Declared(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What facts and dimensions have in common.

    `sort_key`, `sort_key_begins`, `sort_key_begins_not` and `partition_key_begins` say which items it is made of: keys only, since a
    removal has nothing else.
    `deleted_by` is what takes a row away: `remove` by a request, `expiry` by DynamoDB's time to live. `local` and `aws` are when it loads.
    """

    name: str
    columns: tuple[DeclaredColumn, ...]
    lists: tuple[DeclaredList, ...] = ()
    view: str | None = None
    sort_key: str | None = None
    sort_key_begins: str | None = None
    sort_key_begins_not: tuple[str, ...] = ()
    partition_key_begins: str | None = None
    deleted_by: tuple[DeletedBy, ...] = ("remove", "expiry")
    local: str | None = None
    aws: str = "rate(1 minute)"


class Fact(Declared, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fact table: the item as it is (`latest-image`), or per column the latest value that was not NULL (`latest-non-null`)."""

    mode: Mode = "latest-image"


class Dimension(Declared, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A dimension: type 1 is the item as it is, type 2 keeps what it was, with valid_from, valid_to and is_current."""

    type: Literal[1, 2] = 1


class Generating(Struct, frozen=True, forbid_unknown_fields=True):
    """Names that the generated SQL uses; what the folder defines itself under one of them is used as it is and not written."""

    external_schema: str = "kds"
    stream_view: str = "stream_vw"
    change_view: str = "mv_item_change"
    audit_table: str = "load_audit"
    rejected_view: str = "rejected_record"
