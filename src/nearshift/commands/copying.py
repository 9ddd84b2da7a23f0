"""COPY: from DynamoDB tables and their exports, from files in S3, and from files below the folder that the warehouse's owner chose.

The rows go in within the caller's transaction; what STL_LOAD_ERRORS and the other views of loads show is written beside it, so that it
stays when a bad row makes the load fail. Outside a transaction block COPY commits by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nearshift.catalog.entities import ColumnEntry, RelationEntry
from nearshift.errors import DataError, InvalidSql, NearshiftError, NotSupported, UndefinedObject
from nearshift.results import Result, Severity
from nearshift.sql import statements as st
from nearshift.sql.names import fold
from nearshift.sql.relations import RelationKind
from nearshift.transfer import exports, inputs, journal, local, s3
from nearshift.transfer.batches import LoadColumn
from nearshift.transfer.copying import copy_files
from nearshift.transfer.items import Item, item_batch
from nearshift.transfer.loading import LoadedFile, Loader, TooManyErrors
from nearshift.transfer.options import CopyOptions, copy_options
from nearshift.transfer.places import FoundFile, Place
from nearshift.transfer.values import text_conversion
from nearshift.values import session_value

if TYPE_CHECKING:
    from nearshift.session import Session

_DYNAMODB = "dynamodb://"
# What COPY takes for items: they have no format ("Loading data from an Amazon DynamoDB table").
_WITH_EXPORT = frozenset(
    {
        "IAM_ROLE", "REGION", "COMPUPDATE", "STATUPDATE", "COMPROWS", "ACCEPTANYDATE", "EXPLICIT_IDS", "TRUNCATECOLUMNS", "NOLOAD",
        "EMPTYASNULL", "BLANKSASNULL", "TRIMBLANKS", "ROUNDEC", "DATEFORMAT", "TIMEFORMAT", "MAXERROR", "IGNOREALLERRORS",
    }
)  # fmt: skip
_WITH_KEYS = frozenset({"CREDENTIALS", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "TOKEN"})
_READRATIO = "READRATIO"


def copy(session: Session, statement: st.Copy) -> Result:
    """Run COPY table FROM 'source'."""
    source = statement.source
    if source.text.startswith((s3.SCHEME, local.SCHEME)):
        return _copy_files(session, statement)
    if source.text.startswith(_DYNAMODB):
        return _copy_table(session, statement)
    if source.text.startswith(exports.SCHEME):
        return _copy_export(session, statement)
    hint = "Write COPY … FROM 's3://bucket/prefix', 'dynamodb://table', or 'file://path' below the folder of files."
    raise NotSupported("COPY reads from Amazon S3, DynamoDB and one local folder only", span=source.span, hint=hint)


def place_of(session: Session, address: st.Fragment, access: s3.S3Access) -> Place:
    """Return the place that an address lies in. Raises NotSupported for another kind of address, or without a folder of files."""
    if address.text.startswith(s3.SCHEME):
        return s3.S3Objects(access)
    if not address.text.startswith(local.SCHEME):
        raise NotSupported("files are read from and written to Amazon S3 and one local folder only", span=address.span)
    if session.house.files is None:
        raise NotSupported(
            "local files are switched off", sqlstate="42501", span=address.span,
            hint="Its owner opens the warehouse with a folder of files: see docs/copy.md.",
        )  # fmt: skip
    return local.LocalFiles(session.house.files)


def _copy_files(session: Session, statement: st.Copy) -> Result:
    options = copy_options(statement.options)
    entry = _target(session, statement)
    columns = _columns(session, entry, statement, options)
    place = place_of(session, statement.source, options.access)

    def load(loader: Loader) -> None:
        files = _files(place, statement, options)
        copy_files(files, place, columns, _storage(entry), options, loader, session.house.clock, session.check_cancelled)

    return _run(session, statement, entry, columns, options, load, options.format.value)


def _files(place: Place, statement: st.Copy, options: CopyOptions) -> Sequence[FoundFile]:
    if options.is_manifest:
        return inputs.files_of_manifest(place, statement.source.text)
    return inputs.files_with_prefix(place, statement.source.text)


def _copy_table(session: Session, statement: st.Copy) -> Result:
    ratio = _read_ratio(statement)
    options = _item_options(statement, _WITH_EXPORT | {_READRATIO}, "DynamoDB")
    entry = _target(session, statement)
    columns = _columns(session, entry, statement, options)
    role, region = statement.options.get("IAM_ROLE"), statement.options.get("REGION")
    table = statement.source.text.removeprefix(_DYNAMODB)
    pages = session.house.items(table, role.value if role else None, region.value if region else None, ratio)

    def load(loader: Loader) -> None:
        file = LoadedFile(FoundFile(statement.source.text, 0), session.house.clock.now())
        _load_items(session, entry, columns, options, loader, file, pages)

    return _run(session, statement, entry, columns, options, load, "dynamodb")


def _copy_export(session: Session, statement: st.Copy) -> Result:
    options = _item_options(statement, _WITH_EXPORT | _WITH_KEYS, "DynamoDB exports")
    entry = _target(session, statement)
    columns = _columns(session, entry, statement, options)
    address = st.Fragment(statement.source.text.removeprefix(exports.SCHEME), statement.source.span)
    place = place_of(session, address, options.access)

    def load(loader: Loader) -> None:
        for one in exports.files_of_export(place, address.text):
            count = [0]
            file = LoadedFile(one.found, session.house.clock.now())
            _load_items(session, entry, columns, options, loader, file, exports.read_export(place, one, count))
            file.bytes_read = count[0]

    return _run(session, statement, entry, columns, options, load, "dynamodb-export")


def _load_items(
    session: Session,
    entry: RelationEntry,
    columns: Sequence[LoadColumn],
    options: CopyOptions,
    loader: Loader,
    file: LoadedFile,
    pages: Iterator[Sequence[Item]],
) -> None:
    loader.loaded.files.append(file)
    made = text_conversion(columns, _storage(entry), options.values)
    for page in pages:
        session.check_cancelled()
        loader.load(file, item_batch(page, columns, file.lines), made)
    file.ended_at = session.house.clock.now()


def _item_options(statement: st.Copy, known: frozenset[str], what: str) -> CopyOptions:
    for name, option in statement.options.items():
        if name not in known:
            raise NotSupported(f"COPY option {name} is not supported for {what}", span=option.span)
    options = copy_options({name: option for name, option in statement.options.items() if name != _READRATIO})
    return replace(options, values=replace(options.values, null_as=None))


def _storage(entry: RelationEntry) -> str:
    assert entry.storage is not None, "a table has storage"
    return entry.storage


def _run(
    session: Session,
    statement: st.Copy,
    entry: RelationEntry,
    columns: Sequence[LoadColumn],
    options: CopyOptions,
    load: Callable[[Loader], None],
    file_format: str,
) -> Result:
    """Load in a transaction, the caller's or an own one; note what happened and tell how many records there were."""
    is_own = not session.tx.is_open
    session.begin_here()
    clock = session.house.clock
    journal.forget_old(session.tx.connection, clock.now())
    loader = Loader(session.tx.connection, columns, options.errors_max, is_dry=options.is_dry)
    loaded = loader.loaded
    is_done = False
    try:
        load(loader)
        is_done = True
    except (DataError, TooManyErrors) as error:
        raise NearshiftError(
            f"Load into table '{entry.name}' failed.  Check 'stl_load_errors' system table for details.", sqlstate="XX000",
            detail=error.message, hint=error.hint,
        ) from error  # fmt: skip
    except NearshiftError as error:
        error.span = error.span or statement.source.span
        raise
    finally:
        target = journal.LoadTarget(entry.oid, entry.name, statement.source.text, file_format, columns)
        journal.note_load(session.house.engine.connect(), actor_of(session), target, loaded, clock.now(), is_done=is_done)
    if entry.kind is RelationKind.TABLE and not options.is_dry:
        session.tx.touch(entry.schema, entry.name)
    if is_own:
        session.tx.commit()
        session.settings.transaction_ended(is_committed=True)
    session.last_copy = {**session.last_copy, "last_copy_id": session.running.query_id, "last_copy_count": loaded.row_count}
    if loaded.error_count:
        words = f"Load into table '{entry.name}' completed, {loaded.error_count} record(s) could not be loaded."
        session.notice(Severity.INFO, words + "  Check 'stl_load_errors' system table for details.")
    session.notice(Severity.INFO, f"Load into table '{entry.name}' completed, {loaded.row_count} record(s) loaded successfully.")
    return Result("COPY")


