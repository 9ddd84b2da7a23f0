"""SET, RESET and SHOW."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nearshift.commands import showing
from nearshift.commands.principals import user_named
from nearshift.commands.results import rows_result
from nearshift.results import Result
from nearshift.sql import statements as st
from nearshift.sql.relations import Column
from nearshift.types import VARCHAR

if TYPE_CHECKING:
    from nearshift.session import Session

Setting = st.SetParameter | st.Reset | st.SetSessionUser | st.SetTransaction
Showing = st.Show | st.ShowObjects | st.ShowDefinition


def change(session: Session, statement: Setting) -> Result:
    """Run SET or RESET."""
    match statement:
        case st.SetParameter(setting=setting, scope=scope):
            parameter = setting.name.lower()
            if not setting.values:
                session.settings.reset(parameter)
            elif scope is st.SetScope.LOCAL:
                session.settings.set_local(parameter, _value(parameter, setting))
            else:
                session.settings.set(parameter, _value(parameter, setting))
            return Result("SET")
        case st.Reset(name=name):
            if name is None:
                session.settings.reset_all()
            else:
                session.settings.reset(name)
            return Result("RESET")
        case st.SetSessionUser(user=user):
            session.become(session.login_user if user is None else user_named(session, user).name)
            return Result("SET")
        case st.SetTransaction(is_read_only=is_read_only):
            if is_read_only:
                session.settings.set_local("transaction_read_only", "on")
            return Result("SET")


def _value(name: str, setting: st.Setting) -> str:
    if name == "search_path":
        return ", ".join(f'"{v.text}"' if v.is_quoted and not re.fullmatch(r"[a-z_][a-z0-9_]*", v.text) else v.text for v in setting.values)
    return setting.value


def show(session: Session, statement: Showing) -> Result:
    """Run SHOW."""
    match statement:
        case st.Show(name=None):
            return rows_result("SHOW", ("name", "setting"), list(session.settings.items()))
        case st.Show(name=str() as name):
            return rows_result("SHOW", (name,), [(session.settings.get(name),)])
        case st.ShowObjects():
            return showing.show_objects(session, statement)
        case st.ShowDefinition():
            return showing.show_definition(session, statement)
        case _:
            raise AssertionError(statement)


def describe_show(_session: Session, statement: Showing) -> tuple[Column, ...]:
    """Return the columns of SHOW's result."""
    match statement:
        case st.Show(name=None):
            labels: tuple[str, ...] = ("name", "setting")
        case st.Show(name=str() as name):
            labels = (name,)
        case st.ShowObjects():
            return showing.object_columns(statement)
        case st.ShowDefinition():
            labels = (showing.definition_title(statement),)
        case _:
            raise AssertionError(statement)
    return tuple(Column(label, VARCHAR) for label in labels)
