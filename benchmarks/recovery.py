"""How long a bot that was killed takes to be RUNNING again, on a ledger of one year.

The year is written first, by script: 252 sessions of 26 decisions on a market of a thousand quotes,
20 orders and 10 fills each. Then a new process opens it, looks its last decision up, takes over and
compares everything from the beginning with a broker that remembers the whole year (the real one
remembers a day), and says RUNNING. Nothing of the file is in memory, as after a restart of the
host. What the broker takes to answer is not counted.

    python -m benchmarks.recovery [--sessions N] [--folder DIR] [--runs N]

Prints JSON: medians of the runs, in seconds; the process's imports are told apart from the rest.
"""

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import cast

STARTED = perf_counter()

from bot.engine.reconcile import Reconciler  # noqa: E402 how long imports take is measured
from bot.engine.reconcile_policy import ReconcilePolicy  # noqa: E402
from bot.ports import Broker, ForeignOrder, OrderReport  # noqa: E402
from state.ledger import Ledger  # noqa: E402
from strategies.model.book import Account  # noqa: E402
from strategies.model.fills import CashMovement, ExternalFill, Fill, Side  # noqa: E402
from strategies.model.lifecycle import OrderStatus  # noqa: E402
from strategies.model.limits import SystemState  # noqa: E402
from tests.state import records  # noqa: E402

IMPORTED = perf_counter()

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(2020, 2, 3, 15, tzinfo=UTC)
_SESSIONS = 252
_DECISIONS, _ORDERS = 26, 20  # a session; every second order fills
_BETWEEN = timedelta(minutes=15)
_STRIKES = 10
_RUNS = 5
_CASH = Decimal(1_000_000)


def main(arguments: list[str]) -> int:
    """Write the year, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=_SESSIONS)
    parser.add_argument("--folder", type=Path, default=None, help="default: the temporary folder")
    parser.add_argument("--runs", type=int, default=_RUNS)
    parser.add_argument("--recover", type=Path, default=None, help="only that, of this ledger")
    given = parser.parse_args(arguments)
    if given.recover is not None:
        print(json.dumps(recover(given.recover, _end_of(given.sessions))))
        return 0
    print(json.dumps(measure(given.folder, given.sessions, given.runs), indent=2))
    return 0


def measure(folder: Path | None, sessions: int, runs: int) -> dict[str, float | int]:
    """Return medians over processes that each recover a copy of the same year."""
    memory = Path("/dev/shm")
    with (
        TemporaryDirectory(dir=memory if memory.is_dir() else None) as quick,
        TemporaryDirectory(dir=folder) as place,
    ):
        began = perf_counter()
        year = Path(quick) / "year.db"
        write_year(year, sessions)
        wrote_s = perf_counter() - began
        database = Path(place) / "ledger.db"
        shutil.copy(year, database)
        command = [sys.executable, "-m", "benchmarks.recovery", "--sessions", str(sessions)]
        command += ["--recover", str(database)]
        found = []
        for _ in range(runs):
            _forget(database)
            ran = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(ran.stdout))
        return {
            "sessions": sessions,
            "megabytes": round(database.stat().st_size / 1e6, 1),
            "written_in_s": round(wrote_s, 1),
            **{name: round(median(each[name] for each in found), 3) for name in found[0]},
        }


def _forget(file: Path) -> None:
    """Let the system keep nothing of a file in memory, as after a restart of the machine."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def recover(database: Path, at: datetime) -> dict[str, float]:
    """Return how long each step to RUNNING takes, as a process does it that has just started."""
    began = perf_counter()
    ledger = records.open_ledger(database, now=at)
    opened = perf_counter()
    broker = _Remembering(ledger)  # as if it had known all along
    told = perf_counter()
    with ledger:
        _set(ledger, at, SystemState.RECONCILING)
        policy = ReconcilePolicy()
        reconciler = Reconciler(
            ledger,
            cast("Broker", broker),
            _Still(at),
            _Silence(),
            policy,
            database.with_name("control"),
        )
        asyncio.run(reconciler.reconcile())
        reconciled = perf_counter()
        _set(ledger, at, SystemState.RUNNING)
        last = ledger.last_decision()
        assert last is not None, "a year has decisions"
        ended = perf_counter()
    connection = sqlite3.connect(database)
    again = perf_counter()
    assert connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",), "it is whole"
    checked = perf_counter()
    connection.close()
    return {
        "imports_s": IMPORTED - STARTED,
        "open_s": opened - began,
        "of_which_quick_check_s": checked - again,  # once more, with the file in memory by now
        "reconcile_s": reconciled - told,
        "running_and_last_decision_s": ended - reconciled,
        "to_running_s": opened - began + ended - told,
    }


