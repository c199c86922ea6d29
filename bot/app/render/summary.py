"""The closing words of a run."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.app.render.console import program
from bot.app.render.plans import market_time
from bot.app.render.tables import plain
from bot.app.reports import RunSummary


def summary_json(summary: RunSummary) -> dict[str, object]:
    """Return the summary with documented keys: money as exact text, times ISO-8601 UTC."""
    names = summary.__dataclass_fields__
    values = {name: plain(getattr(summary, name)) for name in names}
    values["total_pnl_usd"] = plain(summary.total_pnl_usd)
    values["decisions_per_s"] = round(decisions_per_s(summary), 1)
    return values


def decisions_per_s(summary: RunSummary) -> float:
    """Return decisions a second of real time; 0 for a run without length."""
    return summary.decisions / summary.seconds if summary.seconds > 0 else 0.0


def print_summary(console: Console, summary: RunSummary, options: Sequence[str] = ()) -> None:
    """Write the summary for a person.

    Args:
        console: Where to.
        summary: Of the run.
        options: What the run was told that the commands which look at it must be told, too.
    """
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(style="dim", justify="right", min_width=14)
    table.add_column(overflow="fold")
    for name, words in _lines(summary):
        table.add_row(name, Text(words))
    console.print()
    console.print(Text(_headline(summary), style="bold red" if summary.halted else "bold"))
    console.print(table)
    console.print()
    console.print("Where to look next:", style="dim")
    for command in _next_commands(summary, options):
        console.print(Text(f"  {command}"))


def _headline(summary: RunSummary) -> str:
    if summary.halted:
        return f"HALTED: {summary.halted}"
    if summary.stopped_by:
        return f"Stopped by {summary.stopped_by}; `alvh run` goes on from here"
    return "Run complete" if summary.decisions else "Nothing decided: no interval was due"


def _lines(summary: RunSummary) -> list[tuple[str, str]]:
    span = "no interval was due"
    if summary.first_at and summary.last_at:
        span = f"{market_time(summary.first_at)}  to  {market_time(summary.last_at)}"
    rules = "  ".join(f"{rule}:{count}" for rule, count in sorted(summary.rules_fired.items()))
    trades = "  ".join(f"{layer}:{count}" for layer, count in sorted(summary.hedge_trades.items()))
    lines = [
        ("run", f"{summary.run_id}  {summary.mode} {summary.account}"),
        ("time", span),
        ("decisions", f"{summary.decisions:,} in {summary.sessions} sessions"),
        ("orders", f"{summary.orders:,} orders, {summary.fills:,} fills"),
        ("condors", _condor_words(summary)),
        ("hedge fills", trades or "none"),
        ("rules fired", rules or "none"),
        ("net liq.", f"{summary.start_nlv_usd:,.2f} -> {summary.final_nlv_usd:,.2f} USD"),
        ("P&L", _profit_words(summary)),
        ("reconciled", _reconciliation_words(summary)),
        *(("locked", lock) for lock in summary.locks),
        ("speed", _speed_words(summary)),
        ("config", summary.config_hash[:16]),
        ("database", str(summary.database)),
    ]
    lines += [("picture", str(path)) for path in summary.pictures]
    return lines


def _condor_words(summary: RunSummary) -> str:
    opened, closed = summary.condors_opened, summary.condors_closed
    return f"{opened} opened, {closed} closed, {summary.condors_open} open"


def _profit_words(summary: RunSummary) -> str:
    condors, hedge, fees = summary.condor_pnl_usd, summary.hedge_pnl_usd, -summary.fees_usd
    total = summary.total_pnl_usd
    return f"{total:+,.2f} USD = condors {condors:+,.2f}  hedge {hedge:+,.2f}  fees {fees:+,.2f}"


def _speed_words(summary: RunSummary) -> str:
    rate = f"{summary.seconds:.1f} s, {decisions_per_s(summary):.0f} decisions/s"
    return f"{rate}, {summary.peak_memory_mb:.0f} MB at most"


def _reconciliation_words(summary: RunSummary) -> str:
    if summary.reconciliation_breaks:
        return "; ".join(summary.reconciliation_breaks)
    difference = summary.reconciliation_difference_usd
    return f"ledger and broker agree, difference {difference:.2f} USD"


def _next_commands(summary: RunSummary, options: Sequence[str]) -> list[str]:
    last = f"{summary.last_at:%Y-%m-%dT%H:%MZ}" if summary.last_at else "TIME"
    commands = (
        "status",
        "audit fills",
        "audit steward --last 20",
        "audit hedge --layer L2",
        f"audit coverage --at {last}",
        "audit why FILL_OR_ORDER",
        "audit replay",
    )
    return [" ".join((program(), command, *options)) for command in commands]
