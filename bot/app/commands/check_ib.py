"""`alvh check` where IB is spoken: what is behind the connection, and what the login may see."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from bot.app.commands.findings import Finding, Outcome
from bot.app.config.schema import PaperLogin, SimulatedBrokerSection
from bot.app.ib_ports import IbEnd, connected, paper_access
from bot.app.wire import embedded
from bot.brokers.ib.connection import IbSession
from bot.brokers.ib.errors_table import Code
from bot.brokers.ib.journal import masked
from bot.brokers.ib.truth import ConnectionTruth
from bot.clock import SystemClock, virtual_time
from bot.errors import BotError, BrokerUnavailable, MarketDataMissing, WrongAccount
from bot.exchange.exchange import Exchange
from bot.exchange.market import Market
from bot.history.store import History
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.instruments import parse_symbol
from strategies.model.rules import Rules

_CLOCKS_APART_MAX = timedelta(seconds=5)
_NO_SUCH_TICKER = 300
_FIRST_QUOTE_S = 8.0
_LOOK_EVERY_S = 0.25
_AFTER_OPEN = timedelta(minutes=15)
_INDICES = ("SPX", "VIX")
_CLASSES = {"SPX": ("SPX", "SPXW"), "VIX": ("VIX", "VIXW")}
_OPTIONAL_CLASSES = frozenset({"VIXW", "VXM"})  # traded only where there is something to choose
_TYPES = {1: "live", 2: "frozen", 3: "delayed", 4: "delayed and frozen"}
_LIVE = frozenset({1})
_SUBSCRIBE = (
    "subscribe in Client Portal > Settings > Market Data Subscriptions, and share with the paper "
    "account (docs/ib.md)"
)


def check_wire(broker: SimulatedBrokerSection, market: Market, rules: Rules) -> Iterator[Finding]:
    """Start the gateway inside the process and connect to it, as a run would."""
    exchange = Exchange(
        market,
        account_id=broker.account,
        starting_cash_usd=broker.starting_cash_usd,
        seed=broker.seed,
    )
    clock = SystemClock()
    with virtual_time(market.calendar.opens_at(market.first_session) + _AFTER_OPEN) as loop:

        async def look() -> list[Finding]:
            async with embedded(exchange, clock, rules, None, broker.market_data_lines) as end:
                looked = _look(end, clock, broker.account, market.calendar, wants_live=True)
                return [_of_this_market(finding) async for finding in looked]

        yield from loop.run_until_complete(look())


def check_paper(
    broker: PaperLogin,
    calendar: TradingCalendar,
    history: History,
    rules: Rules,
    today: date,
) -> Iterator[Finding]:
    """Connect to a paper account and look at everything a run needs; nothing is ordered."""
    access = paper_access(
        broker,
        calendar=calendar,
        history=history,
        rules=rules,
        first_session=today,
        events_folder=None,
    )
    clock = SystemClock()

    async def look() -> list[Finding]:
        async with connected(access, clock, None) as end:
            wants_live = broker.delayed_data == "refuse"
            looked = _look(end, clock, broker.account, calendar, wants_live=wants_live)
            return [finding async for finding in looked]

    yield from asyncio.run(look())


def _of_this_market(finding: Finding) -> Finding:
    """Return a finding as it reads of the simulated market, which lists few classes."""
    if finding.check in _OPTIONAL_CLASSES and finding.outcome is Outcome.WARN:
        return Finding(check=finding.check, outcome=Outcome.PASS, found="not in this market")
    return finding


async def _look(
    end: IbEnd,
    clock: SystemClock,
    account: str,
    calendar: TradingCalendar,
    *,
    wants_live: bool,
) -> AsyncIterator[Finding]:
    try:
        await end.trading.connect()
        await end.trading.fence()
        await end.data.connect()
    except WrongAccount as cause:
        found, _, fix = str(cause).rpartition(". ")
        yield _failed("account", found, fix)
        return
    except BrokerUnavailable as cause:
        found, _, fix = str(cause).partition(". ")
        yield _failed("connection", found, fix or "see docs/ib.md")
        return
    truth = end.trading.truth()
    yield Finding(
        check="connection",
        outcome=Outcome.PASS,
        found=f"{truth.host}:{truth.port}, {truth.library}, server version {truth.server_version}",
    )
    found = f"{masked(account)}, paper, of {len(truth.accounts)} in this login"
    yield Finding(check="account", outcome=Outcome.PASS, found=found)
    yield _clocks(truth)
    yield _farms(truth)
    async for finding in _contracts(end):
        yield finding
    async for finding in _quotes(end, clock, calendar, wants_live=wants_live):
        yield finding


def _clocks(truth: ConnectionTruth) -> Finding:
    ahead = truth.clock_ahead or timedelta(0)
    found = f"IB's is {ahead.total_seconds():+.0f} s from this machine's"
    if abs(ahead) > _CLOCKS_APART_MAX:
        return Finding(
            check="clocks",
            outcome=Outcome.WARN,
            found=found,
            fix="synchronise this machine's clock (chrony, systemd-timesyncd)",
        )
    return Finding(check="clocks", outcome=Outcome.PASS, found=found)


def _farms(truth: ConnectionTruth) -> Finding:
    broken = [name for name, farm in truth.farms.items() if not farm.is_connected]
    if broken:
        found = f"not connected: {', '.join(broken)}"
        fix = "wait a minute; if it lasts, see IB's system status page"
        return Finding(check="data farms", outcome=Outcome.WARN, found=found, fix=fix)
    found = ", ".join(truth.farms) or "none told"
    return Finding(check="data farms", outcome=Outcome.PASS, found=found)


# --- contracts ------------------------------------------------------------------------------------


async def _contracts(end: IbEnd) -> AsyncIterator[Finding]:
    """Say of every class that is traded whether IB has it and means the same by it."""
    for name in _INDICES:
        yield await _found(f"{name} index", _index(end, name))
    for underlying, classes in _CLASSES.items():
        try:
            listed = {each.root: each for each in await end.qualifier.expirations(underlying)}
        except BotError as cause:
            for root in classes:
                yield _failed(root, str(cause), "check the login's trading permissions: options")
            continue
        for root in classes:
            if root not in listed:
                yield _unlisted(root)
                continue
            dates = listed[root].last_trades
            found = f"{len(dates)} expirations, {dates[0]} to {dates[-1]}"
            yield Finding(check=root, outcome=Outcome.PASS, found=found)
    for root in ("VX", "VXM"):
        yield await _found(root, _futures(end, root))


async def _found(check: str, look: Awaitable[str | None]) -> Finding:
    try:
        found = await look
    except MarketDataMissing as cause:  # unknown, ambiguous, or of other terms than ours
        return _failed(check, str(cause), "report it with `alvh check --format json`")
    except BrokerUnavailable as cause:
        return _failed(check, str(cause), "see docs/ib.md")
    if found is None:
        return _unlisted(check)
    return Finding(check=check, outcome=Outcome.PASS, found=found)


async def _index(end: IbEnd, name: str) -> str | None:
    contract = await end.qualifier.index(name)
    return None if contract is None else f"index at CBOE, contract {contract.conId}"


async def _futures(end: IbEnd, root: str) -> str | None:
    futures = await end.qualifier.futures(root)
    return f"{len(futures)} months, nearest {futures[0].expiry}" if futures else None


def _unlisted(check: str) -> Finding:
    outcome = Outcome.WARN if check in _OPTIONAL_CLASSES else Outcome.FAIL
    fix = "check the login's trading permissions: index options and futures of the United States"
    return Finding(check=check, outcome=outcome, found="IB lists none", fix=fix)


# --- quotes ---------------------------------------------------------------------------------------


async def _quotes(
    end: IbEnd,
    clock: SystemClock,
    calendar: TradingCalendar,
    *,
    wants_live: bool,
) -> AsyncIterator[Finding]:
    """Stream an index, an option and a future, and say what IB shows of them."""
    now = clock.now()
    is_open = _is_open(calendar, now)
    for check, contract in await _samples(end):
        shown, refusal, kinds = await _look_at_quotes(end.data, clock, contract)
        if refusal is not None:
            yield _failed(check, f"IB says {refusal}", _SUBSCRIBE)
        elif not shown:
            fix = "ask again while the market is open" if not is_open else _SUBSCRIBE
            outcome = Outcome.FAIL if is_open else Outcome.WARN
            yield Finding(check=check, outcome=outcome, found="no quote came", fix=fix)
        elif kinds - _LIVE and is_open and wants_live:
            found = ", ".join(_TYPES.get(kind, str(kind)) for kind in sorted(kinds))
            yield _failed(check, f"quotes are {found}", _SUBSCRIBE)
        else:
            found = ", ".join(_TYPES.get(kind, str(kind)) for kind in sorted(kinds or _LIVE))
            yield Finding(check=check, outcome=Outcome.PASS, found=f"{shown} ({found})")


async def _samples(end: IbEnd) -> list[tuple[str, Any]]:
    """Return one contract of each product that is subscribed to by itself."""
    samples: list[tuple[str, Any]] = []
    try:
        if (index := await end.qualifier.index("SPX")) is not None:
            samples.append(("quotes of indices", index))
        if (option := await _some_option(end)) is not None:
            samples.append(("quotes of options", option))
        futures = await end.qualifier.futures("VX")
        if futures:
            found = await end.qualifier.qualify(futures[:1])
            samples.append(("quotes of futures", found[futures[0].symbol]))
    except BotError:
        pass  # said before, of the class it is about
    return samples


async def _some_option(end: IbEnd) -> Any:  # noqa: ANN401 the client library's
    """Return a VIX call in the middle of the nearest series."""
    for root in await end.qualifier.expirations("VIX"):
        if root.root != "VIX" or not root.last_trades:
            continue
        series = await end.qualifier.series("VIX", root.last_trades[0])
        for each in series:
            calls = [symbol for symbol in each.symbols if symbol[12] == "C"]
            if calls:
                instrument = parse_symbol(calls[len(calls) // 3])
                return (await end.qualifier.qualify([instrument]))[instrument.symbol]
    return None


async def _look_at_quotes(
    session: IbSession,
    clock: SystemClock,
    contract: Any,  # noqa: ANN401 the client library's
) -> tuple[str, str | None, frozenset[int]]:
    """Return the quote that came, or what IB said instead, and the kinds of data seen."""
    said: list[str] = []

    def hear(request_id: int, code: Code, text: str) -> None:
        if request_id > 0 and code.code != _NO_SUCH_TICKER:  # of the sample before, cancelled
            said.append(f"{code.code} {text}")

    session.on_request_code(hear)
    ib = await session.ready()
    ticker = ib.reqMktData(contract, "", False, False)
    ends_at = clock.now() + timedelta(seconds=_FIRST_QUOTE_S)
    shown = ""
    while not shown and not said and clock.now() < ends_at:
        await clock.sleep(_LOOK_EVERY_S)
        shown = _shown(ticker)
    ib.cancelMktData(contract)
    return shown, None if shown or not said else said[0], session.truth().data_types


def _shown(ticker: Any) -> str:  # noqa: ANN401 the client library's
    if ticker.bid > 0 and ticker.ask > 0:
        return f"{ticker.bid:g} x {ticker.ask:g}"
    return f"{ticker.last:g}" if ticker.last > 0 else ""


def _is_open(calendar: TradingCalendar, now: datetime) -> bool:
    session = now.astimezone(EXCHANGE_ZONE).date()
    if not calendar.is_session(session):
        return False
    return calendar.opens_at(session) <= now <= calendar.closes_at(session)


def _failed(check: str, found: str, fix: str) -> Finding:
    return Finding(check=check, outcome=Outcome.FAIL, found=found, fix=fix)
