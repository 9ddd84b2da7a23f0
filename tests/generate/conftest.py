"""Makes tests.generate.… importable, also when pytest is not started as a module; a stand-in for DynamoDB and Kinesis."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a stand-in of the module's own; boto3 in this process speaks to it."""
    command = [sys.executable, "-m", "nearshift.localaws", "--dir", str(tmp_path_factory.mktemp("aws")), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT / "src")})
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1]
    settings = {
        "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        yield address
    process.terminate()
    process.wait(20)
    process.stdout.close()
