"""The shape of a configuration file: every key, its kind, its default and its bounds.

Nothing that risks money has a default here: the broker, the account and the limits file must be
named. The ``rules`` section is generated from the rule declarations (``rule_values.py``), fees and
fill model of the simulated exchange from its own (``venue_values.py``).
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from bot.app.config.execution import ExecutionSection
from bot.app.config.protections import ProtectionsSection
from bot.app.config.rule_values import RuleValues
from bot.app.config.scalars import (
    ClockTime,
    Day,
    Money,
    Number,
    Text,
    Typed,
    Whole,
    expected,
    parse_clock_time,
)
from bot.app.config.sections import Section, misplaced, within
from bot.app.config.venue_values import FeeValues, FillModelValues
from bot.approvals.signatures import KeyInvalid, check_public_key
from bot.exchange.matching import DEFAULT_FILL_MODEL
from strategies.model.fees import DEFAULT_FEES
from strategies.model.rules import Rules

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
LIVE_CONFIRMATION = "this account trades real money"
_SEED_MAX = 2**63 - 1
_PORT_MAX = 65_535
_CLIENT_ID_MAX = 2**31 - 2  # the data connection takes the next one
LIVE_PORTS = (4001, 7496)  # IB Gateway's and TWS's own for live accounts
_OPTIONS_OPEN = time(9, 30)
_OPTIONS_CLOSE = time(16, 15)
_FIVE_MINUTES = 5
_EARLIEST, _LATEST = date(1990, 1, 2), date(2099, 12, 31)  # of a simulated market
_MINUTES_PER_HOUR = 60


# --- broker ---------------------------------------------------------------------------------------


class _DatedMarket(Section):
    first: Annotated[Day, Field(alias="from")]
    last: Annotated[Day, Field(alias="to")]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for key, day in (("from", self.first), ("to", self.last)):
            if not _EARLIEST <= day <= _LATEST:
                raise misplaced(key, f"{day} is outside {_EARLIEST} .. {_LATEST}")
        if self.first > self.last:
            raise misplaced("to", f"{self.last} is before 'from', which is {self.first}")
        return self


class ReplayMarketSection(_DatedMarket):
    """Real sessions from the bundled history."""

    kind: Literal["replay"]


class SyntheticMarketSection(_DatedMarket):
    """A stochastic world on real calendar dates."""

    kind: Literal["synthetic"]


MarketSection = Annotated[ReplayMarketSection | SyntheticMarketSection, Field(discriminator="kind")]


class SimulatedBrokerSection(Section):
    """The embedded exchange: no network, no account, no money."""

    answer_seconds: ClassVar[float] = 10.0  # the adapter's own patience, where there is a wire
    kind: Literal["simulated"]
    transport: Literal["wire", "in_process"] = "wire"
    market_data_lines: Annotated[Whole, within(40, 10_000)] | None = None
    account: Annotated[Text, Field(pattern=r"^DU\d{3,10}$")] = "DU0000001"
    starting_cash_usd: Annotated[Money, within(10_000, 1_000_000_000)]
    seed: Annotated[Whole, within(0, _SEED_MAX)]
    margin: Literal["ib", "cboe"] = "ib"
    fees: FeeValues = DEFAULT_FEES
    fill_model: FillModelValues = DEFAULT_FILL_MODEL
    market: MarketSection

    @model_validator(mode="after")
    def _lines_are_of_the_wire(self) -> Self:
        if self.transport == "in_process" and self.market_data_lines is not None:
            raise misplaced("market_data_lines", "in_process sees everything; use transport: wire")
        return self


class _IbBrokerSection(Section):
    host: Text = "127.0.0.1"
    port: Annotated[Whole, within(1, _PORT_MAX)]
    client_id: Annotated[Whole, within(1, _CLIENT_ID_MAX)]
    market_data_lines: Annotated[Whole, within(40, 10_000)] = 100
    requests_per_second: Annotated[Whole, within(1, 1000)] = 45
    answer_seconds: Annotated[Number, within(1, 120)] = 10.0
    restarts_at: ClockTime | None = time(23, 45)
    delayed_data: Literal["refuse", "accept"] = "refuse"


def _safeguard(message: str) -> PydanticCustomError:
    return PydanticCustomError("safety", "{message}", {"message": message})


def _account_check(prefix: str, kind: str) -> AfterValidator:
    def check(account: str) -> str:
        if not account:
            raise _safeguard(f"empty; fill in the {kind} account, {prefix} followed by digits")
        digits = account.removeprefix(prefix)
        if digits == account or not digits.isdigit():
            message = f"{account!r} is no {kind} account; expected {prefix} followed by digits"
            raise _safeguard(message)
        return account

    return AfterValidator(check)


def _check_confirmation(text: str) -> str:
    if text != LIVE_CONFIRMATION:
        message = f'live trading is not confirmed; write exactly "{LIVE_CONFIRMATION}"'
        raise _safeguard(message)
    return text


def _check_token(value: object) -> object:
    if value is not None and not isinstance(value, Typed):
        message = "a secret does not belong in a file; set ALVH_BROKER__ARM_TOKEN instead"
        raise PydanticCustomError("secret", "{message}", {"message": message})
    return None if value is None else str(value)


def _refuse_live_port(port: int) -> int:
    if port in LIVE_PORTS:
        raise _safeguard(f"{port} is a port of live accounts; paper has 4002 and 7497")
    return port


PaperPort = Annotated[Whole, within(1, _PORT_MAX), AfterValidator(_refuse_live_port)]


class IbPaperBrokerSection(_IbBrokerSection):
    """A paper account at Interactive Brokers."""

    is_trading: ClassVar[bool] = True
    kind: Literal["ib_paper"]
    port: PaperPort = 4002
    account: Annotated[Text, _account_check("DU", "paper")]


class IbShadowBrokerSection(_IbBrokerSection):
    """Quotes of a paper account at Interactive Brokers, orders on the simulated exchange."""

    is_trading: ClassVar[bool] = False  # its connections cannot send an order
    kind: Literal["ib_shadow"]
    port: PaperPort = 4002
    account: Annotated[Text, _account_check("DU", "paper")]
    starting_cash_usd: Annotated[Money, within(10_000, 1_000_000_000)]
    seed: Annotated[Whole, within(0, _SEED_MAX)]
    margin: Literal["ib", "cboe"] = "ib"
    fees: FeeValues = DEFAULT_FEES
    fill_model: FillModelValues = DEFAULT_FILL_MODEL


PaperLogin = IbPaperBrokerSection | IbShadowBrokerSection


class IbLiveBrokerSection(_IbBrokerSection):
    """A live account: trades real money, and only when account and confirmation are filled in."""

    kind: Literal["ib_live"]
    account: Annotated[Text, _account_check("U", "live")]
    confirmation: Annotated[Text, AfterValidator(_check_confirmation)] = ""
    arm_token: Annotated[SecretStr | None, BeforeValidator(_check_token)] = None


BrokerSection = Annotated[
    SimulatedBrokerSection | IbPaperBrokerSection | IbShadowBrokerSection | IbLiveBrokerSection,
    Field(discriminator="kind"),
]


# --- schedule -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTimes:
    """When condors may be entered: weekdays by name and one New York time of day."""

    days: tuple[str, ...]  # ascending, "mon".."fri"
    at: time

    def __str__(self) -> str:
        """Return it as the configuration writes it: ``mon,wed,fri 10:00``."""
        return f"{','.join(self.days)} {self.at:%H:%M}"


def _parse_entries(value: object) -> EntryTimes:
    if isinstance(value, EntryTimes):
        return value
    what = 'weekday names and a time like "mon,wed,fri 10:00"'
    if not isinstance(value, str):
        raise expected(what, value)
    names, _, clock = value.strip().lower().rpartition(" ")
    days = [name.strip() for name in names.split(",")]
    at = parse_clock_time(clock)
    if at is None or any(day not in WEEKDAYS for day in days) or len(set(days)) != len(days):
        # Numbers are refused: 1 is Monday to cron and Tuesday to APScheduler
        raise expected(f"{what} (each of {', '.join(WEEKDAYS)} at most once, no numbers)", value)
    return EntryTimes(days=tuple(sorted(days, key=WEEKDAYS.index)), at=at)


def _check_interval(minutes: int) -> int:
    if _MINUTES_PER_HOUR % minutes and minutes % _FIVE_MINUTES:
        raise expected("minutes that divide 60 or are a multiple of 5", minutes)
    return minutes


Entries = Annotated[EntryTimes, BeforeValidator(_parse_entries), PlainSerializer(str)]
IntervalMinutes = Annotated[Whole, within(1, 390), AfterValidator(_check_interval)]


class ScheduleSection(Section):
    """When the bot acts, in New York time on trading days."""

    entries: Entries = EntryTimes(days=("mon", "wed", "fri"), at=time(10, 0))
    interval_minutes: IntervalMinutes = 15
    first_interval: ClockTime = time(9, 45)
    last_interval: ClockTime = time(16, 0)
    end_of_day: ClockTime = time(16, 20)

    def intervals(self) -> tuple[time, ...]:
        """Return the times of day of the layering intervals of a full session."""
        anchor = datetime(2000, 1, 3)  # noqa: DTZ001 any day: only its clock is used
        at = datetime.combine(anchor, self.first_interval)
        last = datetime.combine(anchor, self.last_interval)
        times = []
        while at <= last:
            times.append(at.time())
            at += timedelta(minutes=self.interval_minutes)
        return tuple(times)

    @model_validator(mode="after")
    def _inside_the_session(self) -> Self:
        for key in ("first_interval", "last_interval"):
            at = getattr(self, key)
            if not _OPTIONS_OPEN < at < _OPTIONS_CLOSE:
                raise misplaced(key, f"{at:%H:%M} is not between 09:30 and 16:15")
        if self.first_interval > self.last_interval:
            first = f"{self.first_interval:%H:%M}"
            raise misplaced("last_interval", f"is before first_interval, which is {first}")
        if self.end_of_day <= _OPTIONS_CLOSE:
            raise misplaced("end_of_day", f"{self.end_of_day:%H:%M} is not after 16:15")
        times = self.intervals()
        if self.entries.at not in times:
            near = [
                at
                for at in times
                if abs(_minutes(at) - _minutes(self.entries.at)) <= _MINUTES_PER_HOUR
            ]
            offered = ", ".join(f"{at:%H:%M}" for at in near or times)
            message = f"{self.entries.at:%H:%M} is not the time of an interval; near it: {offered}"
            raise misplaced("entries", message)
        return self


def _minutes(at: time) -> int:
    return at.hour * _MINUTES_PER_HOUR + at.minute


# --- the rest -------------------------------------------------------------------------------------


class ReconcileSection(Section):
    """How ledger and broker are compared, and what is done about what is broken."""

    minutes: Annotated[Whole, within(1, 1440)] = 15
    repair: Literal["propose", "execute"] = "propose"
    cash_tolerance_usd: Annotated[Money, within(0, 10_000)] = Decimal(0)


def _upper_keys(value: object) -> object:
    return (
        {str(key).upper(): item for key, item in value.items()}
        if isinstance(value, dict)
        else value
    )


def _parse_path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip():
        raise expected("a path", value)
    return Path(value)


FilePath = Annotated[Path, BeforeValidator(_parse_path), PlainSerializer(str)]
SeriesName = Literal[
    "SPX", "VIX", "VVIX", "VIX9D", "VIX3M", "VIX6M", "BREADTH", "RATE", "VX", "EVENTS",
    "SKEW", "COR1M", "BAA10Y", "DBAA", "T10Y3M", "RBUSBIS", "VIX_VOLUME",
]  # fmt: skip


class HistorySection(Section):
    """Files that take the place of bundled history."""

    overrides: Annotated[dict[SeriesName, FilePath], BeforeValidator(_upper_keys)] = Field(
        default_factory=dict
    )


class LoggingSection(Section):
    """What is logged to stderr and to the log files."""

    level: Literal["debug", "info", "warning", "error"] = "info"


def _check_signing_key(text: str) -> str:
    try:
        check_public_key(text)
    except KeyInvalid as cause:
        raise expected("a public key (`alvh keys new` prints it)", text) from cause
    return text


SignerName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
PublicKey = Annotated[Text, AfterValidator(_check_signing_key)]


class GovernanceSection(Section):
    """Who may sign, and how long what they sign may last."""

    keys: dict[SignerName, PublicKey] = Field(default_factory=dict)
    override_hours_max: Annotated[Whole, within(1, 720)] = 72


class BotConfig(Section):
    """A whole configuration file."""

    name: Annotated[Text, Field(min_length=1, max_length=40)]
    broker: BrokerSection
    limits: FilePath
    schedule: ScheduleSection = ScheduleSection()
    execution: ExecutionSection = ExecutionSection()
    reconcile: ReconcileSection = ReconcileSection()
    rules: RuleValues = Rules()
    history: HistorySection = HistorySection()
    calendar_overrides: FilePath | None = None
    protections: ProtectionsSection = ProtectionsSection()
    logging: LoggingSection = LoggingSection()
    governance: GovernanceSection = GovernanceSection()
