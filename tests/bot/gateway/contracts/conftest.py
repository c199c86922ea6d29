"""A replay of June 2025, its contract book, and ib_insync's own reading of what is sent."""

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import pytest

from bot.calendars.build import build_calendar
from bot.exchange.replay import ReplayMarket
from bot.gateway import words
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.listed import Listed
from bot.gateway.protocol.codec import encode_reply
from bot.gateway.protocol.message import Message
from bot.history.store import History
from strategies.model.calendars import at_exchange
from tests.ib_client import ContractDetails, Decoder, Wrapper

FIRST, LAST = date(2025, 6, 2), date(2025, 6, 30)
VERSION = 176


class Reading(Wrapper):
    """Keeps what ib_insync's decoder makes of a message."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def contractDetails(self, _reqId: int, contractDetails: ContractDetails) -> None:  # noqa: N803 the library's names
        self.heard.append(contractDetails)


@pytest.fixture(scope="session")
def june_2025() -> ReplayMarket:
    calendar = build_calendar(date(2013, 1, 1), date(2028, 12, 31))
    return ReplayMarket(History.bundled(), calendar, first=FIRST, last=LAST, seed=7)


@pytest.fixture
def book(june_2025) -> ContractBook:
    return ContractBook(june_2025)


@pytest.fixture(scope="session")
def noon() -> datetime:
    """Tuesday the third, in session hours."""
    return at_exchange(date(2025, 6, 3), time(12))


@pytest.fixture
def names(book, noon) -> Callable[..., list[str]]:
    """Resolve a description and return local symbols."""

    def find(at: datetime = noon, **fields: Any) -> list[str]:
        found = book.find(words.Contract(**fields), at)
        return [listed.contract.local_symbol for listed in found]

    return find


@pytest.fixture
def as_read(book) -> Callable[[Listed, datetime], ContractDetails]:
    """Send details and return them as ib_insync reads them."""

    def read(listed: Listed, at: datetime) -> ContractDetails:
        reading = Reading()
        message = Message("contractDetails", {"reqId": 1, **book.details(listed, at)})
        payload = encode_reply(message, VERSION).decode()
        Decoder(reading, VERSION).interpret(payload.split("\0")[:-1])
        return reading.heard[0]

    return read
