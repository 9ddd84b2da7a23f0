"""Assignment of a value to a PL/pgSQL variable: the common conversions here, the rest by the engine."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from nearshift.errors import DataError
from nearshift.plpgsql.runner import Value
from nearshift.types import INTEGERS, STRINGS, Kind, SqlType

if TYPE_CHECKING:
    from nearshift.session import Session

_BOUNDS = {Kind.SMALLINT: 2**15, Kind.INTEGER: 2**31, Kind.BIGINT: 2**63}


def assign(session: Session, value: Value, target: SqlType) -> object:
    """Return `value` as a variable of type `target` keeps it. Raises DataError (22001, 22003, 22P02) when it does not fit."""
    found = value.value
    if found is None:
        return None
    if target.kind in INTEGERS and isinstance(found, (int, Decimal)) and not isinstance(found, bool):
        whole = int(Decimal(found).to_integral_value(ROUND_HALF_UP))
        if not -_BOUNDS[target.kind] <= whole < _BOUNDS[target.kind]:
            raise DataError(f"{target.kind.value} out of range", sqlstate="22003")
        return whole
    if target.kind is Kind.BOOLEAN and isinstance(found, bool):
        return found
    if target.kind is Kind.VARCHAR and isinstance(found, str) and value.type.kind in STRINGS | {Kind.UNKNOWN}:
        return _fitted(found, target)
    if target.kind is value.type.kind and target.kind not in {Kind.DECIMAL, Kind.CHAR, Kind.VARBYTE}:
        return found
    return session.cast(found, value.type, target)


def _fitted(text: str, target: SqlType) -> str:
    if target.length is None or len(text.encode("utf-8", "surrogatepass")) <= target.length:
        return text
    stripped = text.rstrip(" ")
    if len(stripped.encode("utf-8", "surrogatepass")) <= target.length:
        return stripped + " " * (target.length - len(stripped.encode("utf-8", "surrogatepass")))
    raise DataError(f"value too long for type {target}", sqlstate="22001")
