"""CREATE, ALTER and DROP SCHEMA, local and external."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearshift import limits, storage
from nearshift.catalog import catalog
from nearshift.catalog.entities import RESERVED_SCHEMAS, SchemaEntry
from nearshift.commands.depending import can_be_read
from nearshift.commands.tables import storage_schema
from nearshift.errors import DuplicateObject, InvalidSql, NotSupported, UndefinedObject
from nearshift.results import Result, Severity
from nearshift.sql import statements as st
from nearshift.sql.names import fold

if TYPE_CHECKING:
    from nearshift.session import Session

Change = st.CreateSchema | st.CreateExternalSchema | st.AlterSchema | st.AlterExternalSchema


def change_schema(session: Session, statement: Change) -> Result:
    """Run one of the statements about schemas."""
    match statement:
        case st.CreateSchema():
            return _create(session, statement)
        case st.CreateExternalSchema():
            return _create_external(session, statement)
        case st.AlterSchema():
            return _alter(session, statement)
        case st.AlterExternalSchema():
            return _alter_external(session, statement)


def _fold(session: Session, name: st.Name) -> str:
    return fold(name.text, name.is_quoted, session.settings.rules)


def _is_taken(session: Session, name: st.Name, folded: str, *, if_not_exists: bool) -> bool:
    if folded in RESERVED_SCHEMAS or folded.startswith("pg_"):
        raise InvalidSql(f'unacceptable schema name "{folded}"', sqlstate="42939", span=name.span, detail="The name is reserved.")
    if folded not in session.snapshot.schemas:
        return False
    if not if_not_exists:
        raise DuplicateObject(f'schema "{folded}" already exists', sqlstate="42P06", span=name.span)
    session.notice(Severity.INFO, f'Schema "{folded}" already exists and will be skipped')
    return True


def _create(session: Session, statement: st.CreateSchema) -> Result:
    name = statement.name or statement.owner
    assert name is not None, "the parser gives a name or an owner"
    folded = _fold(session, name)
    if not _is_taken(session, name, folded, if_not_exists=statement.if_not_exists):
        connection = session.tx.connection
        oid = catalog.next_oid(connection)
        owner = _fold(session, statement.owner) if statement.owner else session.user
        options = {"quota": statement.quota} if statement.quota else {}
        taken = {storage_schema(session.snapshot, name) for name in session.snapshot.schemas}
        if folded in taken:
            options["storage"] = f"{folded}${oid}"  # a schema of that name was renamed, and its storage was not
        connection.execute(storage.create_schema(options.get("storage", folded)))
        catalog.add_schema(connection, SchemaEntry(oid, folded, owner, None, options))
        session.tx.touch_catalog()
    return Result("CREATE SCHEMA")


def _create_external(session: Session, statement: st.CreateExternalSchema) -> Result:
    folded = _fold(session, statement.name)
    access = statement.access
    is_kinesis = statement.provider is st.StreamProvider.KINESIS
    if not is_kinesis:
        _check_brokers(access, statement.name)
    if is_kinesis and not access.roles:
        raise InvalidSql("IAM_ROLE is missing", span=statement.name.span, hint="Write IAM_ROLE default, or IAM_ROLE 'arn'.")
    if len(access.roles) > limits.ROLE_CHAIN_MAX:
        raise InvalidSql(f"a chain of roles has at most {limits.ROLE_CHAIN_MAX} roles", span=statement.name.span)
    if not _is_taken(session, statement.name, folded, if_not_exists=statement.if_not_exists):
        options = {"region": access.region, "roles": list(access.roles)}
        if not is_kinesis:
            assert access.authentication is not None, "the parser asks for it"
            options |= {"brokers": list(access.brokers), "authentication": access.authentication.value}
        connection = session.tx.connection
        catalog.add_schema(
            connection, SchemaEntry(catalog.next_oid(connection), folded, session.user, statement.provider.value, options)
        )
        session.tx.touch_catalog()
    return Result("CREATE SCHEMA")


def _check_brokers(access: st.StreamAccess, name: st.Name) -> None:
    """Raise NotSupported for ways to reach Kafka that are not here: only brokers that ask for no proof can be read."""
    if access.authentication not in {None, st.Authentication.NONE}:
        assert access.authentication is not None, "it was given"
        raise NotSupported(
            f"AUTHENTICATION {access.authentication.value} is not supported", span=name.span, hint="Write AUTHENTICATION none."
        )
    if access.authentication_arn is not None or access.secret_arn is not None:
        raise NotSupported("certificates and secrets of AWS are not supported", span=name.span, hint="Write AUTHENTICATION none.")
    if access.cluster_arn is not None:
        raise NotSupported("CLUSTER_ARN is not supported", span=name.span, hint="Name the cluster's brokers: URI 'host:port,…'.")


def _alter(session: Session, statement: st.AlterSchema) -> Result:
    folded = _fold(session, statement.name)
    if folded not in session.snapshot.schemas:
        raise UndefinedObject(f'schema "{folded}" does not exist', sqlstate="3F000", span=statement.name.span)
    match statement.action:
        case st.RenameTo(name=new):
            _rename(session, session.snapshot.schemas[folded], new, statement.name)
        case st.OwnerTo(owner=owner):
            session.tx.connection.execute(
                "UPDATE nearshift.schemas SET owner = $2 WHERE name = $1", [folded, _fold(session, owner)]
            )
        case st.SetQuota(quota=quota):
            options = {**session.snapshot.schemas[folded].options, "quota": quota}
            catalog.set_schema_options(session.tx.connection, folded, options)
            session.notice(Severity.INFO, "quotas are noted and not enforced")
    session.tx.touch_catalog()
    return Result("ALTER SCHEMA")


_RENAMED = (
    "UPDATE nearshift.relations SET schema_name = $2 WHERE schema_name = $1",
    "UPDATE nearshift.procedures SET schema_name = $2 WHERE schema_name = $1",
    "UPDATE nearshift.procedure_uses SET schema_name = $2 WHERE schema_name = $1",
    "UPDATE nearshift.functions SET schema_name = $2 WHERE schema_name = $1",
    "UPDATE nearshift.dependencies SET base_schema = $2 WHERE base_schema = $1",
    "UPDATE nearshift.schemas SET name = $2 WHERE name = $1",
)


def _rename(session: Session, schema: SchemaEntry, new: st.Name, name: st.Name) -> None:
    """RENAME TO: objects move in the catalog, their storage stays. Raises NotSupported when a view names the schema in its query."""
    fresh = _fold(session, new)
    _is_taken(session, new, fresh, if_not_exists=False)
    connection = session.tx.connection
    if schema.source is None and "storage" not in schema.options:
        catalog.set_schema_options(connection, schema.name, {**schema.options, "storage": schema.name})
    for view in session.snapshot.relations.values():
        path = list(view.attributes.get("search_path", ()))
        if schema.name in path:
            changed = [fresh if one == schema.name else one for one in path]
            catalog.set_attributes(connection, view.oid, {**view.attributes, "search_path": changed})
    for statement in _RENAMED:
        connection.execute(statement, [schema.name, fresh])
    session.tx.touch_catalog()
    for view in session.snapshot.relations.values():
        touches = view.schema == fresh or any(base[0] == fresh for base in view.bases)
        if view.definition is not None and touches and not view.attributes.get("late_binding") and not can_be_read(session, view):
            raise NotSupported(
                f'schema "{schema.name}" cannot be renamed while a view names it', span=name.span,
                detail=f'View "{view.schema}.{view.name}" has the schema in its query.', hint="Drop the view and create it again.",
            )  # fmt: skip


def _alter_external(session: Session, statement: st.AlterExternalSchema) -> Result:
    folded = _fold(session, statement.name)
    if folded not in session.snapshot.schemas:
        raise UndefinedObject(f'schema "{folded}" does not exist', sqlstate="3F000", span=statement.name.span)
    schema = session.snapshot.schemas[folded]
    if schema.source is None or schema.is_kinesis:
        raise NotSupported(
            f'external schema "{folded}" cannot be altered: it is not a Kafka or MSK schema',
            span=statement.name.span,
            hint="Drop the schema and create it again.",
        )
    _check_brokers(statement.access, statement.name)
    changed = {"brokers": list(statement.access.brokers), "roles": list(statement.access.roles)}
    options = {**schema.options, **{name: value for name, value in changed.items() if value}}
    catalog.set_schema_options(session.tx.connection, folded, options)
    session.tx.touch_catalog()
    views = [view.oid for view in session.snapshot.relations.values() if folded in {base for base, _name in view.bases}]

    def reopen(is_committed: bool) -> None:  # noqa: FBT001 - as `on_end` calls it
        for oid in views if is_committed else ():
            session.house.feeds.drop(oid)

    session.tx.on_end(reopen)
    return Result("ALTER EXTERNAL SCHEMA")
