"""All rules over a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from nearshift.check import rules_differences, rules_procedures, rules_queries, rules_values, rules_views
from nearshift.check.binding import UNBOUND, bind_folder
from nearshift.check.findings import Finding, Found, Rule, Severity
from nearshift.check.material import Material, read_material

RULES: Final[tuple[Rule, ...]] = (
    *rules_values.RULES, *rules_queries.RULES, *rules_views.RULES, *rules_procedures.RULES, *rules_differences.RULES, UNBOUND,
)  # fmt: skip


def check_folder(folder: Path) -> list[Finding]:
    """Return what the rules find in a pipeline folder, in the order of files and lines. Raises ConfigurationError for no folder."""
    material = read_material(folder)
    findings = check_material(material)
    known = {(one.found.file, one.line) for one in findings if one.rule.severity is Severity.ERROR}
    unbound = (_finding(UNBOUND, found, material) for found in bind_folder(folder))
    return _sorted([*findings, *(one for one in unbound if (one.found.file, one.line) not in known)])


def check_material(material: Material) -> list[Finding]:
    """Return what the rules find in the texts alone, in the order of files and lines."""
    return _sorted([_finding(rule, found, material) for rule in RULES for found in rule.look(material)])


def _finding(rule: Rule, found: Found, material: Material) -> Finding:
    text = material.texts.get(found.file, "")
    line_start = text.rfind("\n", 0, found.span.start) + 1
    return Finding(rule, found, text.count("\n", 0, found.span.start) + 1, found.span.start - line_start + 1)


def _sorted(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: (one.found.file, one.line, one.column, one.rule.name))
