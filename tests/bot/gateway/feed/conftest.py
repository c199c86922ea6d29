"""A feed over a replayed market, and a client whose messages a real ib_insync reads."""

import struct
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from bot.calendars.build import build_calendar
from bot.exchange.exchange import Exchange
from bot.exchange.replay import ReplayMarket
from bot.gateway import words
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.listed import Listed
from bot.gateway.feed.feed import MarketDataFeed
from bot.gateway.feed.settings import FeedSettings
from bot.gateway.protocol.builders import contract_values
from bot.gateway.protocol.message import Message
from bot.history.store import History
from tests.ib_client import IB, Contract, Ticker

FIRST, LAST = date(2020, 3, 2), date(2020, 3, 20)


@cache
def replayed() -> ReplayMarket:
    """Three weeks of March 2020."""
    calendar = build_calendar(date(2019, 1, 1), date(2021, 12, 31))
    return ReplayMarket(History.bundled(), calendar, first=FIRST, last=LAST, seed=3)


class Client:
    """Reads what a feed sends with the parser of ib_insync, and keeps the raw frames."""

    def __init__(self) -> None:
        self.ib = IB()
        self.ib.client._serverVersion = 176
        self.ib.client._apiReady = True
        self.ib.client.decoder.serverVersion = 176
        self.frames: list[list[str]] = []
        self.messages: list[Message] = []
        self.pieces: list[int] = []

    def watch(self, req_id: int) -> Ticker:
        """Return the ticker of a request that is about to be made."""
        return self.ib.wrapper.startTicker(req_id, Contract(conId=1 + req_id), "mktData")

    def send(self, message: Message) -> None:
        """Keep a message."""
        self.messages.append(message)

    def send_frames(self, data: bytes) -> None:
        """Read frames."""
        self.pieces.append(len(data))
        start = 0
        while start < len(data):
            (length,) = struct.unpack_from(">I", data, start)
            fields = data[start + 4 : start + 4 + length].decode("ascii").split("\0")
            assert fields.pop() == "", "every field is ended"
            self.frames.append(fields)
            start += 4 + length
        assert start == len(data), "pieces hold whole frames"
        self.ib.client._onSocketHasData(data)

    def errors(self) -> list[tuple[int, int]]:
        """Return (reqId, code) of every error so far."""
        return [
            (each.values["reqId"], each.values["code"])
            for each in self.messages
            if each.kind == "error"
        ]

    def of(self, number: str, req_id: int) -> list[list[str]]:
        """Return the frames of one message id and request."""
        place = {"1": 2, "2": 2, "45": 2, "46": 2, "58": 2, "50": 2, "57": 2}.get(number, 1)
        return [each for each in self.frames if each[0] == number and each[place] == str(req_id)]

    def forget(self) -> None:
        """Forget the frames and pieces so far."""
        self.frames, self.pieces = [], []


def market_data_request(req_id: int, contract: words.Contract, **more: Any) -> Message:
    """Return a request for a stream of a contract."""
    legs = tuple(
        {"conId": leg.con_id, "ratio": leg.ratio, "action": leg.action, "exchange": leg.exchange}
        for leg in contract.combo_legs
    )
    values = {
        "reqId": req_id,
        "comboLegs": legs,
        "genericTicks": "",
        "snapshot": False,
        "regulatorySnapshot": False,
    }
    return Message("reqMktData", dict(contract_values(contract)) | values | more)


class World:
    """A feed with its exchange and contract book."""

    def __init__(self, settings: FeedSettings) -> None:
        self.exchange = Exchange(
            replayed(), account_id="DU1", starting_cash_usd=Decimal(500_000), seed=1
        )
        self.book = ContractBook(replayed())
        self.feed = MarketDataFeed(self.exchange, self.book, settings)

    def index(self, name: str) -> Listed:
        """Return an index."""
        return self.book.index(name)

    def ask(self, client: Client, kind: str, at: datetime, **values: Any) -> None:
        """Hand a request to the feed."""
        self.exchange.advance_to(at)
        self.feed.handle(client, Message(kind, values), at)

    def stream(
        self, client: Client, req_id: int, listed: Listed, at: datetime, generics: str = ""
    ) -> Ticker:
        """Start a stream and return its ticker."""
        ticker = client.watch(req_id)
        request = market_data_request(req_id, listed.contract, genericTicks=generics)
        self.feed.handle(client, request, at)
        return ticker

    def refresh(self, at: datetime) -> None:
        """Let time pass."""
        self.exchange.advance_to(at)
        self.feed.refresh(at)


@pytest.fixture
def client() -> Client:
    """A client."""
    return Client()


@pytest.fixture
def world() -> World:
    """A feed of prices alone, as the embedded gateway has it."""
    return World(FeedSettings(greeks=False))
