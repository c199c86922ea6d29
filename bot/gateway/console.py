"""What an operator can do to a running gateway, as lines of text.

The lines come from a terminal, or over a unix socket that only the user can open, so that a test
or a script may order a fault, a halt or a trade "by hand" while a bot is connected.
"""

import asyncio
import os
import shlex
import socket
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from errno import EEXIST
from pathlib import Path
from typing import Any

from bot.errors import BotError
from bot.gateway.contracts.errors import ContractRefused
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.numbers import con_id_of
from bot.gateway.desk.blotter import MANUAL_CLIENT
from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.faults import BY_THEMSELVES, FaultKind
from bot.gateway.gateway import Gateway
from bot.gateway.words import Contract, Order
from bot.ports import Clock
from strategies.model.errors import DomainError
from strategies.model.instruments import FutureContract, Instrument, OptionContract, Right

HELP = """\
buy|sell N CONTRACT [@ PRICE]  place an order by hand: buy 2 SPXW 18DEC26 5800 P @ 1.20
                               (without a price at the market; futures as VX 15APR27)
cancel ID | CLIENT/ID          cancel an order placed by hand, or a client's
orders | positions | clients   show them
halt | resume                  hold all orders; let them go again
fault KIND [name=value ...]    strike now, or when a particular fits: fault socket_closed,
                               fault order_rejected text="no margin" order_ref=abc,
                               fault connectivity_lost seconds=30 data_kept=no
faults                         show what has struck, and every kind
status                         show the clock, the connection and the account"""
_PARTICULARS = frozenset({"message_kind", "client_id", "order_ref", "sec_type"})
_DETAILS: dict[str, tuple[type, ...]] = {
    "seconds": (float, int),
    "repeat_every": (float, int),
    "price_change": (float, int),
    "code": (int,),
    "orders": (int,),
    "text": (str, int, float),
    "data_kept": (bool,),
    "processed": (bool,),
    "client_id": (int,),
}
_REPLY_BYTES_MAX = 1 << 20
_LINE_BYTES_MAX = 4096


class BadCommand(BotError):
    """A line that means nothing."""


