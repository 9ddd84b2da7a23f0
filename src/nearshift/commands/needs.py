"""What each kind of statement needs around it before its command runs: nothing, a snapshot, the write lane, or transactions of its own."""

from __future__ import annotations

from enum import Enum

from nearshift.sql import statements as st


class Need(Enum):
    """What a statement needs around it."""

    NOTHING = "nothing"
    SNAPSHOT = "snapshot"
    LANE = "lane"
    OWN = "own"  # the command opens and ends transactions itself


def need_of(statement: st.Statement) -> Need:
    """Return what a statement needs."""
    match statement:
        case st.Query() | st.Unload() | st.Explain() | st.DeclareCursor() | st.Fetch() | st.ShowObjects() | st.ShowDefinition():
            return Need.SNAPSHOT
        case (
            st.SetParameter() | st.Reset() | st.SetSessionUser() | st.SetTransaction() | st.Show() | st.CloseCursor() | st.Prepare()
            | st.Deallocate() | st.Execute() | st.Recorded() | st.Cancel()
        ):  # fmt: skip
            return Need.NOTHING
        case st.RefreshMaterializedView() | st.Call() | st.Truncate() | st.Copy():
            return Need.OWN
        case _:
            return Need.LANE
