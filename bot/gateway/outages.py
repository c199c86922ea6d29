"""Faults of the connection: to clients, to IB, to its farms. They come at instants and pass.

Each of them is asked for at every pump and at every request; what it does to the weather lasts
until its time is over by the gateway's clock.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from bot.gateway.agenda import Agenda
from bot.gateway.faults import BY_THEMSELVES, Fault, FaultKind, Faults, may_strike
from bot.gateway.feed.feed import MarketDataFeed
from bot.gateway.protocol.builders import error_message
from bot.gateway.roster import Roster
from bot.gateway.server import Server
from bot.gateway.session import Session
from bot.gateway.weather import Weather

MARK = "(SIMULATED)"
MARKET_FARM_OK = f"Market data farm connection is OK:usfarm {MARK}"
HISTORY_FARM_OK = f"HMDS data farm connection is OK:ushmds {MARK}"
DEFINITIONS_OK = f"Sec-def data farm connection is OK:secdefil {MARK}"
_LOST = f"Connectivity between IBKR and Trader Workstation has been lost. {MARK}"
_RESTORED_LOST = (
    f"Connectivity between IBKR and Trader Workstation has been restored - data lost. {MARK}"
)
_RESTORED_KEPT = (
    f"Connectivity between IBKR and Trader Workstation has been restored - data maintained. {MARK}"
)
_MARKET_FARM_DOWN = f"Market data farm connection is broken:usfarm {MARK}"
_HISTORY_FARM_DOWN = f"HMDS data farm connection is broken:ushmds {MARK}"
_COMPETING = f"No market data during competing live session {MARK}"


class Outages:
    """Brings about what is planned, and makes it pass.

    ``lose_data`` forgets every subscription, as IB does when it says 1101.
    """

    def __init__(
        self,
        *,
        faults: Faults,
        agenda: Agenda,
        weather: Weather,
        roster: Roster,
        server: Server,
        feed: MarketDataFeed,
        lose_data: Callable[[], None],
    ) -> None:
        self._faults = faults
        self._is_safe = not may_strike(faults)
        self._agenda = agenda
        self._weather = weather
        self._roster = roster
        self._server = server
        self._feed = feed
        self._lose_data = lose_data
        self._tasks: set[asyncio.Task[None]] = set()
        self._begins: dict[FaultKind, Callable[[Fault, datetime], None]] = {
            FaultKind.NIGHTLY_RESET: self._reset,
            FaultKind.WEEKLY_LOGIN: self._log_out,
            FaultKind.CONNECTIVITY_LOST: self._lose_connectivity,
            FaultKind.MARKET_FARM_DOWN: self._break_market_farm,
            FaultKind.HISTORY_FARM_DOWN: self._break_history_farm,
            FaultKind.SOCKET_CLOSED: self._close_sockets,
            FaultKind.HALF_OPEN: self._fall_silent,
            FaultKind.SILENT_DELAYED_DATA: self._delay_data,
            FaultKind.COMPETING_SESSION: self._compete,
            FaultKind.CLOCK_SKEW: self._skew,
        }
        assert self._begins.keys() == BY_THEMSELVES, "each of them is brought about here"

    def strike(self, at: datetime) -> None:
        """Bring about everything that is due at an instant."""
        if self._is_safe:
            return
        for kind, begin in self._begins.items():
            fault = self._faults.strikes(kind, at=at)
            if fault is not None:
                begin(fault, at)

    def strike_request(
        self, session: Session, message_kind: str, at: datetime
    ) -> list[Callable[[], None]]:
        """Bring about what one client's request provokes.

        Returns:
            What is to strike only once the request has been carried out (``processed``).
        """
        if self._is_safe:
            return []
        about = {"message_kind": message_kind, "client_id": session.client_id, "at": at}
        afterwards: list[Callable[[], None]] = []
        for kind, begin in self._begins.items():
            fault = self._faults.strikes(kind, **about)
            if fault is None:
                continue
            strike = partial(begin, _of_client(fault, session), at)
            if fault.details.get("processed"):
                afterwards.append(strike)
            else:
                strike()
        if self._faults.strikes(FaultKind.PACING_DISCONNECT, **about):
            session.error(-1, 100, "Max rate of messages per second has been exceeded.")
            session.link.close()
        return afterwards

    def greet(self, session: Session) -> None:
        """Tell a new client how the farms are."""
        weather = self._weather
        if not weather.is_connected:
            session.error(-1, 1100, _LOST)
            return
        if weather.has_market_data:
            session.error(-1, 2104, MARKET_FARM_OK)
        else:
            session.error(-1, 2103, _MARKET_FARM_DOWN)
        if weather.has_history:
            session.error(-1, 2106, HISTORY_FARM_OK)
        else:
            session.error(-1, 2105, _HISTORY_FARM_DOWN)
        session.error(-1, 2158, DEFINITIONS_OK)

    # --- the ways to the clients --------------------------------------------------------------

    def _reset(self, fault: Fault, at: datetime) -> None:
        del at
        self._server.go_away()
        self._agenda.after(fault.seconds(60), self._come_back)

    def _come_back(self) -> None:
        task = asyncio.get_running_loop().create_task(self._server.come_back())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _log_out(self, fault: Fault, at: datetime) -> None:
        del at
        self._weather.lets_log_in = False
        self._server.close_all()
        self._agenda.after(fault.seconds(3600), self._log_in)

    def _log_in(self) -> None:
        self._weather.lets_log_in = True
        for session in self._server.sessions():
            if not session.is_ready:
                session.link.abort()

    def _close_sockets(self, fault: Fault, at: datetime) -> None:
        del at
        for session in self._struck(fault):
            session.link.abort()

    def _fall_silent(self, fault: Fault, at: datetime) -> None:
        del at
        for session in self._struck(fault):
            session.is_mute = True
            self._agenda.after(fault.seconds(60), session.recover)

    def _struck(self, fault: Fault) -> list[Session]:
        client_id = fault.details.get("client_id")
        return [each for each in self._roster if client_id in (None, each.client_id)]

    # --- the way to IB ------------------------------------------------------------------------

    def _lose_connectivity(self, fault: Fault, at: datetime) -> None:
        del at
        self._weather.is_connected = False
        self._tell(1100, _LOST)
        every = float(fault.details.get("repeat_every", 0))
        if every > 0:
            self._agenda.after(every, lambda: self._repeat_lost(every))
        is_kept = bool(fault.details.get("data_kept", True))
        self._agenda.after(fault.seconds(30), lambda: self._restore(is_kept=is_kept))

    def _repeat_lost(self, every: float) -> None:
        if not self._weather.is_connected:
            self._tell(1100, _LOST)
            self._agenda.after(every, lambda: self._repeat_lost(every))

    def _restore(self, *, is_kept: bool) -> None:
        self._weather.is_connected = True
        if is_kept:
            self._tell(1102, _RESTORED_KEPT)
        else:
            self._lose_data()
            self._tell(1101, _RESTORED_LOST)

    # --- the farms ----------------------------------------------------------------------------

    def _break_market_farm(self, fault: Fault, at: datetime) -> None:
        self._weather.has_market_data = False
        self._tell(2103, _MARKET_FARM_DOWN)
        self._feed.stand_still(at + timedelta(seconds=fault.seconds(30)))
        self._agenda.after(fault.seconds(30), self._mend_market_farm)

    def _mend_market_farm(self) -> None:
        self._weather.has_market_data = True
        self._tell(2104, MARKET_FARM_OK)

    def _break_history_farm(self, fault: Fault, at: datetime) -> None:
        del at
        self._weather.has_history = False
        self._tell(2105, _HISTORY_FARM_DOWN)
        self._agenda.after(fault.seconds(30), self._mend_history_farm)

    def _mend_history_farm(self) -> None:
        self._weather.has_history = True
        self._tell(2106, HISTORY_FARM_OK)

    def _delay_data(self, fault: Fault, at: datetime) -> None:
        self._feed.fall_behind(at + timedelta(seconds=fault.seconds(300)))

    def _compete(self, fault: Fault, at: datetime) -> None:
        self._feed.stand_still(at + timedelta(seconds=fault.seconds(60)))
        for session in self._roster:
            for req_id in self._feed.request_ids(session) or (-1,):
                session.error(req_id, 10197, _COMPETING)

    def _skew(self, fault: Fault, at: datetime) -> None:
        del at
        self._weather.skew_s = fault.seconds(0)

    def _tell(self, code: int, text: str) -> None:
        self._roster.broadcast(error_message(-1, code, text))


def _of_client(fault: Fault, session: Session) -> Fault:
    """Return a fault that strikes one client, if it is of the kind that strikes single ones."""
    if fault.kind in (FaultKind.SOCKET_CLOSED, FaultKind.HALF_OPEN):
        details = {"client_id": session.client_id, **fault.details}
        return Fault(kind=fault.kind, details=details)
    return fault