class Console:
    """Carries out commands on one gateway.

    Args:
        gateway: Which.
        clock: The time it goes by.
        plan: Where faults are ordered; None = there is no plan to add to.
    """

    def __init__(self, gateway: Gateway, clock: Clock, plan: FaultPlan | None = None) -> None:
        self._gateway = gateway
        self._clock = clock
        self._plan = plan
        self._commands: dict[str, Callable[[list[str]], str]] = {
            "help": lambda _: HELP,
            "buy": lambda words: self._order("BUY", words),
            "sell": lambda words: self._order("SELL", words),
            "cancel": self._cancel,
            "orders": self._orders,
            "positions": self._positions,
            "clients": self._clients,
            "halt": self._halt,
            "resume": self._resume,
            "fault": self._fault,
            "faults": self._faults,
            "status": self._status,
        }

    def run(self, line: str) -> str:
        """Carry out one line and return what to say about it; a mistake is explained."""
        try:
            words = shlex.split(line)
            if not words:
                return ""
            command = self._commands.get(words[0].lower())
            if command is None:
                return f"{words[0]}: there is no such command; try help"
            self._gateway.pump(self._clock.now())
            answer = command(words[1:])
            self._gateway.pump(self._clock.now())
        except (BadCommand, ContractRefused, DomainError, ValueError) as mistake:
            return f"{line.strip()}: {mistake}"
        return answer

    # --- orders -------------------------------------------------------------------------------

    def _order(self, action: str, words: list[str]) -> str:
        if not words or not words[0].isdigit():
            raise BadCommand("how many? buy 2 SPXW 18DEC26 5800 P @ 1.20")
        described, limit = _split_price(words[1:])
        listed = self._listed(parse_instrument(described))
        order = Order(
            action=action,
            total_quantity=Decimal(words[0]),
            order_type="MKT" if limit is None else "LMT",
            limit_price=limit,
        )
        contract = Contract(con_id=listed.con_id, exchange=listed.contract.exchange)
        desk = self._gateway.parts.desk
        done_before = len(desk.completed_orders(False))
        order_id = desk.manual_order(contract, order, self._clock.now())
        if self._is_open(MANUAL_CLIENT, order_id):
            return f"order {order_id}"
        done = desk.completed_orders(False)
        what = done[-1].values["completedStatus"] if len(done) > done_before else "refused"
        return f"order {order_id}: {what}"

    def _listed(self, instrument: Instrument) -> Listed:
        number = con_id_of(instrument)
        wanted = Contract(con_id=number or 0)
        found = self._gateway.parts.contracts.find(wanted, self._clock.now()) if number else ()
        if not found:
            raise BadCommand(f"{instrument.symbol} is not listed")
        return found[0]

    def _is_open(self, client_id: int, order_id: int) -> bool:
        return any(
            (message.values["clientId"], message.values["orderId"]) == (client_id, order_id)
            for message in self._gateway.parts.desk.open_orders(None)
            if message.kind == "openOrder"
        )

    def _cancel(self, words: list[str]) -> str:
        if len(words) != 1:
            raise BadCommand("which order? cancel -1, or cancel 5/12 for order 12 of client 5")
        client, slash, order = words[0].partition("/")
        client_id, order_id = (int(client), int(order)) if slash else (MANUAL_CLIENT, int(client))
        if not self._is_open(client_id, order_id):
            raise BadCommand("no such order is open")
        self._gateway.parts.desk.cancel(client_id, order_id, self._clock.now())
        return "asked to cancel"

    def _orders(self, words: list[str]) -> str:
        _no_more(words)
        lines = []
        for message in self._gateway.parts.desk.open_orders(None):
            if message.kind == "openOrder":
                line = message.values
                price = "at the market" if line["lmtPrice"] is None else f"@ {line['lmtPrice']}"
                lines.append(
                    f"{line['clientId']}/{line['orderId']} {line['action']} "
                    f"{line['totalQuantity']} {line['localSymbol'] or line['symbol']} "
                    f"{line['orderType']} {price} {line['status']}"
                )
        return "\n".join(lines) or "no open orders"

    def _positions(self, words: list[str]) -> str:
        _no_more(words)
        positions = self._gateway.parts.exchange.positions()
        lines = [f"{contracts:+d} {symbol}" for symbol, contracts in sorted(positions.items())]
        return "\n".join(lines) or "no positions"

    # --- the exchange and the connections -----------------------------------------------------

    def _clients(self, words: list[str]) -> str:
        _no_more(words)
        return " ".join(str(each) for each in self._gateway.clients) or "no clients"

    def _halt(self, words: list[str]) -> str:
        _no_more(words)
        self._gateway.parts.desk.halt(self._clock.now())
        return "halted"

    def _resume(self, words: list[str]) -> str:
        _no_more(words)
        self._gateway.parts.desk.resume(self._clock.now())
        return "resumed"

    def _status(self, words: list[str]) -> str:
        _no_more(words)
        weather = self._gateway.parts.weather
        account = self._gateway.parts.exchange.account()
        now = self._clock.now() + timedelta(seconds=weather.skew_s)
        return "\n".join(
            (
                f"{now.isoformat(timespec='seconds')} port {self._gateway.port} SIMULATED",
                f"account {self._gateway.parts.account_id} net {account.net_liquidation_usd:.2f}",
                f"clients {len(self._gateway.clients)}",
                f"connected to IB: {_yes(weather.is_connected)}",
                f"market data: {_yes(weather.has_market_data)}",
                f"history: {_yes(weather.has_history)}, login: {_yes(weather.lets_log_in)}",
            )
        )

    # --- faults -------------------------------------------------------------------------------

    def _fault(self, words: list[str]) -> str:
        if self._plan is None:
            raise BadCommand("this gateway has no plan of faults")
        if not words:
            raise BadCommand(f"which fault? {', '.join(FaultKind)}")
        kind = _fault_kind(words[0])
        named = dict(_name_and_value(word) for word in words[1:])
        is_by_itself = kind in BY_THEMSELVES and "message_kind" not in named
        particulars = frozenset() if is_by_itself else _PARTICULARS
        matching = {name: value for name, value in named.items() if name in particulars}
        details = {name: value for name, value in named.items() if name not in particulars}
        _check_details(details)
        self._plan.add(PlannedFault(kind=kind, matching=matching, details=details))
        return f"{kind} strikes at the next occasion"

    def _faults(self, words: list[str]) -> str:
        _no_more(words)
        if self._plan is None:
            return "this gateway has no plan of faults"
        struck = [f"{_time(each.at)} {each.kind}" for each in self._plan.struck]
        return "\n".join([*struck, f"kinds: {', '.join(FaultKind)}"])


