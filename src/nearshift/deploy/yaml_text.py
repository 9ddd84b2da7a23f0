"""CloudFormation templates as text: short forms of the intrinsic functions, the order as given, the same bytes for the same template."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Ref:
    """`!Ref name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Att:
    """`!GetAtt name.attribute`."""

    path: str


@dataclass(frozen=True, slots=True)
class Sub:
    """`!Sub text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Equals:
    """`!Equals [left, right]`."""

    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Not:
    """`!Not [inner]`."""

    inner: Any


_QUOTED = re.compile(r"(!(?:Ref|GetAtt)) '([\w.:]+)'$", re.MULTILINE)


class _Dumper(yaml.SafeDumper):
    """Lists stand indented below their key, and long strings are not folded."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002 - yaml's signature
        return super().increase_indent(flow, False)  # noqa: FBT003

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _string)
_Dumper.add_representer(Ref, lambda dumper, value: dumper.represent_scalar("!Ref", value.name))
_Dumper.add_representer(Att, lambda dumper, value: dumper.represent_scalar("!GetAtt", value.path))
_Dumper.add_representer(Sub, lambda dumper, value: dumper.represent_scalar("!Sub", value.text))
_Dumper.add_representer(Equals, lambda dumper, value: dumper.represent_sequence("!Equals", [value.left, value.right], flow_style=True))
_Dumper.add_representer(Not, lambda dumper, value: dumper.represent_sequence("!Not", [value.inner]))


def template_text(template: dict[str, Any], heading: str) -> str:
    """Return a template as YAML under a comment; `heading` may have several lines."""
    comment = "".join(f"# {line}".rstrip() + "\n" for line in heading.splitlines())
    sections = [
        _QUOTED.sub(r"\1 \2", yaml.dump({name: section}, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True))
        for name, section in template.items()
    ]
    return comment + "\n" + "\n".join(sections)
