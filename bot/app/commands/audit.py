"""`alvh audit`: questions to the ledger. Nothing here can write."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.app.commands.inputs import parse_time, paths_of, read_config, write_text
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.override_effects import Effect, OverrideReport, measure_overrides
from bot.app.render.audits import audit_grid, coverage_grids, print_why
from bot.app.render.console import data_console, note, print_json
from bot.app.render.payoffs import layer_bars, payoff_curve, payoff_text
from bot.app.render.plans import market_time
from bot.app.render.tables import Grid, plain, print_grid, print_table
from bot.app.render.verifications import verification_grid, verification_json
from state.audit import AuditReader, Cell, Coverage, Filters, Table
from state.exports import write_csv, write_parquet
from state.replays import StoredDecision, stored_decision
from state.verification import first_bad_event, verify
from strategies.pricing.shocks import shock_pnl, usual_spx_fraction
from strategies.pricing.valuation import Valuer

_ALL_FILTERS = ("since", "until", "layer", "rule", "condor")
SHOCKS_VIX_POINTS = (-5.0, -2.0, 2.0, 5.0, 8.0, 15.0, 25.0)
_SHOCK_COLUMNS = ("vix_points", "spx_fraction", "condors_usd", "hedges_usd", "total_usd")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSource:
    """Which ledger is asked, as the command line says it."""

    config: Path
    flags: Sequence[str]
    state_dir: Path

    def database(self) -> Path:
        """Return the file of the ledger; raises ConfigInvalid."""
        return paths_of(read_config(self.config, self.flags), self.state_dir).database

    def open(self) -> AuditReader:
        """Open the ledger for reading; raises ConfigInvalid, NoLedger and their kin."""
        return AuditReader.open(self.database())


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """Which rows, and how they are written."""

    since: str | None
    until: str | None
    layer: str | None
    rule: str | None
    condor: str | None
    last: int | None
    output: str
    out: Path | None

    def refuse_what_does_not_apply(self, name: str) -> None:
        """Raise CommandFailed for a filter that a table has no column for."""
        known = _FILTERS.get(name, _BY_TIME)
        given = {option for option in _ALL_FILTERS if getattr(self, option) is not None}
        if wrong := sorted(given - known):
            offered = ", ".join(f"--{option}" for option in sorted(known)) or "none"
            message = f"--{wrong[0]} does not apply to `alvh audit {name}`; filters: {offered}"
            raise CommandFailed(message, ExitCode.USAGE)

    def filters(self) -> Filters:
        """Return the filters; raises CommandFailed for a time that is none."""
        return Filters(
            since=parse_time(self.since, "--since"),
            until=parse_time(self.until, "--until", end_of_day=True),
            layer=None if self.layer is None else self.layer.upper(),
            rule=None if self.rule is None else self.rule.upper(),
            condor=None if self.condor is None else self.condor.upper(),
        )


# What each table can be narrowed by; --last and the format apply to all
_FILTERS: Mapping[str, frozenset[str]] = {
    "fills": frozenset({"since", "until", "layer", "rule", "condor"}),
    "costs": frozenset({"since", "until", "layer", "rule", "condor"}),
    "orders": frozenset({"since", "until", "layer", "rule", "condor"}),
    "decisions": frozenset({"since", "until", "layer", "rule", "condor"}),
    "steward": frozenset({"since", "until", "layer", "rule", "condor"}),
    "hedge": frozenset({"since", "until", "layer", "rule"}),
    "condors": frozenset({"since", "until", "rule", "condor"}),
    "positions": frozenset(),
}
_BY_TIME = frozenset({"since", "until"})


def verify_command(source: AuditSource, *, output: str) -> ExitCode:
    """Check chain, anchor, contents, tables and orders of the whole ledger; 1 if one is wrong."""
    checks = verify(source.database())
    bad = first_bad_event(checks)
    if output == "json":
        print_json(json.dumps(verification_json(checks, bad), separators=(",", ":")))
    else:
        print_grid(verification_grid(checks), output)
    holds = all(check.holds for check in checks)
    if bad is not None:
        note(f"first bad event: {bad.seq}, {bad.kind}, {bad.at}")
    return ExitCode.OK if holds else ExitCode.FAILED


def table_command(
    name: str, source: AuditSource, options: TableOptions, *, everything: bool = False
) -> ExitCode:
    """Print one of the audit tables; ``everything`` counts in layers that did not change."""
    filters = options.filters()
    options.refuse_what_does_not_apply(name)
    with source.open() as reader:
        match name:
            case "hedge":
                table = reader.hedge(filters, changes_only=not everything)
            case "positions":
                table = reader.positions()
            case _:
                ask = {
                    "fills": reader.fills,
                    "orders": reader.orders,
                    "costs": reader.costs,
                    "decisions": reader.decisions,
                    "condors": reader.condors,
                    "pnl": reader.pnl,
                    "jobs": reader.job_runs,
                    "states": reader.system_states,
                    "runs": reader.runs,
                    "edits": reader.config_edits,
                    "steward": reader.steward,
                }[name]
                table = ask(filters)
    _write(name, table, options)
    return ExitCode.OK


def overrides_command(source: AuditSource, options: TableOptions) -> ExitCode:
    """Print the overrides with what each did, and their share of all orders."""
    options.refuse_what_does_not_apply("overrides")
    with source.open() as reader:
        table = reader.overrides(options.filters())
        report = measure_overrides(reader)
    rows = tuple(
        (*row, *_effect_cells(report, str(override_id)))
        for override_id, row in zip(table.column("override_id"), table.rows, strict=True)
    )
    table = Table((*table.columns, *_EFFECT_COLUMNS), rows)
    if options.output == "json":
        answer = table.as_json() | {
            "orders": report.orders,
            "override_orders": report.override_orders,
            "share": report.share,
        }
        _write_text(json.dumps(answer), options.out)
        return ExitCode.OK
    _write("overrides", table, options)
    if options.output == "table" and report.share is not None:
        words = f"{report.override_orders} of {report.orders} orders, {report.share:.1%}"
        data_console().print(f"  made or withheld by override: {words}", markup=False)
    return ExitCode.OK


_EFFECT_COLUMNS = (
    "decisions",
    "orders_made",
    "orders_withheld",
    "made_usd",
    "rules_own_usd",
    "effect_usd",
)


def _effect_cells(report: OverrideReport, override_id: str) -> tuple[Cell, ...]:
    effect = report.effects.get(override_id, Effect(override_id=override_id))
    cells = (getattr(effect, name) for name in _EFFECT_COLUMNS)
    return tuple(f"{cell:.2f}" if isinstance(cell, float) else cell for cell in cells)


def sql_command(
    query: str, source: AuditSource, options: TableOptions, *, seconds: float
) -> ExitCode:
    """Print the answer to a read-only query; amounts are whole millionths, as they are stored."""
    with source.open() as reader:
        table = reader.sql(query, seconds=seconds)
    _write("sql", table, options)
    return ExitCode.OK


def _write(name: str, table: Table, options: TableOptions) -> None:
    if options.last is not None:
        table = Table(table.columns, table.rows[-options.last :])
    match options.output:
        case "json":
            _write_text(json.dumps(table.as_json()), options.out)
        case "csv" | "parquet":
            _write_file(table, options)
        case _ if options.out is not None:
            message = "--out needs --format json, csv or parquet"
            raise CommandFailed(message, ExitCode.USAGE)
        case _:
            grid = audit_grid(name, table) if name != "sql" else _as_it_is(table)
            print_table(data_console(), grid)


def _as_it_is(table: Table) -> Grid:
    return Grid(columns=table.columns, rows=table.rows)


def _write_text(text: str, out: Path | None) -> None:
    if out is None:
        print_json(text)
    else:
        write_text(out, text + "\n")


def _write_file(table: Table, options: TableOptions) -> None:
    write = write_csv if options.output == "csv" else write_parquet
    if options.out is not None:
        write(table, options.out)
        note(f"{len(table)} rows in {options.out}")
        return
    if options.output == "parquet" and sys.stdout.isatty():
        message = "parquet is no text for a terminal: name a file by --out, or use a pipe"
        raise CommandFailed(message, ExitCode.USAGE)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        write(table, path)
        sys.stdout.flush()
        sys.stdout.buffer.write(path.read_bytes())
        sys.stdout.buffer.flush()


def why_command(identity: str, source: AuditSource, *, output: str) -> ExitCode:
    """Print the chain behind an order or a fill."""
    with source.open() as reader:
        chain = reader.why(identity)
    if output == "json":
        print_json(json.dumps(chain.as_json()))
    else:
        print_why(data_console(), chain)
    return ExitCode.OK


def coverage_command(at: str | None, source: AuditSource, *, output: str) -> ExitCode:
    """Print condors, hedge layers, break-evens and shocks of one decision."""
    with source.open() as reader:
        instant = parse_time(at, "--at") or _last_decision_at(reader)
        coverage = reader.coverage(instant)
        decision = stored_decision(reader, coverage.plan_id)
    valuer = Valuer(decision.snapshot.market, decision.session)
    shocks = shock_table(decision, valuer)
    if output == "json":
        answer = coverage.as_json()
        answer["shocks"] = {
            "columns": list(shocks.columns),
            "rows": [
                {name: plain(cell) for name, cell in zip(shocks.columns, row, strict=True)}
                for row in shocks.rows
            ],
        }
        print_json(json.dumps(answer))
    else:
        _print_coverage(coverage, decision, valuer, shocks)
    return ExitCode.OK


def _last_decision_at(reader: AuditReader) -> datetime:
    last = reader.status()["last_decision_at"]
    if last is None:
        raise CommandFailed("nothing has been decided yet; `alvh run` decides", ExitCode.USAGE)
    return datetime.fromisoformat(str(last))


def shock_table(decision: StoredDecision, valuer: Valuer) -> Grid:
    """Return what the book of a decision would gain at once under VIX moves, USD."""
    rows = []
    for vix_points in SHOCKS_VIX_POINTS:
        fraction = usual_spx_fraction(vix_points)
        condors = shock_pnl(valuer, decision.book.condors, (), fraction, vix_points)
        hedges = shock_pnl(valuer, (), decision.book.hedges, fraction, vix_points)
        total = None if condors is None or hedges is None else condors + hedges
        amounts = (None if item is None else round(item, 2) for item in (condors, hedges, total))
        rows.append((vix_points, round(fraction, 6), *amounts))
    title = "At once, if VIX moves with its usual SPX move"
    return Grid(columns=_SHOCK_COLUMNS, rows=tuple(rows), title=title)


def _print_coverage(
    coverage: Coverage, decision: StoredDecision, valuer: Valuer, shocks: Grid
) -> None:
    console = data_console()
    market = decision.snapshot.market
    console.print(f"{market_time(coverage.at)}   hedge: {coverage.decision['hedge_state']}")
    console.print()
    for grid in (*coverage_grids(coverage), shocks):
        print_table(console, grid)
    layers = [
        (str(row["layer"]), float(row["current_vega_usd"] or 0), float(row["target_vega_usd"] or 0))
        for row in coverage.layers.records()
    ]
    console.print("Layers, held (#) against target (.)")
    console.print(layer_bars(layers), markup=False)
    console.print()
    if decision.book.condors and "SPX" in market.indices:
        curve = payoff_curve(decision.book.condors, market.indices["SPX"].value, valuer)
        console.print("Condor book at expiry, USD")
        console.print(payoff_text(curve), markup=False)
