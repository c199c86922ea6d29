"""Readers that are slow, and gateways that run by themselves."""

import asyncio
import socket
from datetime import timedelta

from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.faults import FaultKind
from bot.gateway.protocol.codec import encode_request
from bot.gateway.protocol.frames import FrameReader, Greeting, frame
from bot.gateway.protocol.message import Message
from strategies.model.instruments import parse_symbol
from tests.bot.gateway.running import limited, running_gateway, settle
from tests.builders import AT
from tests.ib_client import LimitOrder, Option

CHAIN = {"symbol": "SPX", "secType": "OPT", "tradingClass": "SPXW"}
PUT = Option("SPX", "20200320", 3200, "P", "SMART", tradingClass="SPXW", currency="USD")


def asked(kind: str, **values: object) -> bytes:
    return frame(encode_request(Message(kind, values), 178))


async def narrow_socket(port: int) -> socket.socket:
    """Return a socket with small buffers that has connected."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(peer, ("127.0.0.1", port))
    await loop.sock_sendall(peer, Greeting(157, 178).to_bytes())
    await loop.sock_sendall(peer, asked("startApi", clientId=1))
    return peer


async def test_a_reader_that_stops_is_not_listened_to_and_loses_nothing():
    async with running_gateway() as running:
        loop = asyncio.get_running_loop()
        peer = await narrow_socket(running.port)
        for req_id in range(20):
            await loop.sock_sendall(peer, asked("reqContractDetails", reqId=req_id, **CHAIN))
        await settle()
        await asyncio.sleep(0.2)
        [link] = running.gateway._server.links()
        one_answer = 2_200_000
        assert link.waiting_bytes < (1 << 20) + one_answer + (1 << 17)
        reader, ends = FrameReader(), 0
        while ends < 20:
            data = await asyncio.wait_for(loop.sock_recv(peer, 1 << 20), 5)
            payloads = reader.feed(data)
            ends += sum(payload.startswith(b"52\0") for payload in payloads)
        assert link.waiting_bytes == 0
        peer.close()
        await settle()


async def test_what_waits_is_sent_before_a_link_is_closed():
    async with running_gateway() as running:
        loop = asyncio.get_running_loop()
        peer = await narrow_socket(running.port)
        await loop.sock_sendall(peer, asked("reqContractDetails", reqId=1, **CHAIN))
        await settle()
        await loop.sock_sendall(peer, b"\xff\xff\xff\xff")
        received = b""
        while data := await asyncio.wait_for(loop.sock_recv(peer, 1 << 20), 5):
            received += data
        assert b"52\x001\x001\x00" in received
        assert b"507" in received[-100:]
        peer.close()
        await settle()


async def test_who_does_not_take_its_farewell_is_let_go():
    async with running_gateway(settings=limited(half_frame_s=0.1)) as running:
        loop = asyncio.get_running_loop()
        peer = await narrow_socket(running.port)
        for req_id in range(5):
            await loop.sock_sendall(peer, asked("reqContractDetails", reqId=req_id, **CHAIN))
        await loop.sock_sendall(peer, b"\xff\xff\xff\xff")
        await asyncio.sleep(0.4)
        assert running.gateway.clients == ()
        peer.close()
        await settle()


async def test_a_gateway_that_runs_alone_looks_at_the_clock_by_itself():
    async with running_gateway(settings=limited(pump_every_s=0.02)) as running:
        ib = await running.connect(1)
        await ib.qualifyContractsAsync(PUT)
        trade = ib.placeOrder(PUT, LimitOrder("BUY", 1, 100.0, tif="DAY"))
        ticker = ib.reqMktData(PUT)
        await ib.reqCurrentTimeAsync()
        running.clock.move_to(AT + timedelta(seconds=60))
        put = parse_symbol("SPXW  200320P03200000")
        bid = running.exchange.market.quote(put, running.clock.now()).bid
        async with asyncio.timeout(5):
            while not trade.fills or ticker.bid != bid:  # noqa: ASYNC110 nothing says when
                await asyncio.sleep(0.01)
        assert trade.orderStatus.status == "Filled"


async def test_what_is_due_later_waits_for_the_clock_not_for_the_loop():
    entry = PlannedFault(
        kind=FaultKind.CALLBACK_DELAYED,
        matching={"message_kind": "currentTime"},
        details={"seconds": 0.05},
    )
    async with running_gateway(faults=FaultPlan([entry])) as running:
        ib = await running.connect(1)
        asking = asyncio.ensure_future(ib.reqCurrentTimeAsync())
        await asyncio.sleep(0.15)
        assert not asking.done()
        running.clock.move_to(AT + timedelta(seconds=0.05))
        assert await asyncio.wait_for(asking, 1)
