"""Many faults at once, drawn by a seed: whatever happens, one order is one order in the end."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.errors import BotError, OutcomeUnknown
from bot.gateway.fault_plan import PlannedFault
from bot.gateway.faults import FaultKind
from strategies.model.lifecycle import OrderStatus
from tests.bot.brokers.ib.agreement import BEGINNING, assert_agreement, insist, order, tried
from tests.bot.brokers.wire_bench import WireBench, run_in_virtual_time
from tests.bot.exchange.venue.fakes import CALL, CONDOR, CONDOR_CLOSE, VX
from tests.builders import AT

K = FaultKind
CANCELS = 3  # what the engine tries
OVER = (OrderStatus.CANCELLED, OrderStatus.FILLED, OrderStatus.REJECTED)
# not the end of account values: with it late, they are right as of when they were told
DISTURBED = (
    "execDetails",
    "orderStatus",
    "openOrder",
    "commissionReport",
    "position",
    "completedOrder",
    "execDetailsEnd",
    "openOrderEnd",
)
CONNECTION = (K.NIGHTLY_RESET, K.CONNECTIVITY_LOST, K.SOCKET_CLOSED, K.HALF_OPEN, K.WEEKLY_LOGIN)
MESSAGES = (K.CALLBACK_DUPLICATED, K.CALLBACK_REORDERED, K.CALLBACK_DELAYED)
ORDERS = (
    *(K.LOST_ACK, K.ORDER_DROPPED, K.ORDER_REJECTED, K.ORDER_NOTICE, K.CANCEL_NOT_FOUND),
    *(K.CANCEL_IGNORED, K.FILL_BEFORE_OPEN_ORDER, K.FILLED_BEFORE_EXECUTION, K.COMMISSION_FIRST),
    *(K.COMMISSION_LATE, K.COMMISSION_NEVER, K.COMMISSION_UNSET, K.EXECUTION_CORRECTED),
    *(K.PARTIAL_COMBO, K.WHAT_IF_UNSET_FIRST, K.WHAT_IF_SILENT, K.POSITIONS_LATE),
    *(K.ORDER_CANCELLED_BY_SYSTEM, K.ORDER_ID_ROLLBACK),
)


def swarm(seed: int) -> list[PlannedFault]:
    """Return a dozen faults that strike during the first quarter of an hour."""
    dice = np.random.default_rng(seed)
    faults = [
        PlannedFault(
            kind=CONNECTION[dice.integers(len(CONNECTION))],
            at=AT + timedelta(seconds=int(dice.integers(5, 900))),
            details={"seconds": int(dice.integers(5, 90)), "data_kept": bool(dice.integers(2))},
        )
        for _ in range(3)
    ]
    faults += [
        PlannedFault(
            kind=MESSAGES[kind],
            matching={"message_kind": DISTURBED[dice.integers(len(DISTURBED))]},
            times=int(dice.integers(1, 6)),
            details={"seconds": int(dice.integers(1, 20))},
        )
        for kind in dice.choice(len(MESSAGES), 2)
    ]
    faults += [
        PlannedFault(
            kind=ORDERS[kind],
            nth=int(dice.integers(1, 4)),
            details={"seconds": int(dice.integers(1, 30)), "code": 10349, "orders": 3},
        )
        for kind in dice.choice(len(ORDERS), 7, replace=False)
    ]
    return faults


@pytest.mark.parametrize("seed", range(12))
def test_a_swarm_of_faults_leaves_the_exchange_and_the_adapter_agreeing(seed, tmp_path: Path):
    async def scenario(bench: WireBench) -> None:
        await insist(bench.broker.connect, bench)
        wanted = (CONDOR, CALL, VX, CONDOR, CALL, CONDOR_CLOSE, CALL, VX)
        for attempt, legs in enumerate(wanted, start=1):
            share = 1.5 if attempt % 3 else -3.0
            each = await order(bench, legs, 2, share, attempt=attempt)
            sent = await tried(bench.broker.submit(each))
            await bench.clock.sleep(45)
            if attempt % 3 == 0 or isinstance(sent, OutcomeUnknown):
                await tried(bench.broker.cancel(each.client_order_id))
            await bench.clock.sleep(45)
            assert len(bench.exchange.orders()) <= attempt
        await bench.clock.sleep(1200)
        await assert_agreement(bench)
        for report in await insist(bench.broker.fetch_orders, bench):
            for _ in range(CANCELS):
                done = await tried(bench.broker.cancel(report.client_order_id))
                if not isinstance(done, BotError) and done.status in OVER:
                    break
            else:
                pytest.fail(f"never over: {done}")
        fills = await bench.broker.fetch_fills(BEGINNING)
        await bench.restart_bot()
        assert await bench.broker.fetch_fills(BEGINNING) == fills
        await assert_agreement(bench)

    plan = run_in_virtual_time(tmp_path, scenario, *swarm(seed), is_connected=False)
    assert plan.struck
