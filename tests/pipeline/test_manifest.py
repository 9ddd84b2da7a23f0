"""`nearshift.toml`: what it may say, and that an error names the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from nearshift.errors import ConfigurationError
from nearshift.pipeline.manifest import Manifest, Source, parse_manifest, read_manifest


def test_a_manifest_needs_only_a_name() -> None:
    assert parse_manifest('name = "small"') == Manifest("small")


def test_everything_is_read() -> None:
    manifest = parse_manifest(
        """
        name = "p"
        [source]
        table = "t"
        stream = "s"
        sort_key = "sk"
        shards = 3
        [targets.local]
        port = 6000
        [[schedules]]
        name = "load"
        statement = "CALL sp()"
        local = "5 seconds"
        aws = "rate(5 minutes)"
        """
    )
    assert manifest.source == Source("t", "s", "pk", "sk", 3)
    assert manifest.targets.local.port == 6000
    assert manifest.targets.local.console_port == 8439
    assert manifest.schedules[0].aws == "rate(5 minutes)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "is not valid TOML"),
        ("", 'missing required field "name"'),
        ('name = "a"\nnaem = 1', "naem"),
        ('name = "a"\n[source]\ntable = "t"\nstream = 5', 'key "source.stream"'),
        ('name = "a b"', 'key "name"'),
        ('name = "a"\n[source]\ntable = "t"\nstream = "s"\nshards = 0', 'key "source.shards"'),
        ('name = "a"\n[targets.local]\nport = 70000', 'key "targets.local.port"'),
        ('name = "a"\n[[schedules]]\nname = "x"\nstatement = "s"\nlocal = "l"\naws = "rate(1 minutes)"', 'key "schedules[0].aws"'),
        ('name = "a"\n' + 2 * '[[schedules]]\nname = "x"\nstatement = "s"\nlocal = "l"\n', 'key "schedules[1].name"'),
    ],
)
def test_an_error_names_the_file_and_the_key(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_manifest(text, "p/nearshift.toml")
    assert "p/nearshift.toml" in caught.value.message
    assert words in caught.value.message


def test_a_folder_without_a_manifest_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_manifest(tmp_path / "nearshift.toml")
    assert "nearshift init" in (caught.value.hint or "")


def test_what_to_do_about_bad_and_lost_records() -> None:
    local = parse_manifest('name = "p"').targets.local
    assert (local.is_strict, local.accepts_gaps) == (False, False)
    local = parse_manifest('name = "p"\n[targets.local]\nstreaming_errors = "fail"\non_gap = "record"').targets.local
    assert (local.is_strict, local.accepts_gaps) == (True, True)
