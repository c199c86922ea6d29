"""A gateway that says what another one said: a transcript, served to a client.

Each request is answered with what followed the same kind of request in the transcript, in recorded
order; the ids of requests and orders are those of the client that asks now.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bot.gateway.listening import Listener
from bot.gateway.protocol.builders import error_message
from bot.gateway.protocol.codec import decode_request, encode_reply
from bot.gateway.protocol.errors import ProtocolError
from bot.gateway.protocol.frames import ClientStream, Greeting, frame, negotiate
from bot.gateway.protocol.message import Message
from bot.gateway.transcripts import Record, Transcript

_CHUNK = 64 * 1024
_NOT_RECORDED, _UNREADABLE = 321, 320
_WELCOME_TIME = "20260101 00:00:00 US/Eastern"

_ASKED_BY: Final[Mapping[str, tuple[str, ...]]] = {  # replies that carry no id of a request
    "managedAccounts": ("startApi", "reqManagedAccts"),
    "nextValidId": ("startApi", "reqIds"),
    "currentTime": ("reqCurrentTime",),
    "position": ("reqPositions",),
    "positionEnd": ("reqPositions",),
    "updateAccountValue": ("reqAccountUpdates",),
    "updatePortfolio": ("reqAccountUpdates",),
    "updateAccountTime": ("reqAccountUpdates",),
    "accountDownloadEnd": ("reqAccountUpdates",),
    "openOrderEnd": ("reqOpenOrders", "reqAllOpenOrders"),
    "completedOrder": ("reqCompletedOrders",),
    "completedOrdersEnd": ("reqCompletedOrders",),
    "marketRule": ("reqMarketRule",),
    "familyCodes": ("reqFamilyCodes",),
    "mktDepthExchanges": ("reqMktDepthExchanges",),
    "newsProviders": ("reqNewsProviders",),
    "scannerParameters": ("reqScannerParameters",),
    "receiveFA": ("requestFA",),
}
_OF_AN_ORDER = frozenset({"openOrder", "orderStatus", "orderBound"})
_LISTS_ORDERS = frozenset({"reqOpenOrders", "reqAllOpenOrders", "reqAutoOpenOrders"})
_ACTS_ON_ORDERS = frozenset({"placeOrder", "cancelOrder"})
_ONCE = _ACTS_ON_ORDERS | {"reqGlobalCancel", "exerciseOptions", "startApi"}
_SUBJECT = frozenset(  # by them requests of one kind are told apart
    {
        *("conId", "symbol", "secType", "lastTradeDateOrContractMonth", "strike", "right"),
        *("ruleId", "pattern", "underSymbol", "whatToShow", "barSize", "duration", "orderRef"),
        *("account", "tags", "group", "type", "tickType"),
    }
)


@dataclass(slots=True)
class Exchange:
    """A request of the transcript and what followed from it."""

    request: Record
    replies: list[Record] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The kind of request."""
        assert self.request.message is not None, "only readable requests begin an exchange"
        return self.request.message.kind

    @property
    def values(self) -> Mapping[str, Any]:
        """What was asked."""
        assert self.request.message is not None, "only readable requests begin an exchange"
        return self.request.message.values


def exchanges(records: Sequence[Record]) -> list[Exchange]:
    """Return the requests of a transcript, each with the replies that belong to it.

    A reply belongs to the request whose id it carries; an order's to what last acted on the order;
    one without an id to the last request that asks for its kind; all else to the last request.
    """
    return _Attribution().of(records)


class _Attribution:
    def __init__(self) -> None:
        self._found: list[Exchange] = []
        self._by_request: dict[int, Exchange] = {}
        self._by_order: dict[int, Exchange] = {}
        self._by_execution: dict[str, Exchange] = {}
        self._last: dict[str, Exchange] = {}
        self._listing: Exchange | None = None

    def of(self, records: Sequence[Record]) -> list[Exchange]:
        for entry in records:
            if entry.message is None:
                continue
            if entry.sender == "client":
                self._begin(entry, entry.message)
            elif self._found:
                self._owner(entry.message).replies.append(entry)
        return self._found

    def _begin(self, entry: Record, message: Message) -> None:
        exchange = Exchange(entry)
        self._found.append(exchange)
        self._last[message.kind] = exchange
        if message.kind in _ACTS_ON_ORDERS:
            self._by_order[message.values["orderId"]] = exchange
        elif "reqId" in message.values:
            self._by_request[message.values["reqId"]] = exchange
        if message.kind in _LISTS_ORDERS:
            self._listing = exchange

    def _owner(self, message: Message) -> Exchange:
        kind, values = message.kind, message.values
        owner: Exchange | None = None
        if kind in _OF_AN_ORDER:
            owner = self._listing or self._by_order.get(values["orderId"])
        elif kind == "execDetails":
            owner = self._by_request.get(values["reqId"]) or self._by_order.get(values["orderId"])
            self._by_execution[values["execId"]] = owner or self._found[-1]
        elif kind == "commissionReport":
            owner = self._by_execution.get(values["execId"])
        elif kind == "error":
            number = values["reqId"]
            owner = self._by_request.get(number) or self._by_order.get(number)
        elif kind in _ASKED_BY:
            asked = [self._last[by] for by in _ASKED_BY[kind] if by in self._last]
            owner = max(asked, key=lambda exchange: exchange.request.at, default=None)
            if kind == "openOrderEnd":
                self._listing = None
        elif "reqId" in values:
            owner = self._by_request.get(values["reqId"])
        return owner or self._found[-1]


