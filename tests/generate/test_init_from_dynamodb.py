"""A folder proposed from a table: single-table designs, nested items, odd names, mixed types; it checks, generates, applies and tests."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from nearshift.check.run import check_folder
from nearshift.cli.main import main
from nearshift.clock import SystemClock
from nearshift.console.reading import read_dashboard
from nearshift.errors import ConfigurationError, StreamError
from nearshift.generate.folder import plan_files
from nearshift.generate.sampling import describe, sample
from nearshift.pipeline.bench import Benches
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.trial import find_cases, run_cases

SOURCE = Path(__file__).resolve().parents[2] / "src"


def make_table(
    endpoint: str, name: str, items: list[dict[str, Any]], keys: tuple[tuple[str, str], ...] = (("pk", "S"), ("sk", "S"))
) -> None:
    client = boto3.client("dynamodb", endpoint_url=endpoint)
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for (key, _), kind in zip(keys, ("HASH", "RANGE"), strict=False)],  # type: ignore[typeddict-item]
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in keys],  # type: ignore[typeddict-item]
        BillingMode="PAY_PER_REQUEST",
    )
    for item in items:
        client.put_item(TableName=name, Item=item)
    client.close()


def shop() -> list[dict[str, Any]]:
    """A single-table design: customers with a profile, orders with lines, events by time."""
    items: list[dict[str, Any]] = []
    for number in range(12):
        pk = {"S": f"CUSTOMER#{number}"}
        items.append({"pk": pk, "sk": {"S": "PROFILE"}, "email": {"S": f"{number}@example.com"}, "address": {"M": {"zip": {"S": "01234"}}}})
        line = {"M": {"sku": {"S": "A1"}, "price": {"N": "9.99"}}}
        order = {"pk": pk, "sk": {"S": f"ORDER#2026-01-0{number % 9 + 1}#{number}"}, "billedAmount": {"N": "10.5"}, "lines": {"L": [line]}}
        order |= {"status": {"S": "PAID" if number % 3 else "OPEN"}, "placedAt": {"S": "2026-01-01T10:00:00Z"}, "tags": {"SS": ["a", "b"]}}
        items.append(order)
        items.append({"pk": pk, "sk": {"S": f"2026-01-01T10:00:{number:02}Z"}, "clicks": {"N": str(number)}})
    return items


def odd() -> list[dict[str, Any]]:
    """One kind without a sort key: reserved words, twins, dots, quotes, other scripts, mixed types, long values, NULL only."""
    base: dict[str, Any] = {
        "order": {"S": "x"}, "Order": {"S": "y"}, "pk": {"S": "z"}, "a.b": {"S": "dot"}, 'q"uote': {"BOOL": True}, "größe": {"N": "1"},
        "日本": {"S": "jp"}, "1st": {"N": "12345678901234567890123"}, "void": {"NULL": True}, "version": {"N": "3"}, "price": {"N": "5"},
        "x" * 200: {"S": "long name"}, "bin": {"B": b"abc"}, "deep": {"M": {"a": {"M": {"b.c": {"N": "1.25"}}}}}, "empty": {"M": {}},
        "numbers": {"L": [{"N": "1"}, {"N": "2"}]}, "sorts": {"L": [{"N": "1"}, {"S": "2"}]}, "when": {"S": "2026-01-01"},
        "tiny": {"N": "1E-130"},
    }  # fmt: skip
    return [{"id": {"S": f"i{n}"}, **base, "mixed": {"N": "1"} if n % 3 else {"S": "one"}, "note": {"S": "é" * n}} for n in range(9)]


TABLES: dict[str, tuple[list[dict[str, Any]], tuple[tuple[str, str], ...]]] = {
    "shop": (shop(), (("pk", "S"), ("sk", "S"))),
    "odd-names": (odd(), (("id", "S"),)),
    "numbers": ([{"device": {"N": str(n)}, "at": {"N": str(n)}, "value": {"N": "1.5"}} for n in range(5)], (("device", "N"), ("at", "N"))),
    "binary": ([{"k": {"B": b"x%d" % n}, "v": {"S": "a"}} for n in range(3)], (("k", "B"),)),
    "empty": ([], (("pk", "S"), ("sk", "S"))),
    "two-kinds": (
        [{"PK": {"S": f"{kind}|{n}"}, "SK": {"S": "META"}, "n": {"N": "1"}} for n in range(4) for kind in ("user", "group")],
        (("PK", "S"), ("SK", "S")),
    ),
}


def init(endpoint: str, table: str, folder: Path, *more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["init", str(folder), "--from-dynamodb", table, "--endpoint-url", endpoint, *more])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture(scope="module")
def filled(endpoint: str) -> str:
    for name, (items, keys) in TABLES.items():
        make_table(endpoint, name, items, keys)
    return endpoint


@pytest.mark.parametrize("table", sorted(TABLES))
def test_what_is_proposed_checks_generates_applies_and_tests(filled: str, tmp_path: Path, table: str) -> None:
    folder = tmp_path / table
    assert init(filled, table, folder) == 0
    assert [one for one in plan_files(folder) if one.is_change] == []
    assert [one.found.message for one in check_folder(folder) if one.rule.severity.value != "note"] == []
    pipeline = read_folder(folder)
    with Benches(pipeline) as benches:
        verdicts = list(run_cases(find_cases(pipeline), benches.open, SystemClock().monotonic))
    assert [failure for one in verdicts for failure in one.failures] == []
    assert read_dashboard(folder / "dashboards" / "overview.yaml").tiles


def test_with_capture_the_folder_applies_to_a_real_stream_at_once(filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "two"
    assert init(filled, "two-kinds", folder, "--capture", "--stream", "two-stream") == 0
    assert "do not go to" not in (folder / "nearshift.toml").read_text()
    client = boto3.client("dynamodb", endpoint_url=filled)
    client.put_item(TableName="two-kinds", Item={"PK": {"S": "user|9"}, "SK": {"S": "META"}, "n": {"N": "9"}})
    client.close()
    for command in (["check", "--strict"], ["generate", "--check"], ["apply"], ["test"]):
        with pytest.raises(SystemExit) as ended:
            main([command[0], str(folder), *command[1:]])
        assert ended.value.code == 0, capsys.readouterr()
    for statement in ("REFRESH MATERIALIZED VIEW stream_vw", "CALL sp_load_user_meta_dim()", "SELECT user_id, n FROM user_meta_dim"):
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main(["sql", statement, "--dir", str(folder)])
    assert capsys.readouterr().out == "user_id\tn\n9\t9\n"


def declared(folder: Path) -> dict[str, Any]:
    table = tomllib.loads((folder / "nearshift.toml").read_text())
    return {one["name"]: one for one in (*table.get("facts", []), *table.get("dimensions", []))}


def test_kinds_types_maps_and_lists_of_a_single_table_design(filled: str, tmp_path: Path) -> None:
    assert init(filled, "shop", tmp_path / "p") == 0
    found = declared(tmp_path / "p")
    assert set(found) == {"order_fact", "customer_profile_dim", "customer_fact"}
    assert found["order_fact"]["sort_key_begins"] == "ORDER#"
    assert found["customer_profile_dim"]["sort_key"] == "PROFILE"
    assert found["customer_fact"]["sort_key_begins_not"] == ["ORDER#", "PROFILE"]
    columns = {one["name"]: one["type"] for one in found["order_fact"]["columns"]}
    assert columns["billed_amount"] == "decimal(18,2)"
    assert columns["placed_at"] == "timestamptz"
    assert columns["customer_id"] == "varchar(2048)"
    assert {one["name"]: one.get("path") for one in found["customer_profile_dim"]["columns"]}["address_zip"] == "address.M.zip.S"
    (lines, tags) = found["order_fact"]["lists"]
    assert [(one["name"], one["type"], one["path"]) for one in lines["columns"]] == [
        ("price", "decimal(18,2)", "M.price.N"), ("sku", "varchar(16)", "M.sku.S"),
    ]  # fmt: skip
    assert tags["columns"] == [{"name": "value", "type": "varchar(16)"}]


def test_names_are_legal_and_what_was_ambiguous_is_said(filled: str, tmp_path: Path) -> None:
    assert init(filled, "odd-names", tmp_path / "p") == 0
    text = (tmp_path / "p" / "nearshift.toml").read_text()
    (fact,) = declared(tmp_path / "p").values()
    columns = {one["name"]: one for one in fact["columns"]}
    assert {"order_value", "order_value_2", "pk_2", "grosse", "n_1st", "deep_a_b_c", "attribute", "version_2"} <= set(columns)
    assert columns["a_b"]["path"] == ["a.b", "S"]
    assert columns["n_1st"]["type"] == "decimal(38,0)"
    assert columns["tiny"]["type"] == "double precision"
    assert columns["when_value"]["type"] == "date"
    assert all(len(name) <= 70 for name in columns)
    assert "# Mixed: N 6 times, S 3 times." in text
    assert "Only NULL in the sample, so without a column: void." in text
    assert "of several types" in text


def test_no_value_of_an_item_is_written(filled: str, tmp_path: Path) -> None:
    assert init(filled, "shop", tmp_path / "p") == 0
    everything = "".join(path.read_text() for path in (tmp_path / "p").rglob("*") if path.is_file())
    assert "example.com" not in everything
    assert "01234" not in everything


def test_no_such_table_and_a_folder_that_is_full_write_nothing(filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(filled, "nothing", tmp_path / "p") == 1
    assert 'there is no table "nothing" in region "us-east-1"' in capsys.readouterr().err
    assert not (tmp_path / "p").exists()
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "mine").touch()
    assert init(filled, "shop", tmp_path / "q") == 1
    assert "is not empty" in capsys.readouterr().err


def test_an_address_where_nobody_answers(endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert endpoint
    assert init("http://127.0.0.1:9", "shop", tmp_path / "p") == 1
    assert 'could not reach "http://127.0.0.1:9"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("AccessDeniedException", ConfigurationError, "the right dynamodb:DescribeTable on table"),
        ("ExpiredTokenException", ConfigurationError, "AWS refused the credentials"),
        ("ValidationException", ConfigurationError, "cannot be the name of a table"),
        ("InternalServerError", StreamError, "could not read table"),
    ],
)
def test_what_dynamodb_refuses_is_said(endpoint: str, code: str, error: type[Exception], words: str) -> None:
    client = boto3.client("dynamodb", endpoint_url=endpoint)
    with Stubber(client) as stub:
        stub.add_client_error("describe_table", code, "no", 400)
        with pytest.raises(error) as caught:
            describe(client, "orders")
    assert words in str(caught.value)


def test_missing_the_right_to_scan_names_it(endpoint: str) -> None:
    client = boto3.client("dynamodb", endpoint_url=endpoint)
    with Stubber(client) as stub:
        stub.add_client_error("scan", "AccessDeniedException", "not authorized", 400)
        with pytest.raises(ConfigurationError, match="dynamodb:Scan"):
            list(sample(client, "orders", 10, lambda _read: None))


def test_a_sample_reads_no_more_than_wanted(filled: str) -> None:
    client = boto3.client("dynamodb", endpoint_url=filled)
    read: list[int] = []
    items = list(sample(client, "shop", 10, read.append))
    client.close()
    assert len(items) == 10
    assert read[-1] == 10
    assert json.dumps(items[0])
