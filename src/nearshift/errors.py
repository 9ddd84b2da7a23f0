"""The one tree of errors, and the places they point to.

An error has a message (one line, lower case, no full stop), a SQLSTATE, a span in the text the user sent, a detail, a hint (something to
do) and a context (where inside procedures it happened). The wire sends them as fields M, C, P, D, H and W; the command line draws a caret.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters, counted from 0, in the text that the user sent."""

    start: int
    end: int

    def shifted(self, by: int) -> Span:
        """Return the same range seen from a text that begins `by` characters earlier."""
        return Span(self.start + by, self.end + by)


class NearshiftError(Exception):
    """Any expected failure; what a client sees of it is exactly these fields."""

    default_sqlstate = "XX000"

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        span: Span | None = None,
        detail: str | None = None,
        hint: str | None = None,
        context: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate or self.default_sqlstate
        self.span = span
        self.detail = detail
        self.hint = hint
        self.context = context


class NotSupported(NearshiftError):
    """Redshift may know it, nearshift does not, or Redshift refuses it by design (0A000)."""

    default_sqlstate = "0A000"


class InvalidSql(NearshiftError):
    """The text is not a statement we know how to read (42601), or breaks a rule of the language (42xxx)."""

    default_sqlstate = "42601"


class UndefinedObject(NearshiftError):
    """A name that means nothing here: relation 42P01, column 42703, function 42883, schema 3F000, other 42704."""

    default_sqlstate = "42P01"


class DuplicateObject(NearshiftError):
    """A name that is taken: relation 42P07, schema 42P06, function or procedure 42723, other 42710."""

    default_sqlstate = "42P07"


class DataError(NearshiftError):
    """A value that cannot be what the statement asks of it (class 22), or breaks NOT NULL (23502)."""

    default_sqlstate = "22000"


class Conflict(NearshiftError):
    """Another transaction or process is in the way: 40001, 55006, 55P03, 25P02."""

    default_sqlstate = "40001"


class PermissionDenied(NearshiftError):
    """The user may not do that (42501), or did not prove who they are (28P01)."""

    default_sqlstate = "42501"


class Cancelled(NearshiftError):
    """The statement was cancelled by its user, its timeout or the server's end (57014, 57P01)."""

    default_sqlstate = "57014"


class StreamError(NearshiftError):
    """A stream, topic or role could not be used, or has a gap (class 58, or 42704 for an unknown stream)."""

    default_sqlstate = "58030"


class ConfigurationError(NearshiftError):
    """The pipeline folder, a setting, a port or a path is not usable as given (F0000)."""

    default_sqlstate = "F0000"


class TargetError(NearshiftError):
    """A place a pipeline is applied to did not answer as it should (08006)."""

    default_sqlstate = "08006"


class InternalError(NearshiftError):
    """A fault of ours: an invariant does not hold, or DuckDB answered what we did not expect (XX000)."""


def caret_lines(text: str, span: Span) -> tuple[str, str]:
    """Return the line of `text` on which `span` begins, as `LINE n: …`, and a line with a caret below its first character."""
    start = min(span.start, len(text))
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line = text[line_start:] if line_end < 0 else text[line_start:line_end]
    head = f"LINE {text.count(chr(10), 0, start) + 1}: "
    column = start - line_start
    if column > 60:
        line = "..." + line[column - 50 :]
        column = 53
    return head + line[:120].replace("\t", " "), " " * (len(head) + column) + "^"
