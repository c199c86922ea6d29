"""Random days at the desk: what clients hear is what happened, whoever asks and when."""

import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.gateway.faults import Fault, FaultKind
from bot.gateway.protocol.message import Message
from tests.bot.exchange.venue.fakes import CALL, CONDOR, open_exchange, restless_market
from tests.bot.gateway.desk.trading import EVERYTHING, Case, Script, order

CONTRACTS = {  # and a price near which something happens
    CONDOR: Decimal("-4.90"),
    "+1 SPXW 05FEB20 3180 P, -1 SPXW 05FEB20 3170 P": Decimal("2.00"),
    f"+1 {CALL}": Decimal("0.55"),
    "+1 VX 19FEB20": Decimal("17.50"),
}
TYPES = ("LMT", "LMT", "LMT", "MKT", "MOC", "LOC", "STP", "STP LMT", "REL", "MIDPRICE", "Adaptive")
TIFS = ("DAY", "DAY", "DAY", "GTC", "IOC", "FOK", "GTD")
KINDS = (
    FaultKind.ORDER_DROPPED,
    FaultKind.ORDER_REJECTED,
    FaultKind.ORDER_INACTIVE,
    FaultKind.ORDER_CANCELLED_BY_SYSTEM,
    FaultKind.ORDER_NOTICE,
    FaultKind.PRICE_REFUSED,
    FaultKind.MODIFY_FILLED,
    FaultKind.MODIFY_MISMATCH,
    FaultKind.MODIFY_DOUBLES,
    FaultKind.CANCEL_NOT_FOUND,
    FaultKind.CANCEL_IGNORED,
    FaultKind.FILL_BEFORE_OPEN_ORDER,
    FaultKind.FILLED_BEFORE_EXECUTION,
    FaultKind.COMMISSION_FIRST,
    FaultKind.COMMISSION_LATE,
    FaultKind.COMMISSION_NEVER,
    FaultKind.COMMISSION_UNSET,
    FaultKind.EXECUTION_CORRECTED,
    FaultKind.PARTIAL_COMBO,
)
DONE = {"Filled", "Cancelled", "Inactive"}
SECONDS = st.one_of(
    st.integers(0, 60), st.integers(60, 3600), st.sampled_from([6 * 3600, 24 * 3600])
)


