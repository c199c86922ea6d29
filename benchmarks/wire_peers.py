"""The far ends that ``benchmarks.wire`` connects to, each in a process of its own.

``python -m benchmarks.wire_peers gateway|racing|slow|bare`` prints the port it listens on.
``gateway`` is the simulated gateway on a replayed session whose clock runs with the wall's;
``racing`` is the same with a market that changes as soon as the client has taken what was sent,
from one to the next of a few instants that are worked out beforehand; ``slow`` is a gateway that
streams by itself, behind a relay that keeps every answer for ``--answer-after`` seconds, and its
clock stood at ``--at`` at the Unix time ``--began``; ``bare`` answers connecting, placing and
cancelling with canned frames and knows nothing of what they say.
"""

import argparse
import asyncio
import struct
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from time import time as unix_time  # noqa: TID251 a clock that two processes share

from bot.calendars.build import build_calendar
from bot.exchange.exchange import Exchange
from bot.exchange.replay import ReplayMarket
from bot.gateway import words
from bot.gateway.feed.settings import FeedSettings
from bot.gateway.gateway import Gateway
from bot.gateway.protocol.builders import (
    error_message,
    open_order_message,
    order_status_message,
)
from bot.gateway.protocol.codec import encode_reply
from bot.gateway.protocol.message import Message
from bot.gateway.settings import GatewaySettings
from bot.history.store import History
from strategies.model.calendars import EXCHANGE_ZONE, at_exchange
from strategies.model.instruments import Instrument, OptionContract
from strategies.model.quotes import Quote
from strategies.model.snapshots import MarketQuotes
from tests.bot.gateway.slow_relay import SlowRelay

SESSION = date(2020, 3, 3)
OPENS = at_exchange(SESSION, time(10)).astimezone(UTC)
CLOSES = at_exchange(SESSION, time(15, 55)).astimezone(UTC)
GRID = timedelta(seconds=10)
ACCOUNT = "DU1000001"
ROUND, ROUND_STEP = 8, timedelta(minutes=15)
UNREAD_BYTES = 64 * 1024
VERSION = 176


