"""Unmodified third-party clients, each in an environment of its own, against `alvh gateway`.

The environments are made by `make clients`, which `make test` asks for. Where one is absent the
test is skipped with that reason, unless ALVH_CLIENTS=required, which `make test` sets. Without
node there is no @stoqey/ib.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent
_CHECKOUT = _HERE.parents[1]
_ENVIRONMENTS = _CHECKOUT / ".clients"
_PACKAGES = _ENVIRONMENTS / "node" / "node_modules"
_CLIENTS = {
    "ib_insync": (sys.executable, "flow_ib_insync.py", 176),
    "ib_async": (_ENVIRONMENTS / "ib_async/bin/python", "flow_ib_insync.py", 178),
    "ibapi": (_ENVIRONMENTS / "ibapi/bin/python", "flow_ibapi.py", 157),
    "nautilus_ibapi": (_ENVIRONMENTS / "nautilus_ibapi/bin/python", "flow_ibapi.py", 178),
    "stoqey": ("node", "flow_stoqey.mjs", 178),
}
_FLOW_S = 90


def _absent(client: str) -> str | None:
    """Return what is missing for a client, or None."""
    program, _, _ = _CLIENTS[client]
    path = _PACKAGES / "@stoqey/ib" if client == "stoqey" else Path(program)
    return None if path.exists() else f"{path.relative_to(_CHECKOUT)} is not there; make clients"


@pytest.mark.parametrize("client", _CLIENTS)
def test_the_whole_flow(client, gateway_port):
    if (why := _absent(client)) is not None:
        is_possible = client != "stoqey" or shutil.which("npm")
        assert not (is_possible and os.environ.get("ALVH_CLIENTS") == "required"), why
        pytest.skip(why)
    program, script, version = _CLIENTS[client]
    done = subprocess.run(
        [str(program), str(_HERE / script), str(gateway_port), "11"],
        capture_output=True,
        text=True,
        timeout=_FLOW_S,
        check=False,
        cwd=_HERE,
        env=os.environ | {"ALVH_NODE_MODULES": str(_PACKAGES), "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])

    assert seen["server_version"] == version
    assert len(seen["accounts"]) == 1
    assert seen["accounts"][0].startswith("DU")
    assert seen["series"] >= 50
    assert seen["is_the_same"]
    assert re.fullmatch(r"SPXW  \d{6}P\d{8}", seen["qualified"])
    assert seen["futures"] >= 8
    assert seen["futures_ascend"]
    wing_put, put, call, wing_call = seen["deltas"]
    assert -0.5 < put < wing_put < 0 < wing_call < call < 0.5
    assert all(0.05 < vol < 1 for vol in seen["implied_vols"])
    assert seen["what_if_margin"] > 0
    assert seen["live"] in ("Submitted", "PreSubmitted")
    assert seen["leg_executions"] >= 4
    assert seen["commission"] > 0
    assert seen["references"] == ["flow-condor"]
    assert seen["cancelled"] == "Cancelled"
    assert seen["positions"] == seen["positions_after_reconnect"] == [-2, -2, 2, 2]
    assert 900_000 < seen["net_liquidation"] < 1_100_000
    assert seen["executions"] == seen["executions_after_reconnect"] >= 5
    assert {"flow-condor", "flow-rest"} <= set(seen["completed"])
    assert seen["daily_bars"] == 5
    assert [code for _, code, _ in seen["errors"]] == [202], seen["errors"]
