"""Public test suites of Amazon Redshift's SQL: fetched by each registry's own client, and read into texts.

Nothing of them is kept in this repository; they land in `build/corpora` and are used from there until that folder is removed.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FETCH_SECONDS_MAX: Final = 300
_FIRST_WORDS: Final = (
    "ABORT|ALTER|ANALYZE|ANALYSE|ATTACH|BEGIN|CALL|CANCEL|CLOSE|COMMENT|COMMIT|COPY|CREATE|DEALLOCATE|DECLARE|DELETE|DESC|DETACH|DROP|END|EXECUTE|"
    "EXPLAIN|FETCH|GRANT|INSERT|LOCK|MERGE|PREPARE|REFRESH|RESET|REVOKE|ROLLBACK|SELECT|SET|SHOW|START|TRUNCATE|UNLOAD|UPDATE|USE|VACUUM|VALUES|WITH"
)
_STATEMENT: Final = re.compile(rf"\s*(?:\(\s*)*(?:--[^\n]*\n\s*)*(?:{_FIRST_WORDS})\b\s*\S", re.IGNORECASE)
# Jinja, format strings, parameters of drivers, patterns of a regular expression: no statement before they are filled.
_TEMPLATE: Final = re.compile(r"\{\{|\{%|\{\w*\}|%s|%\(\w+\)s|<[a-z_-]+>|\.\.\.|[=(,]\s*\?|[ (]:\w|\\[sw]")


class Unavailable(Exception):
    """A corpus that cannot be had here, with the reason."""


@dataclass(frozen=True, slots=True)
class Source:
    """One text of a corpus, a whole script or one statement, and the file it stands in."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """A package, the client that fetches it, and how its files are read."""

    name: str
    package: str
    version: str
    client: Callable[[str, str, Path], None]
    read: Callable[[Path], Iterator[Source]]
    files: str

    def sources(self, cache: Path) -> Iterator[Source]:
        """Yield the texts, fetched first if they are not there. Raises Unavailable."""
        folder = cache / f"{self.package}-{self.version}"
        if not folder.exists():
            part = folder.with_name(folder.name + ".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            self.client(self.package, self.version, part)
            part.rename(folder)
        found = sorted(path for path in folder.glob(self.files) if path.is_file())
        if not found:
            raise Unavailable(f"{self.package} {self.version} has no {self.files}")
        for path in found:
            for source in self.read(path):
                yield Source(str(path.relative_to(folder)), source.text)


def pip(package: str, version: str, folder: Path) -> None:
    """Fetch a source distribution, or a wheel where there is none."""
    wanted = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", str(folder)]
    try:
        _run([*wanted, "--no-binary", ":all:", f"{package}=={version}"], folder)
    except Unavailable:
        _run([*wanted, f"{package}=={version}"], folder)
    for archive in list(folder.iterdir()):
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(folder)
        else:
            with tarfile.open(archive) as opened_tar:
                opened_tar.extractall(folder, filter="data")
        archive.unlink()


def cargo(package: str, version: str, folder: Path) -> None:
    """Fetch a crate's sources."""
    (folder / "src").mkdir()
    (folder / "src" / "lib.rs").touch()
    manifest = f'[package]\nname = "corpora"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n{package} = "={version}"\n'
    (folder / "Cargo.toml").write_text(manifest, encoding="utf-8")
    _run(["cargo", "vendor", "--quiet", "--versioned-dirs", "vendored"], folder)
    for vendored in (folder / "vendored").iterdir():
        if vendored.name != f"{package}-{version}":
            shutil.rmtree(vendored)


def _run(command: list[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed")
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} did not end within {FETCH_SECONDS_MAX} s") from None
    if done.returncode != 0:
        raise Unavailable(f"{command[0]} failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")


def read_sql(path: Path) -> Iterator[Source]:
    """Yield a whole file of SQL."""
    yield Source(path.name, path.read_text(encoding="utf-8", errors="replace"))


def read_markdown(path: Path) -> Iterator[Source]:
    """Yield what looks like statements in the code blocks of a page."""
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", path.read_text(encoding="utf-8", errors="replace"), re.DOTALL | re.MULTILINE):
        if _STATEMENT.match(block) and not re.search(r"\[ |\| *\{|<\w+>|\.\.\.|^-{4,}", block, re.MULTILINE):
            yield Source(path.name, block)


def read_strings(path: Path) -> Iterator[Source]:
    """Yield the plain strings of a Python file that begin as a statement does; templates and parts of f-strings are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    inside |= {id(node.left) for node in ast.walk(tree) if isinstance(node, ast.BinOp)}
    inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    grown = {node.target.id for node in ast.walk(tree) if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)}
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []
        if any(isinstance(target, ast.Name) and target.id in grown for target in targets) and getattr(node, "value", None) is not None:
            inside |= {id(part) for part in ast.walk(node.value)}  # a beginning to which the program adds more
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside and _is_statement(node.value):
            yield Source(path.name, node.value)


def _is_statement(text: str) -> bool:
    # Prose begins so too ("Create a table"): a statement in one line has a sign or a capital word.
    return bool(_STATEMENT.match(text)) and not _TEMPLATE.search(text) and bool(re.search(r"[=*();,]|^[A-Z]+ [A-Z]+ ", text.strip()))


def read_transpiler_tests(path: Path) -> Iterator[Source]:
    """Yield the SQL that a transpiler's test takes for Redshift: read in this dialect or written in it; expressions become SELECTs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
        if name not in ("validate_identity", "validate_all"):
            continue
        assert isinstance(node, ast.Call)
        found = list(node.args[: 2 if name == "validate_identity" else 1])
        for keyword in node.keywords:
            if isinstance(keyword.value, ast.Dict):
                pairs = zip(keyword.value.keys, keyword.value.values, strict=True)
                found += [value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "redshift"]
        for argument in found:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                text = argument.value
                yield Source(path.name, text if _STATEMENT.match(text) or re.match(r"\w+$", text) else f"SELECT {text}")


CORPORA: Final = (
    Corpus("sqlfluff", "sqruff-lib-dialects", "0.44.0", cargo, read_sql, "vendored/*/test/fixtures/dialects/redshift/**/*.sql"),
    Corpus("sqlglot", "sqlglot", "30.30.0", pip, read_transpiler_tests, "*/tests/dialects/test_redshift.py"),
    Corpus("sqlalchemy", "sqlalchemy-redshift", "1.0.0", pip, read_strings, "*/**/*.py"),
    Corpus("dbt", "dbt-redshift", "1.11.1", pip, read_strings, "*/**/*.py"),
    Corpus("driver", "redshift_connector", "2.2.0", pip, read_strings, "redshift_connector/**/*.py"),
)


def folder(name: str, path: Path) -> Iterator[Source]:
    """Yield the texts of the .sql, .md and .py files below a folder of one's own."""
    readers = {".sql": read_sql, ".md": read_markdown, ".py": read_strings}
    for one in sorted(path.rglob("*")):
        if one.suffix in readers and one.is_file():
            for source in readers[one.suffix](one):
                yield Source(f"{name}/{one.relative_to(path)}", source.text)
