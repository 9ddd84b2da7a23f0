"""GRANT, REVOKE and memberships in any order, against a small model of who may select; and the SQL that tells it."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearshift.errors import NearshiftError, PermissionDenied
from nearshift.session import Session
from nearshift.warehouse import Warehouse

USERS = ("ann", "bob")
ROLES = ("r1", "r2", "r3")
GROUPS = ("g1",)
TABLES = ("t1", "t2")
GRANTEES = (*USERS, *(f"ROLE {role}" for role in ROLES), *(f"GROUP {group}" for group in GROUPS), "PUBLIC")

grants = st.tuples(st.sampled_from(["GRANT", "REVOKE"]), st.sampled_from(["", "(a)"]), st.sampled_from(TABLES), st.sampled_from(GRANTEES))
roles = st.tuples(st.sampled_from(["GRANT", "REVOKE"]), st.sampled_from(ROLES), st.sampled_from([*USERS, *(f"ROLE {r}" for r in ROLES)]))
groups = st.tuples(st.sampled_from(["ADD", "DROP"]), st.sampled_from(GROUPS), st.sampled_from(USERS))
steps = st.lists(st.one_of(grants, roles, groups), min_size=1, max_size=14)


class Model:
    """Who is in what, and who was granted what: sets of names, and a search through them."""

    def __init__(self) -> None:
        self.members: set[tuple[str, str]] = set()
        self.granted: set[tuple[str, str, str]] = set()

    def above(self, name: str) -> set[str]:
        found, waiting = {name, "PUBLIC"}, [name]
        while waiting:
            one = waiting.pop()
            for member, whole in self.members:
                if member == one and whole not in found:
                    found.add(whole)
                    waiting.append(whole)
        return found

    def act(self, step: tuple[str, ...]) -> bool:
        """Do a step; return whether the warehouse must take it."""
        if len(step) == 4:
            verb, columns, table, grantee = step
            if verb == "GRANT":
                self.granted.add((table, columns, grantee))
            else:
                gone = {""} | {"(a)"} if columns == "" else {columns}
                self.granted -= {(table, one, grantee) for one in gone}
            return True
        verb, whole, member = step
        if whole in GROUPS:
            (self.members.add if verb == "ADD" else self.members.discard)((member, f"GROUP {whole}"))
            return True
        if verb == "GRANT" and member in self.above(f"ROLE {whole}"):
            return False
        (self.members.add if verb == "GRANT" else self.members.discard)((member, f"ROLE {whole}"))
        return True

    def may(self, user: str, table: str, columns: str) -> bool:
        above = self.above(user)
        return any(t == table and g in above and given_columns in {"", columns} for t, given_columns, g in self.granted)


def text_of(step: tuple[str, ...]) -> str:
    if len(step) == 4:
        verb, columns, table, grantee = step
        return f"{verb} SELECT {columns} ON {table} {'TO' if verb == 'GRANT' else 'FROM'} {grantee}"
    verb, whole, member = step
    if whole in GROUPS:
        return f"ALTER GROUP {whole} {verb} USER {member}"
    return f"{verb} ROLE {whole} {'TO' if verb == 'GRANT' else 'FROM'} {member}"


def answer(session: Session, text: str) -> Any:
    return [row for result in session.execute_script(text) for row in result.rows()]


def may(session: Session, text: str) -> bool:
    try:
        answer(session, text)
    except PermissionDenied:
        return False
    return True


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_who_may_select_is_what_the_model_says(made: list[tuple[str, ...]]) -> None:
    with Warehouse.open(threads=1) as warehouse:
        admin = warehouse.session()
        setup = [f"CREATE USER {user} PASSWORD DISABLE" for user in USERS]
        setup += [f"CREATE ROLE {role}" for role in ROLES] + [f"CREATE GROUP {group}" for group in GROUPS]
        setup += [f"CREATE TABLE {table} (a INT, b INT)" for table in TABLES]
        list(admin.execute_script(";".join(setup)))
        sessions = {user: warehouse.session(user) for user in USERS}
        model = Model()
        for step in made:
            try:
                list(admin.execute_script(text_of(step)))
                is_taken = True
            except NearshiftError as error:
                assert error.sqlstate == "0LP01"  # noqa: PT017 - the one refusal there is: a circle
                is_taken = False
            assert is_taken == model.act(step)
            for user, session in sessions.items():
                for table in TABLES:
                    assert may(session, f"SELECT a FROM {table}") == model.may(user, table, "(a)")
                    assert may(session, f"SELECT * FROM {table}") == model.may(user, table, "")
        told = answer(
            admin,
            "SELECT u.usename, t.tablename, has_table_privilege(u.usename, t.tablename, 'select') FROM pg_user u, pg_tables t"
            " WHERE NOT u.usesuper",
        )
        assert {(u, t): found for u, t, found in told} == {(u, t): model.may(u, t, "") for u in USERS for t in TABLES}
