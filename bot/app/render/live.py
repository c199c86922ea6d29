"""What a run looks like while it goes: a table on a terminal, one line a session elsewhere."""

import time
from contextlib import AbstractContextManager
from decimal import Decimal
from types import TracebackType
from typing import Self

from rich.box import SIMPLE
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bot.app.render.console import note
from bot.app.render.plans import decision_sentence, market_time, regime_words
from bot.app.reports import IntervalReport, SessionReport

# A frame costs about 5 ms; more than ten a second would slow the run and please nobody
_FRAME_S = 0.1
_FUTURES_SHOWN = 3


class QuietView(AbstractContextManager["QuietView"]):
    """One line a session on stderr, for pipes and log files."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind."""

    def on_interval(self, report: IntervalReport) -> None:
        """Say nothing: a session's line is enough."""

    def on_session(self, report: SessionReport) -> None:
        """Write the session's line."""
        note(
            f"{report.session}  net liq. {report.nlv_usd:,.0f}  day {report.day_pnl_usd:+,.0f}"
            f"  decisions {report.decisions}  fills {report.fills}"
            f"  condors +{report.condors_opened} -{report.condors_closed}"
            f"  hedge trades {report.hedge_changes}"
        )

    def on_note(self, text: str) -> None:
        """Write it down."""
        note(text)


class LiveView(AbstractContextManager["LiveView"]):
    """A table that follows the run, on the terminal's stderr."""

    def __init__(self, console: Console, *, title: str) -> None:
        self._title = title
        self._note = ""
        self._report: IntervalReport | None = None
        self._drawn_at = float("-inf")
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        """Take over the lower part of the terminal."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back; the summary follows."""
        self._live.stop()

    def on_interval(self, report: IntervalReport) -> None:
        """Redraw, unless that was done a moment ago."""
        # Not time.monotonic: a simulated run moves it
        now = time.perf_counter()
        self._report, self._note = report, ""
        if now - self._drawn_at >= _FRAME_S:
            self._drawn_at = now
            self._draw()

    def on_session(self, report: SessionReport) -> None:
        """Say nothing: the next interval redraws."""

    def on_note(self, text: str) -> None:
        """Show it until something is decided."""
        self._note = text
        self._draw()

    def _draw(self) -> None:
        parts: list[RenderableType] = [Text(self._title, style="bold")]
        if self._report is not None:
            parts = [interval_view(self._report, title=self._title)]
        self._live.update(Group(*parts, Text(self._note)), refresh=True)


def interval_view(report: IntervalReport, *, title: str) -> Group:
    """Return the whole picture of one interval."""
    facts = Table(box=None, show_header=False, padding=(0, 1))
    facts.add_column(style="dim", justify="right", min_width=12)
    facts.add_column(overflow="fold")
    for name, value in _facts(report):
        facts.add_row(name, value)
    parts: list[RenderableType] = [Text(title, style="bold"), facts, _layers(report)]
    if report.progress:  # 0 where the end is not known
        bar = ProgressBar(total=1.0, completed=report.progress, width=40)
        share = Table.grid(padding=(0, 1))
        share.add_row(Text(f"{report.progress:>13.0%}"), bar)
        parts.append(share)
    return Group(*parts)


def _facts(report: IntervalReport) -> list[tuple[str, Text]]:
    plan = report.plan
    vega = None if plan.before is None else plan.before.net_vega_per_condor
    curve = "  ".join(
        f"M{month} {price:.2f}" for month, price in enumerate(report.futures[:_FUTURES_SHOWN], 1)
    )
    return [
        ("time", Text(market_time(report.at))),
        ("market", Text(f"SPX {_number(report.spx)}   VIX {_number(report.vix)}")),
        ("VIX futures", Text(f"{curve or 'none'}   {plan.curve.value}")),
        ("regime", Text(regime_words(report.regime) or "none")),
        ("condors", Text(f"{report.condors_open} open   net vega per condor {_number(vega)}")),
        ("hedge", Text(plan.hedge_state)),
        ("net liq.", Text(f"{report.nlv_usd:,.0f} USD")),
        ("P&L", _gain("day ", report.day_pnl_usd) + _gain("   run ", report.total_pnl_usd)),
        ("decided", Text(decision_sentence(plan))),
        *(("locked", Text(lock, style="red")) for lock in report.locks),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _gain(label: str, amount: Decimal) -> Text:
    style = "green" if amount > 0 else "red" if amount < 0 else ""
    return Text(label) + Text(f"{amount:+,.0f}", style=style)


def _layers(report: IntervalReport) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("layer")
    table.add_column("state")
    for name in ("vega now", "target", "planned"):
        table.add_column(name, justify="right")
    table.add_column("filled")
    table.add_column("cap")
    for layer in report.plan.layers:
        table.add_row(
            layer.layer,
            layer.reason.value,
            f"{layer.current_vega_usd:,.0f}",
            f"{layer.target_vega_usd:,.0f}",
            f"{layer.planned_vega_usd:,.0f}",
            ProgressBar(
                total=max(abs(layer.target_vega_usd), 1.0),
                completed=min(abs(layer.current_vega_usd), max(abs(layer.target_vega_usd), 1.0)),
                width=16,
            ),
            layer.binding_cap or "",
        )
    return table
