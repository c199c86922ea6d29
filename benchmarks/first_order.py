"""How long after an interval begins its first order is on the wire, as one JSON document.

``python -m benchmarks.first_order [--rounds 3] [--answer-after 0.05] [--lines 400]``. A gateway
runs in a process of its own, behind a relay that keeps every answer for 50 ms; the bot's own
engine, ledger and IB adapter run here, in real time. Contracts are known and quotes are streaming
since an interval before; from then on requests are throttled to 45 a second, and the clock strikes
the entry at 10:00. Counted is the time from there to the bytes of the first placeOrder that is not
the what-if which goes before it, and how much of it was spent before, on and after the decision.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.wire import peer
from benchmarks.wire_peers import ACCOUNT, GRID, RunningClock, unix_time
from bot.app.config.loader import LoadedConfig, load_config
from bot.app.ib_ports import IbAccess, IbEnd
from bot.app.logs import LogAlerts, start_logging
from bot.brokers.ib.data_settings import IbDataSettings
from bot.brokers.ib.session_settings import IbSettings
from bot.calendars.build import build_calendar
from bot.engine.engine import Engine, EngineSettings
from bot.engine.prices import WalkPolicy
from bot.gateway.protocol.codec import decode_request
from bot.history.store import History
from state.ledger import Ledger
from strategies.decide import decide
from strategies.model.calendars import EXCHANGE_ZONE, TradingCalendar
from strategies.model.encoding import to_json
from strategies.model.rules import rules_hash

CONFIG = Path(__file__).resolve().parents[1] / "paper_config.yaml"
ENTRY = datetime(2020, 2, 5, 10, 0, tzinfo=EXCHANGE_ZONE)
WARM_UP = timedelta(seconds=30)  # before the entry: connecting, contracts, first ticks
REQUESTS_PER_SECOND = 45  # of each connection once it is warm
RUN = "first-order"
WARM_UP_INTERVALS = 2
PLACE_ORDER = b"3\x00"
LENGTH_BYTES = 4


class Stopwatch:
    """Notes when the bytes of the first order leave, and when a decision begins and ends."""

    def __init__(self) -> None:
        self.first_order: float | None = None
        self.is_sent = asyncio.Event()
        self.decided: list[tuple[float, float]] = []

    def watch(self, end: IbEnd) -> None:
        """Listen to what both sessions send."""
        for session in (end.trading, end.data):
            connection = session.ib.client.conn
            version = session.ib.client.serverVersion()
            connection.sendMsg = self._listening(connection.sendMsg, version)

    def _listening(self, send, version: int):
        def sent(message: bytes) -> None:
            send(message)
            if self.first_order is None and is_an_order(message[LENGTH_BYTES:], version):
                self.first_order = time.perf_counter()
                self.is_sent.set()

        return sent

    def decide(self, *inputs):
        """Decide, and note how long it takes."""
        began = time.perf_counter()
        result = decide(*inputs)
        self.decided.append((began, time.perf_counter()))
        return result


def is_an_order(payload: bytes, version: int) -> bool:
    """Return whether a message places an order, and not only asks what one would do."""
    return payload.startswith(PLACE_ORDER) and not decode_request(payload, version).values["whatIf"]


def engine_of(
    config: LoadedConfig,
    end: IbEnd,
    ledger: Ledger,
    clock: RunningClock,
    calendar: TradingCalendar,
    history: History,
    folder: Path,
    stopwatch: Stopwatch,
) -> Engine:
    """Return the bot's engine on this end of the connection."""
    folder.joinpath("control").mkdir()
    return Engine(
        EngineSettings(
            run_id=RUN,
            calendar=calendar,
            events_ahead=lambda session: history.events_ahead(session, calendar),
            rules=config.rules,
            limits=config.limits,
            walk=WalkPolicy(
                duration_s=config.bot.execution.walk_seconds,
                step_s=config.bot.execution.walk_step_seconds,
            ),
            control_dir=folder / "control",
        ),
        ledger=ledger,
        broker=end.ports.broker,
        market_data=end.ports.market_data,
        clock=clock,
        alerts=LogAlerts(),
        on_interval=lambda _: None,
        on_session=lambda _: None,
        decide=stopwatch.decide,
    )


