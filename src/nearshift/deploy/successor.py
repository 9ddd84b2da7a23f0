"""A streaming view whose text has changed, without losing its rows: a new view beside it, what the old one holds, and both as one.

Made again under its own name a streaming view reads the stream from the oldest record that is still kept; rows older than that are gone.
What is written here goes into the folder's `sql` instead, next to the old definition; every statement of it is safe to apply.
"""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Final, Protocol

from nearshift.deploy.memory import FOLDER
from nearshift.deploy.outline import Outline
from nearshift.pipeline.bench import Benches
from nearshift.pipeline.definitions import Definition, Kind
from nearshift.pipeline.folder import Pipeline
from nearshift.pipeline.plan import Action
from nearshift.pipeline.target import Answer
from nearshift.sql.lexer import Token, TokenKind, tokens

_IDENTITY: Final = ("shard_id", "sequence_number")


def write_successors(pipeline: Pipeline, outline: Outline) -> list[Path]:
    """Write the safe steps for each streaming view that the plan refuses to make again, and return the files."""
    written: list[Path] = []
    for step in outline.sql.refusals if outline.sql is not None else ():
        if step.kind is not Kind.STREAMING_VIEW or step.action is not Action.REFUSE or step.wanted is None:
            continue
        name = step.name.rpartition(".")[2].strip('"')
        path = pipeline.path / FOLDER / f"successor_of_{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        readers = [one.name for one in pipeline.definitions if step.name in one.reads]
        new = _columns_in_folder(pipeline, step.name)
        path.write_text(successor_text(step.wanted, outline.columns.get(step.name, new), new, readers), encoding="utf-8")
        written.append(path)
    return written


_HEAD: Final = Template("""-- $name has changed. Made again it would lose the rows that the stream no longer has.
-- Instead: put back its old text, and put this file into sql/, to be applied after it.
--   1. $following reads the stream from its oldest record, as the new text says.
--   2. $kept holds what $name has now.
--   3. $whole is both, each record once.
-- Then let what reads $name read $whole$readers
-- (a materialized view cannot read a view: write the query of $whole in its place, or make it a view),
-- and when nothing reads $name any more, take the old view out of the folder: nearshift deploy --allow $name

$text;

CREATE TABLE $kept AS SELECT * FROM $name;
""")
_WHOLE: Final = Template("""
CREATE VIEW $whole AS
SELECT $columns FROM $following
UNION ALL
SELECT $taken FROM $kept k
WHERE NOT EXISTS (SELECT 1 FROM $following n WHERE $same);
""")
_NO_WHOLE: Final = Template("""
-- $missing is not in both views: records cannot be told apart, so $whole is not written.
""")


def successor_text(wanted: Definition, old: tuple[str, ...], new: tuple[str, ...], readers: list[str]) -> str:
    """Return the statements; `old` and `new` are the columns of the view as it is and as it is wanted, `readers` what reads it."""
    names = {"name": wanted.name} | {suffix: _beside(wanted.name, f"_{suffix}") for suffix in ("kept", "whole")}
    names["following"] = _beside(wanted.name, "_next")
    text = _renamed(wanted.text, names["following"]).strip().rstrip(";")
    head = _HEAD.substitute(names, text=text, readers=f" ({', '.join(readers)})" if readers else "")
    missing = [column for column in _IDENTITY if column not in old or column not in new]
    if missing:
        return head + _NO_WHOLE.substitute(names, missing=" and ".join(missing))
    return head + _WHOLE.substitute(
        names,
        columns=", ".join(_quoted(column) for column in new),
        taken=", ".join(f"k.{_quoted(column)}" if column in old else f"NULL AS {_quoted(column)}" for column in new),
        same=" AND ".join(f"n.{column} = k.{column}" for column in _IDENTITY),
    )


def _beside(name: str, suffix: str) -> str:
    return f'{name[:-1]}{suffix}"' if name.endswith('"') else name + suffix


def _quoted(column: str) -> str:
    return column if column.isidentifier() and column.islower() else '"' + column.replace('"', '""') + '"'


def _renamed(text: str, name: str) -> str:
    """Return CREATE MATERIALIZED VIEW with another name."""
    found = list(tokens(text))
    index = next(number for number, token in enumerate(found) if token.key == "VIEW") + 1
    if found[index].key == "IF":
        index += 3
    start = found[index].start
    while _is_name(found[index]) and found[index + 1].key == ".":
        index += 2
    return text[:start] + name + text[found[index].end :]


def _is_name(token: Token) -> bool:
    return token.kind in {TokenKind.WORD, TokenKind.QUOTED}


def _columns_in_folder(pipeline: Pipeline, name: str) -> tuple[str, ...]:
    """Return the columns that a view of the folder has, asked of an empty warehouse to which it is applied."""
    with Benches(pipeline) as benches:
        bench = benches.open()
        try:
            return columns_of(bench, name)
        finally:
            bench.close()


class _Runs(Protocol):
    def run(self, text: str) -> Answer:
        """Run one statement."""
        ...


def columns_of(place: _Runs, name: str) -> tuple[str, ...]:
    """Return the columns of a relation; `name` is written as SQL can read it."""
    return place.run(Template("SELECT * FROM $name LIMIT 0").substitute(name=name)).columns
