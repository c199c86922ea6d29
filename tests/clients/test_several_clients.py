"""Several clients at one gateway: one trades, one of another library watches, client 0 is TWS."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from bot.gateway.console import ask
from tests.ib_client import IB, LimitOrder, MarketOrder, Option

_HERE = Path(__file__).resolve().parent
_PYTHON = _HERE.parents[1] / ".clients/ib_async/bin/python"
_PUT = ("20200320", 3000, "P", "SMART")
_DEADLINE_S = 15


class Watcher:
    """ib_async in a process of its own."""

    def __init__(self, process):
        self._process = process

    async def heard(self):
        line = await asyncio.wait_for(asyncio.to_thread(self._process.stdout.readline), _DEADLINE_S)
        assert line, self._process.wait()
        return json.loads(line)

    async def ask(self, line):
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return await self.heard()


@pytest.fixture
def watcher(gateway_port):
    if not _PYTHON.exists():
        assert os.environ.get("ALVH_CLIENTS") != "required", "make clients"
        pytest.skip(".clients/ib_async/bin/python is not there; make clients")
    with subprocess.Popen(
        [str(_PYTHON), str(_HERE / "flow_watching.py"), str(gateway_port), "2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": ""},
    ) as process:
        yield Watcher(process)
        process.stdin.close()
        process.wait(timeout=10)


@pytest.fixture
async def connect(gateway_port):
    """Connects clients of the library that is installed; they are gone afterwards."""
    connected = []

    async def connect(client_id, within_s=10):
        ib = IB()
        ib.errors = []
        ib.errorEvent += lambda req_id, code, text, contract: ib.errors.append((req_id, code))
        connected.append(ib)
        await ib.connectAsync("127.0.0.1", gateway_port, clientId=client_id, timeout=within_s)
        return ib

    yield connect
    for ib in connected:
        ib.disconnect()


async def until(condition):
    async with asyncio.timeout(_DEADLINE_S):
        while not condition():  # noqa: ASYNC110 looks at what the library keeps
            await asyncio.sleep(0.02)


async def test_each_sees_what_is_its_to_see(connect, watcher, control):
    trader, tws = await connect(1), await connect(0)
    tws.reqAutoOpenOrders(True)
    assert await watcher.heard() == 178
    with pytest.raises((ConnectionError, TimeoutError)):
        await connect(1, within_s=2)
    assert trader.isConnected(), "who came first stays"

    (put,) = await trader.qualifyContractsAsync(Option("SPX", *_PUT, tradingClass="SPXW"))
    rest = trader.placeOrder(put, LimitOrder("BUY", 1, 0.05, tif="DAY", orderRef="rests"))
    await until(lambda: rest.orderStatus.status == "Submitted")
    said = ask(control, "buy 1 SPXW 20MAR20 3000 P @ 0.10")
    manual_id = int(said.removeprefix("order "))
    assert manual_id < 0
    await until(lambda: manual_id in [each.order.orderId for each in tws.openTrades()])
    (manual,) = (each.order for each in tws.openTrades() if each.order.orderId == manual_id)
    assert trader.openTrades() == [rest]
    by_client = {each[0]: each[1:] for each in await watcher.ask("open")}
    assert by_client[1] == [rest.order.orderId, rest.orderStatus.permId, "rests"]
    assert by_client[0][0] == manual_id

    await watcher.ask(f"cancel {rest.order.orderId}")
    await until(lambda: (rest.order.orderId, 202) in trader.errors)
    assert [each[0] for each in await watcher.ask("open")] == [0]

    bought = trader.placeOrder(put, MarketOrder("BUY", 2, tif="DAY"))
    await until(lambda: bought.orderStatus.status == "Filled")
    await until(tws.positions)
    assert await watcher.ask("positions") == {put.localSymbol: 2}
    heard, asked = await watcher.ask("executions")
    assert heard == 0, "executions are news for who placed the order"
    assert asked
    assert {client for client, _ in asked} == {1}
    assert {exec_id for _, exec_id in asked} == {each.execution.execId for each in bought.fills}

    tws.cancelOrder(manual)
    await until(lambda: (manual_id, 202) in tws.errors)
    assert await watcher.ask("open") == []
