"""Answers of one moment: what several passes ask alike is asked once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nearshift.console.cells import Grid
from nearshift.console.definition import Dashboard
from nearshift.console.queries import Query, describe_query
from nearshift.console.reader import Reader
from nearshift.errors import NearshiftError
from nearshift.types import SqlType


@dataclass(frozen=True, slots=True)
class Moment:
    """When a pass happens: `number` is equal for passes that may share answers, `now` (aware) is where spans of time end."""

    number: int
    now: datetime


class Answers:
    """Answers of one moment, shared by all passes that ask the same at that moment. Safe to share between threads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._number = -1
        self._found: dict[Query | str, Grid | tuple[Any, ...] | NearshiftError] = {}

    def grid(self, moment: Moment, query: Query) -> Grid:
        """Return the rows of `query`, asked at most about once per moment; raises NearshiftError."""
        found = self._find(moment, query, lambda: self._reader.grid(query))
        assert isinstance(found, Grid)
        return found

    def types(self, moment: Moment, board: Dashboard) -> dict[str, SqlType]:
        """Return the types of a dashboard's dimensions."""
        if board.relation is None or not board.dimensions:
            return {}
        text = describe_query(board)
        columns = self._find(moment, text, lambda: self._reader.describe(text))
        assert isinstance(columns, tuple)
        return {name: column.type for name, column in zip(board.dimensions, columns, strict=True)}

    def _find(self, moment: Moment, key: Query | str, ask: Callable[[], Grid | tuple[Any, ...]]) -> Grid | tuple[Any, ...]:
        with self._lock:
            if moment.number != self._number:
                self._number, self._found = moment.number, {}
            kept = self._found
            found = kept.get(key)
        if found is None:
            try:
                found = ask()
            except NearshiftError as error:
                found = error
            kept[key] = found  # the dictionary of this moment, even if another has begun
        if isinstance(found, NearshiftError):
            raise found
        return found
