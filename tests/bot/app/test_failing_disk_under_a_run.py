"""A whole bot on a disk that fails: it halts in words, and sent nothing that it does not know."""

import numpy as np
import pytest

from bot.app.accounts import open_account
from bot.app.wiring import build_world
from bot.clock import SystemClock
from state.connections import driven_by
from state.errors import StateError
from state.ledger import Ledger
from strategies.model.limits import SystemState
from tests.bot.app.test_run import Bot
from tests.builders import instant
from tests.simulation.apsw_driver import Disk, Failure

UNTIL = instant("2020-02-24 10:30")


def run(bot: Bot, disk: Disk) -> str:
    """Run on a disk; return what halted the bot, or kept it from beginning."""
    with driven_by(disk.connect):
        try:
            return bot.run(until=UNTIL).halted or ""
        except StateError as failure:
            return str(failure)


def on_the_wire(bot: Bot) -> set[str]:
    """Return the orders that the exchange was sent."""
    config = bot.config
    exchange = open_account(
        config.bot.broker, build_world(config).market, bot.paths.exchange_journal
    )
    return {report.client_order_id for report in exchange.orders()}


def open_ledger(bot: Bot) -> Ledger:
    config = bot.config
    return Ledger.open(
        bot.paths.database, mode=config.mode, account=config.account, now=SystemClock().now()
    )


@pytest.fixture(scope="module")
def operations(tmp_path_factory) -> int:
    """How many operations a disk does from the first start to half past ten."""
    bot, disk = Bot(tmp_path_factory.mktemp("counted") / "bot"), Disk()
    assert run(bot, disk) == ""
    assert on_the_wire(bot), "a run without orders proves nothing"
    return len(disk.operations)


@pytest.mark.parametrize("failure", [Failure.FULL, Failure.BROKEN, Failure.SHORT])
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 30))]
)
def test_faults_c7_and_c8_a_bot_on_a_failing_disk_halts_in_words(
    tmp_path, operations, seed, failure
):
    """Faults C7 and C8: no order is on the wire whose intent is not durable; it goes on later."""
    point = int(np.random.default_rng(seed).integers(operations // 3, operations))
    bot = Bot(tmp_path / "bot")
    disk = Disk(fails_at=point, failure=failure)
    said = run(bot, disk)
    assert disk.has_failed
    if disk.failed_on.endswith("-wal"):  # else a log was to be tidied away, and stays as it is
        assert "storage failed" in said
    with open_ledger(bot) as ledger:
        assert on_the_wire(bot) <= ledger.sent_order_ids()
        assert ledger.rebuild_projections_and_compare() == ()
        with ledger.transaction() as tx:
            at = ledger.last_event_at()
            tx.set_system_state(SystemState.STARTING, at, None, "the disk is mended", "test")
    again = bot.run(until=UNTIL)
    assert again.halted is None
    assert again.reconciliation_breaks == ()
    assert again.reconciliation_difference_usd == 0
