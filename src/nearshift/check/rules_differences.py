"""Rules about what works here and not there, or gives another answer there: `docs/sql.md`, "What differs from Redshift, on purpose"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nearshift.check.findings import GUIDE, Found, Rule, Severity
from nearshift.check.material import Material, Unit
from nearshift.errors import NearshiftError, Span
from nearshift.pipeline.manifest import FILE_NAME
from nearshift.sql import statements as s
from nearshift.sql.lexer import Token, TokenKind, tokens
from nearshift.sql.parse import parse_statement

_OWN_PREFIXES: Final = ("sys_nearshift_", "svv_nearshift_")
_UTC: Final = frozenset({"utc", "gmt", "etc/utc", "zulu", "default"})
_TEXT_BYTES_MAX: Final = 65_535  # "Character types": what a VARCHAR, and so a literal, can have
# Functions whose answer is another one there than here, or than in the PostgreSQL that a statement may come from.
_DIFFERENT: Final = {
    "random": ("gives other numbers there, with the same SET SEED too", "Compare with bounds, never with values seen here."),
    "version": ("names another release there", "Ask for what you need instead of the version."),
    "pg_backend_pid": ("numbers the sessions of the cluster there", "Use it within one session only."),
    "current_database": ("names the cluster's database there", "Do not store or compare it."),
}
_REGULAR: Final = frozenset({"regexp_substr", "regexp_replace", "regexp_count", "regexp_instr"})


def _texts(material: Material) -> Iterator[tuple[Unit, int, str]]:
    """Yield each piece of SQL that is looked at word by word: a statement, and instead of a procedure's body its queries."""
    for unit in material.units:
        if isinstance(unit.statement, s.CreateProcedure):
            yield from ((unit, query.start, query.text) for query in unit.queries)
        else:
            yield unit, unit.start, unit.text


def _calls(text: str) -> Iterator[tuple[Token, list[Token]]]:
    """Yield each name before an opening bracket, with the tokens up to the end."""
    found = list(tokens(text))
    for index in range(len(found) - 1):
        if found[index].kind is TokenKind.WORD and found[index + 1].key == "(" and (index == 0 or found[index - 1].key != "."):
            yield found[index], found[index + 2 :]


def _functions(material: Material) -> Iterator[Found]:
    for unit, start, text in _texts(material):
        for call, rest in _calls(text):
            name = call.text.lower()
            if name in _DIFFERENT:
                what, hint = _DIFFERENT[name]
                yield unit.found_at(start + call.start, f'"{call.text}" {what}', hint)
            elif name in _REGULAR and any("|" in token.text for token in _arguments(rest) if token.kind is TokenKind.STRING):
                message = f'"{call.text}" with alternatives takes the longest match there (POSIX), the first one here'
                yield unit.found_at(start + call.start, message, "Put the longest alternative first: then both agree.")
            elif name == "listagg" and not _is_ordered(rest):
                message = "LISTAGG without WITHIN GROUP (ORDER BY …) joins rows in an order that nobody promises"
                yield unit.found_at(start + call.start, message, "Add WITHIN GROUP (ORDER BY …).")


def _arguments(rest: list[Token]) -> Iterator[Token]:
    depth = 1
    for token in rest:
        depth += {"(": 1, ")": -1}.get(token.key, 0)
        if depth == 0:
            return
        yield token


def _is_ordered(rest: list[Token]) -> bool:
    after = rest[len(list(_arguments(rest))) + 1 :]
    return bool(after) and after[0].key == "WITHIN"


