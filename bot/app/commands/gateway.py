"""`alvh gateway`: the simulated IB Gateway alone, for any client of the TWS API."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer

from bot.app.commands.inputs import parse_time
from bot.app.commands.transcripts import port_refused
from bot.app.config.fault_script import load_fault_script
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.logs import start_logging
from bot.app.wiring import calendar_around
from bot.clock import SystemClock, VirtualTimeLoop, virtual_time
from bot.errors import MarketDataMissing
from bot.exchange.exchange import Exchange
from bot.exchange.market import Market
from bot.exchange.replay import ReplayMarket
from bot.exchange.synthetic import SyntheticMarket
from bot.gateway.console import Console, ControlSocket
from bot.gateway.fault_plan import FaultPlan
from bot.gateway.feed.settings import FeedSettings, Product
from bot.gateway.gateway import Gateway
from bot.gateway.settings import GatewaySettings
from bot.history.store import History
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar

_MARKET = re.compile(
    r"(?P<kind>replay|synthetic)(?::(?P<seed>\d+))?"
    r"(?::(?P<first>\d{4}-\d\d-\d\d)\.\.(?P<last>\d{4}-\d\d-\d\d))?"
)
_REPLAYED = (date(2020, 2, 3), date(2020, 4, 30))
_INVENTED_DAYS = timedelta(days=90)
_ACCOUNT = re.compile(r"DU\d{3,10}")
# A night is skipped from here on; by then everything that expired has been settled
_AFTER_CLOSE = timedelta(minutes=15)
_BEFORE_OPEN = timedelta(minutes=1)
_LINE_BYTES = 65_536
_PUMP_EVERY_S = 0.25
_STOPPED_BY = {signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What `alvh gateway` was told."""

    port: int
    market: str
    at: str | None
    speed: float
    seed: int
    account: str
    cash: Decimal
    lines: int | None
    pacing: int | None
    permissions: frozenset[Product]
    faults: Path | None
    journal: Path | None
    control: Path | None
    master: int | None
    all_hours: bool
    console: bool
    state_dir: Path