def actor_of(session: Session) -> journal.Actor:
    """Return who runs the statement, for the views of loads."""
    return journal.Actor(
        session.running.query_id, int(str(session_value(session, "current_user_id"))), session.number, session.tx.number, session.database,
        session.running.started_at or session.house.clock.now(),
    )  # fmt: skip


def _target(session: Session, statement: st.Copy) -> RelationEntry:
    entry = session.names.relation(statement.table)
    if entry.kind not in {RelationKind.TABLE, RelationKind.TEMP_TABLE}:
        raise InvalidSql(f'"{entry.name}" is not a table', sqlstate="42809", span=statement.table.span)
    return entry


def _check_rights(session: Session, entry: RelationEntry, columns: Sequence[ColumnEntry]) -> None:
    """COPY needs the right to INSERT ("COPY", required privileges), which the translation of an INSERT checks."""
    plain = [one for one in columns if one.identity is None]
    names = ", ".join(_sql_name(one.name) for one in plain)
    values = f"({names}) SELECT {', '.join('NULL' for _ in plain)}" if plain else "DEFAULT VALUES"
    target = f"{_sql_name(entry.schema)}.{_sql_name(entry.name)}" if entry.kind is RelationKind.TABLE else _sql_name(entry.name)
    session.lower(f"INSERT INTO {target} {values}")


