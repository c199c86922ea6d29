"""The sixteen bugs: what happened to whom, where it shows here, and which invariant finds it."""

from datetime import date
from typing import Any

from bot.app.simulation.faults import Fault
from bot.app.simulation.stage import Stage
from bot.app.simulation.worlds import WorldPlan
from bot.gateway.fault_plan import PlannedFault
from bot.gateway.faults import FaultKind
from strategies.model.instruments import FutureContract, Instrument, parse_symbol
from tests.simulation.museum import adapter_bugs, engine_bugs
from tests.simulation.museum.hall import Bug, Episode, Guest, at
from tests.simulation.museum.wire import ByHand, Wire

TUESDAY, THURSDAY = date(2020, 2, 4), date(2020, 2, 6)


def planned(kind: FaultKind, **changes: Any) -> PlannedFault:
    known = {
        name: changes.pop(name) for name in ("at", "nth", "matching", "times") if name in changes
    }
    return PlannedFault(kind=kind, details=changes, **known)


PARTS = WorldPlan(  # orders fill in parts, at more than one price
    kind="replay",
    first=date(2017, 5, 1),
    last=date(2017, 5, 1),
    seed=7,
    cash_usd=1_000_000,
    packages_most=50,
)
THE_CALL = parse_symbol("VIX   200219C00021000")
THE_FUTURE = FutureContract("VX", date(2020, 2, 19))


def buys_by_hand(instrument: Instrument) -> Guest:
    """Return a guest who buys one contract in the trader's window at eleven."""

    def come(stage: Stage, wire: Wire | None) -> None:
        assert wire is not None, "the trader's window is the gateway's"
        stage._at_work.append(ByHand(at(11), wire, stage, instrument))

    return come


_NOTICE = planned(
    FaultKind.ORDER_NOTICE,
    times=None,
    code=10349,
    text="Order TIF was set to DAY based on order preset.",
)
_RESET_AT_NIGHT = planned(FaultKind.NIGHTLY_RESET, at=at(23, 45), seconds=60)
_ROLLBACK = planned(FaultKind.ORDER_ID_ROLLBACK, times=None, orders=100)

