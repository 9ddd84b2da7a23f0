"""A procedure ready to run: its header and the tree of its body."""

from __future__ import annotations

from dataclasses import dataclass

from nearshift.errors import NearshiftError
from nearshift.plpgsql.nodes import Block
from nearshift.plpgsql.parse import PLAIN_RULES, parse_body
from nearshift.sql.names import fold
from nearshift.sql.relations import NameRules
from nearshift.sql.statements_programs import ArgumentMode, CreateProcedure
from nearshift.types import SqlType


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument as the body sees it; the name is folded, None for `$n` only."""

    name: str | None
    mode: ArgumentMode
    type: SqlType


@dataclass(frozen=True, slots=True)
class CompiledProcedure:
    """What `interpret.call` runs.

    `has_settings`: created with SET, which forbids COMMIT, ROLLBACK and TRUNCATE in atomic mode. `rules` are those the body was read with.
    """

    name: str
    parameters: tuple[Parameter, ...]
    block: Block
    is_nonatomic: bool = False
    has_settings: bool = False
    rules: NameRules = PLAIN_RULES


def compile_procedure(create: CreateProcedure, rules: NameRules) -> CompiledProcedure:
    """Return the procedure with its body parsed and its names folded under `rules`.

    Raises InvalidSql and NotSupported as `parse_body` does, with spans in the text of the CREATE statement.
    """
    parameters = tuple(
        Parameter(fold(a.name.text, a.name.is_quoted, rules) if a.name else None, a.mode, a.type) for a in create.arguments
    )
    try:
        block = parse_body(create.body, rules, is_nonatomic=create.is_nonatomic)
    except NearshiftError as error:
        error.span = error.span.shifted(create.body_start) if error.span else create.name.span
        raise
    name = create.name.last
    folded = fold(name.text, name.is_quoted, rules)
    return CompiledProcedure(folded, parameters, block, create.is_nonatomic, bool(create.settings), rules)
