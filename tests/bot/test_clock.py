"""The virtual clock drives the real scheduler, asyncio and every reader of the wall clock."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from bot.clock import SystemClock, virtual_time

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