class Desk(RuleBasedStateMachine):
    """One desk lives; at the end another one is told the same, with more looks at the clock."""

    @initialize(holds=st.booleans())
    def open(self, holds):
        self.holds = holds
        self.folder = tempfile.TemporaryDirectory()
        self.journal = Path(self.folder.name) / "sim.exchange.jsonl"
        self.has_faults = False
        self.case, self.script = self.new_case(self.journal)
        self.inputs: list[Callable[[Case, Script], None]] = []
        self.placed: list[tuple[int, int, str]] = []

    def new_case(self, journal: Path | None = None) -> tuple[Case, Script]:
        script = Script()
        exchange = open_exchange(restless_market(), journal_path=journal)
        return Case(faults=script, holds_orders=self.holds, exchange=exchange), script

    def tell(self, act: Callable[[Case, Script], None]) -> None:
        self.inputs.append(act)
        act(self.case, self.script)

    # --- what may happen ----------------------------------------------------------------------

    @rule(
        contract=st.sampled_from(sorted(CONTRACTS)),
        action=st.sampled_from(["BUY", "SELL"]),
        kind=st.sampled_from(TYPES),
        tif=st.sampled_from(TIFS),
        quantity=st.integers(1, 40),
        step=st.integers(-20, 40),
        client=st.integers(0, 2),
        group=st.sampled_from(["", "", "", "g"]),
        oca_type=st.integers(0, 3),
        child=st.booleans(),
        transmit=st.sampled_from([True, True, True, False]),
    )
    def place(
        self, contract, action, kind, tif, quantity, step, client, group, oca_type, child, transmit
    ):
        order_id = len(self.placed) + 1
        parents = [ids[1] for ids in self.placed if ids[0] == client]
        price = abs(CONTRACTS[contract] + step * Decimal("0.05"))
        if CONTRACTS[contract] < 0:
            price = -price
        self.placed.append((client, order_id, contract))
        wanted = order(
            action,
            quantity,
            "MKT" if kind == "Adaptive" else kind,
            algo_strategy="Adaptive" if kind == "Adaptive" else "",
            limit_price=price,
            aux_price=price,
            tif=tif,
            good_till_date="20200204 10:00:00 US/Eastern",
            oca_group=group,
            oca_type=oca_type,
            parent_id=parents[-1] if child and parents else 0,
            transmit=transmit,
            order_ref=f"ref {order_id % 7}",
        )
        self.tell(
            lambda case, _: case.desk.place(
                client, order_id, case.contract(contract), wanted, case.at
            )
        )

    @rule(number=st.integers(0, 30), quantity=st.integers(1, 40), step=st.integers(-20, 40))
    def modify(self, number, quantity, step):
        if number >= len(self.placed):
            return
        client, order_id, contract = self.placed[number]
        known = self.case.desk._blotter.find(client, order_id)
        if known is None:
            return
        price = CONTRACTS[contract] + step * Decimal("0.05")
        wanted = order(
            known.order.action,
            quantity,
            "LMT",
            limit_price=price if known.order.action == "BUY" else -price,
        )
        spelled = known.contract
        self.tell(lambda case, _: case.desk.place(client, order_id, spelled, wanted, case.at))

    @rule(number=st.integers(0, 30), by=st.integers(0, 2))
    def cancel(self, number, by):
        if number < len(self.placed):
            order_id = self.placed[number][1]
            self.tell(lambda case, _: case.desk.cancel(by, order_id, case.at))

    @rule()
    def cancel_everything(self):
        self.tell(lambda case, _: case.desk.global_cancel(1, case.at))

    @rule(kind=st.sampled_from(KINDS), seconds=st.sampled_from([0, 1, 15]))
    def arm(self, kind, seconds):
        self.has_faults = True
        struck = Fault(kind=kind, details={"seconds": seconds})
        self.tell(lambda _, script: script.faults.append(struck))

    @rule(seconds=SECONDS)
    def wait(self, seconds):
        def act(case: Case, _: Script) -> None:
            case.wait(seconds)

        self.tell(act)

    # --- what must stay true ------------------------------------------------------------------

    @invariant()
    def every_order_is_done_or_listed_as_open(self):
        # a question is an input too: it brings back what was not told, so it is not asked here
        listed = {(t.client_id, t.order_id) for t in self.case.desk._blotter.open()}
        last = {}
        for message in self.case.messages("orderStatus"):
            last[message.values["permId"]] = message.values
        for values in last.values():
            key = next(ids[:2] for ids in self.placed if ids[1] == values["orderId"])
            assert (key in listed) != (values["status"] in DONE) or values["status"] == "Inactive"

    @invariant()
    def nothing_is_said_of_an_order_nobody_placed(self):
        known = {(client, order_id) for client, order_id, _ in self.placed}
        execs = {m.values["execId"] for m in self.case.messages("execDetails")}
        late = self.case.messages("commissionReport")
        for message, client in self.case.heard:
            values = message.values
            if message.kind in {"openOrder", "execDetails"}:
                assert (values["clientId"], values["orderId"]) in known
            if message.kind == "orderStatus":
                assert (client, values["orderId"]) in known
        assert len(late) >= len([m for m in late if m.values["execId"] in execs])

    @invariant()
    def the_status_counts_what_was_executed(self):
        filled: dict[int, Decimal] = {}
        for ticket in self.case.desk._blotter.open():
            for message in self.case.messages("execDetails"):
                values = message.values
                is_whole = values["secType"] == "BAG" or not ticket.is_combo
                is_first = values["execId"].endswith(".01")
                if values["permId"] == ticket.perm_id and is_whole and is_first:
                    filled.setdefault(ticket.perm_id, Decimal(0))
                    filled[ticket.perm_id] += values["shares"]
            assert filled.get(ticket.perm_id, Decimal(0)) <= ticket.filled

    def teardown(self):
        if hasattr(self, "case"):
            with self.folder:
                self.compare()

    def compare(self):
        self.tell(lambda case, script: (script.faults.clear(), case.wait(60)))
        self.what_was_heard_is_what_was_executed()
        other, script = self.new_case()
        for number, act in enumerate(self.inputs):
            before = other.at
            act(other, script)
            if other.at == before and number % 2:
                other.wait(0)
        assert other.heard == self.case.heard
        self.more_looks_make_no_difference()
        self.a_new_process_knows_the_same()

    def what_was_heard_is_what_was_executed(self):
        heard = self.case.messages("execDetails")
        latest: dict[str, Message] = {}
        for message in heard:
            root, _, _ = message.values["execId"].rpartition(".")
            latest[root] = message
        legs = {root: m.values for root, m in latest.items() if not root.endswith(".0")}
        fills = {fill.exec_root: fill for fill in self.case.exchange.fills(EVERYTHING)}
        assert legs.keys() == fills.keys()
        for root, fill in fills.items():
            told = legs[root]
            assert told["localSymbol"] == fill.symbol or told["secType"] == "FUT"
            assert told["side"] == {"BUY": "BOT", "SELL": "SLD"}[fill.side]
            assert (told["shares"], told["price"]) == (fill.quantity, fill.price)

    def a_new_process_knows_the_same(self):
        other, _ = self.new_case(self.journal)
        other.at = self.case.at
        other.wait(0)
        ours, theirs = (
            [line for _, line in each.desk._executions.asked({})] for each in (self.case, other)
        )
        assert sorted(map(repr, theirs)) == sorted(map(repr, ours))
        if not self.has_faults:
            for theirs, ours in zip(known(other), known(self.case), strict=True):
                assert theirs ^ ours == set()
        for _ in range(3):
            other.wait(24 * 3600)
        assert other.desk._executions.asked({}) == []

    def more_looks_make_no_difference(self):
        other, script = self.new_case()
        for act in self.inputs:
            other_wait = other.wait

            def in_pieces(seconds: float, wait=other_wait) -> list[str]:
                for _ in range(3):
                    wait(seconds / 4)
                return wait(seconds / 4)

            other.wait = in_pieces
            act(other, script)
            other.wait = other_wait
        assert other.heard == self.case.heard


def known(case: Case) -> tuple[set, set]:
    """The orders of a desk, open and done, with what matters of them."""
    blotter = case.desk._blotter
    return tuple(
        {(t.client_id, t.order_id, t.perm_id, t.status, t.filled, t.total) for t in tickets}
        for tickets in (blotter.open(), blotter.done())
    )


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