BUGS = (
    Bug(
        number=1,
        name="LEAN-IB #242",
        what="order numbers are given out again after the nightly restart",
        source="QuantConnect/Lean.Brokerages.InteractiveBrokers issue 242",
        caught_by="I13",
        episode=Episode(gateway=(_RESET_AT_NIGHT, _ROLLBACK), calm_from=at(23, 55)).lasting(
            TUESDAY
        ),
        patch=adapter_bugs.numbers_of_the_gateway,
    ),
    Bug(
        number=2,
        name="LEAN-IB #246",
        what="three days blind, and nobody told",
        source="QuantConnect/Lean.Brokerages.InteractiveBrokers issue 246, pull request 247",
        caught_by="I19",
        episode=Episode(
            gateway=(
                planned(FaultKind.CONNECTIVITY_LOST, at=at(10, 5), seconds=40),
                planned(FaultKind.HALF_OPEN, at=at(10, 5, 20), seconds=60),
            )
        ).lasting(THURSDAY),
        patch=engine_bugs.blind,
    ),
    Bug(
        number=3,
        name="LEAN-IB #249",
        what="what filled while the connection was away is never asked for",
        source="QuantConnect/Lean.Brokerages.InteractiveBrokers issue 249",
        caught_by="I19",
        episode=Episode(
            gateway=(planned(FaultKind.NIGHTLY_RESET, at=at(10, 1, 5), seconds=180),),
        ),
        patch=adapter_bugs.no_executions_asked,
    ),
    Bug(
        number=4,
        name="LEAN-IB #213",
        what="a package with a price for each leg",
        source="QuantConnect/Lean.Brokerages.InteractiveBrokers issue 213",
        caught_by="I15",
        episode=Episode(gateway=()),
        patch=adapter_bugs.leg_prices,
    ),
    Bug(
        number=5,
        name="nautilus #3949",
        what="an execution that comes before its openOrder is dropped",
        source="nautechsystems/nautilus_trader issue 3949",
        caught_by="I19",
        episode=Episode(gateway=(planned(FaultKind.FILL_BEFORE_OPEN_ORDER, times=None),)),
        patch=adapter_bugs.executions_of_unopened_orders_dropped,
    ),
    Bug(
        number=6,
        name="nautilus #4564",
        what="a change of an order leaves two at work",
        source="nautechsystems/nautilus_trader issue 4564",
        caught_by="I2",
        episode=Episode(
            gateway=(
                planned(FaultKind.MODIFY_DOUBLES),
                planned(FaultKind.CONNECTIVITY_LOST, at=at(10, 1, 5), seconds=600),
            )
        ),
        patch=engine_bugs.modified_in_place,
    ),
    Bug(
        number=7,
        name="nautilus: submitted -> rejected",
        what="an order nobody acknowledged is taken for refused",
        source="nautechsystems/nautilus_trader, in-flight check of the live execution engine",
        caught_by="I2",
        episode=Episode(faults=(Fault(fault_id="A2", at=at(9, 59), until=at(16)),), walk_s=240),
        patch=engine_bugs.silence_is_a_refusal,
    ),
    Bug(
        number=8,
        name="pysystemtrade #1580",
        what="a remark is taken for a refusal, and the order sent again",
        source="pst-group/pysystemtrade issue 1580",
        caught_by="I2",
        episode=Episode(gateway=(_NOTICE,), walk_s=240),
        patch=engine_bugs.remarks_are_refusals,
    ),
    Bug(
        number=9,
        name="pysystemtrade #1659",
        what="a question about a package that is never answered, and no deadline",
        source="pst-group/pysystemtrade pull request 1659",
        caught_by="I19",
        episode=Episode(gateway=(planned(FaultKind.BAG_DETAILS_SILENT, times=None),)),
        patch=adapter_bugs.details_of_a_package,
    ),
    Bug(
        number=10,
        name="ib_async 10349",
        what="the client library makes a cancelled order of a remark",
        source="ib-api-reloaded/ib_async issues 191 and 217",
        caught_by="I2",
        episode=Episode(gateway=(_NOTICE,), walk_s=240),
        patch=adapter_bugs.the_library_is_believed,
    ),
    Bug(
        number=11,
        name="ib_async unknown-order fill",
        what="an execution of an order nobody knows is dropped",
        source="ib-api-reloaded/ib_async, measured on 2.1.0",
        caught_by="I24",
        episode=Episode(gateway=(), guest=buys_by_hand(THE_CALL)).lasting(TUESDAY),
        patch=adapter_bugs.strangers_executions_dropped,
    ),
    Bug(
        number=12,
        name="ib_async correction doubling",
        what="a correction counts beside what it corrects",
        source="ib-api-reloaded/ib_async, measured on 2.1.0",
        caught_by="I3",
        episode=Episode(
            gateway=(planned(FaultKind.EXECUTION_CORRECTED, seconds=20, price_change="0.05"),)
        ),
        patch=adapter_bugs.corrections_beside_what_they_correct,
    ),
    Bug(
        number=13,
        name="ib_async connectionClosed wipe",
        what="orders and executions are forgotten when the connection ends",
        source="ib-api-reloaded/ib_async, measured on 2.1.0",
        caught_by="I2",
        episode=Episode(
            gateway=(
                planned(FaultKind.LOST_ACK),
                planned(FaultKind.NIGHTLY_RESET, at=at(10, 0, 2), seconds=150),
            ),
            walk_s=240,
        ),
        patch=adapter_bugs.wiped,
    ),
    Bug(
        number=14,
        name="WAL + NORMAL loss",
        what="commits that were acknowledged are gone after a power cut",
        source="SQLite, PRAGMA synchronous; WordPress/sqlite-database-integration pull request 483",
        caught_by="I18",
        episode=Episode(power_cut_at=at(14, 59)),
        patch=engine_bugs.not_waiting_for_the_disk,
    ),
    Bug(
        number=15,
        name="vix_utils Tuesday",
        what="VIX expires a day early",
        source="vix_utils 0.1.7 under pandas 3.1.1",
        caught_by="I4",
        episode=Episode(gateway=(), guest=buys_by_hand(THE_FUTURE)).lasting(TUESDAY),
        patch=adapter_bugs.vix_on_tuesday,
    ),
    Bug(
        number=16,
        name="Knight Capital",
        what="fills are not reported back to the order they belong to",
        source="SEC release 34-70694",
        caught_by="I2",
        episode=Episode(world=PARTS, walk_s=240),
        patch=engine_bugs.parent_not_told,
    ),
)
