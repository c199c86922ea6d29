"""Streams and snapshots: who watches what, and what each client has been told of it."""

from datetime import datetime

from bot.exchange.exchange import Exchange
from bot.gateway.contracts.listed import Listed
from bot.gateway.feed.board import Board, Boards
from bot.gateway.feed.closes import Closes
from bot.gateway.feed.frames import in_pieces
from bot.gateway.feed.generics import GenericTicks, parse
from bot.gateway.feed.hours import DataType, TradingHours
from bot.gateway.feed.lines import Line
from bot.gateway.feed.refusals import (
    DELAYED_SHOWN,
    DUPLICATE,
    INVALID,
    PARTLY,
    UNKNOWN_TICKER,
    lacking,
    text_of,
)
from bot.gateway.feed.settings import FeedSettings, Product, Sink
from bot.gateway.feed.stream import Stream
from bot.gateway.feed.values import Legs, Values
from bot.gateway.protocol.builders import error_message
from bot.gateway.protocol.message import Message


class Watcher:
    """One client's lines."""

    def __init__(self) -> None:
        self.type = DataType.LIVE  # of subscriptions from now on
        self.lines: dict[int, tuple[Line, Stream]] = {}
        self.streams: dict[tuple[bool, bool], Stream] = {}  # frozen, delayed


class Streams:
    """Streams, snapshots and their errors, for any number of clients.

    Args:
        exchange: Whose quotes are shown.
        settings: Who may see what.
    """

    def __init__(self, exchange: Exchange, settings: FeedSettings) -> None:
        self._exchange = exchange
        self._settings = settings
        market = exchange.market
        self.hours = TradingHours(market)
        self.values = Values(market, Closes(market, self.hours))
        self._generics = GenericTicks(market)
        self._boards = Boards()
        self._watchers: dict[Sink, Watcher] = {}
        self._still_until: datetime | None = None
        self._behind_until: datetime | None = None

    # --- requests -----------------------------------------------------------------------------

    def set_type(self, sink: Sink, data_type: int) -> None:
        """Set the market data type of a client's subscriptions from now on."""
        try:
            self._watcher(sink).type = DataType(data_type)
        except ValueError:
            text = f"Error validating request.-'bX' : cause - Invalid market data type {data_type}"
            sink.send(error_message(-1, INVALID, text))

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
        """Start a stream, or give a snapshot; what is refused is answered with an error.

        The first prices of a stream come with the next ``refresh``.

        Args:
            sink: The client.
            req_id: Its number for the request.
            listed: What it wants to see.
            generic_ticks: Comma separated numbers.
            snapshot: Whether one look is enough.
            at: Now.
            legs: Of a package, with signed ratios.
        """
        watcher = self._watcher(sink)
        if req_id in watcher.lines:
            sink.send(error_message(req_id, DUPLICATE, "Duplicate ticker id"))
            return
        try:
            generics = parse(generic_ticks)
        except ValueError as unknown:
            text = f"Incorrect generic tick list of {unknown}."
            full = f"Error validating request.-'bW' : cause - {text}"
            sink.send(error_message(req_id, INVALID, full))
            return
        line = Line(req_id=req_id, listed=listed, legs=legs, generics=generics)
        is_delayed = self._is_delayed(sink, line, watcher.type)
        if is_delayed is None:
            return
        key = (watcher.type in (DataType.FROZEN, DataType.DELAYED_FROZEN), is_delayed)
        if snapshot:
            stream = self._stream()
            stream.add(line)
            self._refresh(sink, {key: stream}, at)
            sink.send(Message("tickSnapshotEnd", {"reqId": req_id}))
            return
        stream = watcher.streams.setdefault(key, self._stream())
        stream.add(line)
        watcher.lines[req_id] = (line, stream)

    def unsubscribe(self, sink: Sink, req_id: int) -> None:
        """End a stream; an unknown one is error 300."""
        line, stream = self._watcher(sink).lines.pop(req_id, (None, None))
        if line is None or stream is None:
            text = f"Can't find EId with tickerId:{req_id}"
            sink.send(error_message(req_id, UNKNOWN_TICKER, text))
            return
        stream.remove(line)

    def drop(self, sink: Sink) -> None:
        """Forget a client."""
        self._watchers.pop(sink, None)

    def request_ids(self, sink: Sink) -> tuple[int, ...]:
        """Return the numbers of a client's streams."""
        watcher = self._watchers.get(sink)
        return () if watcher is None else tuple(watcher.lines)

    def lines(self, sink: Sink | None = None) -> int:
        """Return how many lines a client uses, or all of them."""
        if sink is not None:
            watcher = self._watchers.get(sink)
            return len(watcher.lines) if watcher is not None else 0
        return sum(len(watcher.lines) for watcher in self._watchers.values())

    # --- time ---------------------------------------------------------------------------------

    def refresh(self, at: datetime, sink: Sink | None = None) -> None:
        """Tell a client, or all, what has changed; cheap where nothing has.

        Args:
            at: Now; the exchange must have reached it.
            sink: The client; None = everybody.
        """
        if self.is_still(at):
            return
        for each in tuple(self._watchers) if sink is None else (sink,):
            if each in self._watchers:
                self._refresh(each, self._watchers[each].streams, at)

    def is_still(self, at: datetime) -> bool:
        """Return whether nothing new is sent at an instant."""
        return self._still_until is not None and at < self._still_until

    def stand_still(self, until: datetime) -> None:
        """Send nothing new before an instant: a farm is down, or another session has the data."""
        self._still_until = until

    def fall_behind(self, until: datetime) -> None:
        """Show everything late, as delayed data, before an instant."""
        self._behind_until = until

    def _refresh(self, sink: Sink, streams: dict[tuple[bool, bool], Stream], at: datetime) -> None:
        at = at.replace(
            microsecond=0
        )  # a look a second: a wall clock has another time each request
        is_behind = self._behind_until is not None and at < self._behind_until
        for (frozen, delayed), stream in streams.items():
            shown = self.hours.shown(at, frozen=frozen, delayed=delayed or is_behind)
            if not stream.is_due(shown):
                continue
            board: Board | None = None
            if shown.at is not None and stream.needs_board():
                board = self._boards.of(self._exchange.quotes_at(shown.at))
            for piece in in_pieces(stream.refresh(shown, board, at)):
                sink.send_frames(piece)

    # --- permissions --------------------------------------------------------------------------

    def _is_delayed(self, sink: Sink, line: Line, wanted: DataType) -> bool | None:
        """Return whether a line shows old quotes; None if it shows nothing, which is said."""
        shown = [leg for leg, _ in line.legs] or [line.listed]
        lacks = [(each, product) for each in shown if (product := lacking(each, self._settings))]
        if not lacks:
            if line.is_option and Product.INDICES not in self._settings.permissions:
                line.wants_greeks = False
                text = text_of(PARTLY, line.listed, Product.INDICES)
                sink.send(error_message(line.req_id, PARTLY, text))
            return False
        refused, product = lacks[0]
        is_delayed = wanted in (DataType.DELAYED, DataType.DELAYED_FROZEN)
        code = DELAYED_SHOWN if is_delayed else self._settings.refusal
        sink.send(error_message(line.req_id, code, text_of(code, refused, product)))
        return True if is_delayed else None

    def _watcher(self, sink: Sink) -> Watcher:
        return self._watchers.setdefault(sink, Watcher())

    def _stream(self) -> Stream:
        return Stream(self.values, self._generics, greeks=self._settings.greeks)