async def first_order(
    port: int, clock: RunningClock, lines: int | None, folder: Path
) -> dict[str, float]:
    """Return the milliseconds from the entry's interval to its first order, and their parts."""
    config = load_config(CONFIG, environment={})
    history = History.bundled()
    calendar = build_calendar(date(2017, 1, 1), date(2021, 12, 31))
    access = IbAccess(
        settings=IbSettings(port=port, client_id=1, account=ACCOUNT, requests_per_second=0),
        data=IbDataSettings(lines=lines, grid=GRID),
        calendar=calendar,
        first_session=ENTRY.date(),
        rules=config.rules,
        rate=lambda at: history.rate_on(at.astimezone(EXCHANGE_ZONE).date()),
        history_before=history.daily_history,
        tops_up=False,
        events_folder=folder / "events",
    )
    stopwatch = Stopwatch()
    with Ledger.open(
        folder / "ledger.db", mode="ib_paper", account=ACCOUNT, now=clock.now()
    ) as ledger:
        with ledger.transaction() as tx:
            tx.start_run(
                RUN,
                clock.now(),
                mode="ib_paper",
                account=ACCOUNT,
                config_text_hash=config.config_hash,
                config_redacted_json=config.redacted_json,
                rules_json=to_json(config.rules),
                rules_hash=rules_hash(config.rules),
                package_version="0",
                seed=None,
            )
        end = IbEnd(access, clock, ledger)
        try:
            engine = engine_of(config, end, ledger, clock, calendar, history, folder, stopwatch)
            await engine.start()
            for _ in range(WARM_UP_INTERVALS):  # the first one makes the streams
                warmed = await engine.run_interval(clock.now(), entry_due=False)
            assert warmed == "ran", warmed
            left = (ENTRY - clock.now()).total_seconds()
            assert left > 0, f"warming up took {-left:.1f} s too long"
            for session in (end.trading, end.data):
                session.ib.client.MaxRequests = REQUESTS_PER_SECOND
            stopwatch.watch(end)
            await asyncio.sleep(left)
            began = time.perf_counter()
            interval = asyncio.create_task(engine.run_interval(ENTRY, entry_due=True))
            sent = asyncio.create_task(stopwatch.is_sent.wait())
            await asyncio.wait({interval, sent}, return_when=asyncio.FIRST_COMPLETED)
            if stopwatch.first_order is None:
                raise SystemExit(f"no order was sent: {interval.result()}")
            interval.cancel()
            await asyncio.gather(interval, return_exceptions=True)
        finally:
            end.close()
    decision_began, decided = stopwatch.decided[-1]
    return {
        "to_first_order": (stopwatch.first_order - began) * 1000,
        "before_deciding": (decision_began - began) * 1000,
        "deciding": (decided - decision_began) * 1000,
        "after_deciding": (stopwatch.first_order - decided) * 1000,
    }


def measured(lines: int | None, answer_after_s: float) -> dict[str, float]:
    """Return the milliseconds of one entry, with a gateway and a ledger of its own."""
    starts_at, began = (ENTRY - WARM_UP).astimezone(UTC), unix_time()
    words = ("slow", "--at", starts_at.isoformat(), "--began", str(began))
    with (
        tempfile.TemporaryDirectory() as folder,
        peer(*words, "--answer-after", str(answer_after_s)) as port,
    ):
        start_logging(Path(folder) / "log.jsonl", "WARNING")
        clock = RunningClock(starts_at, began)
        return asyncio.run(first_order(port, clock, lines, Path(folder)))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--answer-after", type=float, default=0.05, help="seconds")
    parser.add_argument("--lines", type=int, help="market data lines; the whole listing if not")
    arguments = parser.parse_args()
    rounds = [measured(arguments.lines, arguments.answer_after) for _ in range(arguments.rounds)]
    report = {
        "answer_after_ms": arguments.answer_after * 1000,
        "milliseconds": {
            part: {
                "median": round(statistics.median(each[part] for each in rounds), 1),
                "most": round(max(each[part] for each in rounds), 1),
            }
            for part in rounds[0]
        },
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
