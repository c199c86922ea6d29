"""The command line ``alvh``: what can be asked, and nothing about how it is done.

Only typer is imported here; each command imports its work when it is called, so that help comes
at once.
"""

import sys
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from bot.app.exit_codes import ExitCode


class Output(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"


class TableOutput(StrEnum):
    """How an audit table is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class QuoteOutput(StrEnum):
    """How priced quotes are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Scope(StrEnum):
    """What a halt forbids."""

    OPENS = "opens"
    REDUCE_ONLY = "reduce-only"
    ALL = "all"


class _Guarded(TyperCommand):
    """A command whose failures are one screen of text and a documented exit code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 typer's own context, which it vendors
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader has seen enough (`alvh audit fills | head`)
            from bot.app.render.console import forget_stdout

            forget_stdout()
            raise typer.Exit(ExitCode.OK) from None
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.SIGINT) from None
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:
            from bot.app.failures import explain

            state_dir = ctx.params.get("state_dir") or Path("var")
            code, text = explain(error, state_dir=state_dir)
            sys.stderr.write(f"{text}\n")
            raise typer.Exit(code) from error


app = typer.Typer(
    name="alvh",
    help="SPX iron condors with an Adaptive Layered VIX Hedge: decides by rule, trades by ledger, "
    "answers why. Start with: alvh run",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
audit = typer.Typer(
    name="audit",
    help="Read the ledger: what was done, and why.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(
    name="data",
    help="Bundled and user history.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
override = typer.Typer(
    name="override",
    help="Signed, reasoned, expiring exceptions from the rules.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys = typer.Typer(
    name="keys",
    help="Keys of those who may sign.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(audit, rich_help_panel="Look")
app.add_typer(override, rich_help_panel="Operate")
app.add_typer(keys, rich_help_panel="Operate")
app.add_typer(data, rich_help_panel="Tools")

ConfigPath = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="ALVH_CONFIG", help="Configuration file.", show_default=True
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one value; may be repeated."),
]
StateDir = Annotated[
    Path,
    typer.Option("--state-dir", envvar="ALVH_STATE_DIR", help="Folder of databases and logs."),
]
Format = Annotated[Output, typer.Option("--format", "-f", help="How the result is written.")]
TableFormat = Annotated[
    TableOutput, typer.Option("--format", "-f", help="How the table is written.")
]
OutFile = Annotated[
    Path | None, typer.Option("--out", "-o", help="Write to this file instead of stdout.")
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="Up to this time; a date is its whole day.")
]

PAPER_CONFIG = Path("paper_config.yaml")
STATE_DIR = Path("var")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alvh {version('alvh-bot')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


@app.command(cls=_Guarded, rich_help_panel="Run", epilog="Example: alvh run --until 2020-02-28")
def run(
    config: ConfigPath = PAPER_CONFIG,
    until: Until = None,
    once: Annotated[bool, typer.Option("--once", help="One interval, then stop.")] = False,
    speed: Annotated[
        str,
        typer.Option(metavar="max|N", help="Virtual seconds a second; max: as fast as possible."),
    ] = "max",
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Run the bot. The shipped configuration replays February to April 2020, offline."""
    from bot.app.commands.run import run_command

    raise typer.Exit(
        run_command(
            config,
            until=until,
            once=once,
            speed=speed,
            flags=set_ or [],
            state_dir=state_dir,
            output=output,
        )
    )


@app.command(cls=_Guarded, rich_help_panel="Run", epilog="Example: alvh check --show-origin")
def check(
    config: ConfigPath = PAPER_CONFIG,
    show_origin: Annotated[
        bool, typer.Option("--show-origin", help="List every value in force and who said so.")
    ] = False,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Say whether everything a run needs is in place, with a fix for what is not."""
    from bot.app.commands.check import check_command, show_origin_command

    if show_origin:
        raise typer.Exit(show_origin_command(config, flags=set_ or [], output=output))
    raise typer.Exit(check_command(config, flags=set_ or [], state_dir=state_dir, output=output))


@app.command(
    cls=_Guarded,
    rich_help_panel="Tools",
    epilog="Example: alvh simulate --seeds 24 --evidence evidence.json",
)
def simulate(
    config: ConfigPath = PAPER_CONFIG,
    seeds: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many bot-months, one a seed.")
    ] = 4,
    first: Annotated[int, typer.Option(min=0, metavar="SEED", help="The first of them.")] = 1,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="SEED", help="This one only, in this process.")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A plan that an earlier failure has left."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="K", help="Processes; one a core if left out."),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what was counted, as JSON.")
    ] = None,
    shrink: Annotated[
        bool, typer.Option(help="Look for the few faults that make a failing seed fail.")
    ] = True,
    output: Format = Output.TABLE,
) -> None:
    """Live simulated months full of faults and deaths; 1 if anything comes out wrong."""
    from bot.app.commands.simulate import simulate_command

    raise typer.Exit(
        simulate_command(
            config,
            seeds=seeds,
            first=first,
            seed=seed,
            plan=plan,
            jobs=jobs,
            evidence=evidence,
            shrinks=shrink,
            output=output,
        )
    )


@app.command(
    cls=_Guarded,
    rich_help_panel="Run",
    epilog="Example: alvh conformance --config ib_paper.yaml --orders",
)
def conformance(
    config: ConfigPath = PAPER_CONFIG,
    orders: Annotated[
        bool,
        typer.Option("--orders", help="Also place one condor nobody takes, and cancel it."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Where the transcripts go."),
    ] = None,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Try a paper account: does its gateway do what the bot relies on? Writes transcripts."""
    from bot.app.commands.conformance import conformance_command

    raise typer.Exit(
        conformance_command(
            config, orders=orders, out=out, flags=set_ or [], state_dir=state_dir, output=output
        )
    )


@app.command(cls=_Guarded, rich_help_panel="Operate", epilog="Example: alvh status --format json")
def status(
    ack: Annotated[
        bool, typer.Option("--ack", help="Tell the bot that an operator has looked.")
    ] = False,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Show the state of the bot: what it may do, what it holds, what it did last."""
    from bot.app.commands.operate import status_command

    raise typer.Exit(
        status_command(config, ack=ack, flags=set_ or [], state_dir=state_dir, output=output)
    )


@app.command(
    cls=_Guarded,
    rich_help_panel="Operate",
    epilog='Example: alvh halt --reason "margin call pending" --scope reduce-only',
)
def halt(
    reason: Annotated[str, typer.Option(help="Why; it is stored.")],
    scope: Annotated[
        Scope,
        typer.Option(
            help="opens: nothing opens; reduce-only: only orders that take risk away; "
            "all: nothing is sent."
        ),
    ] = Scope.ALL,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Halt a running or stopped bot. The halt outlives a restart, until `alvh resume`."""
    from bot.app.commands.operate import halt_command

    raise typer.Exit(
        halt_command(
            config,
            reason=reason,
            scope=scope,
            flags=set_ or [],
            state_dir=state_dir,
            output=output,
        )
    )


@app.command(
    cls=_Guarded,
    rich_help_panel="Operate",
    epilog='Example: alvh flatten --reason "leaving the account to somebody else"',
)
def flatten(
    reason: Annotated[str, typer.Option(help="Why; it is stored.")],
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Close everything, condors first, then halt. A running bot begins at once."""
    from bot.app.commands.operate import flatten_command

    raise typer.Exit(
        flatten_command(config, reason=reason, flags=set_ or [], state_dir=state_dir, output=output)
    )


@app.command(
    cls=_Guarded,
    rich_help_panel="Operate",
    epilog='Example: alvh resume --reason "margin call settled"',
)
def resume(
    reason: Annotated[str, typer.Option(help="Why; it is stored.")],
    from_flatten: Annotated[
        bool, typer.Option("--from-flatten", help="Although everything is being closed.")
    ] = False,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Lift a halt."""
    from bot.app.commands.operate import resume_command

    raise typer.Exit(
        resume_command(
            config,
            reason=reason,
            from_flatten=from_flatten,
            flags=set_ or [],
            state_dir=state_dir,
            output=output,
        )
    )


BreakId = Annotated[str, typer.Argument(metavar="BREAK", help="Its id; may be shortened.")]
BreakReason = Annotated[str, typer.Option("--reason", help="Why; it is stored.")]


@app.command(cls=_Guarded, rich_help_panel="Operate", epilog="Example: alvh reconcile")
def reconcile(
    wait: Annotated[
        float,
        typer.Option(min=0, max=3600, metavar="SECONDS", help="How long a running bot may take."),
    ] = 30.0,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Compare ledger and broker now, and list what does not agree; 1 if anything is open."""
    from bot.app.commands.breaks import reconcile_command

    raise typer.Exit(
        reconcile_command(config, wait_s=wait, flags=set_ or [], state_dir=state_dir, output=output)
    )


@app.command(
    cls=_Guarded,
    rich_help_panel="Operate",
    epilog='Example: alvh adopt X1a2b3c4d --condor C0007 --reason "closed the calls by hand"',
)
def adopt(
    break_id: BreakId,
    reason: BreakReason,
    condor: Annotated[
        str | None, typer.Option(metavar="ID", help="The condor it belongs to from now on.")
    ] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="L1|L2|L3", help="Or the hedge layer.")
    ] = None,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Take over what somebody else traded, as part of a condor or a hedge layer."""
    from bot.app.commands.breaks import adopt_command

    raise typer.Exit(
        adopt_command(
            config,
            break_id,
            condor=condor,
            layer=layer,
            reason=reason,
            flags=set_ or [],
            state_dir=state_dir,
            output=output,
        )
    )


@app.command(
    cls=_Guarded,
    rich_help_panel="Operate",
    epilog='Example: alvh ignore X1a2b3c4d --reason "my own SPX trade"',
)
def ignore(
    break_id: BreakId,
    reason: BreakReason,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Let a break stand: it locks nothing more while its values stay."""
    from bot.app.commands.breaks import ignore_command

    raise typer.Exit(
        ignore_command(
            config, break_id, reason=reason, flags=set_ or [], state_dir=state_dir, output=output
        )
    )


@app.command(
    cls=_Guarded,
    rich_help_panel="Operate",
    epilog='Example: alvh unlock K1a2b3c4d --reason "the drawdown is understood"',
)
def unlock(
    lock_id: Annotated[
        str, typer.Argument(metavar="LOCK", help="Its id in `alvh status`; may be shortened.")
    ],
    reason: BreakReason,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Take a lock away before its time; it comes back if its cause is still there."""
    from bot.app.commands.breaks import unlock_command

    raise typer.Exit(
        unlock_command(
            config, lock_id, reason=reason, flags=set_ or [], state_dir=state_dir, output=output
        )
    )


class CashBooking(StrEnum):
    """What an operator books cash as."""

    INTEREST = "interest"
    FEE = "fee"
    OTHER = "other"


@app.command(
    cls=_Guarded,
    rich_help_panel="Operate",
    epilog='Example: alvh balance --amount 3.20 --kind interest --reason "October interest"',
)
def balance(
    amount: Annotated[str, typer.Option(metavar="USD", help="Cash in > 0, out < 0.")],
    kind: Annotated[CashBooking, typer.Option(help="What it is.")],
    reason: BreakReason,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Book cash that the broker moved and nothing else explains."""
    from bot.app.commands.breaks import balance_command

    raise typer.Exit(
        balance_command(
            config,
            amount=amount,
            kind=kind,
            reason=reason,
            flags=set_ or [],
            state_dir=state_dir,
            output=output,
        )
    )


@app.command(
    cls=_Guarded, rich_help_panel="Look", epilog="Example: alvh decide snapshot.json --format json"
)
def decide(
    snapshot: Annotated[Path, typer.Argument(help="A file that `alvh snapshot` wrote.")],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Take the rules from here, not from the file."),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Draw layers and forward vega (SVG) into it."),
    ] = None,
    set_: Settings = None,
    output: Format = Output.TABLE,
) -> None:
    """Decide on one stored snapshot. Pure: same file, same plan, and no broker is asked."""
    from bot.app.commands.decide import decide_command

    raise typer.Exit(
        decide_command(snapshot, config, flags=set_ or [], output=output, pictures=pictures)
    )


@app.command(
    cls=_Guarded,
    rich_help_panel="Look",
    epilog="Example: alvh snapshot --at 2020-03-09T10:00 --out snapshot.json",
)
def snapshot(
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="New York time; the last decision if left out."),
    ] = None,
    out: OutFile = None,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Write what an interval saw, or would see, as the JSON that `alvh decide` reads."""
    from bot.app.commands.snapshot import snapshot_command

    raise typer.Exit(
        snapshot_command(config, at=at, out=out, flags=set_ or [], state_dir=state_dir)
    )


@app.command(
    cls=_Guarded, rich_help_panel="Tools", epilog="Example: alvh price quotes.csv --format csv"
)
def price(
    quotes: Annotated[
        str,
        typer.Argument(
            help="CSV with the columns forward, strike, right, years, rate, and bid and ask or "
            "price; - for stdin."
        ),
    ],
    output: Annotated[
        QuoteOutput, typer.Option("--format", "-f", help="How the result is written.")
    ] = QuoteOutput.TABLE,
) -> None:
    """Add implied vol and greeks to a file of option quotes."""
    from bot.app.commands.price import price_command

    raise typer.Exit(price_command(quotes, output=output))


@app.command(cls=_Guarded, rich_help_panel="Tools", epilog="Example: alvh calendar VIX --year 2026")
def calendar(
    symbol: Annotated[str, typer.Argument(help="SPX, SPXW, VIX, VX or VXM.")],
    year: Annotated[int, typer.Option(min=1990, max=2100, help="Calendar year.")],
    overrides: Annotated[
        Path | None, typer.Option(help="CSV of date,kind,reason that corrects the calendar.")
    ] = None,
    output: Annotated[
        QuoteOutput, typer.Option("--format", "-f", help="How the table is written.")
    ] = QuoteOutput.TABLE,
) -> None:
    """List expiries, last trading days, holidays and early closes of a year."""
    from bot.app.commands.reference import calendar_command

    raise typer.Exit(calendar_command(symbol, year, overrides, output=output))


@app.command(
    cls=_Guarded,
    rich_help_panel="Tools",
    epilog="Example: alvh gateway --port 4002 --market replay:2020-02-24..2020-03-20 --speed 60",
)
def gateway(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Where to listen on loopback; 0: any free port.")
    ] = 4002,
    market: Annotated[
        str,
        typer.Option(
            metavar="KIND:...", help="replay:FROM..TO, synthetic:SEED or synthetic:SEED:FROM..TO."
        ),
    ] = "replay",
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME|now", help="Where its clock begins; the first open if left out."
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, max=10_000, metavar="N", help="Its seconds a second.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of paths and fills of a replay.")] = 7,
    account: Annotated[str, typer.Option(help="DU and digits.")] = "DU0000001",
    cash: Annotated[
        float,
        typer.Option(min=10_000, max=1e9, metavar="USD", help="What the account begins with."),
    ] = 1_000_000,
    lines: Annotated[
        int, typer.Option(min=0, metavar="N", help="Market data lines; 0: no limit.")
    ] = 100,
    pacing: Annotated[
        str, typer.Option(metavar="N|off", help="Messages a second one client may send.")
    ] = "50",
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PRODUCT",
            help="indices, options or futures are not subscribed; may be repeated.",
        ),
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(metavar="YAML", help="What goes wrong, and when.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Keep orders and fills there, and go on from it.")
    ] = None,
    control: Annotated[
        Path | None, typer.Option(metavar="SOCKET", help="Take console commands on a unix socket.")
    ] = None,
    master: Annotated[
        int | None, typer.Option(metavar="CLIENT_ID", help="A client that sees every order.")
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Stand before that gateway and write down what is said."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of --record's files.")] = Path(
        "transcripts"
    ),
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Say what --record wrote down.")
    ] = None,
    all_hours: Annotated[
        bool, typer.Option("--all-hours", help="Let nights and weekends last as long as they do.")
    ] = False,
    console: Annotated[
        bool, typer.Option("--console", help="Take console commands from stdin, terminal or not.")
    ] = False,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Run a simulated IB Gateway for any client of the TWS API (docs/gateway.md)."""
    from bot.app.commands.gateway import gateway_command, read_options
    from bot.app.commands.transcripts import record_command, replay_command

    if record is not None:
        raise typer.Exit(record_command(record, out, port=port))
    if replay is not None:
        raise typer.Exit(replay_command(replay, port=port))
    options = read_options(
        port=port,
        market=market,
        at=at,
        speed=speed,
        seed=seed,
        account=account,
        cash=cash,
        lines=lines,
        pacing=pacing,
        without=without or [],
        faults=faults,
        journal=journal,
        control=control,
        master=master,
        all_hours=all_hours,
        console=console,
        state_dir=state_dir,
    )
    raise typer.Exit(gateway_command(options))


@data.command("list", cls=_Guarded, epilog="Example: alvh data list --format json")
def data_list(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Count in the history overrides of this file."),
    ] = None,
    output: Annotated[
        QuoteOutput, typer.Option("--format", "-f", help="How the table is written.")
    ] = QuoteOutput.TABLE,
) -> None:
    """List every history series: range, age, gaps and where it comes from."""
    from bot.app.commands.reference import data_list_command

    raise typer.Exit(data_list_command(config, output=output))


Since = Annotated[str | None, typer.Option(metavar="TIME", help="At or after this time.")]
Layer = Annotated[str | None, typer.Option(help="L1, L2 or L3.")]
Rule = Annotated[str | None, typer.Option(help="A rule id, such as B1.")]
Condor = Annotated[str | None, typer.Option(help="A condor id, such as C0007.")]
Last = Annotated[int | None, typer.Option(min=1, metavar="N", help="The newest N rows only.")]


def _audit_table(name: str, summary: str, example: str) -> None:
    """Add ``alvh audit <name>``; the tables differ in nothing but their rows."""

    def command(
        since: Since = None,
        until: Until = None,
        layer: Layer = None,
        rule: Rule = None,
        condor: Condor = None,
        last: Last = None,
        config: ConfigPath = PAPER_CONFIG,
        set_: Settings = None,
        state_dir: StateDir = STATE_DIR,
        output: TableFormat = TableOutput.TABLE,
        out: OutFile = None,
    ) -> None:
        from bot.app.commands.audit import (
            AuditSource,
            TableOptions,
            overrides_command,
            table_command,
        )

        source = AuditSource(config=config, flags=set_ or [], state_dir=state_dir)
        options = TableOptions(
            since=since,
            until=until,
            layer=layer,
            rule=rule,
            condor=condor,
            last=last,
            output=output,
            out=out,
        )
        if name == "overrides":
            raise typer.Exit(overrides_command(source, options))
        raise typer.Exit(table_command(name, source, options))

    audit.command(name, cls=_Guarded, help=summary, epilog=f"Example: alvh audit {example}")(
        command
    )


_audit_table("fills", "List executions: signed quantity, price, commission.", "fills --layer L2")
_audit_table("costs", "List what trading cost beyond the mid.", "costs --layer L2")
_audit_table("orders", "List orders and what became of them.", "orders --condor C0007")
_audit_table("decisions", "List decisions, those that did nothing too.", "decisions --rule B1")
_audit_table("condors", "List condors and their results.", "condors --format csv")
_audit_table("pnl", "List profit and loss by session.", "pnl --since 2020-03-01")
_audit_table("positions", "List what is held.", "positions --format json")
_audit_table("jobs", "List what the scheduler ran, skipped and missed.", "jobs --last 20")
_audit_table("states", "List starts, halts and resumptions.", "states")
_audit_table("runs", "List starts with what was in force.", "runs --format json")
_audit_table("steward", "List each adjustment with its inputs and what it did.", "steward")
_audit_table("overrides", "List signed overrides and what they did.", "overrides --last 5")
_audit_table("edits", "List edits of the configuration under a running bot.", "edits")


@audit.command("hedge", cls=_Guarded, epilog="Example: alvh audit hedge --layer L2 --rule B1")
def audit_hedge(
    since: Since = None,
    until: Until = None,
    layer: Layer = None,
    rule: Rule = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also layers that did not change.")
    ] = False,
    last: Last = None,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: TableFormat = TableOutput.TABLE,
    out: OutFile = None,
) -> None:
    """List changes of the hedge layers: rules, caps, net vega before and after."""
    from bot.app.commands.audit import AuditSource, TableOptions, table_command

    source = AuditSource(config=config, flags=set_ or [], state_dir=state_dir)
    options = TableOptions(
        since=since,
        until=until,
        layer=layer,
        rule=rule,
        condor=None,
        last=last,
        output=output,
        out=out,
    )
    raise typer.Exit(table_command("hedge", source, options, everything=everything))


@audit.command("why", cls=_Guarded, epilog="Example: alvh audit why A101e2243258a1d1 --format json")
def audit_why(
    identity: Annotated[
        str, typer.Argument(metavar="ORDER_OR_FILL", help="An id of either; its start will do.")
    ],
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Go from a fill back to order, decision, rules, signals, quotes and configuration."""
    from bot.app.commands.audit import AuditSource, why_command

    source = AuditSource(config=config, flags=set_ or [], state_dir=state_dir)
    raise typer.Exit(why_command(identity, source, output=output))


@audit.command(
    "coverage", cls=_Guarded, epilog="Example: alvh audit coverage --at 2020-03-09T10:00"
)
def audit_coverage(
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="The last decision up to here; else of all.")
    ] = None,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Show condors, hedge layers, net vega, break-evens and shocks at one time."""
    from bot.app.commands.audit import AuditSource, coverage_command

    source = AuditSource(config=config, flags=set_ or [], state_dir=state_dir)
    raise typer.Exit(coverage_command(at, source, output=output))


@audit.command("verify", cls=_Guarded, epilog="Example: alvh audit verify --format json")
def audit_verify(
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Check the whole ledger: hash chain, tail anchor, contents, tables, cover and orders."""
    from bot.app.commands.audit import AuditSource, verify_command

    source = AuditSource(config=config, flags=set_ or [], state_dir=state_dir)
    raise typer.Exit(verify_command(source, output=output))


