"""thetagang 2.1.1, a whole bot of somebody else's, against `alvh gateway`: a dry run, a real one.

Its environment is made by `make clients-heavy`, which `make soak` asks for. Where it is absent the
test is skipped, unless ALVH_CLIENTS=required, which `make soak` sets.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.ib_client import IB

pytestmark = pytest.mark.slow

_HERE = Path(__file__).resolve().parent
_ENVIRONMENT = _HERE.parents[1] / ".clients/thetagang"
_RUN_S = 120
_MORNING = "2020-02-03T15:00:00+00:00"


@pytest.fixture
def thetagang(gateway_port, tmp_path):
    """Runs it with options against a gateway, and returns what it printed once it has succeeded."""
    if not (_ENVIRONMENT / "bin/thetagang").exists():
        why = ".clients/thetagang/bin/thetagang is not there; make clients-heavy"
        assert os.environ.get("ALVH_CLIENTS") != "required", why
        pytest.skip(why)
    config = tmp_path / "thetagang.toml"
    text = (_HERE / "thetagang.toml").read_text(encoding="utf-8")
    config.write_text(text.replace("PORT", str(gateway_port)), encoding="utf-8")

    def run(*options):
        program = [str(_ENVIRONMENT / "bin/python"), str(_HERE / "on_market_day.py"), _MORNING]
        done = subprocess.run(
            [*program, *options, "--without-ibc", "-c", str(config)],
            capture_output=True,
            text=True,
            timeout=_RUN_S,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": "", "COLUMNS": "200"},
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
        return done.stdout

    return run


@pytest.fixture
def client():
    """A client that watches; it connects by itself."""
    watcher = IB()
    yield watcher
    watcher.disconnect()


def test_a_dry_run_finds_its_option_and_a_run_sells_it(thetagang, gateway_port, client):
    said = thetagang("--dry-run")
    assert "serverVersion=178" in said
    assert "Found suitable contract at strike=" in said
    assert "timed out" not in said
    assert "no trades will be executed" in said
    client.connect("127.0.0.1", gateway_port, clientId=3)
    assert client.positions() == []

    said = thetagang()
    assert "1.0 filled, 0.0 remaining" in said
    client.sleep(1)
    (position,) = client.positions()
    assert position.contract.symbol == position.contract.tradingClass == "SPY"
    assert (position.contract.right, position.position) == ("P", -1)
    (fill,) = client.reqExecutions()
    assert fill.contract.conId == position.contract.conId
    values = {each.tag: each.value for each in client.accountSummary()}
    received = fill.execution.price * 100 - fill.commissionReport.commission
    assert position.avgCost == pytest.approx(received)
    assert float(values["TotalCashValue"]) == pytest.approx(1_000_000 + received)
