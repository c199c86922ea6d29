"""What a run tells whoever watches it: after each interval, after each session, at the end."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from strategies.model.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalReport:
    """One interval, once its decision was carried out."""

    at: datetime
    session: date
    progress: float  # share of the run that is done, 0..1; 0 where the end is not known
    spx: float | None
    vix: float | None
    futures: tuple[float, ...]  # mids of the monthly VX futures, nearest first
    regime: dict[str, str]  # R1..R5 -> label
    plan: Plan
    nlv_usd: Decimal
    day_pnl_usd: Decimal
    total_pnl_usd: Decimal
    condors_open: int  # positions, not contracts
    locks: tuple[str, ...] = ()  # what does not open now, each with its reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """One session, after its end-of-day job."""

    session: date
    decisions: int
    fills: int
    nlv_usd: Decimal
    day_pnl_usd: Decimal
    condors_opened: int
    condors_closed: int
    hedge_changes: int  # hedge fills


class RunObserver(Protocol):
    """Whoever watches a run. Called on the loop's thread: it must return within milliseconds."""

    def on_interval(self, report: IntervalReport) -> None:
        """Take note of an interval."""
        ...

    def on_session(self, report: SessionReport) -> None:
        """Take note of a session."""
        ...

    def on_note(self, text: str) -> None:
        """Take note of what a run in real time is about, in words."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How far and how fast a run goes; not part of the configuration, so not of its hash."""

    until: datetime | None = None  # stop after the last interval at or before this instant
    once: bool = False  # one interval only
    speed: float | None = None  # virtual seconds per real second; None = as fast as possible


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A whole run in numbers. Profit and loss is of this run, in USD, a gain is > 0."""

    run_id: str
    mode: str
    account: str
    config_hash: str
    first_at: datetime | None  # instants of the first and last interval; None = there was none
    last_at: datetime | None
    sessions: int
    decisions: int
    orders: int
    fills: int
    condors_opened: int
    condors_closed: int
    condors_open: int
    hedge_trades: dict[str, int]  # fills by layer, "L1".."L3"
    rules_fired: dict[str, int]  # rule id -> decisions in which it fired
    start_nlv_usd: Decimal
    final_nlv_usd: Decimal
    condor_pnl_usd: Decimal  # realised and unrealised, fees excluded
    hedge_pnl_usd: Decimal  # likewise
    fees_usd: Decimal  # a cost is > 0
    reconciliation_difference_usd: Decimal  # broker's cash less the ledger's
    reconciliation_breaks: tuple[str, ...]  # one sentence each; empty = the books agree
    halted: str | None = None  # the reason, if the run ended in a halt
    stopped_by: str | None = None  # "SIGINT" or "SIGTERM"
    locks: tuple[str, ...] = ()  # what did not open at the end, each with its reason
    seconds: float = 0.0  # real time
    peak_memory_mb: float = 0.0
    database: Path
    reports_dir: Path | None = None
    pictures: tuple[Path, ...] = field(default=())

    @property
    def total_pnl_usd(self) -> Decimal:
        """What the account gained over the run."""
        return self.final_nlv_usd - self.start_nlv_usd