class RunningClock:
    """Time that runs with the wall's from an instant of a session."""

    def __init__(self, at: datetime = OPENS, began: float | None = None) -> None:
        """Let time stand at ``at`` at the Unix time ``began``: now, unless given."""
        self._at = at
        self._began = unix_time() if began is None else began

    def now(self) -> datetime:
        """Return the instant."""
        return self._at + timedelta(seconds=unix_time() - self._began)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class SteppedClock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self._at = OPENS

    def now(self) -> datetime:
        """Return the instant."""
        return self._at

    def step(self) -> None:
        """Move on by one grid instant; at the end of the session begin it again."""
        self._at += GRID

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self._at >= CLOSES

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class RoundMarket(ReplayMarket):
    """A session that shows the same few instants again and again, worked out beforehand."""

    def quotes_at(self, at: datetime, extra: Collection[OptionContract] = ()) -> MarketQuotes:
        """Return the quotes of the instant that stands for ``at``."""
        shown = self._shown(at)
        if shown not in self.kept:
            self.kept[shown] = super().quotes_at(shown, extra)
        return self.kept[shown]

    def quote(self, instrument: Instrument, at: datetime) -> Quote | None:
        """Return one quote of the instant that stands for ``at``."""
        return super().quote(instrument, self._shown(at))

    def index_at(self, name: str, at: datetime) -> float:
        """Return an index at the instant that stands for ``at``."""
        return super().index_at(name, self._shown(at))

    def _shown(self, at: datetime) -> datetime:
        return OPENS + ROUND_STEP * (((at - OPENS) // GRID) % ROUND)

    @cached_property
    def kept(self) -> dict[datetime, MarketQuotes]:
        """What has been worked out."""
        return {}


def exchange(kind: type[ReplayMarket] = ReplayMarket, session: date = SESSION) -> Exchange:
    """Return an exchange over one session."""
    calendar = build_calendar(date(2017, 1, 1), date(2021, 12, 31))
    market = kind(History.bundled(), calendar, first=session, last=session, seed=3)
    return Exchange(market, account_id=ACCOUNT, starting_cash_usd=Decimal(1_000_000), seed=1)


def gateway(clock: RunningClock | SteppedClock, kind: type[ReplayMarket] = ReplayMarket) -> Gateway:
    """Return a gateway without limits."""
    place = exchange(kind)
    settings = GatewaySettings(
        feed=FeedSettings(greeks=False),
        messages_per_second=None,
        market_data_lines=None,
        historical_per_ten_minutes=None,
    )
    return Gateway(place, place.market.calendar, clock, settings)


async def serve_gateway() -> None:
    """Serve until killed."""
    print(await gateway(RunningClock()).start(0), flush=True)
    await asyncio.Event().wait()


async def serve_racing() -> None:
    """Serve a market that moves as fast as its client reads, to the end of its session."""
    clock = SteppedClock()
    served = gateway(clock, RoundMarket)
    print(await served.start(0), flush=True)
    while True:
        links = list(served._server.links())  # noqa: SLF001 what waits is nobody else's business
        if not links or served.parts.feed.lines() == 0:
            await asyncio.sleep(0.01)
        elif any(link.waiting_bytes > UNREAD_BYTES for link in links):
            await asyncio.sleep(0.001)
        else:
            if not clock.is_over:
                clock.step()
                served.pump(clock.now())
            await asyncio.sleep(0)


async def serve_slow(at: datetime, began: float, answer_after_s: float) -> None:
    """Serve until killed."""
    place = exchange(session=at.astimezone(EXCHANGE_ZONE).date())
    settings = GatewaySettings(
        feed=FeedSettings(greeks=False),
        messages_per_second=None,
        market_data_lines=None,
        pump_every_s=0.25,
    )
    served = Gateway(place, place.market.calendar, RunningClock(at, began), settings)
    async with SlowRelay(await served.start(0), to_client_s=answer_after_s) as relay:
        print(relay.port, flush=True)
        await asyncio.Event().wait()


# --- the bare peer -----------------------------------------------------------------------------


def framed(payload: bytes) -> bytes:
    """Return a frame around a payload."""
    return struct.pack(">I", len(payload)) + payload


class Bare(asyncio.Protocol):
    """Answers what a client of ib_insync says while it connects and trades, without a thought."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answers: dict[bytes, Callable[[list[bytes]], bytes]] = {
            b"71": lambda _: _ready(),
            b"61": lambda _: framed(b"62\x001\x00"),
            b"5": lambda _: framed(b"53\x001\x00"),
            b"99": lambda _: framed(b"102\x00"),
            b"6": lambda _: framed(b"54\x001\x00" + ACCOUNT.encode() + b"\x00"),
            b"76": lambda fields: framed(b"74\x001\x00" + fields[2] + b"\x00"),
            b"7": lambda fields: framed(b"55\x001\x00" + fields[2] + b"\x00"),
            b"49": lambda _: framed(b"49\x001\x001583247600\x00"),
            b"3": lambda fields: PLACED.replace(MARK, fields[1]).of(),
            b"4": lambda fields: CANCELLED.replace(MARK, fields[2]).of(),
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every frame that is complete."""
        self._buffer += data
        if self._buffer.startswith(b"API\0"):
            self._buffer = self._buffer[4:]
            length = struct.unpack_from(">I", self._buffer)[0]
            self._buffer = self._buffer[4 + length :]
            self._transport.write(framed(b"176\x0020200303 10:00:00 US/Eastern\x00"))
        while len(self._buffer) > 4:
            end = 4 + struct.unpack_from(">I", self._buffer)[0]
            if len(self._buffer) < end:
                return
            fields = self._buffer[4:end].split(b"\0")
            self._buffer = self._buffer[end:]
            answer = self._answers.get(fields[0])
            if answer is not None:
                self._transport.write(answer(fields))


class Canned:
    """Frames whose order id is filled in."""

    def __init__(self, payloads: list[bytes]) -> None:
        self._payloads = payloads

    def replace(self, mark: bytes, order_id: bytes) -> "Canned":
        """Return the frames of one order."""
        return Canned([each.replace(mark, order_id) for each in self._payloads])

    def of(self) -> bytes:
        """Return the bytes."""
        return b"".join(framed(each) for each in self._payloads)


MARK = b"987654321"


def _ready() -> bytes:
    accounts = framed(b"15\x001\x00" + ACCOUNT.encode() + b"\x00")
    return accounts + framed(b"9\x001\x001\x00")


def _canned() -> tuple[Canned, Canned]:
    """Return what a gateway says of an order that rests, and of its cancelling."""
    contract = words.Contract(con_id=1, symbol="SPX", sec_type="OPT", exchange="SMART")
    order = words.Order(
        action="BUY",
        total_quantity=Decimal(1),
        order_type="LMT",
        limit_price=Decimal("0.05"),
        account=ACCOUNT,
    )

    def opened(status: str) -> Message:
        state = words.OrderState(status=status)
        return open_order_message(int(MARK), 7, 12345, contract, order, state)

    def told(status: str) -> Message:
        return order_status_message(
            order_id=int(MARK),
            status=status,
            filled=Decimal(0),
            remaining=Decimal(1),
            perm_id=12345,
            client_id=7,
        )

    placed = [
        opened("PreSubmitted"),
        told("PreSubmitted"),
        opened("Submitted"),
        told("Submitted"),
    ]
    cancelled = [told("Cancelled"), error_message(int(MARK), 202, "Order Canceled - reason:")]
    return tuple(  # type: ignore[return-value]
        Canned([encode_reply(each, VERSION) for each in messages])
        for messages in (placed, cancelled)
    )


PLACED, CANCELLED = _canned()


async def serve_bare() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=("gateway", "racing", "slow", "bare"))
    parser.add_argument("--at", type=datetime.fromisoformat, default=OPENS)
    parser.add_argument("--began", type=float, default=unix_time())
    parser.add_argument("--answer-after", type=float, default=0.05)
    arguments = parser.parse_args()
    match arguments.peer:
        case "gateway":
            served = serve_gateway()
        case "racing":
            served = serve_racing()
        case "slow":
            served = serve_slow(arguments.at, arguments.began, arguments.answer_after)
        case _:
            served = serve_bare()
    asyncio.run(served)


if __name__ == "__main__":
    main()
