"""What the simulated gateway and the client library cost over a real socket, as one JSON document.

``python -m benchmarks.wire [--seconds 5] [--orders 300] [--rounds 5]``. The gateway runs in a
process of its own, the client is plain ib_insync with its throttle off. Measured: price ticks a
second that reach the client's tickers, beside the same bytes put into the library without a socket;
connecting, with everything the library asks for at the start; an order placed until it rests, and
cancelled until that is confirmed, beside a bare peer that answers with canned frames (same library,
same machine, rounds in turn), also as processor time, which suffers less from other load; contract
details a second; and what decoding costs the library.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ib_insync import IB, Contract, LimitOrder, Option

from bot.gateway.feed.frames import PIECE_BYTES, in_pieces, tick_option, tick_price, tick_size

ROOT = Path(__file__).resolve().parents[1]
DECODED = 60_000  # messages of each kind
WORKING, DONE = ("Submitted",), ("Cancelled",)
TOGETHER = 15  # orders; of one contract and side an exchange has at most fifteen


class Port(int):
    """Where a peer listens, with the process it is."""

    pid: int

    def processor_s(self) -> float:
        """Return the processor time the peer has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def peer(*words: str) -> Iterator[Port]:
    """Run a peer and yield its port."""
    command = [sys.executable, "-m", "benchmarks.wire_peers", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = Port(process.stdout.readline())
            port.pid = process.pid
            yield port
        finally:
            process.kill()


async def connected(port: int, client_id: int = 7) -> IB:
    """Return a client without a throttle."""
    ib = IB()
    ib.client.MaxRequests = 0
    await ib.connectAsync("127.0.0.1", port, clientId=client_id, timeout=10)
    return ib


async def fence(ib: IB) -> None:
    """Return once everything the peer has sent so far is here."""
    await ib.reqCurrentTimeAsync()


# --- ticks -------------------------------------------------------------------------------------


async def details_and_ticks(port: int, seconds: float) -> dict[str, object]:
    """Ask for the details of every SPX option listed, then watch them all."""
    ib = await connected(port)
    began = time.perf_counter()
    wanted = Option(symbol="SPX", exchange="SMART", currency="USD")
    found = await ib.reqContractDetailsAsync(wanted)
    took = time.perf_counter() - began
    for details in found:
        ib.reqMktData(details.contract)
    await fence(ib)
    report: dict[str, object] = {
        "contract_details": {"count": len(found), "a_second": round(len(found) / took)},
        "lines": len(found),
        "ticks": await ticks(ib, seconds),
    }
    ib.client.conn.transport.max_size = PIECE_BYTES  # as the bot's own connection has it
    await fence(ib)
    report["ticks_read_in_pieces_of_32_kB"] = await ticks(ib, seconds)
    ib.disconnect()
    return report


async def ticks(ib: IB, seconds: float) -> dict[str, float]:
    """Return how many messages reach the library in a second, of the wall's and of its own."""
    began, used = time.perf_counter(), time.process_time()
    before = ib.client.connectionStats()
    await asyncio.sleep(seconds)
    elapsed, used = time.perf_counter() - began, time.process_time() - used
    after = ib.client.connectionStats()
    messages = after.numMsgRecv - before.numMsgRecv
    return {
        "a_second": round(messages / elapsed),
        "a_second_of_the_clients_processor": round(messages / used),
        "megabytes_a_second": round((after.numBytesRecv - before.numBytesRecv) / elapsed / 1e6, 2),
    }


def decoding() -> dict[str, int]:
    """Return messages a second that ib_insync decodes into tickers, by kind, without a socket."""
    ib = IB()
    ib.client._serverVersion = ib.client.decoder.serverVersion = 176  # noqa: SLF001 no socket
    ib.client._apiReady = True  # noqa: SLF001 no socket
    read = ib.client._onSocketHasData  # noqa: SLF001 no socket
    for number in range(3000):
        ib.wrapper.startTicker(number, Contract(conId=number), "mktData")
    greeks = (0.2134567891234567, -0.1512345, 12.3, 0.0, 0.00123456789, 1.23456, -0.456789, 3100.5)
    kinds = {
        "tickPrice": [tick_price(n % 3000, 1 + n % 2, 10 + n % 97, 25, 1) for n in range(DECODED)],
        "tickSize": [tick_size(n % 3000, 0, n % 97) for n in range(DECODED)],
        "tickOptionComputation": [tick_option(n % 3000, 13, greeks) for n in range(DECODED)],
    }
    rates = {}
    for name, frames in kinds.items():
        pieces = list(in_pieces(frames))
        began = time.perf_counter()
        for piece in pieces:
            read(piece)
        rates[name] = round(DECODED / (time.perf_counter() - began))
    whole = b"".join(in_pieces(kinds["tickPrice"]))
    eight = [whole[n : n + 8 * PIECE_BYTES] for n in range(0, len(whole), 8 * PIECE_BYTES)]
    began = time.perf_counter()
    for piece in eight:
        read(piece)
    rates["tickPrice_in_pieces_of_256_kB"] = round(DECODED / (time.perf_counter() - began))
    return rates


def encoding() -> int:
    """Return tickPrice frames a second that the gateway spells."""
    began = time.perf_counter()
    for _ in in_pieces(tick_price(n % 3000, 1, 10 + n % 97 / 10, 25, 1) for n in range(DECODED)):
        pass
    return round(DECODED / (time.perf_counter() - began))


# --- connecting and orders ---------------------------------------------------------------------


async def connect_milliseconds(port: int, times: int) -> list[float]:
    """Return how long connecting takes, until the library has what it asks for at the start."""
    durations = []
    for _ in range(times):
        began = time.perf_counter()
        ib = await connected(port)
        durations.append((time.perf_counter() - began) * 1000)
        ib.disconnect()
        await asyncio.sleep(0.02)
    return durations


async def reached(trade, states: tuple[str, ...]) -> None:
    """Return once an order is in one of these states."""
    while trade.orderStatus.status not in states:
        await trade.statusEvent


async def round_trips(port: int, times: int, contract: Contract, together: int) -> list[float]:
    """Return the milliseconds an order takes to be placed, acknowledged, cancelled and confirmed.

    ``together`` orders are placed before the first acknowledgement is waited for, and cancelled
    before the first confirmation is; each counts for its share of the time.
    """
    ib = await connected(port)
    durations = []
    for number in range(times):
        names = [f"W{time.time_ns()}-{number}-{each}" for each in range(together)]
        orders = [LimitOrder("BUY", 1, 0.05, tif="DAY", orderRef=name) for name in names]
        began = time.perf_counter()
        trades = [ib.placeOrder(contract, order) for order in orders]
        for trade in trades:
            await asyncio.wait_for(reached(trade, WORKING), 5)
        for order in orders:
            ib.cancelOrder(order)
        for trade in trades:
            await asyncio.wait_for(reached(trade, DONE), 5)
        durations.append((time.perf_counter() - began) * 1000 / together)
    ib.disconnect()
    await asyncio.sleep(0.02)
    return durations


def summary(durations: list[float]) -> dict[str, float]:
    """Return median and 95th percentile."""
    ranked = sorted(durations)
    return {
        "median": round(statistics.median(ranked), 3),
        "95_of_100_below": round(ranked[int(0.95 * (len(ranked) - 1))], 3),
    }


async def trading(orders: int, rounds: int) -> dict[str, object]:
    """Measure connecting and orders at the gateway and at the bare peer in turn."""
    connects: dict[str, list[float]] = {"gateway": [], "bare": []}
    single: dict[str, list[float]] = {"gateway": [], "bare": []}
    pooled: dict[str, list[float]] = {"gateway": [], "bare": []}
    clients, peers = {"gateway": 0.0, "bare": 0.0}, {"gateway": 0.0, "bare": 0.0}
    with peer("gateway") as gateway, peer("bare") as bare:
        for _ in range(rounds):  # before the day has orders that a client is told of
            for name, port in (("gateway", gateway), ("bare", bare)):
                connects[name] += await connect_milliseconds(port, 10)
        ib = await connected(gateway)
        wanted = Option("SPX", "20200320", 2000, "P", "SMART", tradingClass="SPXW", currency="USD")
        (contract,) = await ib.qualifyContractsAsync(wanted)
        ib.disconnect()
        for _ in range(rounds):
            for name, port in (("gateway", gateway), ("bare", bare)):
                used = time.process_time(), port.processor_s()
                single[name] += await round_trips(port, orders, contract, 1)
                clients[name] += time.process_time() - used[0]
                peers[name] += port.processor_s() - used[1]
                pooled[name] += await round_trips(port, orders // TOGETHER, contract, TOGETHER)
    return {
        "connect_ms": compared(connects),
        "order_round_trip_ms": compared(single),
        "processor_ms_an_order": {
            name: {
                "library": round(clients[name] / len(single[name]) * 1000, 3),
                "peer": round(peers[name] / len(single[name]) * 1000, 3),
            }
            for name in single
        },
        f"order_round_trip_of_{TOGETHER}_at_once_ms": compared(pooled),
    }


def compared(durations: dict[str, list[float]]) -> dict[str, object]:
    """Return the medians of the gateway and of the bare peer, and how many times the former is."""
    found = {name: summary(each) for name, each in durations.items()}
    return {**found, "times_bare": round(found["gateway"]["median"] / found["bare"]["median"], 2)}


async def measured(arguments: argparse.Namespace) -> dict[str, object]:
    """Return every figure."""
    with peer("racing") as port:
        report = await details_and_ticks(port, arguments.seconds)
    rates = decoding()
    report["decoded_a_second"] = rates
    report["spelled_a_second"] = {"tickPrice": encoding()}
    return report | await trading(arguments.orders, arguments.rounds)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of ticks")
    parser.add_argument("--orders", type=int, default=300, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    print(json.dumps(asyncio.run(measured(parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()
