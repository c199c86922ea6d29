"""`alvh check`: is everything in place that a run needs, and if not, what mends it?"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from bot.app.commands.findings import Finding, Outcome
from bot.app.commands.inputs import paths_of, process_of, read_config
from bot.app.config.loader import LoadedConfig
from bot.app.config.problems import ConfigInvalid
from bot.app.config.schema import (
    IbLiveBrokerSection,
    IbPaperBrokerSection,
    IbShadowBrokerSection,
    PaperLogin,
    SimulatedBrokerSection,
)
from bot.app.exit_codes import ExitCode
from bot.app.host import FREE_BYTES_MIN, wrong_transition
from bot.app.logs import silence_logging
from bot.app.paths import RunPaths
from bot.app.render.tables import Grid, print_grid
from bot.app.wiring import (
    NOT_TRADED,
    build_market,
    factor_files,
    load_calendar,
    load_history,
    observations,
    require_same_world,
)
from bot.clock import SystemClock
from bot.errors import BotError
from bot.exchange.journal import JournalDamaged, JournalMismatch
from bot.exchange.market import Market
from bot.history.files import HistoryFileInvalid
from bot.history.store import History
from state.audit import AuditReader
from state.errors import StateError
from state.files import check_file_system, file_system_of, has_wal_reset_bug, sqlite_version
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.errors import DomainError
from strategies.model.factors import known_before

_FREE_BYTES_GOOD = 2_000_000_000
_MEGABYTE = 1_000_000
_IDS_OF_A_BOT = 2  # it trades with its client id, and has market data on the next
_GAP_DAYS_MAX = 5  # a series may end this many days before a replay's last session needs it


def show_origin_command(config: Path, *, flags: Sequence[str], output: str) -> ExitCode:
    """Print every value in force with who said so."""
    loaded = read_config(config, flags)
    rows = tuple((value.key, value.value, value.origin) for value in loaded.values)
    title = f"{loaded.label}   hash {loaded.config_hash[:16]}"
    print_grid(Grid(columns=("key", "value", "origin"), rows=rows, title=title), output)
    return ExitCode.OK


def check_command(config: Path, *, flags: Sequence[str], state_dir: Path, output: str) -> ExitCode:
    """Print what was checked; 1 if anything fails. A bad configuration is an error, not a row."""
    silence_logging()
    loaded = read_config(config, flags)
    findings = list(run_checks(loaded, paths_of(loaded, state_dir)))
    rows = tuple((item.check, item.outcome, item.found, item.fix) for item in findings)
    print_grid(Grid(columns=("check", "outcome", "found", "fix"), rows=rows), output)
    failed = any(item.outcome is Outcome.FAIL for item in findings)
    return ExitCode.FAILED if failed else ExitCode.OK


def run_checks(config: LoadedConfig, paths: RunPaths) -> Iterator[Finding]:
    """Yield what each check found; one that fails does not keep the others from running."""
    yield _configuration(config)
    yield _limits(config)
    yield _asserts()
    yield _libraries()
    yield _disk(paths)
    yield _state_folder(paths)
    yield _file_system(paths)
    yield _sqlite()
    yield _time_zones()
    yield _database(config, paths)
    yield _single_instance(paths)
    match config.bot.broker:
        case SimulatedBrokerSection() as broker:
            yield from _simulated(config, broker, paths)
        case IbPaperBrokerSection() | IbShadowBrokerSection() as broker:
            yield from _paper(config, broker, paths)
        case IbLiveBrokerSection() as broker:
            found, fix = NOT_TRADED[broker.kind].split("; ")
            yield Finding(check="broker", outcome=Outcome.FAIL, found=found, fix=fix)


def _paper(config: LoadedConfig, broker: PaperLogin, paths: RunPaths) -> Iterator[Finding]:
    from bot.app.commands.check_ib import check_paper  # the client library takes a while

    today = SystemClock().now().astimezone(EXCHANGE_ZONE).date()
    try:
        calendar = load_calendar(config, today, today)
        history = load_history(config)
    except (BotError, DomainError) as cause:
        yield Finding(check="data", outcome=Outcome.FAIL, found=str(cause), fix="mend that file")
        return
    yield _calendar(calendar, today - timedelta(days=7), today + timedelta(days=7))
    yield _events(history, calendar, today)
    if process_of(paths.database) is not None:  # the bot that runs has both of its ids in use
        broker = broker.model_copy(update={"client_id": broker.client_id + _IDS_OF_A_BOT})
    yield from check_paper(broker, calendar, history, config.rules, today)


def _simulated(
    config: LoadedConfig, broker: SimulatedBrokerSection, paths: RunPaths
) -> Iterator[Finding]:
    first, last = broker.market.first, broker.market.last
    try:
        calendar = load_calendar(config, first, last)
        history = load_history(config)
    except (BotError, DomainError) as cause:
        yield Finding(check="data", outcome=Outcome.FAIL, found=str(cause), fix="mend that file")
        return
    yield _calendar(calendar, first, last)
    if broker.market.kind == "replay":
        yield _history(history, first, last)
    yield _events(history, calendar, last)
    try:
        market = build_market(config, broker, history, calendar)
    except ConfigInvalid as cause:
        fix = "choose dates that `alvh data list` covers"
        yield Finding(check="broker", outcome=Outcome.FAIL, found=_told(cause), fix=fix)
        return
    yield _market(broker, market)
    yield _world(broker, market, paths)
    if broker.transport == "wire":
        from bot.app.commands.check_ib import check_wire  # the client library takes a while

        yield from check_wire(broker, market, config.rules)
    yield from _factors(config, history, market)


def _configuration(config: LoadedConfig) -> Finding:
    found = f"{config.label}: {config.bot.name}, {config.mode} {config.account}"
    return Finding(
        check="config", outcome=Outcome.PASS, found=f"{found}, {config.config_hash[:12]}"
    )


def _limits(config: LoadedConfig) -> Finding:
    limits, rules = config.limits, config.rules
    broker = config.bot.broker
    if isinstance(broker, SimulatedBrokerSection):
        wanted = float(broker.starting_cash_usd) * rules.condor.max_loss_fraction
        if wanted > limits.condor_max_loss_usd:
            return Finding(
                check="limits",
                outcome=Outcome.WARN,
                found=f"C7 allows a condor to lose {wanted:,.0f} USD, the limit "
                f"{limits.condor_max_loss_usd:,.0f}",
                fix="raise condor_max_loss_usd, or entries will be refused",
            )
    found = f"condor {limits.condor_max_loss_usd:,.0f}, all {limits.total_max_loss_usd:,.0f} USD"
    return Finding(check="limits", outcome=Outcome.PASS, found=f"{config.bot.limits}: {found}")


def _asserts() -> Finding:
    if __debug__:
        return Finding(check="asserts", outcome=Outcome.PASS, found="on")
    return Finding(
        check="asserts",
        outcome=Outcome.FAIL,
        found="off: Python runs with -O",
        fix="start without -O and without PYTHONOPTIMIZE",
    )


def _libraries() -> Finding:
    present = [name for name in ("ib_insync", "ib_async") if find_spec(name)]
    found = ", ".join(present) or "neither ib_insync nor ib_async"
    if len(present) > 1:
        return Finding(
            check="libraries",
            outcome=Outcome.WARN,
            found=f"{found}: both bring their own eventkit",
            fix="uninstall ib_async, or use an environment of its own",
        )
    return Finding(check="libraries", outcome=Outcome.PASS, found=found)


def _disk(paths: RunPaths) -> Finding:
    folder = paths.state_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / _MEGABYTE:,.0f} MB free for {paths.state_dir}/"
    if free < FREE_BYTES_MIN:
        fix = f"free {FREE_BYTES_MIN / _MEGABYTE:,.0f} MB, or move it by --state-dir"
        return Finding(check="disk", outcome=Outcome.FAIL, found=found, fix=fix)
    outcome = Outcome.PASS if free >= _FREE_BYTES_GOOD else Outcome.WARN
    return Finding(check="disk", outcome=outcome, found=found)


def _state_folder(paths: RunPaths) -> Finding:
    """Write what a run would write: a file, in the folder or where the folder will be made."""
    folder = paths.state_dir
    while not folder.exists():
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as cause:
        found = f"{folder}/ cannot be written: {cause.strerror}"
        fix = "choose another place with --state-dir"
        return Finding(check="state", outcome=Outcome.FAIL, found=found, fix=fix)
    return Finding(check="state", outcome=Outcome.PASS, found=f"{folder}/ can be written")


def _file_system(paths: RunPaths) -> Finding:
    """Say what the database lies on; its write-ahead log does not work over a network."""
    kind = file_system_of(paths.database)
    try:
        check_file_system(paths.database)
    except StateError as cause:
        fix = "choose a local disk with --state-dir"
        return Finding(check="file system", outcome=Outcome.FAIL, found=str(cause), fix=fix)
    found = f"{paths.state_dir}/ lies on {kind or 'a file system this machine does not name'}"
    return Finding(check="file system", outcome=Outcome.PASS, found=found)


def _sqlite() -> Finding:
    """Say which SQLite writes the ledger, and what is done about what is wrong with it."""
    found = f"SQLite {sqlite_version()}"
    if has_wal_reset_bug():
        found += (
            " may damage a file that two programs write at once (WAL-reset bug, mended in 3.51.3); "
            "one writes: the bot, and it stops when another has"
        )
    return Finding(check="sqlite", outcome=Outcome.PASS, found=found)


def _time_zones() -> Finding:
    wrong = wrong_transition()
    if wrong is None:
        found = "clocks are changed when they should be, to 2027"
        return Finding(check="time zones", outcome=Outcome.PASS, found=found)
    fix = "update tzdata: the schedule would be an hour off"
    return Finding(check="time zones", outcome=Outcome.FAIL, found=wrong, fix=fix)


def _database(config: LoadedConfig, paths: RunPaths) -> Finding:
    """Read what a run would refuse: another program's file, damage, another account's ledger."""
    path = paths.database
    if not path.exists():
        found = f"{path}: not there yet; a run makes it"
        return Finding(check="database", outcome=Outcome.PASS, found=found)
    try:
        with AuditReader.open(path) as reader:
            status = reader.status()
            (verdict,) = reader.sql("PRAGMA quick_check(1)").rows[0]
    except StateError as cause:
        fix = "restore a backup, or move the file away for a fresh start"
        return Finding(check="database", outcome=Outcome.FAIL, found=str(cause), fix=fix)
    bound, wanted = (status["mode"], status["account"]), (config.mode, config.account)
    if bound != wanted:
        found = f"{path}: belongs to {' '.join(map(str, bound))}, not to {' '.join(wanted)}"
        fix = "name the file after its own mode and account"
        return Finding(check="database", outcome=Outcome.FAIL, found=found, fix=fix)
    if verdict != "ok":
        found = f"{path}: damaged: {verdict}"
        return Finding(check="database", outcome=Outcome.FAIL, found=found, fix="restore a backup")
    if status["state"] == "HALTED":
        found = f"{path}: HALTED ({status['scope']}): {status['reason']}"
        fix = "`alvh resume --reason ...` once the cause is understood"
        return Finding(check="database", outcome=Outcome.WARN, found=found, fix=fix)
    found = f"{path}: {status['decisions']} decisions, schema {status['schema']}"
    return Finding(check="database", outcome=Outcome.PASS, found=found)


def _single_instance(paths: RunPaths) -> Finding:
    holder = process_of(paths.database)
    if holder is None:
        return Finding(check="instance", outcome=Outcome.PASS, found="no other bot has the ledger")
    return Finding(
        check="instance",
        outcome=Outcome.WARN,
        found=f"process {holder or 'unknown'} runs this bot",
        fix="`alvh run` would be refused until it ends",
    )


def _calendar(calendar: TradingCalendar, first: date, last: date) -> Finding:
    sessions = calendar.sessions_between(first, last)
    if not sessions:
        return Finding(
            check="calendar",
            outcome=Outcome.FAIL,
            found=f"no session from {first} to {last}",
            fix="choose other dates in broker.market",
        )
    early = sum(session in calendar.early_closes for session in sessions)
    found = f"{len(sessions)} sessions, {early} early closes, {sessions[0]} to {sessions[-1]}"
    return Finding(check="calendar", outcome=Outcome.PASS, found=found)


def _history(history: History, first: date, last: date) -> Finding:
    facts = history.describe(last)
    short = [item for item in facts if item.name != "EVENTS" and item.age_days > _GAP_DAYS_MAX]
    late = [item for item in facts if item.first > first]
    needed = [item for item in (*short, *late) if item.name in ("SPX", "VIX", "VX")]
    if needed:
        item = needed[0]
        return Finding(
            check="history",
            outcome=Outcome.FAIL,
            found=f"{item.name} runs from {item.first} to {item.last}, replay {first} to {last}",
            fix="choose dates inside (`alvh data list`), or name a file in history.overrides",
        )
    if short or late:
        names = ", ".join(item.name for item in (*short, *late))
        found = f"{names} do not cover {first} to {last}; rules that need them do not fire"
        fix = "name files in history.overrides"
        return Finding(check="history", outcome=Outcome.WARN, found=found, fix=fix)
    found = f"{len(facts)} series cover {first} to {last}"
    return Finding(check="history", outcome=Outcome.PASS, found=found)


def _events(history: History, calendar: TradingCalendar, last: date) -> Finding:
    sessions = calendar.sessions_between(last - timedelta(days=10), last)
    if sessions and history.events_ahead(sessions[-1], calendar) is None:
        return Finding(
            check="events",
            outcome=Outcome.WARN,
            found=f"no FOMC, CPI or PPI dates after {sessions[-1]}: S11 and R2 are absent there",
            fix="name a file in history.overrides.EVENTS",
        )
    return Finding(check="events", outcome=Outcome.PASS, found="FOMC, CPI and PPI dates known")


def _market(broker: SimulatedBrokerSection, market: Market) -> Finding:
    at = market.calendar.opens_at(market.first_session) + timedelta(minutes=15)
    try:
        quotes = market.quotes_at(at)
    except (BotError, DomainError) as cause:
        fix = "choose dates that `alvh data list` covers"
        return Finding(check="broker", outcome=Outcome.FAIL, found=str(cause), fix=fix)
    options = 2 * (len(quotes.spx_options.strike) + len(quotes.vix_options.strike))
    found = f"simulated, {broker.market.kind}: {options:,} options, {len(quotes.futures)} futures"
    return Finding(check="broker", outcome=Outcome.PASS, found=found)


def _world(broker: SimulatedBrokerSection, market: Market, paths: RunPaths) -> Finding:
    try:
        require_same_world(broker, market, paths)
    except (JournalMismatch, JournalDamaged) as cause:
        fix = "use the configuration it began with, or another --state-dir"
        return Finding(check="world", outcome=Outcome.FAIL, found=str(cause), fix=fix)
    known = "goes on" if paths.exchange_journal.exists() else "begins"
    found = f"the account {known} in this world, {market.first_session} to {market.last_session}"
    return Finding(check="world", outcome=Outcome.PASS, found=found)


def _factors(config: LoadedConfig, history: History, market: Market) -> Iterator[Finding]:
    """Say of each factor feed what is known before the market's last session (E)."""
    files = factor_files(config, history)
    for index, rule in enumerate(config.rules.panel.factors):
        try:
            observed = observations(config, index, files, market)
        except (ConfigInvalid, HistoryFileInvalid) as cause:
            yield Finding(check="factors", outcome=Outcome.FAIL, found=_told(cause), fix="mend it")
            continue
        known = known_before(observed.day, observed.value, rule, market.last_session)
        newest = known.day[-1].item() if known.day.size else None
        if newest is None or (market.last_session - newest).days > rule.max_age:
            seen = "nothing" if newest is None else f"{newest} at last"
            yield Finding(
                check="factors",
                outcome=Outcome.WARN,
                found=f"{rule.name}: {seen} is known on {market.last_session}; it will abstain",
                fix="bring its series up to date, or raise max_age",
            )
            continue
        found = f"{rule.name}: {len(known.day):,} observations, {known.day[0]} to {newest}"
        yield Finding(check="factors", outcome=Outcome.PASS, found=found)


def _told(cause: Exception) -> str:
    """Return what is wrong on one line; a configuration's excerpt does not fit a table."""
    if not isinstance(cause, ConfigInvalid):
        return str(cause)
    problem = cause.problems[0]
    return f"{problem.place}: {problem.key}: {problem.message}"
