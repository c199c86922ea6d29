"""What auditors ask, on a small story: a condor opened and closed, a hedge bought, a refusal."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from state.audit import AuditReader, Filters
from state.errors import AmbiguousId, NothingStored, UnknownRecord
from state.replays import Selection, decision_at, plan_ids, stored_decision, stored_decisions
from state.totals import read_totals
from strategies.model.encoding import to_json
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import HaltScope, SystemState
from strategies.model.memory import Memory
from strategies.model.orders import Leg, PositionEffect
from strategies.model.plan import CondorAdjust, CondorClose
from strategies.model.rules import Rules
from tests import builders
from tests.state import records
from tests.state.records import AT, minutes, record, sent
from tests.state.test_ledger import daily
from tests.state.test_snapshots import assert_same_bits

LEGS = builders.condor_legs("SPXW 20MAR20 3000/3010/3400/3410")
CALL = builders.option(records.VIX_CALL).symbol
OPENING = records.condor_intent("plan-1", "C0001", LEGS, 12)
HEDGE = records.hedge_intent("plan-1", quantity=10)
REFUSED = records.hedge_intent("plan-2", "VX 18MAR20", 1, limit="17.00", layer_name="L2")
CLOSING = records.condor_intent(
    "plan-3", "C0001", LEGS, 12, effect=PositionEffect.CLOSE, limit="0.50"
)


def tell(ledger) -> None:
    """Write the story into a ledger."""
    with ledger.transaction() as tx:
        tx.record_cash_movement(records.deposit())
        tx.set_system_state(SystemState.RUNNING, AT, None, "reconciled", by="bot")
        record(
            tx,
            records.plan(
                "plan-1",
                opens=[records.condor_open("C0001", LEGS, 12)],
                orders=[OPENING, HEDGE],
                layers=[
                    records.layer("L1", change=10, instrument=CALL, rules=("L1", "G2")),
                    records.layer("L2", rules=("L2",), cap="G1"),
                    records.layer("L3", rules=()),
                ],
                gates=[records.gate("C6"), records.gate("C7", passed=False, value="absent")],
                before=records.measures(),
            ),
        )
    with ledger.transaction() as tx:
        sent(tx, OPENING)
        sent(tx, HEDGE, minutes(0.5))
        for fill in records.condor_fills(OPENING, 12, root="0000e1", at=minutes(1)):
            tx.record_fill(fill)
        tx.record_order_event(OPENING.client_order_id, minutes(1), OrderStatus.FILLED, filled=12)
        first = records.fill(
            HEDGE.client_order_id, CALL, 9, "0.50", root="0000e2.77", at=minutes(1)
        )
        tx.record_fill(first)
        tx.record_fill(replace(first, revision=2, quantity=10))
        tx.record_order_event(HEDGE.client_order_id, minutes(1), OrderStatus.FILLED, filled=10)
        tx.complete_interval("plan-1", minutes(2))
    quiet = records.plan(
        "plan-2",
        at=minutes(15),
        orders=[REFUSED],
        layers=[records.layer("L2", rules=("B2",), cap="G1")],
        hedge_state="under-hedged: G1",
        no_trade_reasons=("G1: cost above the hard limit", "C1: no entry due"),
        before=records.measures(None),
    )
    with ledger.transaction() as tx:
        record(tx, quiet, book=ledger.book(minutes(15)))
        tx.record_order_event(
            REFUSED.client_order_id, minutes(15), OrderStatus.REJECTED, note="G1: too dear"
        )
        tx.complete_interval("plan-2", minutes(15))
    at = AT + timedelta(days=1)
    close = CondorClose(condor_id="C0001", rules=("C9",), mark_debit=0.5, note="profit target")
    with ledger.transaction() as tx:
        tx.record_daily_pnl(daily())
        tx.record_job_run("end_of_day", minutes(380), minutes(380), minutes(381), "ran")
        book = ledger.book(at)
        made = records.plan("plan-3", at=at, closes=[close], orders=[CLOSING])
        record(tx, made, book=book, memory=Memory(condors_opened=1))
    with ledger.transaction() as tx:
        sent(tx, CLOSING, at)
        prices = ("1.00", "1.30", "0.80", "0.60")
        for fill in records.condor_fills(CLOSING, 12, root="0000e3", prices=prices, at=at):
            tx.record_fill(fill)
        tx.record_order_event(CLOSING.client_order_id, at, OrderStatus.FILLED, filled=12)
        tx.record_daily_pnl(
            daily(session=at.date(), at=at, net_liquidation_usd=Decimal("1000900.00"))
        )
        tx.set_system_state(SystemState.HALTED, at, HaltScope.OPENS, "margin", by="operator")


@pytest.fixture(scope="module")
def told(empty_ledger_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("told") / "ledger.db"
    shutil.copy(empty_ledger_file, path)
    with records.open_ledger(path) as ledger:
        tell(ledger)
        assert ledger.rebuild_projections_and_compare() == ()
    return path


@pytest.fixture
def audit(told):
    with AuditReader.open(told) as reader:
        yield reader


# --- tables -----------------------------------------------------------------------------------


def test_fills_are_signed_exact_and_in_their_latest_revision(audit):
    table = audit.fills()
    assert {
        "exec_id",
        "at",
        "symbol",
        "side",
        "quantity",
        "price",
        "commission",
        "layer",
        "condor",
        "order_id",
        "rules",
    } <= set(table.columns)
    assert len(table) == 9
    rows = {row["exec_id"]: row for row in table.records()}
    hedge = rows["0000e2.77.02"]
    assert "0000e2.77.01" not in rows
    assert hedge["at"] == "2020-02-03T15:01:00Z"
    assert hedge["quantity"] == 10
    assert (hedge["price"], hedge["commission"]) == ("0.50", "0.65")
    assert hedge["cash_flow_usd"] == "-500.65"
    assert (hedge["layer"], hedge["condor"], hedge["rules"]) == ("L1", None, "L1,G2")
    sold = rows["0000e1.1.01"]
    assert (sold["side"], sold["quantity"], sold["cash_flow_usd"]) == ("SELL", -12, "4546.20")
    assert sold["symbol"] == "SPXW  200320P03010000"
    json.dumps(table.as_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (Filters(), 9),
        (Filters(layer="L1"), 1),
        (Filters(layer="L2"), 0),
        (Filters(condor="C0001"), 8),
        (Filters(rule="G2"), 1),
        (Filters(rule="G"), 0),  # whole ids only
        (Filters(rule="C6"), 8),
        (Filters(since=minutes(2)), 4),
        (Filters(until=minutes(2)), 5),
        (Filters(since=minutes(1), until=minutes(1)), 0),
        (Filters(rule="'; DROP TABLE fills; --"), 0),
    ],
)
def test_fills_can_be_filtered(audit, filters, count):
    assert len(audit.fills(filters)) == count


def test_orders_show_where_each_one_ended(audit):
    rows = {row["order_id"]: row for row in audit.orders().records()}
    assert len(rows) == 4
    opening = rows[OPENING.client_order_id]
    assert opening["legs"] == (
        "+1 SPXW  200320P03000000; -1 SPXW  200320P03010000; "
        "-1 SPXW  200320C03400000; +1 SPXW  200320C03410000"
    )
    assert (opening["status"], opening["filled"], opening["leaves"]) == ("FILLED", 12, 0)
    assert (opening["limit_price"], opening["arrival_mid"]) == ("-1.15", "-1.20")
    refused = rows[REFUSED.client_order_id]
    assert (refused["status"], refused["note"]) == ("REJECTED", "G1: too dear")
    assert [row["condor"] for row in audit.orders(Filters(condor="C0001")).records()] == [
        "C0001",
        "C0001",
    ]


def test_hedge_names_layer_rules_and_net_vega_before_and_after(audit):
    (row,) = audit.hedge().records()
    assert (row["layer"], row["rules"], row["instrument"]) == ("L1", "L1,G2", CALL)
    assert (row["change"], row["current_contracts"]) == (10, 4)
    assert (row["net_vega_before"], row["net_vega_after"]) == (-0.2, -0.05)
    assert (row["target_vega_usd"], row["scale"], row["active"]) == (150.0, 1.0, True)
    everything = audit.hedge(changes_only=False).records()
    assert [row["layer"] for row in everything] == ["L1", "L2", "L3", "L2"]
    capped = audit.hedge(Filters(rule="G1"), changes_only=False).records()
    assert [row["binding_cap"] for row in capped] == ["G1", "G1"]


def test_decisions_say_what_was_seen_done_and_not_done(audit):
    first, quiet, last = audit.decisions().records()
    assert first["regime"] == "R1=contango R2=no R3=no R4=no R5=absent"
    assert first["signals"] == "S1 latch=1 S1 rsi_vix=61.25 S3 vix=bullish"
    assert (first["opens"], first["closes"], first["orders"]) == (1, 0, 2)
    assert (first["layer_changes"], first["gates_failed"]) == (1, "C7")
    assert first["missing"] == "S5"
    assert first["completed_at"] == "2020-02-03T15:02:00Z"
    assert quiet["hedge_state"] == "under-hedged: G1"
    assert quiet["no_trade_reasons"] == "G1: cost above the hard limit; C1: no entry due"
    assert quiet["net_vega_before"] is None
    assert (last["closes"], last["completed_at"]) == (1, None)


@pytest.mark.parametrize(
    ("filters", "plans"),
    [
        (Filters(rule="C7"), ["plan-1"]),  # a gate of it failed
        (Filters(rule="C9"), ["plan-3"]),
        (Filters(rule="C2"), ["plan-1", "plan-3"]),
        (Filters(rule="G2"), ["plan-1", "plan-2"]),
        (Filters(layer="L1"), ["plan-1"]),
        (Filters(layer="L3"), []),
        (Filters(condor="C0001"), ["plan-1", "plan-3"]),
        (Filters(since=minutes(1), until=minutes(16)), ["plan-2"]),
    ],
)
def test_decisions_can_be_filtered(audit, filters, plans):
    assert audit.decisions(filters).column("plan_id") == plans


def test_condors_show_their_result(audit):
    (row,) = audit.condors().records()
    assert (row["condor"], row["status"], row["quantity"]) == ("C0001", "CLOSED", 0)
    assert (row["entry_credit"], row["realised_usd"]) == ("1.15", "780.00")
    assert (row["rules"], row["close_rules"]) == ("C2,C3", "C9")
    assert row["expiry"] == "2020-03-20"


def test_pnl_has_the_change_of_each_day(audit):
    rows = audit.pnl().records()
    assert [row["net_liquidation_usd"] for row in rows] == ["1000123.45", "1000900.00"]
    assert [row["day_pnl_usd"] for row in rows] == [None, "776.55"]
    assert rows[0]["spx_close"] == 3248.92


def test_runs_jobs_states_and_positions_are_tables_too(audit):
    (run,) = audit.runs().records()
    assert (run["config_hash"], run["rules_hash"], run["seed"]) == ("c0ffee", "r1", 7)
    (job,) = audit.job_runs().records()
    assert (job["job"], job["outcome"]) == ("end_of_day", "ran")
    assert audit.system_states().column("state") == ["RUNNING", "HALTED"]
    (position,) = audit.positions().records()
    assert (position["symbol"], position["quantity"], position["average_cost"]) == (
        CALL,
        10,
        "0.50",
    )


def test_status_is_one_line_about_everything(audit):
    status = audit.status()
    assert (status["mode"], status["account"]) == ("simulated", "SIM1")
    assert (status["state"], status["scope"], status["by"]) == ("HALTED", "opens", "operator")
    assert (status["last_plan_id"], status["last_decision_completed"]) == ("plan-3", False)
    assert (status["condors_open"], status["hedges_held"], status["orders_working"]) == (0, 1, 0)


# --- why --------------------------------------------------------------------------------------


def test_why_leads_from_a_fill_back_to_everything_it_was_decided_on(audit):
    why = audit.why("0000e1.1.01")
    assert why.asked == "0000e1.1.01"
    assert why.fills.column("quantity") == [-12]
    assert why.order["order_id"] == OPENING.client_order_id
    assert why.events.column("status") == ["PLANNED", "SENDING", "LIVE", "FILLED"]
    assert why.decision["plan_id"] == "plan-1"
    assert why.regime["R1"] == "contango"
    assert why.signals == {
        "S1 rsi_vix": 61.25,
        "S1 latch": True,
        "S5 divergence": None,
        "S3 vix": "bullish",
    }
    assert why.gates.column("rule") == ["C6", "C7"]
    assert why.gates.column("passed") == [True, False]
    assert why.gates.column("value") == [0.123, "absent"]
    assert why.layer is None
    assert why.condor["condor"] == "C0001"
    quotes = why.quotes.records()
    assert [row["ratio"] for row in quotes] == [1, -1, -1, 1]
    chain = records.snapshot().market.spx_options
    assert quotes[0]["instrument"] == "SPXW 20MAR20 3000 P"
    assert quotes[0]["bid"] == chain.quote(LEGS.long_put).bid
    assert ("net_vega_per_condor", -0.2, -0.05) in why.measures.rows
    assert why.provenance["config_hash"] == "c0ffee"
    assert why.provenance["package_version"] == "0.1.0"
    json.dumps(why.as_json(), allow_nan=False)


def test_why_of_a_hedge_order_shows_its_layer_and_all_its_fills(audit):
    why = audit.why(HEDGE.client_order_id)
    assert why.layer["layer"] == "L1"
    assert why.layer["rules"] == "L1,G2"
    assert why.condor is None
    assert why.fills.column("exec_id") == ["0000e2.77.02"]
    (quote,) = why.quotes.records()
    expected = records.snapshot().market.vix_options.quote(builders.option(records.VIX_CALL))
    assert (quote["bid"], quote["ask"]) == (expected.bid, expected.ask)


def test_why_of_a_future_finds_its_quote(audit):
    (quote,) = audit.why(REFUSED.client_order_id).quotes.records()
    assert quote["instrument"] == "VX 18MAR20"
    assert quote["bid"] == pytest.approx(16.975)


def test_an_id_may_be_shortened_until_it_fits_two_records(audit):
    assert audit.why("0000e2").asked == "0000e2.77.02"
    assert audit.why("0000e2.77").asked == "0000e2.77.02"
    assert audit.why(HEDGE.client_order_id[:8]).asked == HEDGE.client_order_id
    with pytest.raises(AmbiguousId, match=r"0000e1\.0\.01, 0000e1\.1\.01") as refusal:
        audit.why("0000e")
    assert len(refusal.value.candidates) == 9
    for unknown in ("zzz", "", "%", "0000e_"):
        with pytest.raises(UnknownRecord):
            audit.why(unknown)


def test_c10_why_walks_a_roll_back_to_the_condor_that_was_opened(ledger):
    """From a close of C0001-1, and from the order that made it, back to C0001."""
    legs = builders.condor_legs("SPXW 20MAR20 2950/2960/3400/3410")
    opening = records.condor_intent("plan-1", "C0001", LEGS, 12)
    roll = replace(
        opening,
        plan_id="plan-2",
        purpose="condor:C0001:adjust",
        legs=(
            Leg(instrument=LEGS.long_put, ratio=-1),
            Leg(instrument=LEGS.short_put, ratio=1),
            Leg(instrument=legs.long_put, ratio=1),
            Leg(instrument=legs.short_put, ratio=-1),
        ),
        limit_price=Decimal("-0.20"),
        worst_price=Decimal("-0.10"),
        rules=("C10",),
    )
    adjust = CondorAdjust(
        condor_id="C0001",
        new_condor_id="C0001-1",
        new_legs=legs,
        quantity=12,
        mid_credit=0.25,
        adjustments=1,
        net_vega=-0.2,
        short_put_delta=-0.16,
        short_call_delta=0.16,
        entry_spot=3250.0,
        entry_sigma_sqrt_t=0.0525,
        rules=("C10",),
        note="short put at 0.31",
    )
    closing = records.condor_intent(
        "plan-3", "C0001-1", legs, 12, effect=PositionEffect.CLOSE, limit="0.50"
    )
    opened = records.condor_open("C0001", LEGS, 12)
    close = CondorClose(condor_id="C0001-1", rules=("C9",), mark_debit=0.5, note="")
    with ledger.transaction() as tx:
        record(tx, records.plan("plan-1", opens=[opened], orders=[opening]))
        made = records.plan("plan-2", at=minutes(15), orders=[roll])
        record(tx, replace(made, adjusts=(adjust,)))
        made = records.plan("plan-3", at=minutes(30), closes=[close], orders=[closing])
        record(tx, made)
    with AuditReader.open(ledger.path) as reader:
        for order, newest in ((closing, "plan-3"), (roll, "plan-2")):
            chain = reader.why(order.client_order_id)
            assert chain.decision["plan_id"] == newest
            rows = [
                (row["condor"], row["rolled_from"], row["plan_id"], row["order_id"])
                for row in chain.lineage.records()
            ]
            assert rows == [
                ("C0001-1", "C0001", "plan-2", roll.client_order_id),
                ("C0001", None, "plan-1", opening.client_order_id),
            ]
        (first,) = reader.why(opening.client_order_id).lineage.records()
        assert first["condor"] == "C0001"
        kinds = [(row["kind"], row["what"]) for row in reader.steward().records()]
        assert kinds == [
            ("open", "12 x C0001"),
            ("roll", "12 x C0001 to C0001-1"),
            ("close", "C0001-1"),
        ]


def test_the_common_start_of_a_condor_s_fills_means_its_order(audit):
    chain = audit.why("0000e1")
    assert chain.asked == chain.order["order_id"] == OPENING.client_order_id
    assert len(chain.fills) == 4


def test_d3_the_steward_log_has_each_adjustment_with_its_inputs(audit):
    rows = audit.steward().records()
    assert [(row["kind"], row["what"]) for row in rows] == [
        ("open", "12 x C0001"),
        ("layer", f"+10 {CALL}"),
        ("close", "C0001"),
    ]
    opened, layer, closed = rows
    assert opened["by"] == layer["by"] == closed["by"] == "rules"
    assert (layer["layer"], layer["rules"]) == ("L1", "L1,G2")
    assert (layer["v_before"], layer["v_after"]) == (-0.2, -0.05)
    assert layer["carry_usd_per_day_before"] == 110.0
    assert layer["irr_before"] is None
    assert closed["v_before"] is None  # the book of that decision could not be priced
    assert [row["kind"] for row in audit.steward(Filters(layer="L1")).records()] == ["layer"]
    assert [row["kind"] for row in audit.steward(Filters(rule="C9")).records()] == ["close"]
    assert len(audit.steward(Filters(condor="C0001"))) == 2
    assert len(audit.steward(Filters(until=minutes(1)))) == 2


# --- coverage ---------------------------------------------------------------------------------


def test_coverage_shows_the_book_as_the_decision_saw_it(audit):
    coverage = audit.coverage(minutes(20))
    assert (coverage.plan_id, coverage.at) == ("plan-2", minutes(15))
    (condor,) = coverage.condors.records()
    assert (condor["condor"], condor["quantity"], condor["entry_credit"]) == ("C0001", 12, "1.15")
    assert (condor["breakeven_low"], condor["breakeven_high"]) == ("3008.85", "3401.15")
    assert condor["max_loss_usd"] == "10620.00"
    (hedge,) = coverage.hedges.records()
    assert (hedge["symbol"], hedge["quantity"]) == (CALL, 10)
    assert coverage.layers.column("layer") == ["L2"]
    assert coverage.shocks.rows == ((5, -1500.0, -1500.0), (8, -2800.0, -2800.0))
    assert coverage.decision["hedge_state"] == "under-hedged: G1"
    json.dumps(coverage.as_json(), allow_nan=False)


def test_coverage_of_a_decision_that_could_not_be_priced_has_no_measures(audit):
    coverage = audit.coverage(AT + timedelta(days=2))
    assert coverage.plan_id == "plan-3"
    assert coverage.measures.rows == ()
    assert coverage.shocks.rows == ((5, None, None), (8, None, None))


def test_coverage_before_the_first_decision_says_so(audit):
    with pytest.raises(NothingStored, match="2020-02-03T14:59:00"):
        audit.coverage(minutes(-1))


# --- replays and totals -----------------------------------------------------------------------


def test_every_decision_comes_back_with_all_it_depended_on(audit):
    decisions = list(stored_decisions(audit))
    assert [decision.plan_id for decision in decisions] == ["plan-1", "plan-2", "plan-3"]
    first, quiet, last = decisions
    assert_same_bits(records.snapshot(), first.snapshot)
    assert first.rules == Rules()
    assert to_json(first.account) == to_json(builders.account())
    assert first.plan_json == to_json(first.plan)
    assert quiet.book.condors[0].quantity == 12
    assert last.memory == Memory()
    assert last.memory_json == to_json(Memory(condors_opened=1))
    assert plan_ids(audit, Selection(since=minutes(1))) == ("plan-2", "plan-3")
    assert plan_ids(audit, Selection(until=minutes(1))) == ("plan-1",)


def test_one_decision_can_be_found_by_its_instant_or_its_plan(audit):
    assert decision_at(audit, minutes(14)).plan_id == "plan-1"
    assert stored_decision(audit, "plan-2").at == minutes(15)
    with pytest.raises(NothingStored):
        decision_at(audit, minutes(-1))
    with pytest.raises(UnknownRecord):
        stored_decision(audit, "plan-9")


def test_totals_add_the_ledger_up(told):
    totals = read_totals(told)
    assert (totals.first_at, totals.last_at) == (AT, AT + timedelta(days=1))
    assert (totals.sessions, totals.decisions, totals.orders, totals.fills) == (2, 3, 3, 9)
    counts = (totals.condors_opened, totals.condors_closed, totals.condors_open)
    assert counts == (1, 1, 0)
    assert totals.hedge_fills == {"L1": 1}
    assert totals.deposits_usd == 1_000_000
    assert totals.rules_fired == {"C2": 2, "C3": 1, "C6": 2, "C9": 1, "G1": 2, "G2": 2, "L1": 2}


def test_totals_of_a_new_ledger_are_zero(ledger):
    totals = read_totals(ledger)
    assert totals.first_at is None
    assert totals.decisions == totals.fills == totals.condors_opened == 0
    assert totals.rules_fired == {}


def test_each_configuration_that_was_in_force_is_one_version(tmp_path):
    with records.open_ledger(tmp_path / "ledger.sqlite") as ledger:
        for number in range(3):
            with ledger.transaction() as tx:
                records.start_run(tx, f"run-{number}", AT + timedelta(days=number))
    with AuditReader.open(tmp_path / "ledger.sqlite") as audit:
        (version,) = audit.sql("SELECT * FROM config_versions").records()
    assert (version["config_hash"], version["runs"]) == ("c0ffee", 3)
    assert version["first_started_at"] < version["last_started_at"]
