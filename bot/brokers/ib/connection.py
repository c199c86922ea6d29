"""One connection to an IB Gateway: proven, synchronised, and honest about its state.

Connected means more than a socket: the account is the one that was asked for, and positions, open
orders, completed orders, account values and executions have each answered to the end. Whatever
ends the connection, the next question opens a new one with a new client, so that nothing the
library remembers outlives it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from bot.brokers.ib.account_proof import prove_account
from bot.brokers.ib.errors_table import Code, Reaction, Scope, code_of
from bot.brokers.ib.journal import EventLog, NoLog
from bot.brokers.ib.library import (
    IB,
    LIBRARY_NAME,
    LIBRARY_VERSION,
    RequestError,
    new_client,
)
from bot.brokers.ib.login import Stage, explain, log_in
from bot.brokers.ib.session_settings import IbSettings
from bot.brokers.ib.shim import OrderEvents, install
from bot.brokers.ib.truth import ConnectionTruth, Farm, SocketTraffic
from bot.errors import BrokerUnavailable, HaltTrading
from bot.ports import Clock

log = structlog.get_logger(__name__)

T = TypeVar("T")
Resubscribe = Callable[[], Awaitable[None]]
RequestListener = Callable[[int, Code, str], None]
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 8.0


class IbSession:
    """A connection that is made, proven and kept.

    Args:
        settings: Where to, and how patiently.
        clock: To compare the gateway's with.
        log: Where events go before anybody acts on them.
        orders: Who keeps book of orders; None on a connection for data.
    """

    def __init__(
        self,
        settings: IbSettings,
        clock: Clock,
        *,
        log: EventLog | None = None,
        orders: OrderEvents | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._log = log or NoLog()
        self._orders = orders
        self._ib: IB | None = None
        self._stage = Stage.CLOSED
        self._last_code: tuple[Code, str] | None = None
        self._is_frozen = False
        self._frozen_at = 0.0  # when 1100 was heard last, by the event loop's clock
        self._slow_until = float("-inf")  # by the same
        self._must_synchronise = False
        self._must_resubscribe = False
        self._failure: BaseException | None = None
        self._farms: dict[str, Farm] = {}
        self._data_types: set[int] = set()
        self._clock_ahead: timedelta | None = None
        self._accounts: tuple[str, ...] = ()
        self._server_version = 0
        self._highest_id = 0
        self._arrived_at: float | None = None  # by the event loop's clock
        self._told_at = float("-inf")  # when everything was told to the end, by the same
        self._told_on = datetime.min.replace(tzinfo=UTC)  # the same by the bot's clock
        self._resubscribers: list[Resubscribe] = []
        self._request_listeners: list[RequestListener] = []
        self._connecting = asyncio.Lock()
        self._turn = asyncio.Lock()  # the library has one slot for each kind of list and the time

    # --- for those who use the connection -----------------------------------------------------

    @property
    def ib(self) -> IB:
        """The library's client of the present connection; another one after the next."""
        assert self._ib is not None, "connect first"
        return self._ib

    @property
    def is_connected(self) -> bool:
        """Whether the socket stands and everything that is asked at the start has answered."""
        return self._stage is Stage.READY and self._ib is not None and self._ib.isConnected()

    @property
    def is_whole(self) -> bool:
        """Whether it is connected and nothing is known to be lacking of what it has been told."""
        is_behind = self._must_synchronise or self._must_resubscribe
        return self.is_connected and not (is_behind or self._is_frozen or self._failure is not None)

    @property
    def is_frozen(self) -> bool:
        """Whether the gateway has lost IB, so that nothing may be sent."""
        return self._is_frozen

    @property
    def is_slowed(self) -> bool:
        """Whether IB has said just now that we send too many messages (fault B10)."""
        return self._now() < self._slow_until

    @property
    def view_age_s(self) -> float:
        """How long ago orders, executions, positions and account were told to the end.

        By the event loop's clock or by the bot's, whichever says longer: a machine that was asleep
        may have stopped the one, and the other may have been set.
        """
        by_clock = (self._clock.now() - self._told_on).total_seconds()
        return max(self._now() - self._told_at, by_clock)

    def on_resubscribe(self, callback: Resubscribe) -> None:
        """Call ``callback`` after each new connection, and when IB has lost subscriptions."""
        self._resubscribers.append(callback)

    def on_request_code(self, listener: RequestListener) -> None:
        """Call ``listener(request id, code, text)`` for each message about a request."""
        self._request_listeners.append(listener)

    async def connect(self) -> None:
        """Connect, prove the account and synchronise, in a bounded number of attempts.

        Raises: BrokerUnavailable with what to do about it, WrongAccount.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(BrokerUnavailable),
            stop=stop_after_attempt(self.settings.attempts),
            wait=wait_exponential(multiplier=_FIRST_WAIT_S, max=_LONGEST_WAIT_S),
            reraise=True,
        )
        async with self._connecting:
            if not self.is_connected:
                await retrying(self._connect_once)

    async def ready(self) -> IB:
        """Return a client that may be asked, connecting or synchronising first if need be.

        Raises: BrokerUnavailable; HaltTrading if a message was lost on our side, or the account is
            a wrong one.
        """
        if self._failure is not None:
            raise HaltTrading(
                f"a message from IB could not be dealt with: {self._failure!r}. What it was stands "
                "in the journal of events; the view of the account may lack it"
            ) from self._failure
        if self._is_frozen and self._now() - self._frozen_at > self.settings.frozen_s:
            log.warning("no word that IB is back; connecting anew")
            self.disconnect()
        if not self.is_connected:
            await self.connect()
        if self._is_frozen:
            raise BrokerUnavailable(
                "the gateway has no connection to IB (1100); nothing is sent until it is back"
            )
        if self._must_synchronise:
            await self.synchronise()
        if self._must_resubscribe:
            await self._resubscribe()
        return self.ib

    async def ask(
        self,
        what: str,
        question: Callable[..., Awaitable[T]],
        *arguments: Any,  # noqa: ANN401 the library's
        within_s: float | None = None,
    ) -> T:
        """Ask the library something and return the answer.

        Args:
            what: Names the question in an error.
            question: A method of the library that returns something to wait for.
            arguments: Its arguments.
            within_s: How long to wait; ``settings.answer_s`` unless told otherwise.

        Raises: BrokerUnavailable without an answer in time; RequestError as IB says.
        """
        patience_s = self.settings.answer_s if within_s is None else within_s
        try:
            async with asyncio.timeout(patience_s):
                return await question(*arguments)
        except TimeoutError as cause:
            raise BrokerUnavailable(f"IB did not answer within {patience_s:g} s: {what}") from cause
        except (ConnectionError, OSError) as cause:
            raise BrokerUnavailable(f"the connection was lost: {what}") from cause
        except RequestError as refusal:
            if code_of(refusal.code, about_order=False).scope is not Scope.CONNECTION:
                raise
            raise BrokerUnavailable(f"{what}: {refusal.code} {refusal.message}") from refusal

    async def fetch(self, what: str, question: Callable[[IB], Awaitable[T]]) -> T:
        """Return the answer to a question of which there can be one at a time.

        Raises: BrokerUnavailable, WrongAccount.
        """
        ib = await self.ready()
        async with self._turn:
            asked_at = self._now()
            answer = await self.ask(what, question, ib)
            self._arrived_at = asked_at
            return answer

    async def arrive(self) -> None:
        """Return once everything said until now, or until just now, has arrived.

        An answer that is being waited for proves as much as one of our own would.

        Raises: BrokerUnavailable, WrongAccount.
        """
        await self.ready()
        wanted_at = self._now()
        if self._has_arrived(wanted_at):
            return
        if self._turn.locked():
            async with self._turn:
                pass
        if not self._has_arrived(wanted_at):
            await self.fence()

    async def fence(self) -> datetime:
        """Return what time the gateway says it is, to the second, once all it said has arrived.

        Without an answer the connection counts as dead, whatever its socket looks like.

        Raises: BrokerUnavailable, WrongAccount.
        """
        ib = await self.ready()
        async with self._turn:
            asked_at = self._now()
            try:
                at: datetime = await self.ask("the time", ib.reqCurrentTimeAsync)
            except BrokerUnavailable:
                self.disconnect()
                raise
        self._arrived_at = asked_at
        self._clock_ahead = at - self._clock.now()
        return at

    async def synchronise(self) -> None:
        """Have everything about orders, positions and the account told again, to the end.

        A list that stays out is named; until all have come there is no connection to speak of.

        Raises: BrokerUnavailable.
        """
        if not self.settings.is_trading:
            self._must_synchronise = False
            return
        ib, account = self.ib, self.settings.account
        orders = self._orders
        async with self._turn:
            if orders is not None:
                orders.begin_lists()
            first = await asyncio.gather(
                self.ask("positions", ib.reqPositionsAsync),
                self.ask("completed orders", ib.reqCompletedOrdersAsync, False),
                self.ask("open orders", ib.reqOpenOrdersAsync),
                self.ask("account values", ib.reqAccountUpdatesAsync, account),
                return_exceptions=True,
            )
            # The list of all clients' orders goes by the same name as that of our own
            second = await asyncio.gather(
                self.ask("all open orders", ib.reqAllOpenOrdersAsync),
                self._ask_executions(ib),
                return_exceptions=True,
            )
            failures = [each for each in (*first, *second) if isinstance(each, BaseException)]
            if orders is not None:
                orders.end_lists(are_whole=not failures)
        for failure in failures:
            if not isinstance(failure, BrokerUnavailable):
                raise failure
        if failures:
            told = "; ".join(str(failure) for failure in failures)
            raise BrokerUnavailable(f"{told}. Nothing is traded on half a view")
        self._must_synchronise = False
        self._told_at, self._told_on = self._now(), self._clock.now()

    async def _ask_executions(self, ib: IB) -> None:
        """Ask for executions, twice if need be: where there are none, IB may forget to say so."""
        try:
            await self.ask("executions", ib.reqExecutionsAsync, within_s=self.settings.answer_s / 2)
        except BrokerUnavailable:
            await self.ask("executions", ib.reqExecutionsAsync)

    def disconnect(self) -> None:
        """Close the connection; the next question opens another."""
        self._stage = Stage.CLOSED
        self._arrived_at = None
        if self._ib is not None:
            self._keep_highest_id(self._ib)
            self._ib.disconnect()

    def traffic(self) -> SocketTraffic | None:
        """Return what has gone through the socket, if there is one.

        Where the gateway is in this process too, it tells whether bytes are under way.
        """
        client = None if self._ib is None else self._ib.client
        if client is None or client.conn.transport is None:
            return None
        port = client.conn.transport.get_extra_info("sockname")[1]
        return SocketTraffic(port, client.conn.numBytesSent, client._numBytesRecv)  # noqa: SLF001

    def truth(self) -> ConnectionTruth:
        """Return what is known of the connection."""
        return ConnectionTruth(
            host=self.settings.host,
            port=self.settings.port,
            client_id=self.settings.client_id,
            library=f"{LIBRARY_NAME} {LIBRARY_VERSION}",
            server_version=self._server_version,
            accounts=self._accounts,
            is_paper=not self.settings.is_live,
            is_frozen=self._is_frozen,
            farms=dict(self._farms),
            data_types=frozenset(self._data_types),
            clock_ahead=self._clock_ahead,
        )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _has_arrived(self, wanted_at: float) -> bool:
        arrived_at = self._arrived_at
        return arrived_at is not None and wanted_at - arrived_at <= self.settings.fresh_s

    # --- making the connection ----------------------------------------------------------------

    async def _connect_once(self) -> None:
        self.disconnect()
        self._last_code = None
        self._is_frozen = False
        self._farms.clear()
        ib = new_client(requests_per_second=self.settings.requests_per_second)
        if not self.settings.is_trading:
            _let_it_look_only(ib)
        install(ib, self, self._orders, self._log)
        if self._orders is not None:
            self._orders.reconnected(self.settings.client_id)
        ib.wrapper.clientId = self.settings.client_id
        self._ib = ib
        try:
            await self._log_in(ib)
            self._accounts = tuple(ib.client.getAccounts())
            self._server_version = ib.client.serverVersion()
            prove_account(self._accounts, self.settings.account, is_live=self.settings.is_live)
            # Ids are not used again, even if the gateway has forgotten the orders that had them
            ib.client.updateReqId(self._highest_id + 1)
            if self.settings.client_id == 0:
                ib.reqAutoOpenOrders(True)
            await self.synchronise()
            self._stage = Stage.READY
            await self._resubscribe()
        except BaseException:
            self.disconnect()
            raise
        log.info("connected", port=self.settings.port, server_version=self._server_version)

    async def _log_in(self, ib: IB) -> None:
        settings = self.settings
        try:
            await log_in(
                ib,
                settings.host,
                settings.port,
                settings.client_id,
                within_s=settings.connect_s,
                on_open=self._opened,
            )
        except (OSError, TimeoutError) as cause:
            place = f"{settings.host}:{settings.port}"
            why = explain(place, settings.client_id, self._stage, cause, self._last_code)
            raise BrokerUnavailable(why) from cause

    def _opened(self) -> None:
        self._stage = Stage.OPEN

    def _keep_highest_id(self, ib: IB) -> None:
        """Remember which ids were used before the library forgets."""
        self._highest_id = max(self._highest_id, ib.client._reqIdSeq)  # noqa: SLF001

    async def _resubscribe(self) -> None:
        self._must_resubscribe = False
        try:
            for callback in self._resubscribers:
                await callback()
        except BaseException:
            self._must_resubscribe = True
            raise

    # --- what the shim hears ------------------------------------------------------------------

    def handshaken(self) -> None:
        """Take note that a gateway has answered the greeting."""
        self._stage = Stage.GREETED

    def lost(self) -> None:
        """Take note that the connection is gone."""
        if self._stage is Stage.READY:
            log.warning("connection lost; the next question opens another", port=self.settings.port)
        self._stage = Stage.CLOSED
        self._arrived_at = None
        self._keep_highest_id(self.ib)
        if self._orders is not None:
            self._orders.wake()

    def broken(self, cause: BaseException) -> None:
        """Never answer again: a message was not dealt with, so no view of ours is whole."""
        self._failure = cause

    def data_type(self, data_type: int) -> None:
        """Take note of a kind of market data."""
        self._data_types.add(data_type)

    def request_code(self, request_id: int, code: Code, text: str) -> None:
        """Pass on a message about a request."""
        for listener in self._request_listeners:
            listener(request_id, code, text)

    def connection_code(self, code: Code, text: str) -> None:
        """Change state as a message about the connection says."""
        if self._last_code != (code, text):  # IB repeats itself all weekend, or for each stream
            log.info("ib says", code=code.code, text=text)
        self._last_code = (code, text)
        if code.code in _PROOFS_OF_LINK:
            self._farms = {
                name: farm for name, farm in self._farms.items() if farm.code != _LINK_BROKEN
            }
        match code.reaction:
            case Reaction.FROZEN:
                self._is_frozen = True
                self._frozen_at = self._now()
            case Reaction.RESUBSCRIBE:
                self._is_frozen = False
                self._must_synchronise = self._must_resubscribe = True
            case Reaction.RESYNCHRONISE:
                self._is_frozen = False
                self._must_synchronise = True
            case Reaction.FARM:
                name = text.rpartition(":")[2].strip() if ":" in text else code.meaning
                self._farms[name] = Farm(
                    is_connected=code.code not in _BROKEN_FARMS, code=code.code, text=text
                )
            case Reaction.SLOW_DOWN:
                self._slow_until = self._now() + self.settings.slow_down_s
            case _:
                self.request_code(-1, code, text)


_LINK_BROKEN = 2110  # the gateway's own link to IB; no code says by itself that it is back
_PROOFS_OF_LINK = frozenset({1101, 1102, 2104, 2106, 2158})


def _let_it_look_only(ib: IB) -> None:
    """Take the ways to trade from a client: no mistake of ours shall find one."""

    def refuse(*_: object) -> None:
        raise AssertionError("this connection only looks; it places and cancels nothing")

    for name in ("placeOrder", "cancelOrder", "reqGlobalCancel", "exerciseOptions"):
        setattr(ib.client, name, refuse)


_BROKEN_FARMS = frozenset({2103, 2105, 2110, 2119, 2157})