def _read_ratio(statement: st.Copy) -> int:
    option = statement.options.get("READRATIO")
    if option is None or option.value is None:
        raise InvalidSql("READRATIO is required to copy from DynamoDB", span=statement.source.span, hint="Write READRATIO 50.")
    if not option.value.isdigit() or not 1 <= int(option.value) <= 200:
        raise InvalidSql("READRATIO must be between 1 and 200", sqlstate="22023", span=option.span)
    return int(option.value)


def _columns(session: Session, entry: RelationEntry, statement: st.Copy, options: CopyOptions) -> list[LoadColumn]:
    """Return the columns that the fields of a file go to, in order, and see to the right to fill them.

    An identity column that is not GENERATED BY DEFAULT makes its own values unless EXPLICIT_IDS says that the file has them.
    """
    takes_ids = options.has_explicit_ids
    wanted = [one for one in entry.columns if one.identity is None or one.identity[2] or takes_ids]
    if statement.columns:
        wanted = []
        known = {column.name: column for column in entry.columns}
        for name in statement.columns:
            folded = fold(name.text, name.is_quoted, session.settings.rules)
            if folded not in known:
                raise UndefinedObject(f'column "{folded}" of relation "{entry.name}" does not exist', sqlstate="42703", span=name.span)
            column = known[folded]
            if column in wanted:
                raise InvalidSql(f'column "{folded}" specified more than once', sqlstate="42701", span=name.span)
            if column.identity is not None and not column.identity[2] and not takes_ids:
                raise InvalidSql(f'cannot set an identity column "{folded}" to a value', span=name.span, hint="Say EXPLICIT_IDS.")
            wanted.append(column)
    _check_rights(session, entry, wanted)
    return [LoadColumn(one.name, one.type, one.is_nullable) for one in wanted]


def _sql_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
