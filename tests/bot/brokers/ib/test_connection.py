"""Connecting: what is proven, and what a person is told when it cannot be."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.errors_table import code_of
from bot.brokers.ib.session_settings import IbSettings
from bot.errors import BrokerUnavailable, HaltTrading, WrongAccount
from bot.gateway.fault_plan import PlannedFault
from bot.gateway.faults import FaultKind
from tests.bot.brokers.benches import ManualClock
from tests.bot.brokers.wire_bench import ACCOUNT, WireBench, bytes_to_arrive, run_in_virtual_time
from tests.builders import AT


def session_to(port: int, **changes) -> IbSession:
    settings = {"client_id": 7, "account": ACCOUNT, "connect_s": 0.2, "attempts": 1} | changes
    return IbSession(IbSettings(port=port, **settings), ManualClock(AT))


@asynccontextmanager
async def listening(answer: bytes, *, closes: bool = False):
    """Somebody else's server: says something to whoever connects."""

    async def meet(reader, writer):
        await reader.read(4)
        writer.write(answer)
        if not closes:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.01)


async def test_a_closed_port_is_named_with_the_usual_ones():
    async with listening(b"") as port:
        pass
    with pytest.raises(BrokerUnavailable, match=rf"nothing listens on .*{port}.*4002 or 7497"):
        await session_to(port).connect()


async def test_what_does_not_greet_like_a_gateway_is_called_so():
    async with listening(b"") as port:
        with pytest.raises(BrokerUnavailable, match="does not greet like an IB Gateway"):
            await session_to(port).connect()


async def test_a_connection_closed_at_the_greeting_may_be_an_untrusted_address():
    async with listening(b"", closes=True) as port:
        with pytest.raises(BrokerUnavailable, match="trusted IPs"):
            await session_to(port, connect_s=5).connect()


async def test_a_host_that_is_not_there_is_not_waited_for():
    settings = IbSettings(
        host="host.invalid", port=4002, client_id=1, account=ACCOUNT, connect_s=0.2, attempts=1
    )
    with pytest.raises(BrokerUnavailable, match=r"host\.invalid:4002 cannot be reached"):
        await IbSession(settings, ManualClock(AT)).connect()


@pytest.fixture
async def bench(tmp_path):
    made = WireBench(tmp_path / "journal.jsonl")
    await made.open()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account": "DU7777777"}, r"DU\*+77 is not among those of this login \(DU\*+01\)"),
        ({"account": "U7777777"}, r"is not among those of this login"),
        ({"account": ACCOUNT, "is_live": True}, r"only paper accounts .* is to be live"),
    ],
)
async def test_another_account_is_refused_and_asked_once(bench, changes, words):
    """Fault B17: before anything else is asked."""
    session = session_to(bench.port, **{"attempts": 5} | changes)
    with pytest.raises(WrongAccount, match=words):
        await session.connect()
    await bytes_to_arrive()
    assert bench.gateway.clients == ()
    assert not session.is_connected


async def test_a_live_account_behind_a_paper_connection_is_refused(tmp_path):
    """Fault B17: whatever is configured, nothing is sent to a live account."""
    bench = WireBench(tmp_path / "journal.jsonl", account_id="U1234567")
    await bench.open()
    session = session_to(bench.port, account="U1234567")
    with pytest.raises(WrongAccount, match=r"LIVE account \(U1\*+67\).*Nothing was sent"):
        await session.connect()
    assert bench.exchange.orders() == ()
    await bench.close()


async def test_what_is_known_of_a_connection_can_be_shown(bench):
    session = session_to(bench.port)
    await session.connect()
    await session.fence()
    truth = session.truth()
    assert truth.accounts == (ACCOUNT,)
    assert truth.server_version in (176, 178)
    assert truth.is_paper
    assert truth.farms["usfarm (SIMULATED)"].is_connected
    assert truth.clock_ahead is not None
    assert abs(truth.clock_ahead.total_seconds()) < 1
    session.disconnect()
    await asyncio.sleep(0.01)


async def test_connecting_twice_is_connecting_once(bench):
    await asyncio.gather(bench.broker.connect(), bench.broker.connect())
    assert bench.gateway.clients == (1,)