def parse_instrument(words: list[str]) -> Instrument:
    """Return the contract of ``SPXW 18DEC26 5800 P`` or ``VX 15APR27``.

    Raises: BadCommand; InvalidInstrument.
    """
    try:
        match [word.upper() for word in words]:
            case [root, day]:
                return FutureContract(root, _day(day))
            case [root, day, strike, right]:
                return OptionContract(root, _day(day), Right(right), Decimal(strike))
            case _:
                raise BadCommand("which contract? SPXW 18DEC26 5800 P, or VX 15APR27")
    except (ValueError, InvalidOperation) as cause:
        raise BadCommand(f"{' '.join(words)} is no contract: {cause}") from cause


class ControlSocket:
    """A unix socket that takes one command a connection, from this user only."""

    def __init__(self, console: Console, path: Path) -> None:
        self._console = console
        self._path = path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket that an earlier process left is replaced.

        Raises: OSError, also if the path is a file's.
        """
        if self._path.is_socket():
            self._path.unlink()
        elif self._path.exists():
            raise FileExistsError(EEXIST, os.strerror(EEXIST), str(self._path))
        self._server = await asyncio.start_unix_server(
            self._serve, self._path, limit=_LINE_BYTES_MAX
        )
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            writer.write(self._console.run(line.decode(errors="replace")).encode())
            await writer.drain()
        except (ConnectionError, ValueError):
            pass  # gone before the answer, or a line without an end
        finally:
            writer.close()


def ask(path: Path, line: str, within_s: float = 5.0) -> str:
    """Send a running gateway one command and return its answer.

    Raises: OSError if nobody listens there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(within_s)
        peer.connect(str(path))
        peer.sendall(line.strip().encode() + b"\n")
        answer = b""
        while len(answer) < _REPLY_BYTES_MAX and (data := peer.recv(65_536)):
            answer += data
    return answer.decode()


def _split_price(words: list[str]) -> tuple[list[str], Decimal | None]:
    if "@" not in words:
        return words, None
    place = words.index("@")
    if len(words) != place + 2:
        raise BadCommand("one price stands behind the @")
    try:
        return words[:place], Decimal(words[place + 1])
    except InvalidOperation as cause:
        raise BadCommand(f"{words[place + 1]} is no price") from cause


def _fault_kind(word: str) -> FaultKind:
    try:
        return FaultKind(word.lower())
    except ValueError as cause:
        raise BadCommand(f"{word} is no fault; there are {', '.join(FaultKind)}") from cause


def _name_and_value(word: str) -> tuple[str, Any]:
    name, is_named, value = word.partition("=")
    if not is_named:
        raise BadCommand(f"{word}: write name=value")
    if value.lower() in ("yes", "true"):
        return name, True
    if value.lower() in ("no", "false"):
        return name, False
    if value.lstrip("-").isdigit():
        return name, int(value)
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _check_details(details: Mapping[str, Any]) -> None:
    for name, value in details.items():
        wanted = _DETAILS.get(name)
        if wanted is None:
            raise BadCommand(
                f"{name}: there is {', '.join(sorted(_PARTICULARS | _DETAILS.keys()))}"
            )
        if type(value) not in wanted:
            raise BadCommand(f"{name}={value}: expected a {wanted[0].__name__}")


def _day(word: str) -> date:
    return datetime.strptime(word, "%d%b%y").date()  # noqa: DTZ007 a date, no zone


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _no_more(words: list[str]) -> None:
    if words:
        raise BadCommand(f"{' '.join(words)}: nothing follows this command")
