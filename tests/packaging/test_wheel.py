"""The wheel: built without a network, complete, and enough by itself: installed elsewhere, its program runs the demo to a right end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "nearshift"
IS_CONSOLE_BUILT = (PACKAGE / "console" / "static" / "index.html").is_file()
STEP_SECONDS = 150
LOCK = ROOT / "requirements.lock"


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel in it, and the dependencies of this one in sight."""

    python: Path
    elsewhere: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment outside the checkout."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AWS_", "NEARSHIFT_"))}
        program = [str(self.python.with_name(command[0])), *command[1:]]
        return subprocess.run(
            program, capture_output=True, text=True, cwd=self.elsewhere, env=environment, timeout=STEP_SECONDS, check=False
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=STEP_SECONDS)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=STEP_SECONDS)
    (site,) = (venv / "lib").glob("python*/site-packages")
    # A line of a .pth file puts this folder behind the environment's own; .pth files in it, such as an editable install's, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=STEP_SECONDS)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Installed(venv / "bin" / "python", elsewhere)


def sources() -> set[str]:
    """The files of the package that git would keep."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "src/nearshift"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=STEP_SECONDS,
    )  # fmt: skip
    return {name.removeprefix("src/") for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: nothing says which files belong to the package")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert sources() - names == set()
    kinds = {Path(name).suffix for name in names if name.startswith("nearshift/")}
    assert {".py", ".sql", ".toml", ".yaml", ".test", ".typed"} <= kinds


def test_the_wheel_holds_what_is_read_at_run_time(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for part in ("catalog/migrations", "catalog", "examples/customer-transactions/sql", "examples/starter/sql"):
        here = {f"nearshift/{part}/{path.name}" for path in (PACKAGE / part).glob("*.sql")}
        assert here, part
        assert here <= names
    assert "nearshift/py.typed" in names


@pytest.mark.skipif(not IS_CONSOLE_BUILT, reason="the console is not built: run make setup")
def test_the_wheel_holds_the_console_that_its_page_asks_for(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    page = archive.read("nearshift/console/static/index.html").decode()
    asked = re.findall(r'(?:src|href)="[./]*(?:static/)?([^"/]+\.(?:js|css|svg))"', page)
    assert asked, "the page asks for its script and style"
    names = set(archive.namelist())
    assert {f"nearshift/console/static/{name}" for name in asked} <= names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    strange = [name for name in names if not name.startswith("nearshift/") and not re.match(r"nearshift-[^/]+\.dist-info/", name)]
    assert strange == []
    assert [name for name in names if "__pycache__" in name or "node_modules" in name or name.endswith((".pyc", ".duckdb", ".log"))] == []


def test_the_metadata_says_what_it_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
    metadata = HeaderParser().parsestr(archive.read(name).decode())
    assert metadata["Name"] == "nearshift"
    assert metadata["License-Expression"] == "Apache-2.0"
    needed = {re.split(r"[ <>=!~;\[]", one)[0] for one in metadata.get_all("Requires-Dist", []) if "extra ==" not in one}
    locked = {line.split("==")[0] for line in LOCK.read_text(encoding="utf-8").splitlines() if "==" in line}
    assert "duckdb" in needed
    assert needed <= locked


def test_the_lock_names_packages_and_hashes_only() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert re.findall(r"https?://|file://|\bgit\+|^-{1,2}(?:i|f|index|extra|find|trusted)\S*", text, re.MULTILINE) == []
    pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert [line for line in pinned if "==" not in line] == []
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert [block.splitlines()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block] == []


def test_the_installed_package_is_the_one_that_runs(installed: Installed) -> None:
    found = installed.run("python", "-c", "import nearshift; print(nearshift.__file__); print(nearshift.__version__)")
    assert found.returncode == 0, found.stderr
    place, version = found.stdout.split()
    assert Path(place).is_relative_to(installed.python.parents[1])
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", version)


def test_the_program_tells_its_commands(installed: Installed) -> None:
    found = installed.run("nearshift", "--help")
    assert found.returncode == 0, found.stderr
    for command in ("init", "apply", "serve", "sql", "demo"):
        assert command in found.stdout


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_demo_of_the_installed_package_ends_with_right_tables(installed: Installed) -> None:
    found = installed.run("nearshift", "demo", "--seconds", "5", "--rate", "50", "--port", "0", "--console-port", "0", "--json")
    assert found.returncode == 0, found.stderr + found.stdout
    report = json.loads(found.stdout)
    assert 0 < report["changes_written"] <= report["records_ingested"]
    assert report["facts_match"] is True
    assert list(installed.elsewhere.iterdir()) == []
