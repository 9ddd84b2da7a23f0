"""CREATE TABLE and ALTER TABLE, with the storage clauses that materialized views share."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nearshift.errors import InvalidSql, NotSupported, Span
from nearshift.sql.lexer import TokenKind
from nearshift.sql.names import Name
from nearshift.sql.parse_reader import Reader
from nearshift.sql.statements import (
    AddColumn,
    AddConstraint,
    AlterColumnType,
    AlterEncoding,
    AlterStorage,
    AlterTable,
    AlterTableAction,
    AppendFrom,
    AppendOption,
    ColumnDefinition,
    ConstraintKind,
    CreateTable,
    CreateTableAs,
    DistStyle,
    DropColumn,
    DropConstraint,
    Fragment,
    Identity,
    LikeTable,
    OwnerTo,
    Reference,
    RenameColumn,
    RenameTo,
    SortKey,
    SortKind,
    Storage,
    TableConstraint,
)

COLUMNS_MAX: Final = 1600
SORT_COLUMNS_MAX: Final = 400
INTERLEAVED_COLUMNS_MAX: Final = 8
ENCODINGS: Final = (
    "AZ64", "BYTEDICT", "DELTA", "DELTA32K", "LZO", "MOSTLY8", "MOSTLY16", "MOSTLY32", "RAW", "RUNLENGTH", "TEXT255", "TEXT32K", "ZSTD",
    "AUTO", "NONE",
)  # fmt: skip
_ATTRIBUTE_WORDS: Final = frozenset(
    {"NOT", "NULL", "PRIMARY", "UNIQUE", "REFERENCES", "ENCODE", "DISTKEY", "SORTKEY", "COLLATE", "IDENTITY", "GENERATED", "DEFAULT",
     "CONSTRAINT", "CHECK", ",", ")"}
)  # fmt: skip


def create_table(reader: Reader, *, is_temporary: bool) -> CreateTable | CreateTableAs:
    """Read what follows CREATE [TEMP] TABLE ("CREATE TABLE", "CREATE TABLE AS")."""
    if_not_exists = reader.take_words("IF", "NOT", "EXISTS")
    name = reader.qualified()
    is_temporary = is_temporary or name.last.text.startswith("#")
    names: tuple[Name, ...] = ()
    table: CreateTable | None = None
    if reader.at("("):
        if reader.peek(2).key in (",", ")") and reader.peek().key != "LIKE":
            names = reader.parenthesised(reader.name)
        else:
            table = _definitions(reader, CreateTable(name, (), is_temporary=is_temporary, if_not_exists=if_not_exists))
    storage = read_storage(reader)
    if table is not None:
        reader.finish()
        return replace(table, storage=storage)
    as_token = reader.expect("AS")
    if if_not_exists:
        message = "CREATE TABLE AS does not take IF NOT EXISTS"
        raise InvalidSql(message, span=as_token.span, hint="Write DROP TABLE IF EXISTS before it.")
    return CreateTableAs(name, reader.rest(), names, storage, is_temporary)


def _definitions(reader: Reader, table: CreateTable) -> CreateTable:
    columns: list[ColumnDefinition] = []
    constraints: list[TableConstraint] = []
    likes: list[LikeTable] = []
    start = reader.expect("(")
    while True:
        if reader.take("LIKE"):
            parent = reader.qualified()
            including = reader.take_words("INCLUDING", "DEFAULTS")
            if not including:
                reader.take_words("EXCLUDING", "DEFAULTS")
            likes.append(LikeTable(parent, including, len(columns)))
        elif _at_constraint(reader):
            constraints.append(table_constraint(reader))
        else:
            columns.append(column_definition(reader))
        if not reader.take(","):
            break
    reader.expect(")")
    if len(columns) > COLUMNS_MAX:
        raise InvalidSql(f"tables can have at most {COLUMNS_MAX} columns", sqlstate="54011", span=Span(start.start, reader.previous.end))
    return replace(table, columns=tuple(columns), constraints=tuple(constraints), likes=tuple(likes))


def _at_constraint(reader: Reader) -> bool:
    return reader.at("CONSTRAINT", "UNIQUE", "CHECK", "EXCLUDE") or reader.at_words("PRIMARY", "KEY") or reader.at_words("FOREIGN", "KEY")


def table_constraint(reader: Reader) -> TableConstraint:
    """Read [CONSTRAINT name] UNIQUE | PRIMARY KEY | FOREIGN KEY. Raises NotSupported for CHECK and EXCLUDE, which Redshift lacks."""
    name = reader.name() if reader.take("CONSTRAINT") else None
    if reader.take("UNIQUE"):
        return TableConstraint(ConstraintKind.UNIQUE, reader.parenthesised(reader.name), name)
    if reader.take_words("PRIMARY", "KEY"):
        return TableConstraint(ConstraintKind.PRIMARY_KEY, reader.parenthesised(reader.name), name)
    if reader.take_words("FOREIGN", "KEY"):
        columns = reader.parenthesised(reader.name)
        reader.expect("REFERENCES")
        return TableConstraint(ConstraintKind.FOREIGN_KEY, columns, name, _reference(reader))
    _refuse_constraint(reader)
    reader.fail()


def _refuse_constraint(reader: Reader) -> None:
    if reader.at("CHECK", "EXCLUDE"):
        message = f"{reader.token.key} constraints are not supported"
        raise NotSupported(message, span=reader.token.span, detail="Redshift has neither CHECK nor EXCLUDE constraints.")


def _reference(reader: Reader) -> Reference:
    table = reader.qualified()
    return Reference(table, reader.parenthesised(reader.name) if reader.at("(") else ())


def column_definition(reader: Reader) -> ColumnDefinition:
    """Read a column: name, type, attributes and constraints in any order, each once."""
    column = ColumnDefinition(reader.name(), reader.type_name())
    seen: set[str] = set()
    while True:
        token = reader.token
        changed = _column_attribute(reader, column)
        if changed is None:
            return column
        label = "NULL" if token.key == "NOT" else "IDENTITY" if token.key == "GENERATED" else token.key
        if label in seen:
            reader.fail(token, hint=f"Give {label} once per column.")
        seen.add(label)
        column = changed


def _column_attribute(reader: Reader, column: ColumnDefinition) -> ColumnDefinition | None:
    if reader.take_words("NOT", "NULL"):
        return replace(column, is_not_null=True)
    if reader.take("NULL"):
        return column
    if reader.take("DEFAULT"):
        return replace(column, default=_default(reader))
    if reader.take("IDENTITY"):
        return replace(column, identity=_identity(reader, is_by_default=False), is_not_null=True)
    if reader.take_words("GENERATED", "BY", "DEFAULT", "AS", "IDENTITY"):
        return replace(column, identity=_identity(reader, is_by_default=True), is_not_null=True)
    if reader.take("ENCODE"):
        return replace(column, encoding=_encoding(reader))
    if reader.take("DISTKEY"):
        return replace(column, is_dist_key=True)
    if reader.take("SORTKEY"):
        return replace(column, is_sort_key=True)
    if reader.take("UNIQUE"):
        return replace(column, is_unique=True)
    if reader.take_words("PRIMARY", "KEY"):
        return replace(column, is_primary_key=True, is_not_null=True)
    if reader.take("REFERENCES"):
        return replace(column, references=_reference(reader))
    if reader.take("COLLATE"):
        return replace(column, collation=reader.expect("CASE_SENSITIVE", "CASE_INSENSITIVE", "CS", "CI").key)
    _refuse_constraint(reader)
    return None


def _default(reader: Reader) -> Fragment:
    """Read a DEFAULT expression: it ends at the next attribute, but NOT and NULL may belong to it."""
    start = reader.token.start
    if not reader.at("("):
        reader.take("NOT", "-", "+")
        if reader.token.kind is TokenKind.END or reader.at(",", ")"):
            reader.fail()
        if not reader.at("CASE"):
            reader.advance()
    reader.skip_until(_ATTRIBUTE_WORDS)
    while reader.previous.key == "IS" or (reader.previous.key == "NOT" and reader.at("NULL")):
        reader.advance()
        if not reader.at("NULL"):
            reader.skip_until(_ATTRIBUTE_WORDS)
    end = reader.previous.end
    return Fragment(reader.text[start:end], Span(start, end))


def _identity(reader: Reader, *, is_by_default: bool) -> Identity:
    if not reader.take("("):
        return Identity(1, 1, is_by_default)
    seed = reader.integer()
    step = reader.integer() if reader.take(",") else 1
    reader.expect(")")
    return Identity(seed, step, is_by_default)


def _encoding(reader: Reader) -> str:
    return reader.expect(*ENCODINGS).key


def read_storage(reader: Reader) -> Storage:
    """Read BACKUP, DISTSTYLE, DISTKEY, SORTKEY and ENCODE AUTO in any order, each once; keys by name or by number from 1.

    Raises InvalidSql for a clause given twice, too many sort columns, or DISTSTYLE KEY and DISTKEY that contradict each other.
    """
    storage, seen, first = Storage(), set[str](), reader.token
    while True:
        token = reader.token
        label = "SORTKEY" if token.key in ("COMPOUND", "INTERLEAVED") else token.key
        changed = _storage_clause(reader, storage)
        if changed is None:
            break
        if label in seen:
            reader.fail(token, hint=f"Give {label} once.")
        seen.add(label)
        storage = changed
    span = Span(first.start, max(reader.previous.end, first.start))
    if storage.dist_key is not None and storage.dist_style not in (None, DistStyle.KEY):
        assert storage.dist_style is not None
        raise InvalidSql(f"DISTKEY cannot be given with DISTSTYLE {storage.dist_style.value}", span=span, hint="Use DISTSTYLE KEY.")
    return storage


def _storage_clause(reader: Reader, storage: Storage) -> Storage | None:
    if reader.take("BACKUP"):
        return replace(storage, is_backed_up=reader.expect("YES", "NO").key == "YES")
    if reader.take("DISTSTYLE"):
        return replace(storage, dist_style=DistStyle(reader.expect("AUTO", "EVEN", "KEY", "ALL").key))
    if reader.take("DISTKEY"):
        reader.expect("(")
        key = _key_column(reader)
        reader.expect(")")
        return replace(storage, dist_key=key)
    if reader.at("SORTKEY", "COMPOUND", "INTERLEAVED"):
        return replace(storage, sort_key=_sort_key(reader))
    if reader.take_words("ENCODE", "AUTO"):
        return replace(storage, is_encode_auto=True)
    return None


def _key_column(reader: Reader) -> Name | int:
    return reader.integer() if reader.token.kind is TokenKind.NUMBER else reader.name()


def _sort_key(reader: Reader) -> SortKey:
    word = reader.take("COMPOUND", "INTERLEAVED")
    start = reader.expect("SORTKEY")
    if word is None and reader.take("AUTO"):
        return SortKey(SortKind.AUTO)
    if word is None and reader.take("NONE"):
        return SortKey(SortKind.NONE)
    kind = SortKind(word.key) if word else SortKind.COMPOUND
    columns = reader.parenthesised(lambda: _key_column(reader))
    count_max = INTERLEAVED_COLUMNS_MAX if kind is SortKind.INTERLEAVED else SORT_COLUMNS_MAX
    if len(columns) > count_max:
        message = f"{kind.value.lower()} sort keys can have at most {count_max} columns"
        raise InvalidSql(message, sqlstate="54011", span=Span(start.start, reader.previous.end))
    return SortKey(kind, columns)


def alter_table(reader: Reader) -> AlterTable:
    """Read what follows ALTER TABLE ("ALTER TABLE", "ALTER TABLE APPEND"). One action per statement, as in Redshift."""
    name = reader.qualified()
    action = _alter_action(reader)
    if reader.at(","):
        reader.fail(hint="Write one ALTER TABLE statement per action.")
    reader.finish()
    return AlterTable(name, action)


def is_cascade(reader: Reader) -> bool:
    """Read an optional CASCADE or RESTRICT."""
    word = reader.take("CASCADE", "RESTRICT")
    return word is not None and word.key == "CASCADE"


def _alter_action(reader: Reader) -> AlterTableAction:
    if reader.take("ADD"):
        reader.take_words("IF", "NOT", "EXISTS")
        if reader.at_words("PARTITION", "(") or reader.previous.key == "EXISTS":
            _refuse_external(reader)
        if _at_constraint(reader):
            return AddConstraint(table_constraint(reader))
        reader.take("COLUMN")
        return AddColumn(column_definition(reader))
    if reader.take("DROP"):
        if reader.take("CONSTRAINT"):
            return DropConstraint(reader.name(), is_cascade(reader))
        if reader.at("PARTITION"):
            _refuse_external(reader)
        reader.take("COLUMN")
        return DropColumn(reader.name(), is_cascade(reader))
    if reader.take("RENAME"):
        if reader.take("TO"):
            return RenameTo(reader.name())
        reader.take("COLUMN")
        column = reader.name()
        reader.expect("TO")
        return RenameColumn(column, reader.name())
    if reader.take_words("OWNER", "TO"):
        return OwnerTo(reader.name())
    if reader.take_words("APPEND", "FROM"):
        source = reader.qualified()
        option = reader.take("IGNOREEXTRA", "FILLTARGET")
        return AppendFrom(source, AppendOption(option.key if option else ""))
    if reader.at_words("ROW", "LEVEL") or reader.at("MASKING"):
        raise NotSupported("row-level security is not supported", span=reader.token.span)
    if reader.at("SET", "PARTITION"):
        _refuse_external(reader)
    reader.expect("ALTER")
    return _alter_column(reader)


def _refuse_external(reader: Reader) -> None:
    detail = "This action belongs to external tables, which nearshift does not have."
    raise NotSupported(f"ALTER TABLE {reader.token.key} is not supported", span=reader.token.span, detail=detail)


def _alter_column(reader: Reader) -> AlterTableAction:
    storage = alter_storage(reader)
    if storage is not None:
        return storage
    if reader.take_words("ENCODE", "AUTO"):
        return AlterEncoding(())
    reader.take("COLUMN")
    column = reader.name()
    if reader.take("TYPE"):
        return AlterColumnType(column, reader.type_name())
    reader.expect("ENCODE")
    changes = [(column, _encoding(reader))]
    while reader.take(","):
        reader.expect("ALTER")
        reader.take("COLUMN")
        column = reader.name()
        reader.expect("ENCODE")
        changes.append((column, _encoding(reader)))
    return AlterEncoding(tuple(changes))


def alter_storage(reader: Reader) -> AlterStorage | None:
    """Read DISTKEY, DISTSTYLE or SORTKEY after ALTER; None when another word comes next.

    One of the first two and SORTKEY may stand in one statement, in either order: `ALTER DISTKEY c, ALTER SORTKEY (c)`.
    """
    first = _storage_change(reader)
    if first is None or not reader.take(","):
        return None if first is None else AlterStorage(first)
    reader.expect("ALTER")
    token = reader.token
    second = _storage_change(reader) or reader.fail()
    if (first.sort_key is None) == (second.sort_key is None):
        reader.fail(token, hint="Write one ALTER TABLE statement per action.")
    both = replace(first, sort_key=second.sort_key) if first.sort_key is None else replace(second, sort_key=first.sort_key)
    return AlterStorage(both)


def _storage_change(reader: Reader) -> Storage | None:
    if reader.take("DISTKEY"):
        return Storage(dist_style=DistStyle.KEY, dist_key=_alter_key(reader))
    if reader.take("DISTSTYLE"):
        style = DistStyle(reader.expect("AUTO", "EVEN", "KEY", "ALL").key)
        if style is DistStyle.KEY:
            reader.expect("DISTKEY")
            return Storage(dist_style=style, dist_key=_alter_key(reader))
        return Storage(dist_style=style)
    if reader.at("SORTKEY", "COMPOUND", "INTERLEAVED"):
        return Storage(sort_key=_sort_key(reader))
    return None


def _alter_key(reader: Reader) -> Name | int:
    if not reader.take("("):
        return reader.name()
    key = _key_column(reader)
    reader.expect(")")
    return key