@audit.command(
    "replay",
    cls=_Guarded,
    epilog="Example: alvh audit replay --since 2020-03-09",
)
def audit_replay(
    run: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Of this start of the bot only (`alvh audit runs`)."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", "--from", metavar="TIME", help="At or after this time.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", "--to", metavar="TIME", help="Up to this time; a date is its whole day."
        ),
    ] = None,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Decide every stored interval again from its stored inputs; 1 if any comes out differently."""
    from bot.app.commands.audit import AuditSource
    from bot.app.commands.replay import replay_command

    source = AuditSource(config=config, flags=set_ or [], state_dir=state_dir)
    raise typer.Exit(replay_command(source, run=run, since=since, until=until, output=output))


@audit.command(
    "sql",
    cls=_Guarded,
    epilog='Example: alvh audit sql "SELECT curve, count(*) FROM decisions GROUP BY curve"',
)
def audit_sql(
    query: Annotated[str, typer.Argument(help="A SELECT; anything else is refused.")],
    timeout: Annotated[
        float,
        typer.Option(min=0.1, metavar="SECONDS", help="A query that takes longer is stopped."),
    ] = 60.0,
    last: Last = None,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: TableFormat = TableOutput.TABLE,
    out: OutFile = None,
) -> None:
    """Ask the ledger in SQL; it can only be read. Amounts are stored in millionths."""
    from bot.app.commands.audit import AuditSource, TableOptions, sql_command

    source = AuditSource(config=config, flags=set_ or [], state_dir=state_dir)
    options = TableOptions(
        since=None,
        until=None,
        layer=None,
        rule=None,
        condor=None,
        last=last,
        output=output,
        out=out,
    )
    raise typer.Exit(sql_command(query, source, options, seconds=timeout))


KeyFile = Annotated[Path, typer.Option("--key", "-k", help="Private key (`alvh keys new`).")]


@keys.command("new", cls=_Guarded, epilog="Example: alvh keys new alice --out alice.pem")
def keys_new(
    name: Annotated[str, typer.Argument(help="What the configuration will call it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New file for the private half.")],
    output: Format = Output.TABLE,
) -> None:
    """Make an Ed25519 key pair and print its public half for the configuration."""
    from bot.app.commands.govern import new_key_command

    raise typer.Exit(new_key_command(name, out, output=output))


@keys.command("list", cls=_Guarded, epilog="Example: alvh keys list --format json")
def keys_list(
    config: ConfigPath = PAPER_CONFIG, set_: Settings = None, output: Format = Output.TABLE
) -> None:
    """List whose signatures the configuration believes."""
    from bot.app.commands.govern import list_keys_command

    raise typer.Exit(list_keys_command(config, flags=set_ or [], output=output))


@override.command(
    "sign",
    cls=_Guarded,
    epilog='Example: alvh override sign hold_layer:L2 --reason "fund unwinding" --signer alice '
    "--key alice.pem --until 2020-03-10 --out hold.json",
)
def override_sign(
    action: Annotated[
        str,
        typer.Argument(
            help="skip_entries, hold_layer:L2, close_condor:C0007 or hold_condor:C0007."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why; it is signed and stored.")],
    signer: Annotated[str, typer.Option(help="The key's name in governance.keys.")],
    key: KeyFile,
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Until then; a date is its whole day.")
    ],
    begins: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="From then; the market's present if left out."),
    ] = None,
    serial: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Used once a key; the time in ms if left out."),
    ] = None,
    out: OutFile = None,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Sign an override for this account; nothing is sent anywhere."""
    from bot.app.commands.govern import sign_command

    raise typer.Exit(
        sign_command(
            config,
            action=action,
            reason=reason,
            signer=signer,
            key=key,
            begins=begins,
            ends=until,
            serial=serial,
            out=out,
            flags=set_ or [],
            state_dir=state_dir,
        )
    )


