"""Drills of faults E that people make: margins, configurations, approvals, halts, ledgers."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.app.config.loader import load_config
from bot.app.config.problems import ConfigUnsafe
from bot.app.config.watch import ConfigWatch, edit_words, file_digest
from bot.approvals.overrides import OverridePolicy, sign_override
from bot.engine.overrides import submit_override, take_overrides
from bot.errors import BooksDisagree
from state import chain
from state.errors import BindingMismatch, LedgerBehindAnchor, LedgerCorrupt
from state.ledger import Ledger
from strategies.model.breaks import BreakKind
from strategies.model.fills import CashKind
from strategies.model.limits import HaltScope, SystemState
from strategies.model.locks import LockKind
from strategies.risk.gate import RefusalReason
from tests.bot.app.shell import ROOT, shipped
from tests.bot.app.test_overrides_in_a_run import ALICE, FIRST, MALLORY, RECORD
from tests.bot.engine.fakes import Silent, committed, hedge
from tests.bot.engine.test_flatten_and_halts import command
from tests.bot.engine.test_protections import account_with, held
from tests.bot.engine.test_reconcile import _at_expiry
from tests.bot.exchange.venue.fakes import CALL
from tests.builders import AT, condor_legs
from tests.faults.drilling import Dice, a_desk, a_ledger, drill, some_books
from tests.state import records
from tests.state.test_host_faults import deposit
from tests.state.test_verification import tamper, wrong
from tests.strategies.risk.test_gate import READY, ask, open_condor, reason
from tests.strategies.risk.test_gate_permission import approval

_NEXT = AT + timedelta(minutes=15)
_EXPIRING = condor_legs("SPXW 05FEB20 3100/3150/3250/3300")


@drill("E4")
def margin_is_raised(seed: int, folder: Path) -> None:
    """Below the floor nothing opens, until it is back."""
    dice = Dice(seed)
    left = Decimal(dice.whole(-200_000, 99_000))
    with a_desk(folder) as desk:
        account_with(desk, excess_liquidity_usd=left)
        desk.plan(AT, hedge(CALL, 10, "0.53"))
        desk.run(AT)
        assert held(desk) == [LockKind.MARGIN]
        assert desk.ledger.system_state().state is SystemState.REDUCE_ONLY
        assert desk.ledger.positions() == {}
        desk.broker.change.clear()
        desk.plan(_NEXT, hedge(CALL, 10, "0.53"))
        desk.run(_NEXT)
        assert held(desk) == []
        assert len(desk.ledger.positions()) == 1


# --- configurations -------------------------------------------------------------------------------


@drill("E5")
def a_file_is_edited_while_the_bot_runs(seed: int, folder: Path) -> None:
    """What is in force does not change; each edit is told once, also when it is undone."""
    dice = Dice(seed)
    config = load_config(shipped(folder) / "paper_config.yaml", environment={})
    file = dice.pick(sorted(config.files))
    original = file.read_text()
    rules = config.rules
    watch = ConfigWatch(in_force=config.files)
    assert watch.look() == []
    text = dice.pick([original + f"# {dice.word()}\n", original[: dice.whole(0, 99)], dice.word()])
    file.write_text(text)
    (edit,) = watch.look()
    assert edit.digest_found == file_digest(file) != edit.digest_in_force
    assert watch.look() == []
    with pytest.raises((FrozenInstanceError, ValidationError, AttributeError)):
        config.rules.condor.short_delta = 0.2  # type: ignore[misc]
    assert config.rules == rules
    file.write_text(original)
    (undone,) = watch.look()
    assert "is again as it was" in edit_words(undone)


_LIVE = (ROOT / "live_config.yaml").read_text()


@drill("E6")
def a_live_configuration_is_started_by_accident(seed: int, folder: Path) -> None:
    """Each safeguard alone keeps it from starting: account, its kind, confirmation."""
    dice = Dice(seed)
    number = dice.whole(1_000_000, 9_999_999)
    account = 'account: ""', f"account: U{number}"
    confirmed = 'confirmation: ""', "confirmation: this account trades real money"
    changes, flags = dice.pick(
        [
            ([], []),
            ([account], []),
            ([confirmed], []),
            ([(account[0], f"account: DU{number}"), confirmed], []),
            ([account, (confirmed[0], f"confirmation: {dice.word()}")], []),
            ([account, confirmed], [f"broker.account=DU{number}"]),
        ]
    )
    text = _LIVE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (shipped(folder) / "live_config.yaml").write_text(text)
    with pytest.raises(ConfigUnsafe):
        load_config(folder / "live_config.yaml", environment={}, flags=flags)


@drill("E7")
def a_ledger_is_used_with_another_account(seed: int, folder: Path) -> None:
    """It belongs to one mode and one account."""
    dice = Dice(seed)
    mode, account = dice.pick(
        [
            ("ib_live", f"U{dice.whole(1, 10**7)}"),
            ("ib_paper", f"DU{dice.whole(1, 10**7)}"),
            (records.MODE, f"DU{dice.whole(1, 10**7)}"),
            ("ib_live", records.ACCOUNT),
        ]
    )
    path = a_ledger(folder)
    before = path.read_bytes()
    with pytest.raises(BindingMismatch):
        Ledger.open(path, mode=mode, account=account, now=AT)
    assert path.read_bytes() == before


# --- approvals ------------------------------------------------------------------------------------


@drill("E15")
def an_approval_is_handed_in_again(seed: int, folder: Path) -> None:
    """It counts once, however often it comes, also under another name; a forged one never."""
    dice = Dice(seed)
    record = replace(RECORD, serial=dice.whole(1, 10**6), reason=dice.word())
    policy = OverridePolicy(
        account=RECORD.account, keys={"alice": ALICE.public_text}, lifetime_max=timedelta(days=30)
    )
    control, alerts = folder / "control", Silent()
    with records.open_ledger(a_ledger(folder)) as ledger:
        for number in range(dice.whole(2, 4)):
            path = submit_override(control, sign_override(record, ALICE))
            path.rename(control / f"{number}-{dice.word()}.override")
            take_overrides(control, policy, ledger, alerts, FIRST)
        again = replace(record, reason=dice.word(9))  # its number is spent
        submit_override(control, sign_override(again, ALICE))
        submit_override(control, sign_override(replace(record, serial=0), MALLORY))
        take_overrides(control, policy, ledger, alerts, FIRST)
        late = FIRST + timedelta(seconds=1)
        assert [each.override.reason for each in ledger.overrides_in_force(late)] == [record.reason]
    assert len(alerts.raised) == number + 2
    assert not list(control.glob("*.override"))


@drill("E16")
def an_approval_is_for_a_better_price(seed: int, folder: Path) -> None:
    """What was approved at one price, size and time is not at a worse, larger, later one."""
    dice = Dice(seed)
    cents, quantity, seconds = dice.whole(100, 150), dice.whole(5, 15), dice.whole(-60, 60)
    given = approval(
        worst_price=Decimal(-cents) / 100, quantity=quantity, until=AT + timedelta(seconds=seconds)
    )
    reaches = cents <= 125 and quantity >= 10 and seconds > 0
    verdict = reason(ask(open_condor(), readiness=replace(READY, approvals=(given,))))
    assert verdict is (None if reaches else RefusalReason.NOT_APPROVED)


# --- halts, and what the account suddenly holds ---------------------------------------------------


@drill("E22")
def a_halt_is_lifted_while_its_cause_stands(seed: int, folder: Path) -> None:
    """A resume checks what a start does: the same cause, the same halt."""
    dice = Dice(seed)
    odd = {dice.pick(["SPY", "AAPL", "ES 20MAR20", "XYZ"]): dice.whole(1, 500)}
    with a_desk(folder) as desk:
        command(desk, SystemState.HALTED, HaltScope.ALL, reason=dice.word())
        desk.run(AT)
        desk.broker.change["fetch_positions"] = lambda positions: {**positions, **odd}
        for _ in range(dice.whole(1, 2)):
            command(desk, SystemState.RUNNING)
            with pytest.raises(BooksDisagree):
                desk.run(_NEXT, start=False)
            assert desk.ledger.system_state().state is not SystemState.RUNNING
        desk.broker.change.clear()
        command(desk, SystemState.RUNNING)
        desk.run(_NEXT, start=False)
        assert desk.ledger.system_state().state is SystemState.RUNNING


@drill("E23")
def shares_are_assigned(seed: int, folder: Path) -> None:
    """Index options settle in cash: whatever else is held halts."""
    dice = Dice(seed)
    symbol, count = dice.pick(["SPY", "SPX", "VXX", "AAPL", "QQQ"]), dice.whole(1, 900)
    signed = count * dice.pick([-1, 1])
    with some_books(folder) as books:
        books.tell_position({symbol: signed})
        with pytest.raises(BooksDisagree, match=f"{symbol}: ledger has 0, broker has {signed}"):
            books.start()
        (found,) = books.bench.ledger.open_breaks()
        assert found.kind is BreakKind.ASSIGNMENT
        assert books.locked == {"*"}


@drill("E24")
def options_are_exercised_at_expiry(seed: int, folder: Path) -> None:
    """Cash follows from the settlement value; what ends worthless is closed at 0 with an event."""
    dice = Dice(seed)
    value = dice.whole(304_000, 336_000) / 100
    with some_books(folder) as books:
        market, ledger = books.bench.market, books.bench.ledger
        market.settlements = {contract: value for contract, _ in _EXPIRING.signed()}
        _at_expiry(books)
        before = ledger.cash_usd()
        assert books.look(after=timedelta(minutes=dice.whole(0, 90))) == []
        assert ledger.positions() == {}
        owed = sum(
            sign * max(0.0, (1 if contract.right.value == "C" else -1) * (value - strike))
            for contract, sign in _EXPIRING.signed()
            for strike in [float(contract.strike)]
        )
        assert ledger.cash_usd() - before == round(Decimal(owed) * 100, 2)
        kind = CashKind.SETTLEMENT.value
        query = "SELECT count(*) FROM cash_movements WHERE kind = ?"
        assert committed(books.bench.database, query, kind) == [(4,)]


@drill("E25")
def an_auditor_is_shown_another_ledger(seed: int, folder: Path) -> None:
    """Rolled back, shortened, or rewritten hash by hash: the anchor has another end."""
    dice = Dice(seed)
    path = a_ledger(folder)
    with records.open_ledger(path) as ledger:
        for number in range(dice.whole(2, 6)):
            deposit(ledger, f"d{number}")
    if dice.pick([True, False]):
        older = shutil.copy(path, folder / "older.sqlite")
        with records.open_ledger(path) as ledger:
            for number in range(dice.whole(1, 4)):
                deposit(ledger, f"later {number}")
        shutil.copy(older, path)
    else:
        with closing(sqlite3.connect(path)) as raw:
            last = chain.last(raw).seq
        keep = last - dice.whole(1, 3)
        tamper(path, f"DELETE FROM events WHERE seq > {keep}")
    assert "anchor" in wrong(path)[0]
    with pytest.raises((LedgerBehindAnchor, LedgerCorrupt)):
        records.open_ledger(path)
