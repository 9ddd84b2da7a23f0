"""The page about the stand-in names everything that it can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from nearshift.localaws import admin
from nearshift.localaws.cloudwatch import CloudWatch
from nearshift.localaws.kinesis import Kinesis
from nearshift.localaws.server import LocalAws, main

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "local-aws.md").read_text()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalAws]:
    """The services without sockets."""
    opened = LocalAws(tmp_path)
    yield opened
    opened.close()


def test_every_operation_is_documented(local: LocalAws) -> None:
    names = [name for service in local.services if isinstance(service, Kinesis | CloudWatch) for name in service.operations]
    assert [name for name in [*names, "SubscribeToShard", "AssumeRole", "GetCallerIdentity"] if name not in PAGE] == []


def test_every_admin_command_and_member_is_documented() -> None:
    commands = get_args(admin._Any)
    assert len(commands) > 10
    for command in commands:
        name = command.__struct_config__.tag
        row = next((line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")), "")
        members = set(command.__struct_fields__) - {"account", "region"}
        assert row, name
        assert [member for member in members if f"`{member}`" not in row] == [], name


def test_every_option_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = {word.strip("[],") for word in capsys.readouterr().out.split() if word.strip("[],").startswith("--")}
    assert {option for option in options - {"--help"} if f"`{option}" not in PAGE} == set()