@override.command("submit", cls=_Guarded, epilog="Example: alvh override submit hold.json")
def override_submit(
    file: Annotated[Path, typer.Argument(help="A file that `alvh override sign` wrote.")],
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Hand a signed override to the bot, running or stopped; refused unless it proves genuine."""
    from bot.app.commands.govern import submit_command

    raise typer.Exit(
        submit_command(config, file, flags=set_ or [], state_dir=state_dir, output=output)
    )


@override.command("list", cls=_Guarded, epilog="Example: alvh override list --format json")
def override_list(
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """List overrides on record, and those that wait for the running bot."""
    from bot.app.commands.govern import list_overrides_command

    raise typer.Exit(
        list_overrides_command(config, flags=set_ or [], state_dir=state_dir, output=output)
    )


Reason = Annotated[str, typer.Option(help="Why; it is stored.")]


@app.command(cls=_Guarded, rich_help_panel="Operate", epilog="Example: alvh backup --keep 14")
def backup(
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FOLDER", help="A new folder; under backups/ if left out."),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Then remove all but the newest N beside it."),
    ] = None,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Back up ledger and journals of a bot, running or stopped, and read the backup back."""
    from bot.app.commands.upkeep import backup_command

    raise typer.Exit(
        backup_command(
            config, to=to, keep=keep, flags=set_ or [], state_dir=state_dir, output=output
        )
    )


@app.command(
    cls=_Guarded,
    rich_help_panel="Operate",
    epilog='Example: alvh restore var/backups/simulated-DU0000001-20200228 --reason "disk failed"',
)
def restore(
    source: Annotated[
        Path, typer.Argument(metavar="BACKUP", help="What `alvh backup` or `archive` wrote.")
    ],
    reason: Reason,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Put a backup in the place of a stopped bot's files; what is there is kept aside."""
    from bot.app.commands.upkeep import restore_command

    raise typer.Exit(
        restore_command(
            config, source, reason=reason, flags=set_ or [], state_dir=state_dir, output=output
        )
    )


@app.command(cls=_Guarded, rich_help_panel="Operate", epilog="Example: alvh migrate")
def migrate(
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Bring the ledger of an older version up to date, on a copy; the older file is kept."""
    from bot.app.commands.upkeep import migrate_command

    raise typer.Exit(migrate_command(config, flags=set_ or [], state_dir=state_dir, output=output))


@app.command(cls=_Guarded, rich_help_panel="Operate", epilog="Example: alvh archive")
def archive(
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="A new .tar.gz; under archives/ if left out."),
    ] = None,
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Write ledger and journals of a finished account as one compressed file; nothing is moved."""
    from bot.app.commands.upkeep import archive_command

    raise typer.Exit(
        archive_command(config, to=to, flags=set_ or [], state_dir=state_dir, output=output)
    )


@app.command(
    cls=_Guarded, rich_help_panel="Operate", epilog="Example: alvh healthcheck --format json"
)
def healthcheck(
    config: ConfigPath = PAPER_CONFIG,
    set_: Settings = None,
    state_dir: StateDir = STATE_DIR,
    output: Format = Output.TABLE,
) -> None:
    """Say to a supervisor whether the bot runs as it should: 0, 1 if not, 5 if it is halted."""
    from bot.app.commands.upkeep import healthcheck_command

    raise typer.Exit(
        healthcheck_command(config, flags=set_ or [], state_dir=state_dir, output=output)
    )


def main() -> None:
    """Run the command line; the process ends with one of the documented exit codes."""
    app(prog_name="alvh")
