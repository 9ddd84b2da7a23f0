"""What a rule says about a place in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from nearshift.errors import Span

if TYPE_CHECKING:
    from nearshift.check.material import Material

GUIDE: Final = "https://docs.aws.amazon.com/redshift/latest/dg/"
MANAGEMENT: Final = "https://docs.aws.amazon.com/redshift/latest/mgmt/"


class Severity(Enum):
    """How much it matters: refused there, another answer or cost than expected, or worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Found:
    """A rule's hit; `span` is in the file's text. `error` is what Redshift answers, where that is known."""

    file: str
    span: Span
    message: str
    hint: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, how much it matters, the page of AWS that it rests on, and how it looks."""

    name: str
    severity: Severity
    page: str
    look: Callable[[Material], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A hit with its rule and its line and column, both from 1."""

    rule: Rule
    found: Found
    line: int
    column: int
