"""The virtual clock drives the real scheduler, asyncio and every reader of the wall clock."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from bot.clock import BytesStuck, SystemClock, virtual_time

NEW_YORK = ZoneInfo("America/New_York")


def test_sleeping_a_week_takes_no_time_and_moves_the_clock_exactly_a_week():
    start = datetime(2020, 2, 3, 14, 30, tzinfo=UTC)
    clock = SystemClock()

    async def sleep_a_week():
        await clock.sleep(7 * 24 * 3600)
        return clock.now()

    with virtual_time(start) as loop:
        assert loop.run_until_complete(sleep_a_week()) == start + timedelta(days=7)


def test_apscheduler_keeps_exchange_time_across_the_end_of_daylight_saving():
    seen = []

    async def main():
        scheduler = AsyncIOScheduler(timezone=NEW_YORK)
        clock = SystemClock()

        async def job():
            seen.append(clock.now().astimezone(NEW_YORK))

        scheduler.add_job(job, CronTrigger(hour=10, minute=0, timezone=NEW_YORK))
        scheduler.start()
        await clock.sleep(4 * 24 * 3600)
        scheduler.shutdown()

    with virtual_time(datetime(2026, 10, 30, 9, 0, tzinfo=NEW_YORK)) as loop:
        loop.run_until_complete(main())
    assert [(t.day, t.hour, t.minute, t.microsecond) for t in seen] == [
        (30, 10, 0, 0),
        (31, 10, 0, 0),
        (1, 10, 0, 0),
        (2, 10, 0, 0),
    ]
    assert seen[0].utcoffset() != seen[-1].utcoffset()


def test_real_sockets_work_under_virtual_time():
    async def echo(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"ping\n")
        answer = await reader.readline()
        writer.close()
        server.close()
        await server.wait_closed()
        return answer

    with virtual_time(datetime(2020, 2, 3, tzinfo=UTC)) as loop:
        assert loop.run_until_complete(main()) == b"ping\n"


def test_a_speed_limit_makes_virtual_seconds_take_real_time():
    clock = SystemClock()

    async def sleep_a_minute():
        began = clock.now()
        await clock.sleep(60)
        return clock.now() - began

    with virtual_time(datetime(2020, 2, 3, tzinfo=UTC), speed=6000) as loop:
        assert loop.run_until_complete(sleep_a_minute()) >= timedelta(seconds=60)


class Link:
    """Both ends of a loopback connection in this process, and what each sent and received."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0
        self.ended = asyncio.Event()

    def in_flight(self) -> bool:
        return self.sent != self.received

    async def echo(self, reader, writer):
        while data := await reader.read(1 << 16):
            self.received += len(data)
            self.send(writer, data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        self.ended.set()

    def send(self, writer, data: bytes) -> None:
        self.sent += len(data)
        writer.write(data)

    async def read(self, reader, size: int) -> bytes:
        data = await reader.readexactly(size)
        self.received += len(data)
        return data


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_time_stands_still_while_bytes_are_under_way(size):
    """A clock that ticks each virtual second would otherwise run for years during one echo."""
    link = Link()
    ticks = []

    async def tick(loop):
        while True:
            await asyncio.sleep(1)
            ticks.append(loop.time())

    async def main(loop):
        server = await asyncio.start_server(link.echo, "127.0.0.1", 0, limit=1 << 23)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 23)
        ticking = asyncio.create_task(tick(loop))
        took = []
        with loop.watch(link.in_flight):
            for _ in range(20):
                began = loop.time()
                link.send(writer, bytes(size))
                await link.read(reader, size)
                took.append(loop.time() - began)
                await asyncio.sleep(10)
        ticking.cancel()
        writer.close()
        await writer.wait_closed()
        await link.ended.wait()
        server.close()
        await server.wait_closed()
        return took

    with virtual_time(datetime(2020, 2, 3, tzinfo=UTC)) as loop:
        assert loop.run_until_complete(main(loop)) == [0.0] * 20
    assert len(ticks) >= 199, "the clock ticks between the echoes"


def test_bytes_that_never_arrive_are_an_error(monkeypatch):
    monkeypatch.setattr("bot.clock._IN_FLIGHT_MAX_S", 0.02)

    async def main(loop):
        with loop.watch(lambda: True):
            await asyncio.sleep(1)

    with (
        virtual_time(datetime(2020, 2, 3, tzinfo=UTC)) as loop,
        pytest.raises(BytesStuck, match="have not arrived"),
    ):
        loop.run_until_complete(main(loop))


def test_the_virtual_loop_is_the_one_asyncio_hands_out():
    with virtual_time(datetime(2020, 2, 3, tzinfo=UTC)) as loop:
        assert asyncio.get_event_loop_policy().get_event_loop() is loop


def test_time_can_be_moved_over_a_night():
    start = datetime(2020, 2, 3, 21, 15, tzinfo=UTC)
    clock = SystemClock()

    async def main(loop):
        alarm = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        loop.jump_to(start + timedelta(hours=17))
        await alarm
        return clock.now()

    with virtual_time(start, speed=1) as loop:
        woken = loop.run_until_complete(main(loop))
    assert timedelta(0) <= woken - start - timedelta(hours=17) < timedelta(seconds=1)


@pytest.mark.parametrize("runs_free", [False, True])
def test_at_a_speed_time_moves_while_sockets_are_busy(runs_free):
    """A client that asks without a pause must not stop the clock of who answers it."""
    link = Link()

    async def main():
        server = await asyncio.start_server(link.echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        loop = asyncio.get_running_loop()
        asleep = asyncio.create_task(asyncio.sleep(100))
        began = loop.time()
        while not asleep.done():
            link.send(writer, b"ping")
            await link.read(reader, 4)
        writer.close()
        await writer.wait_closed()
        await link.ended.wait()
        server.close()
        await server.wait_closed()
        return loop.time() - began

    with virtual_time(datetime(2020, 2, 3, tzinfo=UTC), speed=1000, runs_free=runs_free) as loop:
        assert 100 <= loop.run_until_complete(main()) < 200


def test_time_that_runs_free_passes_while_somebody_works():
    async def main(loop):
        began = loop.time()
        ends_at = time.perf_counter() + 0.02
        while time.perf_counter() < ends_at:
            pass
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return loop.time() - began

    with virtual_time(datetime(2020, 2, 3, tzinfo=UTC), speed=1000, runs_free=True) as loop:
        assert loop.run_until_complete(main(loop)) >= 20