def read_options(
    *,
    cash: float,
    lines: int,
    pacing: str,
    without: Sequence[str],
    **plain: Any,  # noqa: ANN401 of the command line
) -> GatewayOptions:
    """Return the options as they are meant; raises CommandFailed."""
    if pacing != "off" and not (pacing.isdigit() and int(pacing)):
        message = f"--pacing: expected a number above 0 or off, found {pacing!r}"
        raise CommandFailed(message, ExitCode.USAGE)
    products = {product.name.lower(): product for product in Product}
    unknown = [name for name in without if name.lower() not in products]
    if unknown:
        message = f"--without: expected {', '.join(products)}; found {unknown[0]!r}"
        raise CommandFailed(message, ExitCode.USAGE)
    return GatewayOptions(
        cash=Decimal(str(cash)),
        lines=lines or None,
        pacing=None if pacing == "off" else int(pacing),
        permissions=frozenset(Product) - {products[name.lower()] for name in without},
        **plain,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """A gateway that has not been started."""

    gateway: Gateway
    plan: FaultPlan
    market: Market
    title: str


def gateway_command(options: GatewayOptions) -> ExitCode:
    """Run a simulated gateway until it is stopped or its market is over."""
    if not _ACCOUNT.fullmatch(options.account):
        message = f"--account: expected DU and 3 to 10 digits, found {options.account!r}"
        raise CommandFailed(message, ExitCode.USAGE)
    start_logging(options.state_dir / "logs" / "gateway.log", "info")
    plan = FaultPlan() if options.faults is None else load_fault_script(options.faults)
    market, title, seed = build_gateway_market(options.market, options.seed)
    exchange = _exchange(options, market, seed)
    begins_at = max(_beginning(market, options.at), exchange.now)
    clock = SystemClock()
    with virtual_time(begins_at, speed=options.speed, runs_free=True) as loop:
        gateway = Gateway(exchange, market.calendar, clock, gateway_settings(options), plan)
        standing = _Standing(gateway=gateway, plan=plan, market=market, title=title)
        return loop.run_until_complete(_run(standing, options, loop, clock))


def _exchange(options: GatewayOptions, market: Market, seed: int) -> Exchange:
    try:
        return Exchange(
            market,
            account_id=options.account,
            starting_cash_usd=options.cash,
            seed=seed,
            journal_path=options.journal,
        )
    except OSError as cause:
        message = f"--journal {options.journal}: {cause.strerror}; name another file"
        raise CommandFailed(message, ExitCode.USAGE) from cause


def gateway_settings(options: GatewayOptions) -> GatewaySettings:
    """Return limits and habits; what is about patience is meant in real time."""
    usual = GatewaySettings()
    return replace(
        usual,
        messages_per_second=options.pacing,
        market_data_lines=options.lines,
        historical_per_ten_minutes=usual.historical_per_ten_minutes if options.pacing else None,
        master_client_id=options.master,
        holds_orders=True,
        pump_every_s=_PUMP_EVERY_S * options.speed,
        handshake_s=usual.handshake_s * options.speed,
        half_frame_s=usual.half_frame_s * options.speed,
        feed=FeedSettings(permissions=options.permissions),
    )


def build_gateway_market(text: str, seed: int) -> tuple[Market, str, int]:
    """Return the market of ``--market``, what to call it, and the seed of its exchange.

    Raises: CommandFailed.
    """
    found = _MARKET.fullmatch(text)
    if found is None or (found["kind"] == "replay" and found["seed"]):
        message = (
            "--market: expected replay:FROM..TO, synthetic:SEED or synthetic:SEED:FROM..TO, such "
            f"as replay:2020-02-03..2020-04-30; found {text!r}"
        )
        raise CommandFailed(message, ExitCode.USAGE)
    seed = int(found["seed"] or seed)
    try:
        first, last = (
            (date.fromisoformat(found["first"]), date.fromisoformat(found["last"]))
            if found["first"]
            else _usual_days(found["kind"])
        )
    except ValueError as cause:
        raise CommandFailed(f"--market: {cause}: {text!r}", ExitCode.USAGE) from cause
    if first > last:
        raise CommandFailed(f"--market: {last} is before {first}", ExitCode.USAGE)
    calendar, history = calendar_around(first, last), History.bundled()
    title = f"{found['kind']} {first} .. {last}"
    market: Market
    try:
        if found["kind"] == "replay":
            market = ReplayMarket(history, calendar, first=first, last=last, seed=seed)
        else:
            title += f", seed {seed}"
            events = history.events()
            market = SyntheticMarket(calendar, first=first, last=last, seed=seed, events=events)
    except MarketDataMissing as cause:
        message = f"--market: {cause}; `alvh data list` shows what is known"
        raise CommandFailed(message, ExitCode.USAGE) from cause
    return market, title, seed


def _usual_days(kind: str) -> tuple[date, date]:
    if kind == "replay":
        return _REPLAYED
    today = SystemClock().now().astimezone(EXCHANGE_ZONE).date()
    return today, today + _INVENTED_DAYS


def _beginning(market: Market, at: str | None) -> datetime:
    """Return where the gateway's clock begins."""
    opens_at = market.calendar.opens_at(market.first_session)
    if at is None:
        return opens_at
    begins_at = SystemClock().now() if at == "now" else parse_time(at, "--at")
    assert begins_at is not None, "None only comes of None"
    day = begins_at.astimezone(EXCHANGE_ZONE).date()
    is_early = day < market.first_session and at != "now"  # now may be a weekend
    if is_early or day > market.last_session:
        days = f"{market.first_session} .. {market.last_session}"
        raise CommandFailed(f"--at: {day} is outside the market, {days}", ExitCode.USAGE)
    return begins_at


async def _run(
    standing: _Standing, options: GatewayOptions, loop: VirtualTimeLoop, clock: SystemClock
) -> ExitCode:
    gateway = standing.gateway
    try:
        port = await gateway.start(options.port)
    except OSError as cause:
        raise port_refused(options.port, cause) from cause
    ending = _Ending()
    console = Console(gateway, clock, standing.plan)
    control = None if options.control is None else ControlSocket(console, options.control)
    keeper = asyncio.create_task(
        _keep_hours(standing.market, loop, clock, ending, skips=not options.all_hours)
    )
    try:
        if control is not None:
            await _take_commands(control, options)
        for number in _STOPPED_BY:
            loop.add_signal_handler(number, ending.come, _STOPPED_BY[number])
        _say(
            f"SIMULATED IB Gateway: account {options.account}, port {port}, {standing.title}, "
            f"{clock.now().astimezone(EXCHANGE_ZONE):%Y-%m-%d %H:%M %Z}, speed {options.speed:g}"
        )
        if options.console or sys.stdin.isatty():
            _say("type help for what can be done here, quit to end")
            _read_lines(loop, lambda line: _obey(console, line, ending))
        return await ending.wait()
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        if control is not None:
            await control.stop()
        await gateway.stop()


async def _take_commands(control: ControlSocket, options: GatewayOptions) -> None:
    try:
        await control.start()
    except OSError as cause:
        message = f"--control {options.control}: {cause.strerror or cause}; name another path"
        raise CommandFailed(message, ExitCode.USAGE) from cause


@dataclass(slots=True)
class _Ending:
    """When and how a gateway ends."""

    code: ExitCode = ExitCode.OK
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def come(self, code: ExitCode = ExitCode.OK) -> None:
        """End."""
        self.code = code
        self.event.set()

    async def wait(self) -> ExitCode:
        """Return the exit code once the end has come."""
        await self.event.wait()
        return self.code


async def _keep_hours(
    market: Market,
    loop: VirtualTimeLoop,
    clock: SystemClock,
    ending: _Ending,
    *,
    skips: bool,
) -> None:
    """Skip nights, weekends and holidays; end with the market."""
    calendar = market.calendar
    while (now := clock.now()) < calendar.closes_at(market.last_session) + _AFTER_CLOSE:
        session = _session_at(calendar, now)
        opens_at = calendar.opens_at(session) - _BEFORE_OPEN
        if skips and now < opens_at:
            loop.jump_to(opens_at)
        ends_at = calendar.closes_at(session) + _AFTER_CLOSE
        await asyncio.sleep((ends_at - clock.now()).total_seconds())
    _say("the market is over")
    ending.come()


def _session_at(calendar: TradingCalendar, now: datetime) -> date:
    """Return the session that is under way, or the next one."""
    day = now.astimezone(EXCHANGE_ZONE).date()
    if calendar.is_session(day) and now < calendar.closes_at(day) + _AFTER_CLOSE:
        return day
    return calendar.next_session(day)


def _obey(console: Console, line: str, ending: _Ending) -> None:
    if line.strip().lower() in ("quit", "exit"):
        ending.come()
    elif answer := console.run(line):
        _say(answer)


def _read_lines(loop: asyncio.AbstractEventLoop, obey: Callable[[str], None]) -> None:
    """Pass lines of stdin on as they come; a file has all of them at once."""
    descriptor = sys.stdin.fileno()
    unread = bytearray()

    def read() -> None:
        data = os.read(descriptor, _LINE_BYTES)
        if not data:
            loop.remove_reader(descriptor)
        unread.extend(data)
        *lines, rest = bytes(unread).split(b"\n")
        unread[:] = rest
        for line in lines:
            obey(line.decode(errors="replace"))

    try:
        loop.add_reader(descriptor, read)
    except PermissionError:  # epoll takes no regular files
        for line in sys.stdin:
            obey(line)


def _say(text: str) -> None:
    typer.echo(text)
    sys.stdout.flush()
