"""`alvh conformance`: does the gateway behind a paper account do what the bot relies on?"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import typer

from bot.app.commands.conformance_cards import Card, Cards
from bot.app.commands.inputs import paths_of, process_of, read_config
from bot.app.config.schema import IbPaperBrokerSection
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.ib_ports import IbAccess, connected, paper_access
from bot.app.logs import silence_logging
from bot.app.render.tables import Grid, print_grid
from bot.app.wiring import load_calendar, load_history
from bot.clock import SystemClock
from bot.errors import BrokerUnavailable
from bot.gateway.recording import Recorder
from bot.ports import Clock
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.limits import Limits

_LOOPBACK = "127.0.0.1"
_REACHED_S = 5.0


def conformance_command(
    config_path: Path,
    *,
    orders: bool,
    out: Path | None,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
) -> ExitCode:
    """Run the cards and print them; 1 if any fails.

    Raises: CommandFailed, WrongAccount, BrokerUnavailable where nothing listens.
    """
    silence_logging()
    config = read_config(config_path, flags)
    broker = config.bot.broker
    if not isinstance(broker, IbPaperBrokerSection):
        message = f"broker.kind is {config.mode}: conformance is about an account, use ib_paper"
        raise CommandFailed(message, ExitCode.USAGE)
    paths = paths_of(config, state_dir)
    if orders and (process := process_of(paths.database)) is not None:
        message = f"process {process or 'unknown'} trades this account; stop it before --orders"
        raise CommandFailed(message, ExitCode.UNSAFE)
    clock = SystemClock()
    now = clock.now()
    today = now.astimezone(EXCHANGE_ZONE).date()
    access = paper_access(
        broker,
        calendar=load_calendar(config, today, today),
        history=load_history(config),
        rules=config.rules,
        first_session=today,
        events_folder=None,
    )
    folder = out or state_dir / "conformance"
    cards, transcripts = asyncio.run(
        conform(access, config.limits, clock, with_orders=orders, folder=folder)
    )
    rows = tuple(
        (card.number, card.result, card.about, card.found, card.expected) for card in cards
    )
    grid = Grid(columns=("card", "result", "about", "found", "expected"), rows=rows)
    print_grid(grid, output)
    for path in transcripts:
        typer.echo(f"transcript, accounts masked: {path}", err=True)
    return ExitCode.OK if all(card.passed for card in cards) else ExitCode.FAILED


async def conform(
    access: IbAccess, limits: Limits, clock: Clock, *, with_orders: bool, folder: Path
) -> tuple[list[Card], list[Path]]:
    """Return the cards, and the files in which both sides of every connection are written down.

    Args:
        access: To the account.
        limits: Of the risk gate, which lets the one order through.
        clock: Time.
        with_orders: Whether an order is placed and cancelled.
        folder: Where the transcripts go.

    Raises: WrongAccount, BrokerUnavailable where nothing listens.
    """
    settings = access.settings
    await _require_listener(settings.host, settings.port)
    recorder = Recorder(
        host=settings.host, port=settings.port, folder=folder, name=_name(clock.now())
    )
    port = await recorder.start()
    watched = replace(access, settings=replace(settings, host=_LOOPBACK, port=port))
    try:
        async with connected(watched, clock, None) as end:
            cards = Cards(end, watched, limits, clock)
            await cards.run(with_orders=with_orders)
    finally:
        await recorder.stop()
    return cards.done, recorder.transcripts


async def _require_listener(host: str, port: int) -> None:
    """Say that nothing listens before a recorder in between makes it look like something else."""
    try:
        async with asyncio.timeout(_REACHED_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as cause:
        raise BrokerUnavailable(
            f"nothing listens on {host}:{port}. Start IB Gateway or TWS and log in, enable the "
            "API, and compare broker.port with its API port (paper: 4002 or 7497)"
        ) from cause
    writer.close()


def _name(at: datetime) -> str:
    return f"conformance-{at:%Y%m%d-%H%M%S}"
