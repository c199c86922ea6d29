"""`alvh gateway` in a process of its own."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def control():
    """The socket that takes the console's commands; its path has to be short."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "control"


@pytest.fixture
def gateway_port(tmp_path, control):
    """The port of `alvh gateway` in a process of its own, a minute of market a second."""
    command = [
        *(sys.executable, "-m", "bot.app", "gateway", "--port", "0"),
        *("--market", "replay:2020-02-03..2020-02-07", "--speed", "60"),
        *("--control", str(control)),
    ]
    with (
        (tmp_path / "gateway.log").open("w") as log,
        subprocess.Popen(
            command,
            cwd=_CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        try:
            yield _announced_port(process)
        finally:
            process.terminate()
            process.wait(timeout=10)


def _announced_port(process: subprocess.Popen) -> int:
    for line in process.stdout:
        if found := re.search(r"port (\d+)", line):
            return int(found[1])
    raise AssertionError(f"the gateway ended with {process.wait()} and named no port")