# --- the year ----------------------------------------------------------------------------------


def write_year(database: Path, sessions: int) -> None:
    """Write a ledger of so many sessions; nothing of it is waited for."""
    with records.open_ledger(database, now=_FIRST) as ledger:
        with ledger.transaction(durable=False) as tx:
            records.start_run(tx)
            tx.record_cash_movement(records.deposit(str(_CASH), at=_FIRST))
        for session in range(sessions):
            _write_session(ledger, session)


def _write_session(ledger: Ledger, session: int) -> None:
    """Write 26 decisions; the first of them wants the orders."""
    began = _FIRST + timedelta(days=session)
    for number in range(_DECISIONS):
        at = began + number * _BETWEEN
        plan_id = f"plan-{session}-{number}"
        intents = []
        if number == 0:
            for order in range(_ORDERS):
                sells = order % 4 == 2  # what the one before it bought
                strike = 20 + 5 * (order // 4 % _STRIKES)
                name = f"VIX 17FEB21 {strike} C"
                ratio, limit = (-1, "-0.40") if sells else (1, "0.50")
                layer = f"L{order}"
                intents.append(
                    records.hedge_intent(
                        plan_id, name, 1, ratio=ratio, limit=limit, layer_name=layer
                    )
                )
        with ledger.transaction(durable=False) as tx:
            records.record(tx, records.plan(plan_id, at=at, orders=intents))
            for order, intent in enumerate(intents):
                _live(tx, intent, at, root=f"{session:04d}e{order}", fills=order % 2 == 0)
            tx.complete_interval(plan_id, at)
            tx.record_job_run("interval", at, at, at, "ran")


def _live(tx, intent, at: datetime, *, root: str, fills: bool) -> None:  # type: ignore[no-untyped-def]
    order_id = intent.client_order_id
    records.sent(tx, intent, at)
    if fills:
        tx.record_fill(
            Fill(
                exec_root=root,
                revision=1,
                client_order_id=order_id,
                symbol=intent.legs[0].instrument.symbol,
                side=Side.BUY if intent.legs[0].ratio > 0 else Side.SELL,
                quantity=1,
                price=abs(intent.limit_price),
                commission_usd=Decimal("0.65"),
                executed_at=at,
            )
        )
    status = OrderStatus.FILLED if fills else OrderStatus.CANCELLED
    tx.record_order_event(order_id, at, status, filled=int(fills))


def _end_of(sessions: int) -> datetime:
    return _FIRST + timedelta(days=sessions)


def _set(ledger: Ledger, at: datetime, state: SystemState) -> None:
    with ledger.transaction() as tx:
        tx.set_system_state(state, at, None, "start", "bot")


# --- who it is compared with --------------------------------------------------------------------


class _Remembering:
    """A broker that knows what the ledger knows, the whole year of it."""

    def __init__(self, ledger: Ledger) -> None:
        self._fills = ledger.fills_since(_BEGINNING)
        self._movements = ledger.cash_movements_since(_BEGINNING)
        self._positions = ledger.positions()
        self._cash = ledger.cash_usd()
        ledger.answers().clear()  # type: ignore[union-attr]  # the process has read nothing yet

    async def fetch_orders(self) -> tuple[OrderReport, ...]:
        return ()

    async def fetch_fills(self, since: datetime) -> tuple[Fill, ...]:  # noqa: ARG002 it tells all
        return self._fills

    async def fetch_foreign_fills(self, since: datetime) -> tuple[ExternalFill, ...]:  # noqa: ARG002 it tells all
        return ()

    async def fetch_foreign_orders(self) -> tuple[ForeignOrder, ...]:
        return ()

    async def fetch_cash_movements(self, since: datetime) -> tuple[CashMovement, ...]:  # noqa: ARG002 it tells all
        return self._movements

    async def fetch_positions(self) -> dict[str, int]:
        return self._positions

    async def fetch_account(self) -> Account:
        zero = Decimal(0)
        return Account(
            net_liquidation_usd=self._cash,
            cash_usd=self._cash,
            initial_margin_usd=zero,
            maintenance_margin_usd=zero,
            excess_liquidity_usd=self._cash,
        )


class _Still:
    """A clock that stands."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing waits for {seconds} s")


class _Silence:
    """Nobody to tell: there must be nothing to tell."""

    def raise_alert(self, severity: str, text: str) -> None:
        raise AssertionError(f"{severity}: {text}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
