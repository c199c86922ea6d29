"""What an operator can do to a running gateway."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator

import pytest

from bot.gateway.console import Console, ControlSocket, ask
from bot.gateway.fault_plan import FaultPlan
from tests.bot.gateway.running import Running, running_gateway, settle
from tests.ib_client import LimitOrder, Option


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with running_gateway(faults=FaultPlan()) as running:
        yield running


@pytest.fixture
def console(running) -> Console:
    return Console(running.gateway, running.clock, running.gateway.parts.faults)


class TestOrders:
    async def test_an_order_by_hand_is_client_0_s(self, running, console):
        zero = await running.connect(0)
        assert console.run("buy 2 SPXW 20MAR20 3200 P @ 1.20") == "order -1"
        await zero.reqCurrentTimeAsync()
        [trade] = zero.openTrades()
        assert (trade.order.orderId, trade.order.lmtPrice) == (-1, 1.2)
        assert trade.contract.localSymbol == "SPXW  200320P03200000"
        assert console.run("orders") == ("0/-1 BUY 2 SPXW  200320P03200000 LMT @ 1.20 Submitted")
        assert console.run("cancel -1") == "asked to cancel"
        await zero.reqCurrentTimeAsync()
        assert trade.orderStatus.status == "Cancelled"
        assert console.run("orders") == "no open orders"

    async def test_without_a_price_it_goes_at_the_market(self, running, console):
        console.run("sell 1 VX 18MAR20")
        await running.pass_time(seconds=30)
        assert console.run("positions") == "-1 VX    200318"

    async def test_what_is_refused_is_said_to_be(self, console):
        said = console.run("sell 5 SPXW 20MAR20 3200 P")
        assert said.startswith("order -1: Rejected by System: uncovered short option")

    async def test_a_client_s_order_can_be_cancelled(self, running, console):
        ib = await running.connect(4)
        put = Option("SPX", "20200320", 3200, "P", "SMART", tradingClass="SPXW", currency="USD")
        await ib.qualifyContractsAsync(put)
        trade = ib.placeOrder(put, LimitOrder("BUY", 1, 1.0, tif="DAY"))
        await ib.reqCurrentTimeAsync()
        console.run(f"cancel 4/{trade.order.orderId}")
        await ib.reqCurrentTimeAsync()
        assert trade.orderStatus.status == "Cancelled"


class TestTheExchange:
    async def test_a_halt_holds_orders_until_it_is_over(self, running, console):
        zero = await running.connect(0)
        console.run("buy 1 SPXW 20MAR20 3200 P @ 100")
        assert console.run("halt") == "halted"
        await running.pass_time(seconds=60)
        [trade] = zero.openTrades()
        assert (trade.orderStatus.status, trade.orderStatus.whyHeld) == ("PreSubmitted", "halted")
        console.run("buy 1 SPXW 20MAR20 3100 P @ 100")
        await running.pass_time(seconds=60)
        assert running.exchange.positions() == {}
        assert console.run("resume") == "resumed"
        await running.pass_time(seconds=60)
        assert set(running.exchange.positions().values()) == {1}
        assert len(running.exchange.positions()) == 2

    async def test_what_is_where(self, running, console):
        assert console.run("clients") == "no clients"
        await running.connect(3)
        assert console.run("clients") == "3"
        status = console.run("status")
        assert f"port {running.port} SIMULATED" in status
        assert "net 1000000.00" in status
        assert console.run("positions") == "no positions"


class TestFaults:
    async def test_one_strikes_at_once(self, running, console):
        ib = await running.connect(1)
        console.run("fault socket_closed client_id=1")
        await settle()
        assert not ib.isConnected()
        assert "socket_closed" in console.run("faults")

    async def test_one_strikes_where_its_particulars_fit(self, running, console):
        zero = await running.connect(0)
        errors = []
        zero.errorEvent += lambda req_id, code, text, contract: errors.append((code, text))
        console.run('fault order_rejected text="no margin today" sec_type=OPT')
        console.run("buy 1 SPXW 20MAR20 3200 P @ 100")
        await zero.reqCurrentTimeAsync()
        assert [code for code, _ in errors] == [201]
        assert "no margin today" in errors[0][1]

    async def test_details_have_types(self, running, console):
        ib = await running.connect(1)
        codes = []
        ib.errorEvent += lambda req_id, code, text, contract: codes.append(code)
        console.run("fault connectivity_lost seconds=2.5 data_kept=no")
        await running.pass_time(seconds=3)
        assert codes == [1100, 1101]

    async def test_without_a_plan_there_are_none(self, running):
        console = Console(running.gateway, running.clock)
        assert "no plan" in console.run("fault socket_closed")
        assert "no plan" in console.run("faults")


class TestMistakes:
    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("fly", "no such command"),
            ("buy", "how many?"),
            ("buy two SPXW 20MAR20 3200 P", "how many?"),
            ("buy 2", "which contract?"),
            ("buy 2 SPXW 20MAR20 3200 X @ 1", "is no contract"),
            ("buy 2 SPXW 99XXX20 3200 P @ 1", "is no contract"),
            ("buy 2 SPXW 21MAR20 3200 P @ 1", "is not listed"),
            ("buy 2 NOPE 20MAR20 3200 P @ 1", "NOPE"),
            ("buy 2 SPXW 20MAR20 3200 P @", "one price"),
            ("buy 2 SPXW 20MAR20 3200 P @ x", "is no price"),
            ("cancel", "which order?"),
            ("cancel x", "invalid literal"),
            ("halt now", "nothing follows"),
            ("fault", "which fault?"),
            ("fault earthquake", "is no fault"),
            ("fault half_open seconds", "write name=value"),
            ("fault half_open seconds=soon", "expected a float"),
            ("fault half_open secnds=3", "seconds"),
            ("cancel -9", "no such order is open"),
            ("buy 1 VX 19MAR20", "is not listed"),
            ("buy 1 SPXW 20MAR20 3203 P", "is not listed"),
            ('buy "2', "No closing quotation"),
        ],
    )
    async def test_they_are_explained_and_do_nothing(self, running, console, line, said):
        assert said in console.run(line)
        assert console.run("orders") == "no open orders"

    async def test_an_empty_line_is_nothing(self, console):
        assert console.run("  ") == ""
        assert "buy|sell" in console.run("help")


class TestTheSocket:
    async def test_commands_come_from_this_user_only(self, running, console, tmp_path):
        path = tmp_path / "control"
        control = ControlSocket(console, path)
        await control.start()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        answer = await asyncio.to_thread(ask, path, "buy 1 SPXW 20MAR20 3200 P @ 1.20")
        assert answer == "order -1"
        assert "SPXW" in await asyncio.to_thread(ask, path, "orders")
        await control.stop()
        with pytest.raises(OSError, match="No such file"):
            await asyncio.to_thread(ask, path, "orders")

    async def test_a_socket_left_behind_is_replaced(self, console, tmp_path):
        path = tmp_path / "control"
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(path))
        control = ControlSocket(console, path)
        await control.start()
        assert await asyncio.to_thread(ask, path, "clients") == "no clients"
        await control.stop()

    async def test_a_file_in_its_place_is_nobody_s_to_remove(self, console, tmp_path):
        path = tmp_path / "notes.txt"
        path.write_text("precious")
        control = ControlSocket(console, path)
        with pytest.raises(FileExistsError):
            await control.start()
        await control.stop()
        assert path.read_text() == "precious"

    async def test_a_line_without_an_end_harms_nobody(self, console, tmp_path):
        path = tmp_path / "control"
        control = ControlSocket(console, path)
        await control.start()
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(b"x" * 100_000)
        await writer.drain()
        await settle()
        writer.close()
        assert await asyncio.to_thread(ask, path, "clients") == "no clients"
        await control.stop()
