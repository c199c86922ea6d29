"""How much a client may ask for."""

import pytest

from bot.gateway.pacing import Pacing, SlidingLimit
from tests.bot.gateway.running import limited, running_gateway
from tests.bot.gateway.wire import Wire


def pacing(**changes: int | None) -> Pacing:
    limits = {"messages_per_second": 5, "breaches_max": 3, "historical_per_ten_minutes": 6}
    return Pacing(**(limits | changes))


class TestLimits:
    def test_at_most_so_many_in_any_window(self):
        limit = SlidingLimit(3, 1.0)
        assert [limit.admits(at) for at in (0, 0.5, 0.9, 0.95, 1.0, 1.4, 1.5)] == [
            *(True, True, True, False),
            *(True, False, True),
        ]

    def test_none_is_no_limit(self):
        limit = SlidingLimit(None, 1.0)
        assert all(limit.admits(0) for _ in range(10_000))

    def test_what_counts_twice_needs_two_places(self):
        limit = SlidingLimit(3, 1.0)
        assert [limit.admits(0, 2), limit.admits(0, 2), limit.admits(0)] == [True, False, True]

    def test_bid_ask_bars_count_twice(self):
        limits = pacing()
        shown = ["TRADES", "BID_ASK", "BID_ASK", "MIDPOINT", "TRADES"]
        assert [limits.admits_historical(0, each) for each in shown] == [True] * 4 + [False]
        assert limits.admits_historical(600, "TRADES")

    def test_who_breaks_the_limit_too_often_is_exhausted(self):
        limits = pacing(messages_per_second=1)
        assert limits.admits_message(0)
        for _ in range(3):
            assert not limits.is_exhausted
            assert not limits.admits_message(0)
        assert limits.is_exhausted

    def test_a_burst_read_late_is_not_held_against_the_next_one(self):
        limits = pacing(messages_per_second=50)
        bursts = [0.15] * 45 + [1.0] * 45 + [2.1] * 45 + [3.0] * 45
        assert all(limits.admits_message(at) for at in bursts)
        assert not all(limits.admits_message(3.7) for _ in range(6))


class TestOverTheWire:
    async def test_more_messages_than_allowed_are_error_100(self):
        settings = limited(messages_per_second=50, pacing_breaches_max=1000)
        async with running_gateway(settings=settings) as running:
            wire = await Wire.started(running.port)
            for _ in range(60):
                wire.ask("reqCurrentTime")
            kinds = []
            while len(kinds) < 60:
                message = await wire.message()
                if message.kind == "currentTime":
                    kinds.append(0)
                elif message.values["code"] == 100:
                    kinds.append(100)
                    assert message.values["text"].startswith("Max rate of messages")
            assert kinds.count(100) == 11  # startApi was a message too
            await wire.close()

    async def test_repeated_breaches_end_the_connection(self):
        async with running_gateway(settings=limited(messages_per_second=10)) as running:
            good = await Wire.started(running.port, 7)
            wire = await Wire.started(running.port)
            for _ in range(20):
                wire.ask("reqCurrentTime")
            assert await wire.is_closed()
            await good.fence()
            await wire.close()
            await good.close()

    async def test_market_data_lines_are_counted_over_all_clients(self):
        async with running_gateway(settings=limited(market_data_lines=2)) as running:
            one = await Wire.started(running.port, 1)
            two = await Wire.started(running.port, 2)
            for req_id, wire in enumerate((one, two, one)):
                wire.ask("reqMktData", reqId=req_id, conId=416904, symbol="", secType="")
                await wire.fence()
            one.ask("reqMktData", reqId=9, conId=416904, symbol="", secType="")
            refusals = [e.values for e in await one.fence() if e.kind == "error"]
            assert [(each["reqId"], each["code"]) for each in refusals] == [(9, 101)]
            two.ask("cancelMktData", reqId=1)
            await two.fence()
            one.ask("reqMktData", reqId=9, conId=416904, symbol="", secType="")
            assert not [e for e in await one.fence() if e.kind == "error"]
            await one.close()
            await two.close()

    @pytest.mark.parametrize(("most", "refused"), [(2, 1), (None, 0)])
    async def test_bars_are_paced(self, most, refused):
        settings = limited(historical_per_ten_minutes=most)
        async with running_gateway(settings=settings) as running:
            wire = await Wire.started(running.port)
            for req_id in range(3):
                wire.ask(
                    "reqHistoricalData",
                    reqId=req_id,
                    conId=416904,
                    barSize="1 day",
                    duration="2 D",
                    whatToShow="TRADES",
                )
            errors = [
                each.values
                for each in await wire.fence()
                if each.kind == "error" and each.values["code"] == 162
            ]
            assert len(errors) == refused
            assert all("pacing violation" in each["text"] for each in errors)
            await wire.close()
