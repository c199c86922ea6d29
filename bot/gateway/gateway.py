"""The simulated IB Gateway: an exchange behind a socket that speaks the TWS API.

Time moves only when the gateway is pumped: before each request it is brought to the clock's
instant, so that whatever has happened until then is sent before the answer. A client that asks for
the time and has the answer therefore has everything older too.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from bot.errors import MarketDataMissing
from bot.exchange.exchange import Exchange
from bot.gateway.accounts import AccountBook
from bot.gateway.agenda import Agenda
from bot.gateway.bar_requests import BarsRefused
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.errors import ContractRefused
from bot.gateway.desk.desk import OrderDesk
from bot.gateway.desk.reading import Refused as OrderRefused
from bot.gateway.dispatch.call import Call, Refused
from bot.gateway.dispatch.system import managed_accounts, next_valid_id
from bot.gateway.dispatch.table import HANDLERS, MARKET_DATA
from bot.gateway.fault_plan import FaultPlan
from bot.gateway.faults import Faults, NoFaults
from bot.gateway.feed.feed import MarketDataFeed
from bot.gateway.kept_bars import KeptBars
from bot.gateway.link import Traffic
from bot.gateway.outages import Outages
from bot.gateway.parts import Parts
from bot.gateway.protocol.builders import GATEWAY_ZONE
from bot.gateway.protocol.codec import decode_request
from bot.gateway.protocol.errors import BadMessage, UnknownMessage
from bot.gateway.protocol.frames import welcome
from bot.gateway.protocol.message import Message
from bot.gateway.roster import Roster
from bot.gateway.server import HOST, Server
from bot.gateway.session import Session
from bot.gateway.settings import GatewaySettings
from bot.gateway.stand_ins.book import StandInBook
from bot.gateway.stand_ins.desk import StandInDesk
from bot.gateway.weather import Weather
from bot.ports import Clock
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar

_ID_IN_USE = "Unable to connect as the client id is already in use. Retry with a unique client id."
_OFFLINE = frozenset(  # what the gateway answers by itself
    {"reqIds", "reqManagedAccts", "reqCurrentTime", "setServerLogLevel"}
)
_HELD = frozenset({"placeOrder", "cancelOrder", "reqGlobalCancel"})


class Gateway:
    """One simulated gateway.

    Args:
        exchange: What it is in front of.
        calendar: Sessions and their hours.
        clock: The time.
        settings: Limits and habits.
        faults: What goes wrong.
    """

    def __init__(
        self,
        exchange: Exchange,
        calendar: TradingCalendar,
        clock: Clock,
        settings: GatewaySettings | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.settings = settings or GatewaySettings()
        self._clock = clock
        self._faults = faults or NoFaults()
        self._roster = Roster(self.settings.master_client_id)
        self._agenda = Agenda(clock, self._wake)
        self._server = Server(self._new_session, self.settings)
        self._pumped_at = datetime.min.replace(tzinfo=UTC)
        self._stale: set[Session] = set()  # with subscriptions that have had no word yet
        self._held: list[tuple[Session, Message]] = []  # orders while IB cannot be reached
        self._timer: asyncio.TimerHandle | None = None
        contracts = ContractBook(exchange.market)
        stand_ins = StandInBook(exchange)
        self.parts = Parts(
            exchange=exchange,
            contracts=contracts,
            desk=StandInDesk(
                OrderDesk(
                    exchange,
                    contracts,
                    self._faults,
                    self._roster.publish,
                    exchange.account_id,
                    holds_orders=self.settings.holds_orders,
                    heir=self.settings.heir_client_id,
                ),
                stand_ins,
                exchange,
                contracts,
                self._faults,
                self._roster.publish,
            ),
            feed=MarketDataFeed(exchange, contracts, self.settings.feed),
            kept_bars=KeptBars(exchange.market),
            accounts=AccountBook(exchange, contracts, calendar, stand_ins),
            roster=self._roster,
            weather=Weather(),
            agenda=self._agenda,
            faults=self._faults,
            settings=self.settings,
        )
        self._outages = Outages(
            faults=self._faults,
            agenda=self._agenda,
            weather=self.parts.weather,
            roster=self._roster,
            server=self._server,
            feed=self.parts.feed,
            lose_data=self._lose_data,
        )

    # --- life ---------------------------------------------------------------------------------

    async def start(self, port: int = 0, host: str = HOST) -> int:
        """Listen on loopback and return the port; 0 lets the system choose one.

        Raises: AddressRefused; OSError if the port is taken.
        """
        port = await self._server.start(port, host)
        self.pump(self._clock.now())
        if isinstance(self._faults, FaultPlan):
            for instant in self._faults.instants:
                self._agenda.at(instant, None)
        self._set_timer()
        return port

    async def stop(self) -> None:
        """End every connection and listen no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._agenda.clear()
        await self._server.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    @property
    def clients(self) -> tuple[int, ...]:
        """The ids of the clients that are connected."""
        return tuple(session.client_id for session in self._roster)

    def traffic(self) -> dict[int, Traffic]:
        """Return the bytes of every open connection by the port of its other end."""
        return {link.peer_port: link.traffic for link in self._server.links() if link.is_open}

    # --- time ---------------------------------------------------------------------------------

    def pump(self, at: datetime) -> None:
        """Bring everything to an instant and tell every client what has happened until then."""
        self._advance(at)
        for session in self._roster:
            self._refresh(session, at)

    def _advance(self, at: datetime) -> None:
        """Let happen what happens until an instant; all of it but market data is sent."""
        if at > self._pumped_at:
            self._pumped_at = at
        self._agenda.run(at)
        self._outages.strike(at)
        if self.parts.weather.is_connected:
            self._release_held()
            self.parts.desk.advance(at)
            for session in self._roster:
                self.parts.account_feed(session).refresh(at)

    def _refresh(self, session: Session, at: datetime) -> None:
        """Tell one client how prices have changed."""
        if not self.parts.weather.is_connected or session.is_mute:
            return
        session.refreshed_at = at
        self._stale.discard(session)
        self.parts.feed.refresh(at, session)
        self.parts.kept_bars.refresh(at, session)

    def _catch_up(self, session: Session, kind: str, at: datetime) -> None:
        """Send a client everything older than the answer it is about to get."""
        if at > self._pumped_at:
            self._advance(at)
        is_late = session.refreshed_at is None or at > session.refreshed_at
        if is_late or (session in self._stale and kind not in MARKET_DATA):
            self._refresh(session, at)

    def _refresh_soon(self, session: Session) -> None:
        """Let new subscriptions have their first word once this turn of the loop is over."""
        if session not in self._stale:
            self._stale.add(session)
            asyncio.get_running_loop().call_soon(self._refresh_stale, session)

    def _refresh_stale(self, session: Session) -> None:
        if session in self._stale and session.is_ready and session.link.is_open:
            self._refresh(session, self._clock.now())

    def _wake(self) -> None:
        self.pump(self._clock.now())

    def _set_timer(self) -> None:
        every = self.settings.pump_every_s
        if every is not None:
            self._timer = asyncio.get_running_loop().call_later(every, self._ring)

    def _ring(self) -> None:
        self._set_timer()
        self.pump(self._clock.now())

    # --- clients ------------------------------------------------------------------------------

    def welcome(self, version: int) -> bytes:
        """Return what answers a greeting."""
        return welcome(version, self._now().astimezone(EXCHANGE_ZONE), GATEWAY_ZONE)

    def receive(self, session: Session, payload: bytes) -> None:
        """Carry out one request of a client."""
        if not self._is_paced(session):
            return
        try:
            message = decode_request(payload, session.version)
        except UnknownMessage as unknown:
            session.error(-1, 505, f"Fatal Error: Unknown message id. ({unknown})")
            return
        except BadMessage as bad:
            text = f"Server error when reading an API client request. ({bad})"
            session.error(bad.reference, 320, text)
            return
        if message.kind == "startApi":
            self._start(session, message.values["clientId"])
        elif not session.is_ready:
            session.error(-1, 504, "Not connected")
        else:
            self._carry_out(session, message)

    def lose(self, session: Session) -> None:
        """Forget a client whose connection has ended."""
        self._roster.leave(session)
        self._server.forget(session)
        self.parts.forget(session)
        self._stale.discard(session)

    def _new_session(self) -> Session:
        return Session(self, self.settings, self._faults, self._agenda)

    def _start(self, session: Session, client_id: int) -> None:
        if session.is_ready:
            session.error(-1, 501, "Already Connected.")
            return
        if not self.parts.weather.lets_log_in:
            session.link.introduced()
            return
        if client_id < 0 or client_id in self._roster:
            session.error(-1, 326, _ID_IN_USE)
            session.link.close()
            return
        session.start(client_id)
        self._roster.join(session)
        at = self._clock.now()
        self._catch_up(session, "startApi", at)
        call = Call(parts=self.parts, session=session, kind="startApi", values={}, at=at)
        managed_accounts(call)
        next_valid_id(call)
        self._outages.greet(session)

    def _is_paced(self, session: Session) -> bool:
        pacing = session.pacing
        if pacing.admits_message(asyncio.get_running_loop().time()):
            return True
        session.error(-1, 100, pacing.breach())
        if pacing.is_exhausted:
            session.link.close()
        return False

    # --- requests -----------------------------------------------------------------------------

    def _carry_out(self, session: Session, message: Message) -> None:
        at = self._clock.now()
        self._catch_up(session, message.kind, at)
        afterwards = self._outages.strike_request(session, message.kind, at)
        if session.is_mute or not session.link.is_talking:
            return
        if not self.parts.weather.is_connected and message.kind not in _OFFLINE:
            self._hold(session, message)
        else:
            self._answer(session, message, at)
        for strike in afterwards:
            strike()

    def _answer(self, session: Session, message: Message, at: datetime) -> None:
        values = message.values
        call = Call(parts=self.parts, session=session, kind=message.kind, values=values, at=at)
        try:
            HANDLERS[message.kind](call)
        except (BarsRefused, ContractRefused, OrderRefused, Refused) as refusal:
            session.error(_reference(message), refusal.code, refusal.text)
        except MarketDataMissing as missing:
            session.error(_reference(message), 162, str(missing))
        if message.kind in MARKET_DATA:
            self._refresh_soon(session)

    def _hold(self, session: Session, message: Message) -> None:
        """Keep what is about orders until IB can be reached; refuse the rest."""
        if message.kind in _HELD:
            self._held.append((session, message))
        else:
            session.error(_reference(message), 504, "Not connected")

    def _release_held(self) -> None:
        held, self._held = self._held, []
        for session, message in held:
            if session.link.is_open:
                self._answer(session, message, self._clock.now())

    def _lose_data(self) -> None:
        for session in self._roster:
            self.parts.forget(session)

    def _now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self.parts.weather.skew_s)


def _reference(message: Message) -> int:
    """Return the number of the request or order a message is about; -1 for neither."""
    number = message.values.get("orderId", message.values.get("reqId", -1))
    assert isinstance(number, int), "ids are whole numbers"
    return number
