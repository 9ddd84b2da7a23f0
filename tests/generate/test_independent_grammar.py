"""An independent grammar, sqlfluff's dialect of Redshift, accepts every statement that we generate; so does our own.

Names, prefixes, types, modes and lists come by chance, also such that need quoting. No form of Redshift that we generate is missing in that
grammar, so there is no list of exceptions; one that becomes necessary belongs here, with its page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlfluff.core import FluffConfig, Linter

from nearshift.generate.files import render
from nearshift.generate.loads import read_declarations
from nearshift.pipeline.declared import DeclaredColumn, DeclaredElement, DeclaredList, Dimension, Fact, Generating
from nearshift.pipeline.folder import read_script
from nearshift.pipeline.manifest import Manifest, Source

EXAMPLES = Path(__file__).parents[2] / "src" / "nearshift" / "examples"
LINTER = Linter(config=FluffConfig(overrides={"dialect": "redshift", "large_file_skip_byte_limit": 0}))

_TYPES = {
    "S": ("varchar(64)", "varchar(65535)", "timestamptz", "timestamp", "date", "char(3)"),
    "N": ("decimal(18,2)", "decimal(38,0)", "smallint", "integer", "bigint", "real", "double precision"),
    "BOOL": ("boolean",),
}
_TEXT = st.text(alphabet="abZ# '\"\\é-_.$@|%", min_size=1, max_size=6)
_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)


def unparsable(text: str) -> list[str]:
    """Return what the grammar does not accept."""
    parsed = LINTER.parse_string(text)
    assert parsed.tree is not None
    return [str(one) for one in parsed.violations] + [segment.raw for segment in parsed.tree.recursive_crawl("unparsable")]


@st.composite
def _columns(draw: st.DrawFn, sort_key: bool) -> tuple[DeclaredColumn, ...]:
    names = draw(st.lists(_NAMES.map(lambda name: f"c_{name}x"), min_size=1, max_size=3, unique=True))
    made = []
    for name in names:
        kind = draw(st.sampled_from(["S", "N", "BOOL", "super", "key"]))
        if kind == "key":
            key: Any = draw(st.sampled_from(["partition", "sort"] if sort_key else ["partition"]))
            part = draw(st.sampled_from([None, 1, 3]))
            made.append(DeclaredColumn(name, "varchar(300)", key=key, part=part, separator=draw(_TEXT)))
            continue
        inner = tuple(draw(st.lists(_TEXT, min_size=1, max_size=2)))
        path = (*inner, "L") if kind == "super" else (*inner, kind)
        type_ = "super" if kind == "super" else draw(st.sampled_from(_TYPES[kind]))
        made.append(DeclaredColumn(name, type_, path, required=draw(st.booleans())))
    return tuple(made)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """A manifest with one fact or dimension of any kind."""
    sort_key = draw(st.booleans())
    columns = draw(_columns(sort_key))
    supers = [column.name for column in columns if column.type == "super"]
    lists = tuple(
        DeclaredList(f"list_of_{name}", name, (DeclaredElement("a", "varchar(9)", ("M", draw(_TEXT), "S")), DeclaredElement("b", "super")))
        for name in supers
    )
    chosen: dict[str, Any] = {"name": draw(_NAMES) + "_f", "columns": columns, "lists": lists}
    chosen["partition_key_begins"] = draw(st.none() | _TEXT)
    if sort_key:
        chosen[draw(st.sampled_from(["sort_key", "sort_key_begins"]))] = draw(st.none() | _TEXT)
    chosen["deleted_by"] = draw(st.sampled_from([(), ("remove",), ("expiry",), ("remove", "expiry")]))
    source = Source("t", draw(_TEXT), draw(_TEXT), draw(_TEXT) if sort_key else None)
    kind = draw(st.sampled_from(["latest-image", "latest-non-null", 1, 2]))
    if isinstance(kind, int):
        return Manifest("p", source, dimensions=(Dimension(**chosen, type=1 if kind == 1 else 2),), generate=Generating())
    return Manifest("p", source, facts=(Fact(**chosen, mode="latest-image" if kind == "latest-image" else "latest-non-null"),))


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(manifests())
def test_the_grammar_accepts_whatever_is_declared(manifest: Manifest) -> None:
    files = render(read_declarations(manifest), frozenset())
    assert {name: found for name, text in files.items() if (found := unparsable(text))} == {}
    streams: set[str] = set()
    assert all(read_script(text, name, streams) for name, text in files.items())


@pytest.mark.parametrize("name", ["customer-transactions", "starter"])
def test_the_grammar_accepts_the_examples(name: str) -> None:
    files = sorted((EXAMPLES / name / "sql").glob("*.sql"))
    assert files
    assert {file.name: found for file in files if (found := unparsable(file.read_text(encoding="utf-8")))} == {}


def test_the_grammar_notices_what_is_wrong() -> None:
    assert unparsable("CREATE TABLE t (a int) DISTKEY (a) SORTED BY a;") != []