def test_a_broken_farm_is_remembered_until_it_is_mended(tmp_path):
    async def scenario(bench):
        await bench.clock.sleep(2)
        await bench.session.fence()
        assert not bench.session.truth().farms["usfarm (SIMULATED)"].is_connected
        await bench.clock.sleep(60)
        await bench.session.fence()
        assert bench.session.truth().farms["usfarm (SIMULATED)"].is_connected

    planned = PlannedFault(kind=FaultKind.MARKET_FARM_DOWN, at=AT, details={"seconds": 30})
    run_in_virtual_time(tmp_path, scenario, planned)


@pytest.mark.parametrize("back", [1101, 1102, 2104, 2106, 2158])
def test_a_broken_link_is_mended_by_whatever_proves_it(back):
    """2110: no code of its own says that it is over, and quotes must not stop for ever."""
    session = session_to(4002)
    session.connection_code(code_of(2110, about_order=False), "It will be restored automatically.")
    assert not all(farm.is_connected for farm in session.truth().farms.values())
    session.connection_code(code_of(back, about_order=False), "connection is OK:usfarm")
    assert all(farm.is_connected for farm in session.truth().farms.values())


@pytest.mark.parametrize("fields", [["11", "-1", "7"], ["3", "7", "Filled", "x"], ["5", "7"]])
async def test_a_message_about_orders_that_cannot_be_read_ends_the_session(bench, fields):
    """The library's decoder would only log it, and go on with half a view."""
    await bench.broker.connect()
    bench.session.ib.client.decoder.interpret(fields)
    with pytest.raises(HaltTrading, match="could not be dealt with"):
        await bench.broker.fetch_positions()


@pytest.mark.parametrize("fields", [["9999", "news"], ["90", "x"]])
async def test_a_message_about_something_else_is_only_written_down(bench, fields):
    await bench.broker.connect()
    bench.session.ib.client.decoder.interpret(fields)
    assert await bench.broker.fetch_positions() == {}


async def test_a_time_zone_this_machine_does_not_know_loses_no_fill_silently(bench):
    await bench.broker.connect()
    fields = ["11", "-1", "7", "11", "VIX", "OPT", "20200318", "25", "C", "100", "CBOE", "USD"]
    fields += ["VIX   200318C00025000", "VIX", "a.01", "20200203 10:00:10 Nowhere/Land", ACCOUNT]
    fields += ["CBOE", "BOT", "5", "0.5", "900", "1", "0", "5", "0.5", "ref", "", "", "", "2"]
    fields += [""] * (bench.session.truth().server_version >= 178)  # pendingPriceRevision
    bench.session.ib.client.decoder.interpret(fields)
    with pytest.raises(HaltTrading, match="Nowhere/Land"):
        await bench.broker.fetch_fills(AT)


def test_what_has_arrived_just_now_is_not_waited_for_again(tmp_path):
    async def scenario(bench):
        before = bench.session.traffic().sent
        await bench.broker.fetch_orders()
        await bench.broker.fetch_fills(AT)
        assert bench.session.traffic().sent == before
        await bench.clock.sleep(1)
        await bench.broker.fetch_orders()
        asked = bench.session.traffic().sent
        assert asked > before
        await bench.broker.fetch_fills(AT)
        assert bench.session.traffic().sent == asked

    run_in_virtual_time(tmp_path, scenario)


def test_questions_of_one_instant_share_one_answer(tmp_path):
    async def scenario(bench):
        async def bytes_for(*questions):
            await bench.clock.sleep(1)
            before = bench.session.traffic().sent
            await asyncio.gather(*questions)
            return bench.session.traffic().sent - before

        broker = bench.broker
        for_account = await bytes_for(broker.fetch_account())
        for_fence = await bytes_for(broker.fetch_orders())
        assert for_account > 0 < for_fence
        assert await bytes_for(broker.fetch_orders(), broker.fetch_fills(AT)) == for_fence
        questions = broker.fetch_account(), broker.fetch_orders(), broker.fetch_fills(AT)
        assert await bytes_for(*questions) == for_account

    run_in_virtual_time(tmp_path, scenario)


def test_an_answer_that_stays_out_proves_nothing(tmp_path):
    async def scenario(bench):
        async def silence(ib):
            raise BrokerUnavailable("no answer")

        await bench.clock.sleep(1)
        before = bench.session.traffic().sent
        failed, arrived = await asyncio.gather(
            bench.session.fetch("nothing", silence), bench.session.arrive(), return_exceptions=True
        )
        assert isinstance(failed, BrokerUnavailable)
        assert arrived is None
        assert bench.session.traffic().sent > before

    run_in_virtual_time(tmp_path, scenario)
