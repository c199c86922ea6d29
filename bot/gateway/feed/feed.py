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
from bot.gateway.feed.calculations import answer
from bot.gateway.feed.frames import in_pieces
from bot.gateway.feed.lines import Line
from bot.gateway.feed.refusals import INVALID, UNKNOWN_TICKER, lacking, text_of
from bot.gateway.feed.regular_bars import RegularBars
from bot.gateway.feed.settings import FeedSettings, Sink
from bot.gateway.feed.single_ticks import TYPES, SingleTicks
from bot.gateway.feed.streams import Streams
from bot.gateway.feed.values import Legs
from bot.gateway.protocol.builders import contract_of, error_message
from bot.gateway.protocol.message import Message
from strategies.model.instruments import OptionContract

_PACKAGE_TICK: Final = Decimal("0.05")
_NO_REGULATORY: Final = (
    "Error validating request.-'bW' : cause - Regulatory snapshots are not subscribed to"
)
_BARS_OF: Final = frozenset({"TRADES", "MIDPOINT", "BID", "ASK"})
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
        self._exchange = exchange
        self._settings = settings
        self._streams = Streams(exchange, settings)
        self._bars: dict[Sink, RegularBars] = {}
        self._single_ticks: dict[Sink, SingleTicks] = {}
        self._handlers: dict[str, _Handler] = {
            "reqMktData": self._market_data,
            "cancelMktData": self._cancel_market_data,
            "reqMarketDataType": self._market_data_type,
            "reqRealTimeBars": self._real_time_bars,
            "cancelRealTimeBars": self._cancel_real_time_bars,
            "reqTickByTickData": self._tick_by_tick,
            "cancelTickByTickData": self._cancel_tick_by_tick,
            "calculateImpliedVolatility": self._calculate,
            "cancelCalculateImpliedVolatility": _nothing,
            "calculateOptionPrice": self._calculate,
            "cancelCalculateOptionPrice": _nothing,
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

    def drop(self, sink: Sink) -> None:
        """Forget a client."""
        self._streams.drop(sink)
        self._bars.pop(sink, None)
        self._single_ticks.pop(sink, None)

    def request_ids(self, sink: Sink) -> tuple[int, ...]:
        """Return the numbers of a client's streams."""
        return self._streams.request_ids(sink)

    def lines(self, sink: Sink | None = None) -> int:
        """Return how many market data lines a client uses, or all clients together."""
        return self._streams.lines(sink)

    def refresh(self, at: datetime, sink: Sink | None = None) -> None:
        """Tell a client, or everybody, what has changed; cheap where nothing has.

        Args:
            at: Now; the exchange has reached it.
            sink: The client; None = everybody.
        """
        self._streams.refresh(at, sink)
        if self._streams.is_still(at):
            return
        for watching in (self._bars, self._single_ticks):
            for each in tuple(watching) if sink is None else (sink,):
                if each in watching:
                    for piece in in_pieces(watching[each].refresh(at)):
                        each.send_frames(piece)

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
            sink, req_id, listed, values["genericTicks"], values["snapshot"], at, legs=legs
        )

    def _cancel_market_data(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
        del at
        self._streams.unsubscribe(sink, values["reqId"])

    def _market_data_type(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
        del at
        self._streams.set_type(sink, values["type"])

    def _real_time_bars(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
        line = self._permitted(sink, values, at)
        if line is None:
            return
        what = values["whatToShow"]
        if what not in _BARS_OF:
            text = f"Error validating request.-'bR' : cause - {what} is not a kind of bar"
            sink.send(error_message(line.req_id, INVALID, text))
            return
        watched = self._bars.setdefault(
            sink, RegularBars(self._streams.values, self._streams.hours)
        )
        watched.add(line, what, at)

    def _cancel_real_time_bars(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
        del at
        if sink not in self._bars or not self._bars[sink].remove(values["reqId"]):
            _unknown(sink, values["reqId"])

    def _tick_by_tick(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
        line = self._permitted(sink, values, at)
        if line is None:
            return
        if values["tickType"] not in TYPES:
            text = f"Error validating request.-'cc' : cause - {values['tickType']} is no tick type"
            sink.send(error_message(line.req_id, INVALID, text))
            return
        watched = self._single_ticks.setdefault(
            sink, SingleTicks(self._streams.values, self._streams.hours)
        )
        watched.add(line, values["tickType"])

    def _cancel_tick_by_tick(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
        del at
        if sink not in self._single_ticks or not self._single_ticks[sink].remove(values["reqId"]):
            _unknown(sink, values["reqId"])

    def _calculate(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
        """Answer a what-if; outside session hours with the rate of the last close."""
        listed, _ = self._found(contract_of(values), at)
        shown = self._streams.hours.shown(at, frozen=True, delayed=False)
        if not isinstance(listed.instrument, OptionContract) or shown.at is None:
            text = "Error validating request.-'bV' : cause - Only options have a vol"
            sink.send(error_message(values["reqId"], INVALID, text))
            return
        frame = answer(
            values["reqId"],
            listed,
            at,
            self._exchange.quotes_at(shown.at).rate,
            under=values["underPrice"],
            price=values.get("optionPrice", 0.0),
            vol=values.get("volatility", 0.0),
        )
        for piece in in_pieces([frame]):
            sink.send_frames(piece)

    def _permitted(self, sink: Sink, values: Mapping[str, Any], at: datetime) -> Line | None:
        """Return what a client wants to watch; None if it may not, which it is told.

        Raises: ContractRefused.
        """
        req_id = values["reqId"]
        listed, legs = self._found(contract_of(values), at)
        for each in [leg for leg, _ in legs] or [listed]:
            product = lacking(each, self._settings)
            if product is not None:
                text = text_of(self._settings.refusal, each, product)
                sink.send(error_message(req_id, self._settings.refusal, text))
                return None
        return Line(req_id=req_id, listed=listed, legs=legs)

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


def _nothing(sink: Sink, values: Mapping[str, Any], at: datetime) -> None:
    """Take back a calculation that has been answered long since."""
    del sink, values, at


def _unknown(sink: Sink, req_id: int) -> None:
    text = f"Can't find EId with tickerId:{req_id}"
    sink.send(error_message(req_id, UNKNOWN_TICKER, text))
