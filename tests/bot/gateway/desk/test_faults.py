"""Each fault of the order desk does what it says, once."""

from decimal import Decimal

from bot.gateway.faults import FaultKind
from tests.bot.exchange.venue.fakes import CALL, CONDOR, open_exchange
from tests.bot.gateway.desk.trading import Case, Script, fault, limit, spelled
from tests.builders import instant

ONE = f"+1 {CALL}"
ACKNOWLEDGED = [
    "openOrder PreSubmitted",
    "status PreSubmitted 0/2",
    "openOrder Submitted",
    "status Submitted 0/2",
]
EXECUTED = ["exec BOT 2 VIX   200318C00025000 0.53"]
STANDING = ["openOrder Filled", "status Filled 2/0"]
REPORTED = ["commission 1.9160"]


def struck(kind: FaultKind, **details: object) -> Case:
    return Case(faults=fault(kind, **details))


def bought(case: Case, price: str = "0.60") -> list[str]:
    return case.place(1, ONE, limit("BUY", 2, price, order_ref="A1"))


# --- placing --------------------------------------------------------------------------------------


def test_lost_ack():
    case = struck(FaultKind.LOST_ACK)
    assert bought(case) == case.wait(10) == []
    assert case.exchange.positions() != {}
    assert spelled(case.desk.completed_orders(False)) == ["completedOrder Filled"]


def test_after_a_lost_ack_a_question_brings_the_order_back():
    case = struck(FaultKind.LOST_ACK)
    assert bought(case, "0.10") == []
    assert case.open_orders() == ["openOrder Submitted", "status Submitted 0/2"]
    assert case.cancel(1) == ["status Cancelled 0/2", "error 202"]


def test_order_dropped():
    case = struck(FaultKind.ORDER_DROPPED)
    assert bought(case) == []
    assert case.exchange.records() == ()
    assert case.desk.next_valid_id(1) == 1
    assert case.cancel(1) == ["error 10147"]
    assert bought(case) == ACKNOWLEDGED


def test_echo_changed():
    case = struck(FaultKind.ECHO_CHANGED, tif="GTC", totalQuantity=Decimal(3))
    assert bought(case, "0.10") == ACKNOWLEDGED
    told = {(m.values["tif"], m.values["totalQuantity"]) for m in case.messages("openOrder")}
    assert told == {("GTC", 3)}
    assert case.exchange.records()[0].order.quantity == 2


def test_order_rejected():
    case = struck(FaultKind.ORDER_REJECTED, text="no permission")
    assert bought(case) == ["status Inactive 0/2", "error 201"]
    assert case.last("error").values["text"] == "Order rejected - reason:no permission"
    assert case.exchange.records() == ()


def test_order_inactive_is_parked_until_it_is_cancelled():
    case = struck(FaultKind.ORDER_INACTIVE)
    assert bought(case) == ["status Inactive 0/2"]
    assert case.wait(60) == []
    assert case.open_orders() == ["openOrder Inactive", "status Inactive 0/2"]
    assert case.cancel(1) == ["status Cancelled 0/2", "error 202"]


def test_a_parked_order_does_not_outlive_its_day():
    case = struck(FaultKind.ORDER_INACTIVE)
    bought(case)
    assert case.until(instant("2020-02-04 00:01")) == ["status Cancelled 0/2", "error 202"]


def test_order_cancelled_by_system():
    case = struck(FaultKind.ORDER_CANCELLED_BY_SYSTEM, seconds=30, text="risk")
    assert bought(case, "0.10") == ACKNOWLEDGED
    assert case.wait(29) == []
    assert case.wait(1) == ["status Cancelled 0/2", "error 202"]
    assert case.last("error").values["text"] == "Order Canceled - reason:risk"
    assert case.exchange.orders()[0].status == "CANCELLED"


def test_order_notice():
    case = struck(FaultKind.ORDER_NOTICE, code=10349, text="TIF was set to DAY")
    assert bought(case) == [*ACKNOWLEDGED, "error 10349"]
    assert case.wait(10) == [*EXECUTED, *STANDING, *REPORTED]


def test_price_refused_when_placing():
    case = struck(FaultKind.PRICE_REFUSED)
    assert bought(case) == ["error 110"]
    assert case.open_orders() == []


# --- modifying and cancelling ---------------------------------------------------------------------


def changed(kind: FaultKind) -> tuple[Case, list[str]]:
    script = Script()
    case = Case(faults=script)
    bought(case, "0.10")
    script.faults += fault(kind).faults
    return case, case.modify(1, case.contract(ONE), limit("BUY", 2, "0.20"))


def test_changes_refused_on_demand_leave_the_order():
    for kind, code in (
        (FaultKind.PRICE_REFUSED, 110),
        (FaultKind.MODIFY_FILLED, 104),
        (FaultKind.MODIFY_MISMATCH, 105),
    ):
        case, said = changed(kind)
        assert said == [f"error {code}"]
        assert case.desk.open_orders(1)[0].values["lmtPrice"] == Decimal("0.10")


