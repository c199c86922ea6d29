"""The market data of a gateway: every request about it, answered or refused in IB's words."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from bot.exchange.exchange import Exchange
from bot.gateway import words
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.errors import ContractRefused, NoDefinition
from bot.gateway.contracts.listed import Listed
from bot.gateway.feed.refusals import INVALID
from bot.gateway.feed.settings import FeedSettings, Sink
from bot.gateway.feed.streams import Streams
from bot.gateway.feed.values import Legs
from bot.gateway.protocol.builders import contract_of, error_message
from bot.gateway.protocol.message import Message

_PACKAGE_TICK: Final = Decimal("0.05")
_NO_REGULATORY: Final = (
    "Error validating request.-'bW' : cause - Regulatory snapshots are not subscribed to"
)
_Handler = Callable[[Sink, Mapping[str, Any], datetime], None]


class MarketDataFeed:
    """Market data of one exchange for any number of clients.

    ``handle`` takes the requests named by ``kinds``; ``refresh`` sends what has changed since.

    Args:
        exchange: Whose quotes are shown; whoever calls has brought it to the instant given.
        contracts: Finds what requests describe.
        settings: Who may see what.
    """

    def __init__(self, exchange: Exchange, contracts: ContractBook, settings: FeedSettings) -> None:
        self._contracts = contracts
        self._streams = Streams(exchange, settings)
        self._handlers: dict[str, _Handler] = {
            "reqMktData": self._market_data,
            "cancelMktData": self._cancel_market_data,
            "reqMarketDataType": self._market_data_type,
        }

    @property
    def kinds(self) -> frozenset[str]:
        """The requests that are answered here."""
        return frozenset(self._handlers)

    def handle(self, sink: Sink, message: Message, at: datetime) -> None:
        """Carry out a request of a client; what is wrong with it is said to the client."""
        values = message.values
        try:
            self._handlers[message.kind](sink, values, at)
        except ContractRefused as refused:
            sink.send(error_message(values["reqId"], refused.code, refused.text))

    def subscribe(
        self,
        sink: Sink,
        req_id: int,
        listed: Listed,
        generic_ticks: str,
        snapshot: bool,
        at: datetime,
        *,
        legs: Legs = (),
    ) -> None:
        """Start a stream, or give a snapshot; see ``Streams.subscribe``."""
        self._streams.subscribe(sink, req_id, listed, generic_ticks, snapshot, at, legs=legs)

    def unsubscribe(self, sink: Sink, req_id: int) -> None:
        """End a stream; an unknown one is error 300."""
        self._streams.unsubscribe(sink, req_id)

    def drop(self, sink: Sink) -> None:
        """Forget a client."""
        self._streams.drop(sink)

    def lines(self, sink: Sink | None = None) -> int:
        """Return how many market data lines a client uses, or all clients together."""
        return self._streams.lines(sink)

    def refresh(self, at: datetime, sink: Sink | None = None) -> None:
        """Tell a client, or everybody, what has changed; cheap where nothing has."""
        self._streams.refresh(at, sink)

    def stand_still(self, until: datetime) -> None:
        """Send nothing new before an instant: a farm is down, or another session has the data."""
        self._streams.stand_still(until)

    def fall_behind(self, until: datetime) -> None:
        """Show everything late, as delayed data, before an instant."""
        self._streams.fall_behind(until)

    # --- requests -----------------------------------------------------------------------------

    def _market_data(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
        req_id = values["reqId"]
        if values["regulatorySnapshot"]:
            sink.send(error_message(req_id, INVALID, _NO_REGULATORY))
            return
        listed, legs = self._found(contract_of(values), at)
        self._streams.subscribe(
            sink, req_id, listed, values["genericTickList"], values["snapshot"], at, legs=legs
        )

    def _cancel_market_data(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
        del at
        self._streams.unsubscribe(sink, values["reqId"])

    def _market_data_type(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
        del at
        self._streams.set_type(sink, values["marketDataType"])

    def _found(self, contract: words.Contract, at: datetime) -> tuple[Listed, Legs]:
        """Return what a request describes, with the legs of a package.

        Raises: ContractRefused.
        """
        if contract.sec_type != "BAG":
            return self._contracts.one(contract, at), ()
        legs = []
        for leg in contract.combo_legs:
            listed = self._contracts.by_con_id(leg.con_id)
            if listed is None or leg.ratio < 1:
                raise NoDefinition
            legs.append((listed, leg.ratio if leg.action == "BUY" else -leg.ratio))
        if not legs:
            raise NoDefinition
        return Listed(con_id=0, contract=contract, min_tick=_PACKAGE_TICK), tuple(legs)
