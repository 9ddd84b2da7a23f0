"""All rules over a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from nearshift.check import rules_procedures, rules_queries, rules_values, rules_views
from nearshift.check.findings import Finding, Rule
from nearshift.check.material import Material, read_material

RULES: Final[tuple[Rule, ...]] = (*rules_values.RULES, *rules_queries.RULES, *rules_views.RULES, *rules_procedures.RULES)


def check_folder(folder: Path) -> list[Finding]:
    """Return what the rules find in a pipeline folder, in the order of files and lines. Raises ConfigurationError for no folder."""
    return check_material(read_material(folder))


def check_material(material: Material) -> list[Finding]:
    """Return what the rules find, in the order of files and lines."""
    findings = []
    for rule in RULES:
        for found in rule.look(material):
            text = material.texts.get(found.file, "")
            line_start = text.rfind("\n", 0, found.span.start) + 1
            findings.append(Finding(rule, found, text.count("\n", 0, found.span.start) + 1, found.span.start - line_start + 1))
    return sorted(findings, key=lambda one: (one.found.file, one.line, one.column, one.rule.name))
