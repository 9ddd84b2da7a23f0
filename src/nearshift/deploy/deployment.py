"""A folder brought to AWS, and taken away again, step by step.

The order, and why. The stack first, with its schedules disabled when it is new: what they call is not there yet. Then what CloudFormation
cannot say. Then the SQL, in the order of the folder. Then the schedules are enabled. Taking away goes the other way round: schedules stop,
what reads goes before what is read, the warehouse's role before the role itself.

Each step looks first and does only what is missing, so a run that was cut off anywhere is finished by running it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nearshift.clock import Clock
from nearshift.deploy.beside import ClusterRole, Deed, check_names_are_free, deeds_of, find_account
from nearshift.deploy.calls import Caller
from nearshift.deploy.connections import RemoteConnection
from nearshift.deploy.memory import Memory
from nearshift.deploy.names import Names, names_of
from nearshift.deploy.outline import Line, Outline, Part, sql_lines, stack_lines
from nearshift.deploy.redshift import RedshiftTarget
from nearshift.deploy.stack import Stack, StackFound, Standing
from nearshift.deploy.successor import columns_of
from nearshift.deploy.template import render_template, stack_tags
from nearshift.errors import ConfigurationError, NearshiftError
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.definitions import Definition, Kind
from nearshift.pipeline.folder import Pipeline
from nearshift.pipeline.plan import Plan, plan_changes, plan_removal

_STATE = "SchedulesState"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a deployment works with."""

    aws: Caller
    clock: Clock
    connect: Callable[[Names], RemoteConnection]


