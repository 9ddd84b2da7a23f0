"""Session parameters: which exist, what they begin as, what they accept.

Source page: "Modifying the server configuration" (configuration reference) of the Amazon Redshift Database Developer Guide, and what
drivers of PostgreSQL set at start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo, available_timezones

from nearshift.errors import InvalidSql, UndefinedObject
from nearshift.sql.relations import NameRules

_TRUE = frozenset({"true", "on", "yes", "1", "t", "y"})
_FALSE = frozenset({"false", "off", "no", "0", "f", "n"})


def _switch(name: str, value: str) -> str:
    if value.lower() in _TRUE:
        return "on"
    if value.lower() in _FALSE:
        return "off"
    raise InvalidSql(f'parameter "{name}" requires a Boolean value', sqlstate="22023")


def _number(name: str, value: str) -> str:
    text = value.strip()
    if not text.lstrip("-").isdigit():
        raise InvalidSql(f'invalid value for parameter "{name}": "{value}"', sqlstate="22023", hint="Give a whole number.")
    return text


def _milliseconds(name: str, value: str) -> str:
    text = value.strip().lower()
    for unit, factor in (("ms", 1), ("min", 60_000), ("s", 1000), ("h", 3_600_000)):
        if text.endswith(unit) and text[: -len(unit)].strip().isdigit():
            return str(int(text[: -len(unit)].strip()) * factor)
    return _number(name, value)


def _zone(name: str, value: str) -> str:
    known = {zone.lower(): zone for zone in available_timezones()}
    if value.lower() in {"default", "local"}:
        return "UTC"
    found = known.get(value.lower())
    if found is None:
        raise InvalidSql(f'invalid value for parameter "{name}": "{value}"', sqlstate="22023", hint="Name a zone such as Europe/Berlin.")
    return str(ZoneInfo(found))


def _encoding(name: str, value: str) -> str:
    if value.upper().replace("-", "").replace("_", "") in {"UTF8", "UNICODE"}:
        return "UTF8"
    raise InvalidSql(f'invalid value for parameter "{name}": "{value}"', sqlstate="22023", hint="Clients must speak UTF8.")


def _datestyle(name: str, value: str) -> str:
    words = {word.strip().upper() for word in value.split(",")}
    if words <= {"ISO", "MDY", "DMY", "YMD", "US", "EUROPEAN"}:
        return "ISO, DMY" if words & {"DMY", "EUROPEAN"} else "ISO, YMD" if "YMD" in words else "ISO, MDY"
    raise InvalidSql(f'invalid value for parameter "{name}": "{value}"', sqlstate="22023", hint="Dates are shown in ISO style.")


def _text(_name: str, value: str) -> str:
    return value


@dataclass(frozen=True, slots=True)
class Definition:
    """One parameter: its spelling in ParameterStatus, its value at start and the check of a new one."""

    label: str
    initial: str
    check: Callable[[str, str], str] = _text
    is_fixed: bool = False


_SWITCHES_ON = (
    "navigate_super_null_on_error", "cast_super_null_on_error", "enable_result_cache_for_session", "mv_enable_aqmv_for_session",
    "standard_conforming_strings", "autocommit", "json_serialization_enable", "default_array_search_null_handling",
)  # fmt: skip
_SWITCHES_OFF = (
    "enable_case_sensitive_identifier", "enable_case_sensitive_super_attribute", "parse_super_null_on_error", "json_parse_dedup_attributes",
    "json_parse_truncate_strings", "describe_field_name_in_uppercase", "downcase_delimited_identifier", "error_on_nondeterministic_update",
    "default_transaction_read_only", "transaction_read_only", "enable_numeric_rounding", "spectrum_enable_pseudo_columns",
)  # fmt: skip

DEFINITIONS: Mapping[str, Definition] = {
    **{name: Definition(name, "on", _switch) for name in _SWITCHES_ON},
    **{name: Definition(name, "off", _switch) for name in _SWITCHES_OFF},
    "search_path": Definition("search_path", '"$user", public'),
    "timezone": Definition("TimeZone", "UTC", _zone),
    "datestyle": Definition("DateStyle", "ISO, MDY", _datestyle),
    "intervalstyle": Definition("IntervalStyle", "postgres"),
    "client_encoding": Definition("client_encoding", "UTF8", _encoding),
    "application_name": Definition("application_name", ""),
    "statement_timeout": Definition("statement_timeout", "0", _milliseconds),
    "idle_in_transaction_session_timeout": Definition("idle_in_transaction_session_timeout", "0", _milliseconds),
    "lock_timeout": Definition("lock_timeout", "0", _milliseconds),
    "query_group": Definition("query_group", "unset"),
    "wlm_query_slot_count": Definition("wlm_query_slot_count", "1", _number),
    "extra_float_digits": Definition("extra_float_digits", "0", _number),
    "analyze_threshold_percent": Definition("analyze_threshold_percent", "10", _number),
    "max_cursor_result_set_size": Definition("max_cursor_result_set_size", "0", _number),
    "max_concurrency_scaling_clusters": Definition("max_concurrency_scaling_clusters", "1", _number),
    "stored_proc_log_min_messages": Definition("stored_proc_log_min_messages", "INFO"),
    "default_geometry_encoding": Definition("default_geometry_encoding", "1", _number),
    "client_min_messages": Definition("client_min_messages", "notice"),
    "bytea_output": Definition("bytea_output", "hex"),
    "transaction_isolation": Definition("transaction_isolation", "snapshot isolation"),
    "default_transaction_isolation": Definition("default_transaction_isolation", "snapshot isolation"),
    "session_authorization": Definition("session_authorization", ""),
    "server_version": Definition("server_version", "8.0.2", is_fixed=True),
    "server_version_num": Definition("server_version_num", "80002", is_fixed=True),
    "server_encoding": Definition("server_encoding", "UTF8", is_fixed=True),
    "integer_datetimes": Definition("integer_datetimes", "on", is_fixed=True),
    "is_superuser": Definition("is_superuser", "on", is_fixed=True),
    "max_identifier_length": Definition("max_identifier_length", "127", is_fixed=True),
    "padb_revision": Definition("padb_revision", "nearshift", is_fixed=True),
}

# The parameters that change what a statement means, and so take part in the key of its translation.
MEANINGFUL = (
    "navigate_super_null_on_error", "cast_super_null_on_error", "parse_super_null_on_error", "json_parse_dedup_attributes",
    "json_parse_truncate_strings", "timezone", "describe_field_name_in_uppercase", "default_array_search_null_handling",
)  # fmt: skip


class Settings:
    """The parameters of one session. SET LOCAL values go when the transaction ends; SET values return to what they were on rollback."""

    def __init__(self, initial: Mapping[str, str] | None = None) -> None:
        self._initial = {name: definition.initial for name, definition in DEFINITIONS.items()}
        self._values: dict[str, str] = {}
        self._meaningful: dict[str, str] | None = None
        self._rules: NameRules | None = None
        self._before: dict[str, str] | None = None
        self._after: dict[str, str] | None = None
        for name, value in (initial or {}).items():
            if name.lower() in DEFINITIONS and not DEFINITIONS[name.lower()].is_fixed:
                self._initial[name.lower()] = DEFINITIONS[name.lower()].check(name.lower(), value)

    def get(self, name: str) -> str:
        """Return a parameter's value. Raises UndefinedObject (42704) for an unknown one."""
        folded = name.lower()
        if folded in self._values:
            return self._values[folded]
        if folded in self._initial:
            return self._initial[folded]
        raise _unknown(name)

    def is_on(self, name: str) -> bool:
        """Return whether a switch is on."""
        return self.get(name) == "on"

    def set(self, name: str, value: str) -> str:
        """Set a parameter and return the value as kept. `a.b` names are free for users' own use."""
        folded = name.lower()
        definition = DEFINITIONS.get(folded)
        if definition is None and "." not in folded:
            raise _unknown(name)
        if definition is not None and definition.is_fixed:
            raise InvalidSql(f'parameter "{name}" cannot be changed', sqlstate="55P02")
        kept = definition.check(folded, value) if definition else value
        self._values[folded] = kept
        self._forget()
        if self._after is not None:
            self._after[folded] = kept
        return kept

    def set_local(self, name: str, value: str) -> str:
        """Set a parameter until the end of the transaction."""
        after, self._after = self._after, None
        try:
            return self.set(name, value)
        finally:
            self._after = after

    def reset(self, name: str) -> None:
        """Return a parameter to what it was at the session's start."""
        self.get(name)
        self._values.pop(name.lower(), None)
        self._forget()
        if self._after is not None:
            self._after.pop(name.lower(), None)

    def reset_all(self) -> None:
        """Return every parameter to what it was at the session's start."""
        self._values.clear()
        self._forget()
        if self._after is not None:
            self._after.clear()

    def items(self) -> list[tuple[str, str]]:
        """Return all parameters by name, for SHOW ALL."""
        return sorted({**self._initial, **self._values}.items())

    def transaction_begun(self) -> None:
        """Remember the values that a rollback brings back."""
        self._before, self._after = dict(self._values), dict(self._values)

    def transaction_ended(self, *, is_committed: bool) -> None:
        """Drop what was local; on rollback, everything that was set since the transaction began."""
        if self._before is not None and self._after is not None:
            kept = self._after if is_committed else self._before
            if kept != self._values:
                self._values = kept
                self._forget()
        self._before = self._after = None

    @property
    def rules(self) -> NameRules:
        """The two settings that decide what names mean."""
        if self._rules is None:
            self._rules = NameRules(self.is_on("enable_case_sensitive_identifier"), self.is_on("enable_case_sensitive_super_attribute"))
        return self._rules

    def meaningful(self) -> Mapping[str, str]:
        """The settings that change what a statement means; not to be changed."""
        if self._meaningful is None:
            self._meaningful = {name: self.get(name) for name in MEANINGFUL}
        return self._meaningful

    def _forget(self) -> None:
        """A value changed: what was derived from the values is derived again. Each statement asks for it, few change a value."""
        self._meaningful = self._rules = None


def _unknown(name: str) -> UndefinedObject:
    return UndefinedObject(f'unrecognized configuration parameter "{name}"', sqlstate="42704", hint="SHOW ALL lists the parameters.")