class Performance:
    """A transcript while it is replayed to one client: what was asked, and whose ids are whose."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._waiting: dict[str, list[Exchange]] = defaultdict(list)
        self._latest: dict[str, Exchange] = {}
        for exchange in exchanges(records):
            self._waiting[exchange.kind].append(exchange)
        self._orders: dict[int, int] = {}
        self._clients: dict[int, int] = {}

    def answer(self, request: Message) -> list[tuple[float, Message]] | None:
        """Return what followed the request when it was recorded, and how long after it.

        A request that may be repeated is answered as the last of its kind when it is asked more
        often than it was recorded. None is returned for one that was not recorded at all.
        """
        exchange = self._take(request)
        if exchange is None:
            return None
        ids = self._ids(exchange, request)
        return [
            (reply.at - exchange.request.at, self._in_ids(reply.message, ids))
            for reply in exchange.replies
            if reply.message is not None
        ]

    def _take(self, request: Message) -> Exchange | None:
        waiting = self._waiting[request.kind]
        if not waiting:
            return None if request.kind in _ONCE else self._latest.get(request.kind)
        best = max(range(len(waiting)), key=lambda at: (_likeness(waiting[at], request), -at))
        self._latest[request.kind] = waiting[best]
        return waiting.pop(best)

    def _ids(self, exchange: Exchange, request: Message) -> dict[int, int]:
        recorded, asked = exchange.values, request.values
        if request.kind == "startApi":
            self._clients[recorded["clientId"]] = asked["clientId"]
        if request.kind in _ACTS_ON_ORDERS:
            self._orders[recorded["orderId"]] = asked["orderId"]
            return {}
        if "reqId" in recorded:
            return {recorded["reqId"]: asked["reqId"]}
        return {}

    def _in_ids(self, message: Message, requests: Mapping[int, int]) -> Message:
        values = dict(message.values)
        if "reqId" in values:
            number = values["reqId"]
            values["reqId"] = requests.get(number, number)
            if message.kind == "error":
                values["reqId"] = requests.get(number, self._orders.get(number, number))
        if message.kind != "nextValidId":
            for name in ("orderId", "parentId"):
                if name in values:
                    values[name] = self._orders.get(values[name], values[name])
        if "clientId" in values:
            values["clientId"] = self._clients.get(values["clientId"], values["clientId"])
        return replace(message, values=values)


class Replayer:
    """Serves a transcript on the loopback interface, from its beginning to each client.

    Attributes:
        unrecorded: The kinds of requests that were asked and are not in the transcript. They are
            answered with an error, never with silence.
    """

    def __init__(self, transcript: Transcript, *, pace: float = 0.0) -> None:
        """Serve ``transcript``.

        Args:
            transcript: What to say.
            pace: How long a reply is held back after its request, in units of the time it took
                when it was recorded; 0 is at once.
        """
        self._transcript = transcript
        self._pace = pace
        self._listener = Listener(self._serve, "replayer")
        self.unrecorded: list[str] = []

    async def start(self, port: int = 0) -> int:
        """Listen, and return the port."""
        return await self._listener.start(port)

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        await self._listener.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = ClientStream()
        version = self._transcript.version
        performance = Performance(self._transcript.records)
        while data := await reader.read(_CHUNK):
            for item in stream.feed(data):
                if isinstance(item, Greeting):
                    version = negotiate(item, highest=version)
                    writer.write(frame(f"{version}\0{_WELCOME_TIME}\0".encode()))
                    continue
                await self._say(self._answers(performance, item, version), writer, version)
            await writer.drain()

    def _answers(
        self, performance: Performance, payload: bytes, version: int
    ) -> list[tuple[float, Message]]:
        try:
            request = decode_request(payload, version)
        except ProtocolError as problem:
            return [(0.0, error_message(-1, _UNREADABLE, str(problem)))]
        answers = performance.answer(request)
        if answers is None:
            self.unrecorded.append(request.kind)
            return [(0.0, _not_recorded(request))]
        return answers

    async def _say(
        self,
        answers: Sequence[tuple[float, Message]],
        writer: asyncio.StreamWriter,
        version: int,
    ) -> None:
        said = 0.0
        for after, message in answers:
            if self._pace and after > said:
                await asyncio.sleep((after - said) * self._pace)
                said = after
            writer.write(frame(encode_reply(message, version)))


def _likeness(exchange: Exchange, request: Message) -> int:
    recorded, asked = exchange.values, request.values
    return sum(recorded.get(name) == asked.get(name) for name in _SUBJECT)


def _not_recorded(request: Message) -> Message:
    number = request.values.get("reqId", request.values.get("orderId", -1))
    return error_message(number, _NOT_RECORDED, f"{request.kind} is not in the transcript")
