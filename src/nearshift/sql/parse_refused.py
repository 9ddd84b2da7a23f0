"""Statements that are known and left out, with the reason: a clear refusal instead of a syntax error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SHARING: Final = "Datashares join Redshift warehouses; there is only one warehouse here."
_LEARNING: Final = "Machine learning needs Amazon SageMaker or Bedrock."
_POLICIES: Final = "Row-level security and dynamic data masking are not kept here; grant on views instead."
_EXTERNAL: Final = "External tables and functions need AWS Glue, Spectrum or Lambda; load the rows with COPY."
_DATABASES: Final = "A warehouse here is one file with one database; open another warehouse for another database."
_IDENTITY: Final = "Users are kept in the warehouse; there are no identity providers."
_NOT_IN_REDSHIFT: Final = 'Redshift does not have it either (see "Unsupported PostgreSQL features").'
_SAVEPOINTS: Final = "Redshift has no savepoints; use a NONATOMIC procedure to keep a part of the work."
_PYTHON: Final = "Redshift ended Python functions on 30 June 2026."
_FUNCTIONS: Final = "Functions are renamed and given to another owner by dropping and creating them."
_COLUMN_GRANTS: Final = "Read has_column_privilege() for a column."
_JOBS: Final = "Files are not watched; schedule a COPY statement."
_AWS: Final = "It controls a part of the service that exists on AWS only."

_BY_REASON: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        _SHARING,
        ("CREATE DATASHARE", "ALTER DATASHARE", "DROP DATASHARE", "DESC DATASHARE", "SHOW DATASHARES", "DESC DATASHARES"),
    ),
    (_LEARNING, ("CREATE MODEL", "CREATE OR REPLACE MODEL", "DROP MODEL", "CREATE EXTERNAL MODEL", "DROP EXTERNAL MODEL", "SHOW MODEL")),
    (
        _POLICIES,
        (
            "CREATE RLS POLICY", "ALTER RLS POLICY", "DROP RLS POLICY", "ATTACH RLS POLICY", "DETACH RLS POLICY", "CREATE MASKING POLICY",
            "ALTER MASKING POLICY", "DROP MASKING POLICY", "ATTACH MASKING POLICY", "DETACH MASKING POLICY", "SHOW POLICIES",
        ),
    ),
    (
        _EXTERNAL,
        (
            "CREATE EXTERNAL TABLE", "CREATE EXTERNAL FUNCTION", "CREATE OR REPLACE EXTERNAL FUNCTION", "CREATE EXTERNAL VIEW",
            "CREATE OR REPLACE EXTERNAL VIEW", "ALTER EXTERNAL VIEW", "DROP EXTERNAL VIEW", "DROP EXTERNAL TABLE", "ALTER EXTERNAL TABLE",
            "CREATE EXTERNAL PROTECTED VIEW", "CREATE EXTERNAL VOLUME", "SHOW EXTERNAL TABLE",
        ),
    ),
    (_DATABASES, ("CREATE DATABASE", "ALTER DATABASE", "DROP DATABASE", "USE")),
    (_IDENTITY, ("CREATE IDENTITY PROVIDER", "ALTER IDENTITY PROVIDER", "DROP IDENTITY PROVIDER", "DESC IDENTITY PROVIDER")),
    (_SAVEPOINTS, ("SAVEPOINT", "RELEASE")),
    (_FUNCTIONS, ("ALTER FUNCTION",)),
    (_COLUMN_GRANTS, ("SHOW COLUMN GRANTS",)),
    (_JOBS, ("COPY JOB",)),
    (_PYTHON, ("CREATE LIBRARY", "CREATE OR REPLACE LIBRARY", "DROP LIBRARY")),
    (
        _AWS,
        (
            "ALTER SYSTEM", "CREATE TEMPLATE", "CREATE OR REPLACE TEMPLATE", "ALTER TEMPLATE", "DROP TEMPLATE", "SHOW TEMPLATE",
            "SHOW TEMPLATES", "RECOVER",
        ),
    ),
    (
        _NOT_IN_REDSHIFT,
        (
            "CREATE INDEX", "CREATE UNIQUE INDEX", "DROP INDEX", "ALTER INDEX", "REINDEX", "CLUSTER", "CREATE SEQUENCE", "ALTER SEQUENCE",
            "DROP SEQUENCE", "CREATE TRIGGER", "DROP TRIGGER", "CREATE RULE", "DROP RULE", "CREATE DOMAIN", "DROP DOMAIN", "CREATE TYPE",
            "DROP TYPE", "CREATE EXTENSION", "DROP EXTENSION", "CREATE AGGREGATE", "CREATE OPERATOR", "CREATE CAST", "CREATE CONVERSION",
            "CREATE TABLESPACE", "CREATE LANGUAGE", "CREATE SERVER", "CREATE FOREIGN TABLE", "CREATE UNLOGGED TABLE",
            "CREATE RECURSIVE VIEW", "CREATE TEMP VIEW", "CREATE TEMPORARY VIEW", "CREATE TEMP SEQUENCE", "DO", "LISTEN", "NOTIFY",
            "UNLISTEN", "MOVE", "REASSIGN", "DROP OWNED", "CHECKPOINT", "SECURITY LABEL", "SET CONSTRAINTS", "TABLE", "ALTER VIEW",
        ),
    ),
)  # fmt: skip


def _by_first_word() -> Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]:
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for reason, statements in _BY_REASON:
        for statement in statements:
            words = tuple(statement.split())
            found.setdefault(words[0], []).append((words, reason))
    return {word: tuple(entries) for word, entries in found.items()}


# By first word: the words of the statement, and why it is refused.
REFUSED: Final = _by_first_word()
