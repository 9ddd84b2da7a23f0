"""What statements about objects ask of their user: ownership, a privilege on the object or its schema, or a permission by a role.

Each function raises PermissionDenied (42501) in PostgreSQL's words, which are Redshift's, and returns nothing when the user may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearshift.catalog.entities import RelationEntry
from nearshift.catalog.principals import LANGUAGES, Securable
from nearshift.errors import PermissionDenied

if TYPE_CHECKING:
    from nearshift.session import Session


def must_own(session: Session, entry: RelationEntry, *permissions: str, privilege: str | None = None) -> None:
    """Require that the user owns a relation, has a privilege on it that stands for that, or one of the permissions."""
    rights = session.rights
    if entry.schema == "pg_temp" or rights.owns(entry.owner):
        return
    if privilege is not None and rights.may(privilege, Securable.RELATION, entry.oid, entry.owner):
        return
    if not permissions or not rights.has_system(*permissions):
        raise PermissionDenied(f"must be owner of relation {entry.name}")


def may_truncate(session: Session, entry: RelationEntry) -> None:
    """Require TRUNCATE on a table ("TRUNCATE")."""
    rights = session.rights
    if entry.schema == "pg_temp" or rights.has_system("TRUNCATE TABLE"):
        return
    if not rights.may("TRUNCATE", Securable.RELATION, entry.oid, entry.owner):
        raise PermissionDenied(f"permission denied for relation {entry.name}")


def may_use(session: Session, entry: RelationEntry, *privileges: str) -> None:
    """Require one of these privileges on a relation."""
    rights = session.rights
    if entry.schema == "pg_temp" or any(rights.may(one, Securable.RELATION, entry.oid, entry.owner) for one in privileges):
        return
    raise PermissionDenied(f"permission denied for relation {entry.name}")


def may_create_in(session: Session, schema: str, *permissions: str) -> None:
    """Require CREATE on a schema, or one of the permissions."""
    rights = session.rights
    if not rights.may_on_schema("CREATE", schema) and not (permissions and rights.has_system(*permissions)):
        raise PermissionDenied(f"permission denied for schema {schema}")


def may_reach(session: Session, schema: str | None) -> None:
    """Require USAGE on a schema that a statement names."""
    if schema is not None and not session.rights.may_on_schema("USAGE", schema):
        raise PermissionDenied(f"permission denied for schema {schema}")


def may_make_temporary(session: Session) -> None:
    """Require TEMP on the database."""
    if not session.rights.may_on_database("TEMP"):
        raise PermissionDenied(f'permission denied to create temporary tables in database "{session.database}"')


def may_make_schemas(session: Session) -> None:
    """Require CREATE on the database, or the permission CREATE SCHEMA."""
    rights = session.rights
    if not rights.may_on_database("CREATE") and not rights.has_system("CREATE SCHEMA"):
        raise PermissionDenied(f"permission denied for database {session.database}")


def may_speak(session: Session, language: str, *permissions: str) -> None:
    """Require USAGE on a language of routines, or one of the permissions."""
    rights = session.rights
    if not rights.may("USAGE", Securable.LANGUAGE, LANGUAGES[language], "") and not rights.has_system(*permissions):
        raise PermissionDenied(f"permission denied for language {language}")


def must_own_routine(session: Session, kind: str, name: str, owner: str, *permissions: str) -> None:
    """Require that the user owns a procedure or function, or has one of the permissions."""
    if not session.rights.owns(owner) and not session.rights.has_system(*permissions):
        raise PermissionDenied(f"must be owner of {kind} {name}")


def must_own_schema(session: Session, name: str, *permissions: str, privilege: str) -> None:
    """Require that the user owns a schema, has a privilege on it that stands for that, or one of the permissions."""
    schema = session.snapshot.schemas.get(name)
    if schema is None or session.rights.owns(schema.owner) or session.rights.has_system(*permissions):
        return
    if not session.rights.may(privilege, Securable.SCHEMA, schema.oid, schema.owner):
        raise PermissionDenied(f"must be owner of schema {name}")