class Deployment:
    """One pipeline on AWS, in the account and region of the credentials."""

    def __init__(self, pipeline: Pipeline, around: Surroundings) -> None:
        """Look at nothing but the folder and the credentials. Raises ConfigurationError and TargetError."""
        self.names = names_of(pipeline)
        self.template = render_template(self.names, pipeline.manifest.schedules)
        self._pipeline = pipeline
        self._around = around
        self._aws = around.aws
        self.account = find_account(around.aws)
        self._check_account()
        self.memory = Memory(pipeline.path, self.names.stack, around.aws.region)
        self.stack = Stack(around.aws, self.names.stack, pipeline.name, around.clock)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """What the SQL part makes; schedules are the stack's."""
        return tuple(one for one in self._pipeline.definitions if one.kind is not Kind.SCHEDULE)

    @property
    def has_warehouse(self) -> bool:
        """Whether this account is the one with Redshift."""
        return not self.names.settings.is_cross_account or self.account.number == self.names.settings.warehouse_account

    # --- planning

    def plan(self, allowed: frozenset[str] = frozenset()) -> Outline:
        """Return what `deploy` would do. Makes a change set to see it, and takes that back."""
        found = self.stack.settle()
        lines = self._plan_stack(found, allowed)
        self._withdraw(found)
        lines += [
            Line(Part.BESIDE, "enable" if deed.what == "capture" else "add", deed.what, deed.describe(), "it is not so yet")
            for deed in self._deeds()
            if not self._is_done(deed, found)
        ]
        sql, columns = self._plan_sql(found, allowed)
        lines += sql_lines(sql) if sql is not None else []
        if self._has_schedules and found.parameters.get(_STATE) != "ENABLED":
            lines.append(Line(Part.SCHEDULES, "enable", "schedules", self.names.stack, "once the procedures are there"))
        return Outline(tuple(lines), self._notes(), sql, columns)

    def _plan_stack(self, found: StackFound, allowed: frozenset[str]) -> list[Line]:
        if found.standing is Standing.ABSENT:
            check_names_are_free(self._aws, self.names) if self._has_source else None
        elif self.stack.is_as(found, self.template, self._parameters(found)):
            return []
        changes = self.stack.propose(found, self.template, self._parameters(found), stack_tags(self.names))
        if changes is None:
            return []
        return stack_lines(changes, allowed) or [Line(Part.STACK, "change", "stack", self.names.stack, "its text or tags changed")]

    def _withdraw(self, found: StackFound) -> None:
        """Take a change set back that was only to be seen; a stack that it began goes with it."""
        now = self.stack.look()
        if now.is_reviewed and not found.is_reviewed:
            self.stack.delete()
        else:
            self.stack.withdraw(now)

    def _plan_sql(self, found: StackFound, allowed: frozenset[str]) -> tuple[Plan | None, dict[str, tuple[str, ...]]]:
        if not self.has_warehouse:
            return None, {}
        self._check_roles()
        if found.standing is Standing.ABSENT and self.names.settings.is_serverless_made:
            return plan_changes(self.definitions, ()), {}
        with closing(self._around.connect(self.names)) as connection:
            plan = plan_changes(self.definitions, RedshiftTarget(connection).found(self.names.pipeline), allowed)
            views = [step.name for step in plan.refusals if step.kind is Kind.STREAMING_VIEW and step.wanted is not None]
            return plan, {name: columns_of(connection, name) for name in views}

    # --- doing

    def deploy(self, allowed: frozenset[str] = frozenset()) -> Iterator[Line]:
        """Do it and yield each line once it is done. Nothing is done while something is refused: then ConfigurationError."""
        outline = self.plan(allowed)
        if outline.refusals:
            first = outline.refusals[0]
            names = " ".join(f"--allow {line.name}" for line in outline.refusals)
            message = f'{first.kind.lower()} "{first.name}" is not changed: {first.reason}'
            raise ConfigurationError(message, hint=f"To do it nevertheless, deploy with: {names}")
        found = self.stack.settle()
        yield from self._bring_stack(found, self._parameters(found), [line for line in outline.lines if line.part is Part.STACK])
        for deed in self._deeds():
            is_missing = not deed.is_done()
            deed.do()
            if is_missing:
                yield Line(Part.BESIDE, "enable" if deed.what == "capture" else "add", deed.what, deed.describe(), "")
        if self.has_warehouse:
            yield from self._apply(allowed)
            if self._has_schedules:
                found = self.stack.settle()
                wanted = {**self._parameters(found), _STATE: "ENABLED"}
                yield from self._bring_stack(found, wanted, [Line(Part.SCHEDULES, "enable", "schedules", self.names.stack, "")])

    def _bring_stack(self, found: StackFound, parameters: dict[str, str], lines: list[Line]) -> Iterator[Line]:
        if self.stack.is_as(found, self.template, parameters):
            return
        if self.stack.propose(found, self.template, parameters, stack_tags(self.names)) is not None:
            self.stack.carry_out()
            yield from lines

    def _apply(self, allowed: frozenset[str]) -> Iterator[Line]:
        with closing(self._around.connect(self.names)) as connection:
            target = RedshiftTarget(connection)
            plan = plan_changes(self.definitions, target.found(self.names.pipeline), allowed)
            for step in carry_out(plan, self.names.pipeline, target):
                yield Line(Part.SQL, step.action.value, step.kind.value.lower(), step.name, step.reason)

    # --- taking away

    def plan_destroy(self) -> Outline:
        """Return what `destroy` would take away."""
        found = self.stack.look()
        lines: list[Line] = []
        sql = self._plan_removal(found)
        lines += sql_lines(sql) if sql is not None else []
        has_stack = found.standing is not Standing.ABSENT or found.is_reviewed
        lines += [
            Line(Part.BESIDE, "disable" if deed.what == "capture" else "remove", deed.what, deed.describe(), "")
            for deed in self._deeds(is_undoing=True)
            if self._is_to_undo(deed, has_stack=has_stack)
        ]
        if has_stack:
            lines.append(Line(Part.STACK, "delete", "stack", self.names.stack, "with all that it made"))
        return Outline(tuple(lines), self._left(found), sql)

    def destroy(self) -> Iterator[Line]:
        """Take away what was made, children first, and yield each line once it is done. What is gone already is no error."""
        outline = self.plan_destroy()
        found = self.stack.look()
        if found.standing is Standing.READY and found.parameters.get(_STATE) == "ENABLED":
            pause = Line(Part.SCHEDULES, "disable", "schedules", self.names.stack, "")
            yield from self._bring_stack(found, {**self._parameters(found), _STATE: "DISABLED"}, [pause])
        if outline.sql is not None and not outline.sql.is_empty:
            with closing(self._around.connect(self.names)) as connection:
                target = RedshiftTarget(connection)
                for step in carry_out(plan_removal(target.found(self.names.pipeline)), self.names.pipeline, target):
                    yield Line(Part.SQL, step.action.value, step.kind.value.lower(), step.name, "")
        wanted = {(line.kind, line.name) for line in outline.lines if line.part is Part.BESIDE}
        for deed in self._deeds(is_undoing=True):
            if (deed.what, deed.describe()) in wanted:
                deed.undo()
                yield Line(Part.BESIDE, "disable" if deed.what == "capture" else "remove", deed.what, deed.describe(), "")
        if any(line.part is Part.STACK for line in outline.lines):
            self.stack.delete()
            yield Line(Part.STACK, "delete", "stack", self.names.stack, "")

    def _plan_removal(self, found: StackFound) -> Plan | None:
        if not self.has_warehouse:
            return None
        is_gone = found.standing is not Standing.READY and self.names.settings.is_serverless_made
        if is_gone:
            return None
        try:
            with closing(self._around.connect(self.names)) as connection:
                return plan_removal(RedshiftTarget(connection).found(self.names.pipeline))
        except NearshiftError:
            if found.standing is Standing.READY:
                raise
            return None  # nothing was ever deployed, and there is no warehouse to ask

    def _left(self, found: StackFound) -> tuple[str, ...]:
        settings, source = self.names.settings, self.names.source
        notes: list[str] = []
        if self._has_source and settings.table == "create" and found.standing is not Standing.ABSENT:
            command = f"aws dynamodb delete-table --table-name {source.table}"
            notes.append(f'table "{source.table}" is kept with its items; to lose them: {command}')
        if settings.stream == "existing":
            notes.append(f'stream "{source.stream}" is left as it is')
        if self.has_warehouse and not settings.is_serverless_made:
            place = settings.cluster or settings.workgroup
            notes.append(f'"{place}" is left, with the schema nearshift_pipeline in database "{settings.database}"')
        return tuple(notes)

    # --- what both need

    @property
    def _has_source(self) -> bool:
        return not self.names.settings.is_cross_account or self.account.number == self.names.settings.source_account

    @property
    def _has_schedules(self) -> bool:
        return self.has_warehouse and bool(self._pipeline.manifest.schedules)

    def _parameters(self, found: StackFound) -> dict[str, str]:
        """Return the parameters of the stack; the schedules stay as they are."""
        wanted: dict[str, str] = {}
        if self.names.settings.is_cross_account:
            wanted["Part"] = "source" if self._has_source else "warehouse"
        if self._pipeline.manifest.schedules:
            wanted[_STATE] = found.parameters.get(_STATE, "DISABLED")
        return wanted

    def _deeds(self, *, is_undoing: bool = False) -> list[Deed]:
        return deeds_of(self._aws, self.names, self.account, self.memory, self._around.clock, is_undoing=is_undoing)

    def _is_done(self, deed: Deed, found: StackFound) -> bool:
        # Its stream or role comes with the stack: before that there is nothing it could be about, but the table or warehouse must be there.
        return deed.is_done() and found.standing is not Standing.ABSENT

    def _is_to_undo(self, deed: Deed, *, has_stack: bool) -> bool:
        if not deed.is_ours(has_stack=has_stack):
            return False
        try:
            return self.memory.find(deed.what, deed.name) is not None or deed.is_done()
        except ConfigurationError:
            return False  # the table or warehouse is gone, and what we did to it too

    def _check_account(self) -> None:
        settings = self.names.settings
        known = {settings.source_account, settings.warehouse_account} - {None}
        if known and self.account.number not in known:
            wanted = " or ".join(sorted(one for one in known if one is not None))
            message = f"the AWS credentials are for account {self.account.number}, and the pipeline is for {wanted}"
            raise ConfigurationError(message, hint="Look at AWS_PROFILE, or correct the accounts in [targets.redshift].")

    def _check_roles(self) -> None:
        """Across accounts the folder's SQL must name the chain itself: it is applied as it stands."""
        chain = self.names.role_chain(self.account.partition)
        if chain is None:
            return
        for one in self.definitions:
            if one.kind is Kind.EXTERNAL_SCHEMA and chain not in one.text:
                message = f'{one.place.file}, line {one.place.line}: external schema "{one.name}" does not name the roles of both accounts'
                raise ConfigurationError(message, hint=f"Write: IAM_ROLE '{chain}'")

    def _notes(self) -> tuple[str, ...]:
        """Return what a reader of the plan should know."""
        notes: list[str] = []
        for deed in self._deeds():
            if isinstance(deed, ClusterRole):
                default = deed.default_role()
                if default not in {None, deed.other}:
                    notes.append(f"IAM_ROLE default means {default} there: it must be allowed to read the stream")
        if self.names.settings.is_cross_account:
            half = "table and stream" if self._has_source else "Redshift"
            notes.append(f"this account ({self.account.number}) has the half with {half}; deploy the other with its credentials")
        return tuple(notes)


def write_template(folder: Path, text: str) -> Path:
    """Write the template to the folder and return its path; the file is not touched when it says the same."""
    path = folder / "deploy" / "template.yaml"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path


