"""What `generate` writes: the golden folder, the same bytes each time, and what it leaves alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nearshift.errors import ConfigurationError
from nearshift.generate.files import is_untouched
from nearshift.generate.folder import Verdict, plan_files, write

ORDERS = Path(__file__).parent / "orders"
NAMES = ["100_stream.sql", "110_item_change.sql", "120_load_audit.sql", "200_customer_dim.sql", "200_order_fact.sql"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ORDERS, tmp_path / "orders")
    return tmp_path / "orders"


def verdicts(folder: Path) -> dict[str, Verdict]:
    return {one.path.name: one.verdict for one in plan_files(folder)}


def declare(folder: Path, toml: str) -> None:
    head = 'name = "p"\n[source]\ntable = "t"\nstream = "s"\nsort_key = "sk"\n'
    (folder / "nearshift.toml").write_text(head + toml, encoding="utf-8")


def test_the_golden_files_are_what_is_written() -> None:
    """After a meant change: `nearshift generate tests/generate/orders`, and read the difference."""
    for one in plan_files(ORDERS):
        assert one.text is not None
        assert one.path.read_text(encoding="utf-8") == one.text, f"{one.path.name} differs"


def test_the_same_input_gives_the_same_bytes(folder: Path) -> None:
    shutil.rmtree(folder / "sql")
    write(plan_files(folder))
    first = {path.name: path.read_bytes() for path in (folder / "sql").iterdir()}
    shutil.rmtree(folder / "sql")
    write(plan_files(folder))
    assert {path.name: path.read_bytes() for path in (folder / "sql").iterdir()} == first
    assert set(NAMES) <= set(first)
    assert set(verdicts(folder).values()) == {Verdict.KEEP}


def test_a_file_changed_by_hand_is_left_alone(folder: Path) -> None:
    file = folder / "sql" / "200_order_fact.sql"
    mine = file.read_text() + "-- a note of mine\n"
    file.write_text(mine)
    assert verdicts(folder)["200_order_fact.sql"] is Verdict.YOURS
    write(plan_files(folder))
    assert file.read_text() == mine


def test_a_file_of_a_load_that_is_gone_is_removed_unless_it_was_changed(folder: Path) -> None:
    toml = (folder / "nearshift.toml").read_text().replace('name = "customer_dim"', 'name = "client_dim"')
    (folder / "nearshift.toml").write_text(toml)
    found = verdicts(folder)
    assert found["200_customer_dim.sql"] is Verdict.REMOVE
    assert found["200_client_dim.sql"] is Verdict.CREATE
    write(plan_files(folder))
    assert not (folder / "sql" / "200_customer_dim.sql").exists()


def test_what_the_folder_defines_itself_is_not_written(folder: Path) -> None:
    own = (folder / "sql" / "100_stream.sql").read_text().split("\n", 1)[1]
    (folder / "sql" / "010_own.sql").write_text(own)
    assert verdicts(folder)["100_stream.sql"] is Verdict.REMOVE


def test_without_a_sort_key_there_is_no_sk(folder: Path) -> None:
    columns = 'columns = [{ name = "a", type = "varchar(9)", path = "a.S" }]'
    text = (
        f'name = "p"\n[source]\ntable = "t"\nstream = "s"\npartition_key = "id"\npartition_key_type = "N"\n[[facts]]\nname = "f"\n{columns}'
    )
    (folder / "nearshift.toml").write_text(text)
    texts = {one.path.name: one.text or "" for one in plan_files(folder)}
    assert "sk" not in texts["110_item_change.sql"].replace("risk", "").split("CREATE")[1]
    assert '"Keys"."id"."N"::varchar(2048) AS pk' in texts["110_item_change.sql"]
    assert ".sk" not in texts["200_f.sql"]


COLUMN = '{ name = "a", type = "varchar(9)", path = "a.S" }'


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("", "nothing is declared"),
        ('[[facts]]\nname = "F"\ncolumns = [' + COLUMN + "]", '"F" cannot be a name'),
        ('[[facts]]\nname = "table"\ncolumns = [' + COLUMN + "]", '"table" cannot be a name'),
        ('[[facts]]\nname = "f"\ncolumns = []', "at least one column"),
        ('[[facts]]\nname = "f"\ncolumns = [' + COLUMN + ", " + COLUMN + "]", '"a" is used twice'),
        ('[[facts]]\nname = "f"\ncolumns = [{ name = "a", type = "text[]", path = "a.S" }]', '"text[]" is not a type'),
        ('[[facts]]\nname = "f"\ncolumns = [{ name = "a", type = "int, b int", path = "a.N" }]', "is not a type"),
        ('[[facts]]\nname = "f"\ncolumns = [{ name = "a", type = "varbyte", path = "a.B" }]', "cannot be loaded from an item"),
        ('[[facts]]\nname = "f"\ncolumns = [{ name = "a", type = "int", path = "a" }]', "does not end with the kind"),
        ('[[facts]]\nname = "f"\ncolumns = [{ name = "a", type = "int" }]', "needs either path or key"),
        ('[[facts]]\nname = "f"\ncolumns = [{ name = "pk", type = "int", path = "a.N" }]', "is a column of every load"),
        ('[[facts]]\nname = "f"\ncolumns = [' + COLUMN + ']\n[[dimensions]]\nname = "f"\ncolumns = [' + COLUMN + "]", "is used twice"),
        ('[[facts]]\nname = "f"\nmode = "newest"\ncolumns = [' + COLUMN + "]", "facts[0].mode"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_key(folder: Path, toml: str, words: str) -> None:
    declare(folder, toml)
    with pytest.raises(ConfigurationError) as caught:
        plan_files(folder)
    assert words in caught.value.message


def test_names_and_values_of_the_manifest_cannot_leave_their_quotes(folder: Path) -> None:
    declare(
        folder,
        """[[facts]]\nname = "f"\nsort_key_begins = "it's\\\\"\ncolumns = [{ name = "a", type = "varchar(9)", path = ['x"y', "S"] }]""",
    )
    text = next(one.text for one in plan_files(folder) if one.path.name == "200_f.sql")
    assert text is not None
    assert "left(c.sk, 5) = 'it''s\\\\'" in text
    assert 'c.new_image."x""y"."S"::varchar(9) AS a' in text


def test_a_text_without_the_mark_is_not_ours() -> None:
    assert not is_untouched("SELECT 1;")
