"""The codec against the clients themselves: ib_insync here, ib_async in a Python of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bot.gateway.protocol import client_library

_CHECKOUT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def ib_insync():
    import bot.brokers.ib.library  # noqa: F401 gives the import a loop

    return client_library.Peer("ib_insync")


def _name(check) -> str:
    return check.__name__.removeprefix("check_")


@pytest.mark.parametrize("check", client_library.CHECKS, ids=_name)
@pytest.mark.parametrize("version", client_library.VERSIONS["ib_insync"])
def test_ib_insync_and_the_codec_understand_each_other(check, version, ib_insync):
    check(ib_insync, version)


def test_ib_async_and_the_codec_understand_each_other():
    python = os.environ.get("ALVH_IB_ASYNC_PYTHON")
    if not python:
        pytest.skip("set ALVH_IB_ASYNC_PYTHON to a Python that has ib_async>=2.1,<2.2")
    done = subprocess.run(
        [python, client_library.__file__, "ib_async"],
        env=os.environ | {"PYTHONPATH": str(_CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "checks passed with ib_async 2.1" in done.stdout
