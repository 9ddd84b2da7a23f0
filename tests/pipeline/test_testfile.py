"""The format of tests/*.test."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from nearshift.pipeline.definitions import FileError
from nearshift.pipeline.manifest import Source
from nearshift.pipeline.target import Answer
from nearshift.pipeline.testfile import Case, Expects, Puts, Refreshes, Runs, read_cases
from nearshift.pipeline.trial import run_cases, shown

SOURCE = Source("tab", "str", "pk", "sk")


def read(text: str) -> list[Case]:
    return read_cases(text, "tests/a.test", SOURCE)


def test_a_file_of_two_cases() -> None:
    first, second = read(
        """# about
test one
changes
{"at": 1.000002, "event": "INSERT", "pk": "A", "sk": "B", "new": {"n": 1.50, "l": [true, null, {"x": "y"}]}}

refresh v

run
CALL p(1,
  2)

rows
SELECT a, b
FROM t
----
1 | (empty)
NULL | x

test two
records
not json

run error 22012
SELECT 1/0

rows sorted
SELECT 1
----
b
a
"""
    )
    put, refresh, run, rows = first.steps
    assert isinstance(put, Puts)
    record = json.loads(put.records[0])
    assert record["tableName"] == "tab"
    assert record["dynamodb"]["ApproximateCreationDateTime"] == 1_000_002
    assert record["dynamodb"]["NewImage"] == {
        "pk": {"S": "A"}, "sk": {"S": "B"}, "n": {"N": "1.50"}, "l": {"L": [{"BOOL": True}, {"NULL": True}, {"M": {"x": {"S": "y"}}}]},
    }  # fmt: skip
    assert refresh == Refreshes(6, "v")
    assert run == Runs(8, "CALL p(1,\n  2)")
    assert rows == Expects(12, "SELECT a, b\nFROM t", (("1", "(empty)"), ("NULL", "x")))
    assert second.steps[0] == Puts(20, (b"not json",))
    assert second.steps[1] == Runs(23, "SELECT 1/0", "22012")
    assert second.steps[2] == Expects(26, "SELECT 1", (("a",), ("b",)), is_sorted=True)


def test_milliseconds_have_no_precision_field_and_a_removal_no_new_image() -> None:
    (case,) = read('test x\nchanges\n{"at": 5, "event": "REMOVE", "pk": "A", "sk": "B", "unit": "ms"}\n')
    (put,) = case.steps
    assert isinstance(put, Puts)
    assert json.loads(put.records[0])["dynamodb"] == {"ApproximateCreationDateTime": 5000, "Keys": {"pk": {"S": "A"}, "sk": {"S": "B"}}}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("run\nSELECT 1", 1, "must begin with"),
        ("test", 1, "needs a name"),
        ("test a\nfly", 2, '"fly" is not understood'),
        ("test a\nrun error", 2, "not understood"),
        ("test a\nrows\nSELECT 1\n", 3, "----"),
        ("test a\nchanges\n{bad", 3, "not JSON"),
        ('test a\nchanges\n{"at": 1, "event": "EAT"}', 3, "short form"),
        ('test a\nchanges\n{"at": 1, "event": "INSERT", "sort": 1}', 3, "short form"),
    ],
)
def test_an_error_points_to_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(FileError) as caught:
        read(text)
    assert words in caught.value.message
    assert caught.value.span is not None
    assert text.count("\n", 0, caught.value.span.start) + 1 == line


class ListBench:
    """A bench whose one query returns the records that were put."""

    def __init__(self) -> None:
        self.records: list[str] = []

    def put(self, record: bytes) -> None:
        self.records.append(record.decode())

    def run(self, text: str) -> Answer:
        return Answer("SELECT", ("r",), [(record,) for record in self.records])

    def close(self) -> None:
        pass


def test_a_verdict_shows_the_rows_that_differ() -> None:
    cases = read("test good\nrecords\na\nb\n\nrows\nSELECT r\n----\na\nb\n\ntest bad\nrecords\na\n\nrows\nSELECT r\n----\nb\n")
    good, bad = run_cases(cases, ListBench, lambda: 0.0)
    assert good.has_passed
    assert bad.failures == ("tests/a.test, line 16: the rows differ\n    - b\n    + a",)


def test_an_expected_error_that_does_not_come_is_a_failure() -> None:
    (verdict,) = run_cases(read("test x\nrun error 22012\nSELECT 1\n"), ListBench, lambda: 0.0)
    assert verdict.failures == ("tests/a.test, line 2: the statement did not fail with 22012",)


def test_values_are_shown_as_files_write_them() -> None:
    assert [shown(value) for value in (None, "", True, Decimal("1E+2"), 5, "x ")] == ["NULL", "(empty)", "true", "100", "5", "x"]
