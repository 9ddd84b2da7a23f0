"""The entry point: finds the command, imports its module only, and turns expected errors into one clear message and an exit code.

Exit codes: 0 done, 1 it failed, 2 the command line was not understood, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import importlib
import sys
from typing import Final

# The modules are imported when their command is used, so that `nearshift --help` stays fast: hence the sentences stand here.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo", "Run the whole pipeline on this machine: tables, stream, warehouse, workload, console"),
    "init": ("init", "Make a new pipeline folder"),
    "serve": ("serve", "Run the warehouse of a pipeline folder: PostgreSQL wire, console, refreshers, schedules"),
    "generate": ("generate", "Write the SQL of the facts and dimensions that nearshift.toml declares"),
    "check": ("check", "Check a pipeline against Redshift's rules before anything is deployed"),
    "plan": ("plan", "Show what apply or deploy would do, and do nothing"),
    "estimate": ("estimate", "Estimate shards, storage and cost on AWS from what the warehouse has read"),
    "unload": ("unload", "Write the tables of facts and dimensions as Parquet files"),
    "load": ("load", "Bring tables in from Parquet files that unload wrote"),
    "drift": ("drift", "Compare what arrives with what nearshift.toml declares"),
    "apply": ("apply", "Bring a warehouse to what a pipeline folder says"),
    "status": ("status", "Show streams, views, schedules and loads of a pipeline"),
    "sql": ("sql", "Run a query, or read statements from standard input"),
    "refresh": ("refresh", "Refresh a materialized view now"),
    "replay": ("replay", "Put quarantined records through their view again"),
    "test": ("test", "Run a pipeline's own tests: given these changes, expect these rows"),
    "deploy": ("deploy", "Bring a pipeline folder to AWS: stack, capture, roles, SQL, schedules"),
    "destroy": ("destroy", "Drop what a pipeline folder created"),
    "local-aws": ("local_aws", "Run the DynamoDB and Kinesis stand-in alone"),
}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] in {"-h", "--help", "help"}:
        sys.stdout.write(overview())
        sys.exit(0 if given else 2)
    if given[0] in {"-V", "--version", "version"}:
        from importlib.metadata import version

        sys.stdout.write(f"nearshift {version('nearshift')}\n")
        sys.exit(0)
    if given[0] not in COMMANDS:
        sys.stderr.write(_unknown(given[0]))
        sys.exit(2)
    sys.exit(_run(given[0], given[1:]))


def overview() -> str:
    """Return the help of the whole: usage, commands, variables."""
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name.ljust(width)}  {sentence}" for name, (_, sentence) in COMMANDS.items()]
    return (
        "Usage: nearshift COMMAND [OPTIONS]\n\n"
        "Near-real-time analytics on DynamoDB and Kinesis in Amazon Redshift's SQL, on one machine.\n\n"
        "Commands:\n" + "\n".join(lines) + "\n\n"
        "Options of a command: nearshift COMMAND --help\n"
        "Settings come from flags, then NEARSHIFT_… variables, then nearshift.toml; AWS settings are boto3's own.\n"
    )


def _unknown(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f'Did you mean "{close[0]}"?' if close else "See: nearshift --help"
    return f'nearshift: there is no command "{name}". {hint}\n'


def _run(name: str, arguments: list[str]) -> int:
    from nearshift.cli.terminal import report
    from nearshift.errors import NearshiftError

    module = importlib.import_module(f"nearshift.cli.{COMMANDS[name][0]}")
    try:
        module.app(arguments, prog_name=f"nearshift {name}")
    except NearshiftError as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone, `nearshift sql … | head`
        return 1
    return 0
