"""What it costs to remember a fill for good, against the barest commit SQLite can make.

A fill's transaction: event in the chain, the fill, every projection it moves, commit, tail anchor.
The bare commit: one row into one table, WAL and synchronous=FULL, on the same file system. Both
take turns in one run, so that whatever else the machine does falls on both.

    python -m benchmarks.durable_fill [--fills N] [--folder DIR]

Prints JSON: medians in microseconds and their ratio, on the folder's disk and in memory (/dev/shm),
where nothing is waited for and the ratio says what the processor does.
"""

import argparse
import json
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

from state.ledger import Ledger
from strategies.model.fills import Fill, Side
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from tests.state import records

_AT = datetime(2020, 2, 3, 15, tzinfo=UTC)
_FILLS = 2_000
_ORDER_CONTRACTS = 10


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fills", type=int, default=_FILLS)
    parser.add_argument("--folder", type=Path, default=None, help="default: the temporary folder")
    given = parser.parse_args(arguments)
    result = {"disk": measure(given.folder, given.fills)}
    memory = Path("/dev/shm")
    if memory.is_dir():
        result["memory"] = measure(memory, given.fills)
    print(json.dumps(result, indent=2))
    return 0


def measure(folder: Path | None, fills: int) -> dict[str, float | int]:
    """Return medians of fills and bare commits that took turns under a folder."""
    with TemporaryDirectory(dir=folder) as name:
        bare = sqlite3.connect(Path(name) / "bare.db", isolation_level=None)
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, words TEXT)")
        own, least = [], []
        with records.open_ledger(Path(name) / "ledger.db") as ledger:
            for number in range(fills):
                if number % _ORDER_CONTRACTS == 0:
                    order_id, symbol = _send_order(ledger, number)
                fill = Fill(
                    exec_root=f"0000e{number}",
                    revision=1,
                    client_order_id=order_id,
                    symbol=symbol,
                    side=Side.BUY,
                    quantity=1,
                    price=Decimal("0.50"),
                    commission_usd=Decimal("0.65"),
                    executed_at=_AT + timedelta(seconds=number),
                )
                started = perf_counter()
                with ledger.transaction() as tx:
                    tx.record_fill(fill)
                between = perf_counter()
                bare.execute("INSERT INTO rows (words) VALUES (?)", (fill.exec_root,))
                ended = perf_counter()
                own.append(between - started)
                least.append(ended - between)
        bare.close()
    return {
        "fills": fills,
        "fill_us": round(median(own) * 1e6, 1),
        "fill_p95_us": round(quantiles(own, n=20)[-1] * 1e6, 1),
        "bare_commit_us": round(median(least) * 1e6, 1),
        "ratio": round(median(own) / median(least), 3),
        "own_work_us": round((median(own) - median(least)) * 1e6, 1),
    }


def _send_order(ledger: Ledger, number: int) -> tuple[ClientOrderId, str]:
    """Plan and send one hedge order, of a strike of its own."""
    plan_id = f"plan-{number}"
    strike = 20 + number // _ORDER_CONTRACTS % 40
    intent = records.hedge_intent(plan_id, f"VIX 18MAR20 {strike} C", _ORDER_CONTRACTS)
    with ledger.transaction() as tx:
        if number == 0:
            records.start_run(tx)
        at = _AT + timedelta(seconds=number)
        records.record(tx, records.plan(plan_id, at=at, orders=[intent]))
        tx.record_order_event(intent.client_order_id, at, OrderStatus.SENDING)
        tx.record_order_event(intent.client_order_id, at, OrderStatus.LIVE)
    return intent.client_order_id, intent.legs[0].instrument.symbol


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
