"""cfn-lint with its rules read once: reading them takes three times as long as a template."""

from __future__ import annotations

from functools import cache
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner, run_template_by_data


@cache
def _rules() -> Any:
    return Runner(ConfigMixIn()).rules


def lint(text: str, region: str = "eu-west-1") -> list[str]:
    """Return what cfn-lint says of a template, each as its rule and the message."""
    template, errors = decode_str(text)
    assert template is not None or errors, "there is a template"
    found = errors or list(run_template_by_data(template, ConfigMixIn(regions=[region]), _rules()))
    return [f"{match.rule.id} {match.message}" for match in found]
