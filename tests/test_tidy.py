"""The code about itself: who imports whom, how long modules are, who may touch the outside world."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nearshift

ROOT = Path(nearshift.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if "examples" not in path.parts and "static" not in path.parts)

# A module may import what stands left of it, and its own part. `docs/design/0001-seams.md` says why.
ORDER = (
    ("errors", "limits", "clock", "faults"),
    ("types",),
    ("events", "schedule"),
    ("sql",),
    ("plpgsql", "streams", "results", "settings"),
    ("engine_errors", "engine"),
    ("catalog",),
    ("access",),
    ("storage", "transaction"),
    ("names",),
    ("values", "transfer"),
    ("views",),
    ("house",),
    ("commands",),
    ("blocks", "statement_timer", "stop_sign", "session_transactions"),
    ("session",),
    ("scheduler",),
    ("warehouse",),
    ("dbapi",),
    ("wire", "console", "pipeline", "dataapi", "workload", "generate", "check", "estimate"),
    ("deploy",),
    ("cli",),
)
LEVELS = {part: level for level, parts in enumerate(ORDER) for part in parts}
ALONE = {"localaws", "testing"}
LINES_MAX = 600
FUNCTION_LINES_MAX = 90


def part_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path, *, with_type_checking: bool = False) -> Iterator[tuple[str, int]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        is_guard = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        if is_guard and not with_type_checking:
            skipped |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            if node.module == "nearshift":
                for alias in node.names:
                    yield f"nearshift.{alias.name}", node.lineno


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    own = part_of(path)
    if own in {"__init__", "__main__"} or own in ALONE:
        allowed = ALONE
        for name, line in imports(path):
            other = name.split(".")[1] if name.startswith("nearshift.") else None
            is_bad = own == "localaws" and other is not None and other != "localaws"
            assert not is_bad, f"{path.name}:{line} localaws imports {name}, and stands alone"
            assert allowed
        return
    assert own in LEVELS, f"{own} has no place in the order of parts"
    for name, line in imports(path):
        if not name.startswith("nearshift."):
            continue
        other = name.split(".")[1]
        if other in ALONE:
            assert own == "cli", f"{path.name}:{line} imports {name}: only the command line starts {other}"
        elif other != own and other in LEVELS:
            assert LEVELS[other] < LEVELS[own] or (LEVELS[other] == LEVELS[own] and own not in {"wire", "console", "pipeline"}), (
                f"{path.relative_to(ROOT)}:{line} imports {name}, which stands to its right"
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_read_in_one_sitting(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_MAX, "split it by noun"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


OUTSIDE = {
    "duckdb": {"engine.py", "engine_errors.py"},
    "boto3": {
        "streams/kinesis.py", "streams/roles.py", "streams/dynamodb.py", "pipeline/source.py",
        "transfer/s3.py", "deploy/aws.py", "generate/sampling.py",
    },
    "socket": {"wire/server.py", "wire/connection.py", "cli/client.py", "cli/demo.py", "console/server.py", "cli/stand_in.py"},
    "sqlite3": set(),
    "confluent_kafka": {"streams/kafka.py"},
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_outside_world_has_few_doors(path: Path) -> None:
    relative = path.relative_to(ROOT).as_posix()
    if part_of(path) in {"localaws", "workload", "testing"}:
        return
    for name, line in imports(path):
        top = name.split(".")[0]
        if top in OUTSIDE:
            assert relative in OUTSIDE[top], f"{relative}:{line} imports {top}"


CLOCKS = {"now", "utcnow", "today"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_clock_asks_for_the_time(path: Path) -> None:
    relative = path.relative_to(ROOT).as_posix()
    if relative in {"clock.py"} or part_of(path) in {"localaws"}:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)):
            continue
        owner, name = node.func.value.id, node.func.attr
        is_wall = (owner in {"datetime", "date"} and name in CLOCKS) or (owner == "time" and name in {"time", "time_ns", "sleep"})
        assert not is_wall, f"{relative}:{node.lineno} calls {owner}.{name}: take a Clock"


def test_every_limit_is_used() -> None:
    names = [
        node.target.id
        for node in ast.parse((ROOT / "limits.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in MODULES if path.name != "limits.py")
    own = (ROOT / "limits.py").read_text(encoding="utf-8")
    unused = [name for name in names if name not in text and own.count(name) < 3]
    assert unused == []


def test_the_public_surface_is_what_was_meant() -> None:
    assert sorted(nearshift.__all__) == ["Connection", "Cursor", "NearshiftError", "__version__", "connect"]
    assert all(getattr(nearshift, name) is not None for name in nearshift.__all__)
