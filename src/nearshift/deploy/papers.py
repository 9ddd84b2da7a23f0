"""A whole deployment as files that a person can read, keep and carry out with the AWS command line and psql; nothing is asked of AWS."""

from __future__ import annotations

import shlex
from pathlib import Path

from nearshift.deploy.login import data_api_place
from nearshift.deploy.memory import FOLDER
from nearshift.deploy.names import Names, names_of
from nearshift.deploy.template import PIPELINE_TAG, render_template
from nearshift.pipeline.definitions import Kind
from nearshift.pipeline.folder import Pipeline


def write_papers(pipeline: Pipeline) -> list[Path]:
    """Write template.yaml, statements.sql and steps.sh to the folder's `deploy` and return their paths. Same folder, same bytes."""
    names = names_of(pipeline)
    texts = {
        "template.yaml": render_template(names, pipeline.manifest.schedules),
        "statements.sql": _statements(pipeline),
        "steps.sh": _steps(names, pipeline),
    }
    folder = pipeline.path / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, text in texts.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _statements(pipeline: Pipeline) -> str:
    """Return the SQL of the folder in its order, each statement under the settings that are in force there."""
    lines = [f"-- The SQL of pipeline {pipeline.name}, in the order in which it is applied. For psql or the query editor.", ""]
    settings: tuple[str, ...] = ()
    file = ""
    for one in pipeline.definitions:
        if one.kind is Kind.SCHEDULE:
            continue
        if one.place.file != file:
            file = one.place.file
            lines += [f"-- {file}", ""]
        if one.settings != settings:
            lines += ["RESET ALL;", *(f"{setting.rstrip().rstrip(';')};" for setting in one.settings), ""]
            settings = one.settings
        lines += [f"{one.text.strip().rstrip(';')};", ""]
    return "\n".join(lines)


def _steps(names: Names, pipeline: Pipeline) -> str:
    settings = names.settings
    region = ["--region", settings.region] if settings.region else []
    stack = ["--stack-name", names.stack]
    tags = ["--tags", *(f"{key}={value}" for key, value in sorted({PIPELINE_TAG: names.pipeline, **settings.tags}.items()))]
    create = ["aws", "cloudformation", "deploy", *region, *stack, "--template-file", "template.yaml"]
    create += ["--capabilities", "CAPABILITY_NAMED_IAM"]
    part = ["Part=warehouse"] if settings.is_cross_account else []
    lines = [
        "#!/bin/sh",
        f"# What `nearshift deploy` does for pipeline {names.pipeline}, by hand: run it in this folder, as who deploys.",
        "set -eu",
        "",
    ]
    if settings.is_cross_account:
        other = [*create, "--parameter-overrides", "Part=source", *tags]
        lines += [f"# In account {settings.source_account}: table and stream.", _command(other), ""]
        lines += [f"# The rest in account {settings.warehouse_account}."]
    has_schedules = bool(pipeline.manifest.schedules)
    first = [*part, *(["SchedulesState=DISABLED"] if has_schedules else [])]
    parameters = ["--parameter-overrides", *first] if first else []
    lines += ["# The stack, its schedules still disabled.", _command([*create, *parameters, *tags]), ""]
    lines += _beside(names, region)
    lines += ["# The SQL. The host is the endpoint of the workgroup or cluster.", _psql(names), ""]
    if has_schedules:
        again = [*create, "--parameter-overrides", *part, "SchedulesState=ENABLED", *tags]
        lines += ["# Now that the procedures are there, the schedules.", _command(again), ""]
    return "\n".join(lines)


def _beside(names: Names, region: list[str]) -> list[str]:
    settings, lines = names.settings, list[str]()
    account = 'account=$(aws sts get-caller-identity --query Account --output text)'
    if settings.table == "existing":
        arn = f'"arn:aws:kinesis:{settings.region or "$AWS_REGION"}:$account:stream/{names.source.stream}"'
        words = ["aws", "dynamodb", "enable-kinesis-streaming-destination", *region, "--table-name", names.source.table]
        precision = "--enable-kinesis-streaming-configuration ApproximateCreationDateTimePrecision=MICROSECOND"
        lines += ["# The capture of the table that is there.", account, f"{_command(words)} --stream-arn {arn} {precision}", ""]
    if settings.role is None and not settings.is_serverless_made:
        arn = f'"arn:aws:iam::$account:role/{names.warehouse_role}"'
        if settings.cluster is not None:
            words = ["aws", "redshift", "modify-cluster-iam-roles", *region, "--cluster-identifier", settings.cluster]
            command = f"{_command(words)} --add-iam-roles {arn} --default-iam-role-arn {arn}"
        else:
            command = "# In the console of Redshift Serverless: add the role to the namespace and make it the default: " + arn.strip('"')
        lines += ["# The role by which the warehouse reads the stream.", account, command, ""]
    return lines


def _psql(names: Names) -> str:
    user = data_api_place(names).get("DbUser", "admin")
    place = f"host=$REDSHIFT_HOST port={names.settings.port} dbname={names.settings.database} user={user} sslmode=require"
    return f'psql "{place}" -v ON_ERROR_STOP=1 -f statements.sql'


def _command(words: list[str]) -> str:
    return " ".join(shlex.quote(word) for word in words)