def test_modify_doubles():
    case, said = changed(FaultKind.MODIFY_DOUBLES)
    assert said == ["openOrder Submitted", "status Submitted 0/2"]
    assert [str(report.status) for report in case.exchange.orders()] == ["LIVE", "LIVE"]
    case.cancel(1)
    assert [str(report.status) for report in case.exchange.orders()] == ["CANCELLED"] * 2


def test_a_doubled_order_fills_twice():
    script = Script()
    case = Case(faults=script)
    bought(case)
    script.faults += fault(FaultKind.MODIFY_DOUBLES).faults
    case.modify(1, case.contract(ONE), limit("BUY", 2, "0.70"))
    case.wait(10)
    assert case.exchange.positions() == {"VIX   200318C00025000": 4}
    assert len(case.desk.executions({}, case.at)) == 4
    assert case.last("orderStatus").values["filled"] == 4


def test_cancel_not_found_and_ignored():
    for kind, said in (
        (FaultKind.CANCEL_NOT_FOUND, ["error 10147"]),
        (FaultKind.CANCEL_IGNORED, []),
    ):
        case = struck(kind)
        bought(case, "0.10")
        assert case.cancel(1) == said
        assert case.open_orders()[-1] == "status Submitted 0/2"
        assert case.cancel(1) == ["status Cancelled 0/2", "error 202"]


# --- executions -----------------------------------------------------------------------------------


def test_fill_before_open_order():
    case = struck(FaultKind.FILL_BEFORE_OPEN_ORDER)
    assert bought(case) == []
    assert case.wait(10) == [*EXECUTED, *STANDING, *REPORTED]


def test_filled_before_execution():
    case = struck(FaultKind.FILLED_BEFORE_EXECUTION, seconds=5)
    bought(case)
    assert case.wait(10) == STANDING
    assert case.wait(5) == [*EXECUTED, *REPORTED]


def test_commission_first():
    case = struck(FaultKind.COMMISSION_FIRST)
    bought(case)
    assert case.wait(10) == [*REPORTED, *EXECUTED, *STANDING]


def test_commission_late():
    case = struck(FaultKind.COMMISSION_LATE, seconds=3)
    bought(case)
    assert case.wait(12) == [*EXECUTED, *STANDING]
    assert case.wait(1) == REPORTED


def test_commission_never_but_when_asked():
    case = struck(FaultKind.COMMISSION_NEVER)
    bought(case)
    assert case.wait(60) == [*EXECUTED, *STANDING]
    assert spelled(case.desk.executions({}, case.at)) == [*EXECUTED, *REPORTED]


def test_commission_unset():
    case = struck(FaultKind.COMMISSION_UNSET)
    bought(case)
    case.wait(10)
    told = case.last("commissionReport").values
    assert told["commission"] is told["realizedPNL"] is None


def test_execution_corrected():
    case = struck(FaultKind.EXECUTION_CORRECTED, seconds=2, price_change="0.10")
    bought(case)
    assert case.wait(10)[0] == "exec BOT 2 VIX   200318C00025000 0.63"
    assert spelled(case.desk.executions({}, case.at))[0].endswith("0.63")
    assert case.wait(2) == [*EXECUTED, *REPORTED]
    first, second = (message.values["execId"] for message in case.messages("execDetails"))
    assert (first[:-2], first[-2:], second[-2:]) == (second[:-2], "01", "02")
    told = case.desk.executions({}, case.at)
    assert [message.values["execId"] for message in told] == [second, second]
    (fill,) = case.exchange.fills_from(0)
    assert fill.price == Decimal("0.53")


def test_a_correction_outlives_the_process(tmp_path):
    path = tmp_path / "sim.exchange.jsonl"
    case = Case(
        faults=fault(FaultKind.EXECUTION_CORRECTED), exchange=open_exchange(journal_path=path)
    )
    bought(case)
    case.wait(30)
    case.place(2, ONE, limit("BUY", 2, "0.10"))
    other = Case(exchange=open_exchange(journal_path=path), at=case.at)
    assert other.desk.executions({}, case.at) == case.desk.executions({}, case.at)


def test_partial_combo():
    case = struck(FaultKind.PARTIAL_COMBO, seconds=4)
    case.place(1, CONDOR, limit("BUY", 2, "-2.00"))
    case.wait(10)
    assert len(case.messages("execDetails")) == 1
    for legs in range(1, 5):
        case.wait(4)
        assert len(case.messages("execDetails")) == 1 + legs
        assert len(case.messages("commissionReport")) == legs


# --- what if --------------------------------------------------------------------------------------


def test_what_if_unset_first():
    case = struck(FaultKind.WHAT_IF_UNSET_FIRST)
    case.place(1, CONDOR, limit("BUY", 1, "-5.00", what_if=True))
    unset, told = case.messages("openOrder")
    assert unset.values["initMarginAfter"] is None
    assert told.values["initMarginAfter"] == Decimal("5000.00")


def test_what_if_silent():
    case = struck(FaultKind.WHAT_IF_SILENT)
    assert case.place(1, CONDOR, limit("BUY", 1, "-5.00", what_if=True)) == []