def _own_forms(material: Material) -> Iterator[Found]:
    hint = "Use it by hand or in dashboards here, and keep it out of what is deployed."
    for unit in material.units:
        for query in unit.tokens if not isinstance(unit.statement, s.CreateProcedure) else ():
            if query.kind is TokenKind.WORD and query.text.lower().startswith(_OWN_PREFIXES):
                yield unit.found(query.span, f'"{query.text}" is nearshift\'s own: it is not there', hint, _missing(query.text))
        if isinstance(unit.statement, s.CreateProcedure):
            for token, start in _body_tokens(unit, unit.statement):
                yield unit.found_at(start, f'"{token.text}" is nearshift\'s own: it is not there', hint, _missing(token.text))
        for fragment in _places(unit.statement):
            if "file:" in fragment.text.lower():
                error = "The specified S3 prefix does not exist"
                yield unit.found(fragment.span, "file:// names a place on this machine", "Use s3:// there.", error)
    for schedule in material.manifest.schedules:
        try:
            parse_statement(schedule.statement)
        except NearshiftError:
            continue  # the folder itself refuses such a schedule, with its place
        if schedule.aws is not None and any(one.text.lower().startswith(_OWN_PREFIXES) for one in tokens(schedule.statement)):
            message = f'schedule "{schedule.name}" runs what is nearshift\'s own, and has a time on AWS'
            yield Found(FILE_NAME, Span(0, 1), message, "Take aws out of it: then it runs here only.")


def _body_tokens(unit: Unit, create: s.CreateProcedure) -> Iterator[tuple[Token, int]]:
    for token in tokens(create.body):
        if token.kind is TokenKind.WORD and token.text.lower().startswith(_OWN_PREFIXES):
            yield token, unit.start + create.body_start + token.start


def _missing(name: str) -> str:
    return f'relation "{name.lower()}" does not exist'


def _places(statement: s.Statement | None) -> tuple[s.Fragment, ...]:
    match statement:
        case s.Copy():
            return (statement.source,)
        case s.Unload():
            return (statement.destination,)
        case _:
            return ()


def _zones(material: Material) -> Iterator[Found]:
    hint = "Leave the session at UTC, keep instants as timestamptz, and name the zone: AT TIME ZONE 'America/New_York'."
    for unit in material.units:
        sets = [(unit.statement, unit.start)] if isinstance(unit.statement, s.SetParameter) else []
        sets += [(step.statement, step.start) for step in unit.steps if isinstance(step.statement, s.SetParameter)]
        for statement, start in sets:
            if statement.setting.name.lower() == "timezone" and statement.setting.value.strip("'\"").lower() not in _UTC:
                message = "casts between timestamptz and timestamp follow the session's zone there, and UTC here"
                yield unit.found_at(start, message, hint)


def _blanks(material: Material) -> Iterator[Found]:
    for unit, start, text in _texts(material):
        before = ""
        for token in tokens(text):
            if token.kind is TokenKind.STRING and before in {"=", "<>", "!="} and token.text.rstrip("'").endswith(" "):
                message = "blanks at the end of a VARCHAR count in comparisons here, and do not there"
                yield unit.found_at(start + token.start, message, "Compare rtrim(…) with a text without them: then both agree.")
            before = token.key


def _long_texts(material: Material) -> Iterator[Found]:
    for unit in material.units:
        if isinstance(unit.statement, s.CreateProcedure):
            continue  # a body in quotes may be longer
        for token in unit.tokens:
            size = len(token.text.encode("utf-8", "surrogatepass")) - 2
            if token.kind is TokenKind.STRING and size > _TEXT_BYTES_MAX:
                message = f"a text has {size} bytes, and {_TEXT_BYTES_MAX} is the most that a VARCHAR has, also on its way into SUPER"
                yield unit.found(token.span, message, "COPY it from a file, where SUPER takes 16 MB.", "String value exceeds the max size")


RULES: Final = (
    Rule("function-differs", Severity.WARNING, f"{GUIDE}c_SQL_functions.html", _functions),
    Rule("here-only", Severity.ERROR, f"{GUIDE}cm_chap_system-tables.html", _own_forms),
    Rule("session-zone", Severity.WARNING, f"{GUIDE}r_timezone_config.html", _zones),
    Rule("trailing-blanks", Severity.WARNING, f"{GUIDE}r_Character_types.html", _blanks),
    Rule("text-limit", Severity.ERROR, f"{GUIDE}limitations-super.html", _long_texts),
)
