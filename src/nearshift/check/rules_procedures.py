"""Rules about procedures and schedules: what needs its own transaction, what clashes, what loses changes, what never runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from nearshift.check.findings import GUIDE, MANAGEMENT, Found, Rule, Severity
from nearshift.check.material import Material, Query, Unit, last_name, tables_of
from nearshift.check.rules_values import NEEDS_OWN
from nearshift.errors import NearshiftError, Span
from nearshift.pipeline.manifest import FILE_NAME
from nearshift.plpgsql import nodes
from nearshift.sql import statements as s
from nearshift.sql.dialect import span_of
from nearshift.sql.lexer import TokenKind, tokens
from nearshift.sql.parse import parse_statement

_CLOCK: Final = frozenset({"GETDATE", "SYSDATE", "CURRENT_TIMESTAMP", "NOW"})
_ARRIVAL: Final = frozenset({"approximate_arrival_timestamp", "refresh_time", "kafka_timestamp"})


def _create(unit: Unit) -> s.CreateProcedure:
    assert isinstance(unit.statement, s.CreateProcedure), "the material keeps procedures only"
    return unit.statement


def _own_transaction(material: Material) -> Iterator[Found]:
    for one in material.refused:
        if NEEDS_OWN in one.cause.message:
            hint = "Run it as a statement of its own, outside of procedures and transaction blocks."
            yield Found(one.file, one.span, one.cause.message, hint, one.cause.message)


def _commits(material: Material) -> Iterator[Found]:
    for name, unit in material.procedures.items():
        create = _create(unit)
        for step in unit.steps:
            if isinstance(step.node, nodes.Truncate) and not create.is_nonatomic:
                message = f'TRUNCATE commits what procedure "{name}" did so far: a failure after it leaves half of the work'
                yield unit.found_at(step.start, message, "Use DELETE, or make the procedure NONATOMIC and say where transactions end.")


def _refresh_in_transaction(material: Material) -> Iterator[Found]:
    for name, unit in material.procedures.items():
        if _create(unit).is_nonatomic:
            continue
        refreshed = {last_name(step.statement.name): step for step in unit.steps if isinstance(step.statement, s.RefreshMaterializedView)}
        read = {table for query in unit.queries for table in tables_of(query.tree)}
        for view, step in refreshed.items():
            if view in read:
                message = f'procedure "{name}" reads "{view}" in the transaction that refreshes it: it may still see the rows from before'
                yield unit.found_at(step.start, message, "Make the procedure NONATOMIC, and START TRANSACTION after the REFRESH.")


def _no_cascade(material: Material) -> Iterator[Found]:
    for name, unit in material.procedures.items():
        done: set[str] = set()
        for step in unit.steps:
            if not isinstance(step.statement, s.RefreshMaterializedView):
                continue
            view = material.views.get(last_name(step.statement.name))
            below = set() if view is None or step.statement.is_cascade else set(view.reads) & material.views.keys()
            for base in sorted(below - done):
                if not material.views[base].statement.is_auto_refresh:
                    message = f'procedure "{name}" refreshes a view whose base "{base}" it has not refreshed: REFRESH does not cascade'
                    yield unit.found_at(step.start, message, f"REFRESH MATERIALIZED VIEW {base} before it, or write CASCADE.")
            done.add(last_name(step.statement.name))


def _watermark(material: Material) -> Iterator[Found]:
    for name, unit in material.procedures.items():
        clocked = {column: (query, span) for query in unit.queries for column, span in _from_clock(query)}
        for query in unit.queries:
            if isinstance(query.tree, exp.Update):
                continue
            for column in query.tree.find_all(exp.Column):
                if column.name.lower() in clocked and _is_read_alone(column):
                    at, span = clocked.pop(column.name.lower())
                    message = (
                        f'"{column.name}" is the clock at the end of a run, and "{name}" reads on from it: what arrived between is lost'
                    )
                    hint = "Store max(refresh_time) of the rows that were read, in the transaction that loads them."
                    yield unit.found_at(at.start + span.start, message, hint)


def _is_read_alone(column: exp.Column) -> bool:
    """Tell whether the column is what a query selects, as a watermark is."""
    return isinstance(column.parent, (exp.Select, exp.Alias))


def _from_clock(query: Query) -> Iterator[tuple[str, Span]]:
    if not isinstance(query.tree, exp.Update):
        return
    for setting in query.tree.expressions:
        words = {str(call.this).upper() for call in setting.expression.find_all(exp.Anonymous)} if isinstance(setting, exp.EQ) else set()
        if words & _CLOCK and isinstance(setting.this, exp.Column):
            yield setting.this.name.lower(), span_of(setting) or Span(0, 1)


def _arrival_order(material: Material) -> Iterator[Found]:
    for name, unit in material.procedures.items():
        for query in unit.queries:
            for window in query.tree.find_all(exp.Window):
                order = window.args.get("order")
                plain = (
                    [one.this.name.lower() for one in order.expressions if isinstance(one.this, exp.Column)] if order is not None else []
                )
                if plain and plain[0] in _ARRIVAL:
                    at = query.start + (span_of(window) or Span(0, 1)).start
                    message = f'procedure "{name}" orders changes by arrival: shards differ, and a late change would win'
                    yield unit.found_at(at, message, "Order by ApproximateCreationDateTime, then by sequence_number as a number.")


@dataclass(frozen=True, slots=True)
class _Write:
    procedure: str
    unit: Unit
    start: int
    literals: frozenset[str]


def _clashes(material: Material) -> Iterator[Found]:
    writes: dict[str, list[_Write]] = {}
    for name in _scheduled(material):
        unit = material.procedures[name]
        for query in unit.queries:
            if isinstance(query.tree, (exp.Update, exp.Delete)):
                where = query.tree.args.get("where")
                literals = {one.name for one in where.find_all(exp.Literal) if one.is_string} if where is not None else set()
                target = query.tree.this.name.lower()
                writes.setdefault(target, []).append(_Write(name, unit, query.start, frozenset(literals)))
    for table, found in writes.items():
        for index, one in enumerate(found):
            other = next((before for before in found[:index] if before.procedure != one.procedure and _may_meet(before, one)), None)
            if other is not None:
                message = f'procedures "{other.procedure}" and "{one.procedure}" both change "{table}": expect error 1023 when they meet'
                hint = "Let the loser run again (it may), or schedule them apart."
                error = "Serializable isolation violation on table"
                yield one.unit.found_at(one.start, message, hint, error)
                break


def _may_meet(one: _Write, other: _Write) -> bool:
    return not one.literals or not other.literals or bool(one.literals & other.literals)


def _scheduled(material: Material) -> list[str]:
    names = []
    for schedule in material.manifest.schedules:
        try:
            statement = parse_statement(schedule.statement)
        except NearshiftError:
            continue  # the folder itself refuses such a schedule, with its place
        if isinstance(statement, s.Call) and last_name(statement.name) in material.procedures:
            names.append(last_name(statement.name))
    return names


def _schedules(material: Material) -> Iterator[Found]:
    for schedule in material.manifest.schedules:
        if schedule.aws is None:
            message = (
                f'schedule "{schedule.name}" has no time on AWS: "{schedule.local}" is nearshift\'s, and a minute is EventBridge\'s least'
            )
            yield Found(FILE_NAME, Span(0, 1), message, 'Write aws = "rate(1 minute)", or take the schedule out.')


def _settings_that_stay(material: Material) -> Iterator[Found]:
    """Yield SETs inside bodies that outlive the call."""
    for name, unit in material.procedures.items():
        for step in unit.steps:
            if isinstance(step.statement, s.SetParameter) and step.statement.scope is s.SetScope.SESSION:
                first = next(token for token in tokens(_text_at(material, unit, step.start)) if token.kind is TokenKind.WORD)
                message = f'{first.text} in procedure "{name}" holds for the rest of the session, for whoever called it'
                yield unit.found_at(step.start, message, "Set it for the user or the database, or in the file before the statement.")


def _text_at(material: Material, unit: Unit, start: int) -> str:
    end = material.texts[unit.file].find(";", start)
    return material.texts[unit.file][start : end if end >= 0 else None]


RULES: Final = (
    Rule("own-transaction", Severity.ERROR, f"{GUIDE}stored-procedure-constraints.html", _own_transaction),
    Rule("truncate-commits", Severity.WARNING, f"{GUIDE}stored-procedure-transaction-management.html", _commits),
    Rule("refresh-in-transaction", Severity.WARNING, f"{GUIDE}materialized-view-refresh-sql-command.html", _refresh_in_transaction),
    Rule("refresh-no-cascade", Severity.WARNING, f"{GUIDE}materialized-view-refresh-sql-command.html", _no_cascade),
    Rule("watermark", Severity.WARNING, f"{GUIDE}r_GETDATE.html", _watermark),
    Rule("arrival-order", Severity.WARNING, f"{GUIDE}materialized-view-streaming-ingestion.html", _arrival_order),
    Rule("error-1023", Severity.NOTE, f"{GUIDE}c_serial_isolation.html", _clashes),
    Rule("schedule-minimum", Severity.WARNING, f"{MANAGEMENT}data-api-calling-event-bridge.html", _schedules),
    Rule("set-in-procedure", Severity.NOTE, f"{GUIDE}stored-procedure-transaction-management.html", _settings_that_stay),
)
