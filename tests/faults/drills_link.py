"""Drills of faults B: the gateway, its login, its account and its limits."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.app.config.protections import ProtectionsSection
from bot.brokers.ib.session_settings import IbSettings
from bot.errors import BrokerUnavailable, HaltTrading, OutcomeUnknown, WrongAccount
from bot.gateway.fault_plan import PlannedFault
from bot.gateway.faults import FaultKind
from bot.gateway.gateway import Gateway
from strategies.model.calendars import at_exchange
from strategies.model.lifecycle import OrderStatus
from strategies.risk.gate import RefusalReason
from tests.bot.brokers.benches import approved
from tests.bot.brokers.ib.agreement import insist
from tests.bot.brokers.ib.test_doubts import proven
from tests.bot.brokers.wire_bench import WireBench
from tests.bot.engine.fakes import Faults
from tests.bot.engine.test_watching import live, pages
from tests.bot.exchange.venue.fakes import CALL, open_exchange
from tests.builders import AT, instant
from tests.faults.drilling import Dice, a_desk, drill, in_real_time, on_the_wire
from tests.strategies.risk.test_gate import HELD, ask, hedge, reason, sell
from tests.strategies.risk.test_gate_rates import working

_FAR = Decimal("0.01")


def _on_a_bench(folder: Path, act: Callable[[WireBench], Awaitable[None]], **changes) -> None:
    """Run something with a connected bench whose clock stands still."""

    async def whole() -> None:
        bench = WireBench(folder / "journal.jsonl", **changes)
        await bench.open()
        try:
            await bench.broker.connect()
            await act(bench)
        finally:
            await bench.close()

    in_real_time(whole())


@drill("B3")
def the_link_is_gone_for_hours(seed: int, folder: Path) -> None:
    """Somebody is called after the time allowed, and again, whatever the connection says."""
    dice = Dice(seed)
    allowed, lasts = dice.whole(2, 6), dice.whole(8, 20)
    text = dice.pick(["1100", "1100: login needed", "no connection"])
    with a_desk(folder) as desk:
        desk.broker.hook = Faults({("server_time", "before", 0): BrokerUnavailable(text)})
        section = ProtectionsSection(blind_minutes=allowed)
        live(desk, None, minutes=lasts, section=section)
        blind = [text for text in pages(desk) if text.startswith("blind")]
        assert blind
        assert "does not answer" in blind[0]
        assert int(blind[0].split()[2]) >= allowed
        assert "connection" in {lock.kind for lock in desk.ledger.locks(desk.at)}


@drill("B5")
def the_gateway_restarts_at_night(seed: int, folder: Path) -> None:
    """Nothing is sent shortly before and after; what is asked and cancelled goes on."""
    dice = Dice(seed)
    restarts_at = time(dice.whole(0, 23), dice.whole(0, 59))
    margin = timedelta(minutes=dice.whole(1, 10))
    settings = IbSettings(
        port=1, client_id=1, account="DU1", restarts_at=restarts_at, restart_margin=margin
    )
    day = date(2026, 1, 1) + timedelta(days=dice.whole(0, 700))
    restart = at_exchange(day, restarts_at)
    second = timedelta(seconds=1)
    assert settings.is_near_restart(restart - dice.share() * margin)
    assert settings.is_near_restart(restart + dice.share() * margin)
    assert not settings.is_near_restart(restart - margin - second)
    assert not settings.is_near_restart(restart + margin + second)

    async def act(bench: WireBench) -> None:
        resting = approved(CALL, 1, _FAR)
        await bench.broker.submit(resting)
        bench.clock.move_to(instant("2020-02-03 23:45") + dice.share(-1, 1) * 5 * 60 * second)
        with pytest.raises(BrokerUnavailable, match="restarts at 23:45"):
            await bench.broker.submit(approved(CALL, 1, _FAR, attempt=2))
        reports = await bench.broker.fetch_orders()
        assert [each.client_order_id for each in reports] == [resting.client_order_id]

    _on_a_bench(folder, act)


@drill("B6")
def nobody_logs_in_on_sunday(seed: int, folder: Path) -> None:
    """It is named, not hammered, and somebody is called before the market opens."""
    dice = Dice(seed)
    lasts = dice.whole(60, 900)

    async def scenario(bench) -> None:
        await bench.clock.sleep(2)
        with pytest.raises(BrokerUnavailable, match=r"not logged in to IB.*second factor"):
            await bench.broker.fetch_orders()
        await bench.clock.sleep(lasts)
        assert await insist(bench.broker.fetch_orders, bench) == ()

    login = PlannedFault(
        kind=FaultKind.WEEKLY_LOGIN, at=AT + timedelta(seconds=1), details={"seconds": lasts}
    )
    on_the_wire(folder, scenario, login)
    began = instant("2020-02-03 09:29") - timedelta(minutes=dice.whole(5, 15))
    with a_desk(folder, at=began) as desk:
        away = BrokerUnavailable("not logged in")
        desk.broker.hook = Faults({("server_time", "before", 0): away})
        live(desk, None, minutes=5, started=False)
        assert any("the market opens at 09:30" in text for text in pages(desk))


@drill("B8")
def the_client_id_is_in_use(seed: int, folder: Path) -> None:
    """It is said, and no other id is taken; whoever has it keeps it."""
    client_id = Dice(seed).whole(1, 900)

    async def scenario(bench) -> None:
        other = type(bench)(folder / "other.jsonl", clock=bench.clock)
        other.exchange, other.gateway, other.port = bench.exchange, bench.gateway, bench.port
        other.attach(client_id=client_id)
        with pytest.raises(BrokerUnavailable, match=rf"client id {client_id} is in use.*326"):
            await other.session.connect()
        assert bench.gateway.clients == (client_id,)
        assert await bench.broker.fetch_orders() == ()
        other.detach()

    on_the_wire(folder, scenario, client_id=client_id)


@drill("B9")
def the_api_only_reads(seed: int, folder: Path) -> None:
    """Found at the start by a what-if, and until it is proven nothing is sent."""
    in_real_time(_refused(HaltTrading, "read-only", is_read_only=True))
    failures = Dice(seed).whole(1, 3)
    left = [HaltTrading("read-only")] * failures

    async def prove() -> None:
        if left:
            raise left.pop()

    async def whole() -> None:
        bench = WireBench(folder / "journal.jsonl", prove=prove)
        await bench.open()
        for _ in range(failures):
            with pytest.raises(HaltTrading):
                await bench.broker.connect()
            with pytest.raises(BrokerUnavailable):
                await bench.broker.submit(approved(CALL, 1, _FAR))
        assert bench.exchange.orders() == ()
        await bench.broker.connect()
        assert (await bench.broker.submit(approved(CALL, 1, _FAR))).status is OrderStatus.LIVE
        await bench.close()

    in_real_time(whole())


async def _refused(error: type[Exception], words: str, **settings: object) -> None:
    with pytest.raises(error, match=words):
        await proven(**settings)


@drill("B10")
def too_many_messages_are_sent(seed: int, folder: Path) -> None:
    """100 and a closed socket: nothing opens for a while, and what was cut off is in doubt."""
    dice = Dice(seed)
    quiet_s = dice.whole(20, 300)

    async def scenario(bench) -> None:
        held = approved(CALL, 1, _FAR)
        await bench.broker.submit(held)
        for attempt in (2, 3):
            with suppress(OutcomeUnknown, BrokerUnavailable):  # one of them is cut off
                await bench.broker.submit(approved(CALL, 2, _FAR, attempt=attempt))
        await insist(bench.broker.fetch_orders, bench)
        assert bench.session.is_slowed
        with pytest.raises(BrokerUnavailable, match="too many messages"):
            await bench.broker.submit(approved(CALL, 3, _FAR, attempt=4))
        assert (await bench.broker.cancel(held.client_order_id)).status is OrderStatus.CANCELLED
        await bench.clock.sleep(quiet_s + 1)
        await bench.broker.submit(approved(CALL, 4, _FAR, attempt=5))
        assert len(bench.exchange.orders()) <= 4

    fault = PlannedFault(
        kind=FaultKind.PACING_DISCONNECT,
        matching={"message_kind": "placeOrder"},
        nth=dice.pick([3, 4, 5]),  # a what-if is one too
    )
    on_the_wire(folder, scenario, fault, slow_down_s=float(quiet_s))


@drill("B11")
def too_many_orders_rest_in_one_contract(seed: int, folder: Path) -> None:
    """The gate refuses before the broker does; the other side is free."""
    dice = Dice(seed)
    orders = dice.pick([0, *range(10, 20)])
    held = replace(HELD, working=working(orders, hedge(quantity=1)))
    expected = RefusalReason.ACTIVE_ORDERS if orders >= 15 else None
    assert reason(ask(hedge(quantity=dice.whole(1, 5)), held=held)) is expected
    assert reason(ask(sell(), held=held)) is None


@drill("B16")
def contracts_are_read_otherwise(seed: int, folder: Path) -> None:
    """A library that spells them otherwise is found by the start-up test, before any order."""
    words = Dice(seed).pick(["its multiplier is 1", "its currency is EUR", "its class is SPXQ"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.brokers.ib.qualifier.wrong_terms", lambda contract, instrument: words)
        in_real_time(_refused(HaltTrading, "start-up test: .*Nothing was sent"))


@drill("B17")
def the_gateway_comes_back_with_another_account(seed: int, folder: Path) -> None:
    """The account is proven on each connection; nothing is sent to another."""
    dice = Dice(seed)
    account = f"{dice.pick(['DU', 'U', 'DF'])}{dice.whole(1_000_000, 9_999_999)}"

    async def act(bench: WireBench) -> None:
        await bench.gateway.stop()
        other = open_exchange(bench.exchange.market, account_id=account)
        bench.gateway = Gateway(other, bench.exchange.market.calendar, bench.clock)
        await bench.gateway.start(bench.port)
        with pytest.raises(WrongAccount):
            await bench.broker.submit(approved(CALL, 1, _FAR))
        assert other.orders() == ()

    _on_a_bench(folder, act)
