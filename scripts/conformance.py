"""How much of the public tests of Redshift's SQL is decided here: `make conformance`, or `python scripts/conformance.py --help`.

Every statement of the corpora (`corpora.py`) is run in a warehouse of its own corpus and counted:

    ran         it did what it says, if need be over empty tables made up for those that it names
    checked     it was understood, and stopped at a name or a value that the corpus does not bring with it
    recorded    it was accepted, and has no effect here
    refused     SQLSTATE 0A000 with a reason, or Redshift refuses it too (`NOT_REDSHIFT`)
    unknown     a syntax error, a function nobody knows, or a fault of ours: to be decided

The exit status is 1 when anything is unknown. Files are copied from and to nowhere: an endpoint that does not answer stands for AWS.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from corpora import CORPORA, Source, Unavailable, folder

from nearshift.errors import NearshiftError, StreamError
from nearshift.results import TransactionStatus
from nearshift.session import Session
from nearshift.sql.lexer import TokenKind, tokens
from nearshift.sql.names import quote
from nearshift.sql.parse import parse_statement
from nearshift.sql.split import split_script
from nearshift.sql.statements import Recorded
from nearshift.warehouse import Warehouse

ROOT: Final = Path(__file__).resolve().parent.parent
CACHE: Final = ROOT / "build" / "corpora"
KINDS: Final = ("ran", "checked", "recorded", "refused", "unknown")
STATEMENT_MS_MAX: Final = 20_000
COLUMNS_MAX: Final = 300
UNKNOWN_FUNCTION: Final = re.compile(r'function "?[\w.]+"? does not exist')
COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
IN_QUOTES: Final = re.compile(r"--[^\n]*|/\*.*?\*/|'[^']*'", re.DOTALL)
# Of several attempts over tables that are made up, the one that says most: what is unknown must be seen, then what works.
WORTH: Final = {"checked": 0, "recorded": 1, "refused": 2, "ran": 3, "unknown": 4}
# What a corpus has and Redshift refuses: corpora are of parsers that take more than the server does. Pattern, and why.
NOT_REDSHIFT: Final[tuple[tuple[str, str], ...]] = (
    (r" GRANT \w+ ON ROUTINES ", 'objects of default privileges are TABLES, FUNCTIONS and PROCEDURES ("ALTER DEFAULT PRIVILEGES")'),
    (r" APPEND FROM \S+ IGNOREEXTRA FILLTARGET", 'IGNOREEXTRA and FILLTARGET exclude each other ("ALTER TABLE APPEND")'),
    (r"DISTSTYLE (ALL|EVEN) DISTKEY|DISTKEY.*DISTSTYLE (ALL|EVEN|AUTO)", 'DISTKEY goes with DISTSTYLE KEY only ("CREATE TABLE AS")'),
    (r"^GRANT .* TO USER ", 'a user is named without the word USER ("GRANT")'),
    (r"^GRANT .*, TO ROLE ", 'TO is written once ("GRANT")'),
    (r"^ALTER TABLE \S+ RENAME TO \w+\.", 'the new name stands without its schema ("ALTER TABLE")'),
    (r"^SELECT COSH\(", 'there are no hyperbolic functions ("Math functions")'),
    (r"^SELECT TIME_TO_STR\(", "a transpiler's own name for what it knows no function for"),
    (r"^SELECT (schema\.)?EXCLUDE\(col1\)", "a function that the corpus makes up, to show that EXCLUDE is no reserved word"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement of a corpus and what became of it."""

    file: str
    text: str
    kind: str
    leading: str
    sqlstate: str = ""
    reason: str = ""


def _no_stream(_schema: object, name: str) -> NoReturn:
    raise StreamError(f'stream "{name}" does not exist', sqlstate="42704")


def examine(sources: Iterable[Source]) -> Iterator[Finding]:
    """Run the statements of a corpus in a new warehouse, each file in a session of its own."""
    with tempfile.TemporaryDirectory() as place:
        warehouse = Warehouse.open(Path(place) / "corpus.duckdb", sources=_no_stream, threads=1)
        try:
            file, session = None, None
            for source in sources:
                if source.file != file or session is None:
                    if session is not None:
                        session.close()
                    file, session = source.file, warehouse.session(options={"statement_timeout": str(STATEMENT_MS_MAX)})
                yield from _examine_script(source, session)
            if session is not None:
                session.close()
        finally:
            warehouse.close()


def _examine_script(source: Source, session: Session) -> Iterator[Finding]:
    try:
        pieces = [piece.text for piece in split_script(source.text)]
    except NearshiftError as error:
        yield Finding(source.file, source.text, "unknown", "", error.sqlstate, error.message)
        return
    for text in pieces:
        yield _examine(source.file, text, session)


def _examine(file: str, text: str, session: Session) -> Finding:
    found = _attempt(file, text, session)
    if found.kind == "checked" and found.sqlstate in ("42P01", "42703", "3F000"):
        return _examine_over_stand_ins(found, session)
    return found


def _examine_over_stand_ins(found: Finding, session: Session) -> Finding:
    """Run the statement over empty tables made up for those it names, with a column for every name in it, of one type after another."""
    words = {word.lower() for word in re.findall(r'"[^"]+"|[A-Za-z_]\w*', IN_QUOTES.sub(" ", found.text))}
    columns = [quote(word.strip('"')) for word in sorted(words)][:COLUMNS_MAX]
    best = found
    for kind in ("varchar(200)", "integer", "timestamp", "super"):
        now = found
        made: list[str] = []
        for _round in range(6):
            missing = re.match(r'relation "(?:"?(\w+)"?\.)?"?([#\w]+)"? does not exist', now.reason) if now.sqlstate == "42P01" else None
            schema = re.match(r'schema "(\w+)" does not exist', now.reason) if now.sqlstate == "3F000" else None
            if missing is None and schema is None:
                break
            if schema is not None or (missing is not None and missing[1]):
                _quietly(session, f"CREATE SCHEMA IF NOT EXISTS {quote((schema or missing)[1])}")  # type: ignore[index]
            if missing is not None:
                name = (quote(missing[1]) + "." if missing[1] else "") + quote(missing[2])
                _quietly(session, f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column in columns)})")
                made.append(name)
            now = _attempt(found.file, found.text, session)
            if now.sqlstate == "42601" and not now.reason.startswith("syntax error"):
                now = found  # a rule that the made-up columns break
        for name in made:
            _quietly(session, f"DROP TABLE IF EXISTS {name} CASCADE")
        if WORTH[now.kind] > WORTH[best.kind]:
            best = now
    return best


def _quietly(session: Session, text: str) -> None:
    with contextlib.suppress(NearshiftError):
        for _result in session.execute_script(text):
            pass


def _attempt(file: str, text: str, session: Session) -> Finding:
    leading = leading_words(text)
    try:
        statement = parse_statement(text)
        for result in session.execute_script(text):
            for _batch in result.batches:
                pass
    except NearshiftError as error:
        if session.status is TransactionStatus.FAILED:
            list(session.execute_script("ROLLBACK"))
        reason = f"{error.message}. {error.detail or ''} {error.hint or ''}".strip()
        return Finding(file, text, _kind(text, error), leading, error.sqlstate, reason)
    except Exception as error:  # noqa: BLE001 - whatever comes is what is to be found
        return Finding(file, text, "unknown", leading, "XX000", f"{type(error).__name__}: {error}")
    return Finding(file, text, "recorded" if isinstance(statement, Recorded) else "ran", leading)


def _kind(text: str, error: NearshiftError) -> str:
    if error.sqlstate == "0A000":
        return "refused"
    if error.message.startswith("could not reach"):
        return "checked"  # S3, which is not there
    is_unknown_function = error.sqlstate == "42883" and UNKNOWN_FUNCTION.fullmatch(error.message) is not None
    if error.sqlstate in ("42601", "XX000") or is_unknown_function:
        plain = " ".join(COMMENT.sub(" ", text).split())
        return "refused" if any(re.search(pattern, plain, re.IGNORECASE) for pattern, _ in NOT_REDSHIFT) else "unknown"
    return "checked"


def leading_words(text: str) -> str:
    """Return the first words of a statement that say its kind: two for CREATE, ALTER, DROP and the like."""
    try:
        found = tokens(text)
        words = [token.key for token in (next(found, None) for _ in range(5)) if token is not None and token.kind is TokenKind.WORD]
    except NearshiftError:
        return ""
    if words[:1] and words[0] in ("CREATE", "ALTER", "DROP", "SHOW", "COMMENT", "GRANT", "REVOKE", "REFRESH", "ATTACH", "DETACH", "DESC"):
        named = [word for word in words if word not in ("OR", "REPLACE", "TEMP", "TEMPORARY", "LOCAL", "ON")]
        return " ".join(named[: 3 if named[1:2] in (["EXTERNAL"], ["MATERIALIZED"], ["DEFAULT"], ["RLS"]) else 2])
    return words[0] if words else "("


def report(name: str, findings: list[Finding], *, is_verbose: bool) -> Iterator[str]:
    """Yield the lines about one corpus: a table by kind of statement, then what is unknown."""
    counts = Counter((finding.leading, finding.kind) for finding in findings)
    leadings = sorted({finding.leading for finding in findings})
    yield f"{name:<28}" + "".join(f"{kind:>10}" for kind in KINDS)
    if is_verbose:
        for leading in leadings:
            yield f"  {leading:<26}" + "".join(f"{counts[leading, kind] or '':>10}" for kind in KINDS)
    totals = Counter(finding.kind for finding in findings)
    yield f"  {'all ' + str(len(findings)):<26}" + "".join(f"{totals[kind]:>10}" for kind in KINDS)
    for finding in findings:
        if finding.kind == "unknown":
            yield f"  {finding.file}: {' '.join(finding.text.split())[:160]}\n      {finding.sqlstate} {finding.reason}"
    yield ""


def _no_service() -> None:
    """Let nothing reach AWS: no credentials of this machine, and an endpoint on which nobody listens."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1",
        AWS_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print every statement and what became of it as JSON")
    parser.add_argument("--corpus", action="append", choices=[one.name for one in CORPORA], help="only this one; may be given again")
    parser.add_argument("--folder", action="append", default=[], type=Path, help="also the .sql, .md and .py files below this folder")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the corpora are kept")
    parser.add_argument("--short", action="store_true", help="leave out the kinds of statement")
    return parser.parse_args()


def main() -> int:
    """Measure and print; returns the exit status."""
    arguments = _arguments()
    _no_service()
    found: dict[str, list[Finding]] = {}
    for corpus in CORPORA:
        if (arguments.corpus or arguments.folder) and corpus.name not in (arguments.corpus or ()):
            continue
        try:
            found[corpus.name] = list(examine(corpus.sources(arguments.cache)))
        except Unavailable as reason:
            print(f"{corpus.name}: not measured, {reason}", file=sys.stderr)
    for path in arguments.folder:
        found[path.name] = list(examine(folder(path.name, path)))
    if arguments.json:
        fields = Finding.__slots__
        listed = {name: [{field: getattr(one, field) for field in fields} for one in rows] for name, rows in found.items()}
        print(json.dumps(listed, indent=1))
    else:
        for name, findings in found.items():
            print("\n".join(report(name, findings, is_verbose=not arguments.short)))
    return 1 if not found or any(one.kind == "unknown" for rows in found.values() for one in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
