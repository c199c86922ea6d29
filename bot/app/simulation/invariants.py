"""What must be true whatever happens, checked while it happens.

The auditor listens on the stage: at each order that leaves the process, after each call of the
broker, after each job and each restart. It compares the ledger with the truth of the exchange.
Numbers are those of ``catalogue.toml``.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot.app.simulation.bounds import Pending, beyond_limits
from bot.app.simulation.faults import Call
from bot.app.simulation.stage import Stage
from bot.exchange.settlement import instants_of
from state.crash_points import CrashPoint
from state.errors import UnknownRecord
from state.ledger import Ledger
from state.verification import Check as Verified
from strategies.model.book import Account, Book
from strategies.model.breaks import BreakKind
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.fills import CashKind
from strategies.model.instruments import OptionContract, parse_symbol
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus
from strategies.model.limits import HaltScope, SystemState
from strategies.model.memory import Memory
from strategies.model.orders import ApprovedOrder, OrderIntent, PositionEffect
from strategies.model.plan import Plan
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
from strategies.model.ticks import order_tick

Decide = Callable[[MarketSnapshot, Book, Account, Memory, Rules], tuple[Plan, Memory]]

_SPX_MULTIPLIER: Final = 100
_ATTEMPTS_MOST: Final = 40
_CALM_FOR: Final = timedelta(minutes=10)
_IN_DOUBT_FOR: Final = timedelta(hours=50)  # after the last fault
_IN_DOUBT_SESSIONS: Final = 2  # its own and the next, in which it is looked for again
_IN_DOUBT = (OrderStatus.SENDING, OrderStatus.UNKNOWN)
_LOOKED_AT_AGAIN: Final = timedelta(days=2)
_CENT: Final = Decimal("0.01")
_LONG_AGO = datetime.min.replace(tzinfo=EXCHANGE_ZONE)


class Auditor:
    """Checks invariants on one stage, and counts how often each was checked."""

    def __init__(self, stage: Stage) -> None:
        self.checks: Counter[str] = Counter()
        self._stage = stage
        self._bookings = -1  # of the exchange, when the positions were last looked at
        self._told = -1  # of the exchange, when the bot was last told of them in calm
        self._durable: tuple[int, datetime | None] = (0, None)  # orders, newest fill after a job
        self._agreed = 0
        stage.listeners.append(self._listen)

    def _listen(self, what: str, about: Call | CrashPoint) -> None:
        if self._stage.ledger is None:
            return
        if what == "submit" and isinstance(about, Call):
            self._on_submit(about.arguments[0], self._stage.ledger)
        elif what == "called" and isinstance(about, Call):
            self._on_call(about)
        elif about is CrashPoint.JOB_RECORDED:
            self._on_job(self._stage.ledger)

    def _check(self, invariant: str, wrong: Iterable[str]) -> None:
        """Count a check, and put on record what it found."""
        self.checks[invariant] += 1
        for detail in wrong:
            self._stage.violate(invariant, detail)

    # --- an order leaves --------------------------------------------------------------------------

    def _on_submit(self, order: ApprovedOrder, ledger: Ledger) -> None:
        intent = order.intent
        self._check("I1", self._intent_before_wire(intent, ledger))
        self._check("I6", self._bounded_risk(intent, ledger))
        self._check("I9", self._halt_is_monotone(intent, ledger))
        self._check("I10", self._reduce_means_reduce(intent, ledger))
        self._check("I15", _price_collar(intent))
        self._check("I16", self._throttle(intent, ledger))
        self._check("I22", self._before_last_trade(intent))
        self._check("I24", self._leaves_foreign_alone(intent, ledger))

    @staticmethod
    def _intent_before_wire(intent: OrderIntent, ledger: Ledger) -> Iterator[str]:
        try:
            stored = ledger.order(intent.client_order_id)
        except UnknownRecord:
            yield f"{intent.client_order_id} is sent and has no intent on record"
            return
        if stored.status is not OrderStatus.SENDING:
            yield f"{intent.client_order_id} is sent while it is {stored.status} on record"
        sent = (stored.intent.legs, stored.intent.quantity, stored.intent.limit_price)
        if sent != (intent.legs, intent.quantity, intent.limit_price):
            yield f"{intent.client_order_id} is sent with other terms than are on record"

    def _bounded_risk(self, intent: OrderIntent, ledger: Ledger) -> Iterator[str]:
        """Whatever of the orders at work fills, and be it all, is within the limits."""
        if intent.effect is not PositionEffect.OPEN:
            return
        positions, at_work = ledger.positions(), ledger.open_intents()
        pending = [
            Pending(
                name=stored.intent.purpose,
                legs=tuple((leg.instrument.symbol, leg.ratio) for leg in stored.intent.legs),
                quantity=stored.leaves_quantity,
                limit_price=stored.intent.limit_price,
            )
            for stored in at_work
            if stored.status in OPEN_STATUSES and stored.leaves_quantity > 0
        ]
        held = {symbol for symbol in positions if symbol.startswith("SPX")}
        brought = (
            -fill.signed_quantity * fill.price * _SPX_MULTIPLIER
            for fill in ledger.fills_since(_LONG_AGO)
            if fill.symbol in held
        )
        limits = self._stage.config.limits
        yield from beyond_limits(positions, sum(brought, Decimal(0)), pending, limits)

    @staticmethod
    def _leaves_foreign_alone(intent: OrderIntent, ledger: Ledger) -> Iterator[str]:
        """Nothing opens in an underlying in which others traded, until somebody has looked."""
        if intent.effect is not PositionEffect.OPEN:
            return
        underlyings = {leg.instrument.underlying for leg in intent.legs}
        for each in ledger.open_breaks():
            if each.kind is BreakKind.FOREIGN_FILL and (met := underlyings & {*each.locks, "*"}):
                yield f"{intent.purpose} opens in {met} beside {each.detail}"

    @staticmethod
    def _halt_is_monotone(intent: OrderIntent, ledger: Ledger) -> Iterator[str]:
        state = ledger.system_state()
        if state.state is not SystemState.HALTED:
            return
        opens = intent.effect is PositionEffect.OPEN
        forbidden = state.scope in (None, HaltScope.ALL) or (
            opens and (state.scope is HaltScope.REDUCE_ONLY or intent.condor_id is not None)
        )
        if forbidden:
            yield f"{intent.purpose} is sent while halted ({state.scope}: {state.reason})"

    @staticmethod
    def _reduce_means_reduce(intent: OrderIntent, ledger: Ledger) -> Iterator[str]:
        is_reducing = ledger.system_state().state is SystemState.REDUCE_ONLY
        if is_reducing and intent.effect is PositionEffect.OPEN:
            yield f"{intent.purpose} opens while the bot may only reduce"

    def _throttle(self, intent: OrderIntent, ledger: Ledger) -> Iterator[str]:
        if intent.attempt > _ATTEMPTS_MOST:
            yield f"{intent.purpose} is tried for the {intent.attempt}th time"
        today = self._stage.now().astimezone(EXCHANGE_ZONE).date()
        sent, most = ledger.orders_sent_on(today), self._stage.config.limits.orders_per_day_max
        if sent > most:
            yield f"{sent} orders today, {most} are allowed"

    def _before_last_trade(self, intent: OrderIntent) -> Iterator[str]:
        for leg in intent.legs:
            last = instants_of(leg.instrument, self._stage.scenery.calendar).last_trade_at
            if self._stage.now() >= last:
                yield f"{leg.instrument.symbol} stopped trading at {last}"

    # --- after each call --------------------------------------------------------------------------

    def _on_call(self, call: Call) -> None:
        bookings = self._stage.exchange.bookings
        if bookings != self._bookings:
            self._bookings = bookings
            self._check("I7", self._never_naked())
        if call.name == "fetch_cash_movements" and self._stage.is_calm:
            self._told = self._facts()

    def _facts(self) -> int:
        """How much there is to be told."""
        return self._stage.exchange.bookings + len(self._stage.truth.corrections)

    def _never_naked(self) -> Iterator[str]:
        """Every short option has a long of its series and right; others may break that."""
        if self._stage.truth.foreign_orders or self._stage.truth.busts:
            return
        net: dict[tuple[object, ...], int] = defaultdict(int)
        for symbol, contracts in self._stage.exchange.positions().items():
            instrument = parse_symbol(symbol)
            if isinstance(instrument, OptionContract):
                net[instrument.root, instrument.expiry, instrument.right] += contracts
        for series, contracts in net.items():
            if contracts < 0:
                yield f"{-contracts} of {series} are short and not covered"

    # --- after each job ---------------------------------------------------------------------------

    def _on_job(self, ledger: Ledger) -> None:
        self._check("I2", self._at_most_once(ledger))
        since = self._stage.now() - _LOOKED_AT_AGAIN  # all of them at the end
        self._check("I3", self._fills_are_true(ledger, since))
        self._check("I19", self._liveness(ledger))
        if self._is_quiescent(ledger):
            self._agreed += 1
            self._check("I3", self._fills_are_complete(ledger, since))
            self._check("I4", self._positions_agree(ledger))
            self._check("I5", self._cash_agrees(ledger))
            self._check("I22", self._nothing_expired(ledger))
            self._check("I24", self._foreign_is_foreign(ledger))
        self._durable = len(ledger.sent_order_ids()), ledger.last_fill_at()

    def _is_quiescent(self, ledger: Ledger) -> bool:
        """Whether nothing is under way and the bot was told of everything there is."""
        stage = self._stage
        return (
            stage.is_calm
            and stage.now() - (stage.disturbed_at or _LONG_AGO) > _CALM_FOR
            and self._told == self._facts()
            and not stage.truth.working()
            and not stage.truth.told_cancelled
            and ledger.system_state().state is SystemState.RUNNING
            and not ledger.open_breaks()  # the bot knows, and opens nothing
        )

    def _at_most_once(self, ledger: Ledger) -> Iterator[str]:
        """No purpose of a plan fills beyond its quantity, and none has two live orders."""
        last = ledger.last_decision()
        if last is None:
            return
        truth = self._stage.truth
        wanted: dict[str, int] = {}
        filled: Counter[str] = Counter()
        live: Counter[str] = Counter()
        pretended = set()
        for stored in ledger.orders_of_plan(last.plan_id):
            purpose = stored.intent.purpose
            wanted.setdefault(purpose, stored.intent.quantity)
            record = truth.exchange.record(stored.client_order_id)
            if record is not None and stored.client_order_id not in truth.legged:
                filled[purpose] += record.report.filled_quantity
                live[purpose] += record in truth.working()
            if stored.client_order_id in truth.ever_pretended:
                pretended.add(purpose)
        for purpose, quantity in wanted.items():
            if purpose not in pretended and filled[purpose] > quantity:
                yield f"{purpose}: {filled[purpose]} filled, {quantity} wanted"
            if purpose not in pretended and live[purpose] > 1:
                yield f"{purpose}: {live[purpose]} orders at work"

    def _fills_are_true(self, ledger: Ledger, since: datetime) -> Iterator[str]:
        """Nothing is booked that the exchange did not execute, in a revision it has had."""
        true = {fill.exec_root: fill for fill in self._stage.truth.fills(since)}
        for fill in ledger.fills_since(since):
            known = true.get(fill.exec_root)
            if known is None:
                yield f"{fill.exec_root} is booked and was never executed"
            elif fill.revision == known.revision and fill != known:
                yield f"{fill.exec_root} is booked as {fill}, it was {known}"

    def _fills_are_complete(self, ledger: Ledger, since: datetime) -> Iterator[str]:
        booked = {(fill.exec_root, fill.revision) for fill in ledger.fills_since(since)}
        for fill in self._stage.truth.fills(since):
            if (fill.exec_root, fill.revision) not in booked:
                yield f"{fill.exec_root} of {fill.executed_at} is not booked: {fill}"

    def _positions_agree(self, ledger: Ledger) -> Iterator[str]:
        ours, theirs = ledger.positions(), self._stage.exchange.positions()
        for symbol in sorted(ours.keys() | theirs.keys()):
            if ours.get(symbol, 0) != theirs.get(symbol, 0):
                yield f"{symbol}: ledger {ours.get(symbol, 0)}, broker {theirs.get(symbol, 0)}"

    def _cash_agrees(self, ledger: Ledger) -> Iterator[str]:
        ours, theirs = ledger.cash_usd(), self._stage.truth.cash_usd()
        if ours != theirs:
            yield f"ledger {ours} USD, broker {theirs} USD"

    def _nothing_expired(self, ledger: Ledger) -> Iterator[str]:
        calendar, now = self._stage.scenery.calendar, self._stage.now()
        for symbol in ledger.positions():
            settles_at = instants_of(parse_symbol(symbol), calendar).settles_at
            if now > settles_at + timedelta(days=1):
                yield f"{symbol} settled at {settles_at} and is still held"

    def _foreign_is_foreign(self, ledger: Ledger) -> Iterator[str]:
        """What others traded is on record as theirs, all of it, and as nobody else's."""
        theirs = {fill.exec_root for fill in self._stage.truth.foreign_fills()}
        external = {fill.exec_root for fill in ledger.external_fills_since(_LONG_AGO)}
        if theirs != external:
            missing, wrong = theirs - external, external - theirs
            yield f"traded by others and not on record: {missing}; on record by mistake: {wrong}"

    def _liveness(self, ledger: Ledger) -> Iterator[str]:
        stage, state = self._stage, ledger.system_state()
        calm_since = stage.now() - (stage.disturbed_at or _LONG_AGO)
        if calm_since > _CALM_FOR and state.state is SystemState.HALTED and not state.reason:
            yield "halted without a reason"
        if calm_since > _CALM_FOR and state.state is SystemState.STARTING:
            yield f"{state.state} {calm_since} after the last fault"
        if state.state is SystemState.HALTED:
            return
        for stored in ledger.open_intents():
            if stored.status not in _IN_DOUBT or calm_since <= _IN_DOUBT_FOR:
                continue
            since, today = (
                at.astimezone(EXCHANGE_ZONE).date() for at in (stored.updated_at, stage.now())
            )
            if len(stage.scenery.calendar.sessions_between(since, today)) > _IN_DOUBT_SESSIONS:
                age = stage.now() - stored.updated_at
                yield f"{stored.client_order_id} is {stored.status} for {age}"

    # --- around lives -----------------------------------------------------------------------------

    def on_start(self, ledger: Ledger) -> None:
        """Check that nothing that was on record is gone (I18)."""
        orders, newest = self._durable
        found = ledger.last_fill_at()
        if newest is not None and (found is None or found < newest):
            self._check("I18", [f"the newest fill on record was of {newest}, it is of {found}"])
        count = len(ledger.sent_order_ids())
        lost = [f"{orders} orders were on record, {count} are"] if count < orders else []
        self._check("I18", lost)

    def on_end(self, ledger: Ledger) -> None:
        """Check that all that was booked adds up to what the ledger says it holds (I17)."""
        found = ledger.rebuild_projections_and_compare()
        self._check("I3", self._fills_are_true(ledger, _LONG_AGO))
        self._check("I17", (str(difference) for difference in found))
        self._check("I22", self._settled_at_value())

    def on_verified(self, checks: Iterable[Verified]) -> None:
        """Take over what the ledger's own verification says: chain, replay, cover (I17)."""
        for check in checks:
            self._check("I17", (f"{check.name}: {each.what}" for each in check.findings))

    def _settled_at_value(self) -> Iterator[str]:
        """Every settlement paid intrinsic value times multiplier, to the cent."""
        for movement in self._stage.exchange.cash_movements(_LONG_AGO):
            if movement.kind is not CashKind.SETTLEMENT or movement.price is None:
                continue
            instrument = parse_symbol(movement.symbol or "")
            if isinstance(instrument, OptionContract):
                points = self._stage.exchange.market.settlement_value(instrument)
                value = _intrinsic(instrument, Decimal(repr(float(points))).quantize(_CENT))
                amount = -movement.quantity * value * instrument.multiplier
                if (movement.price, movement.amount_usd) != (value, amount):
                    told = f"{movement.price} and {movement.amount_usd} USD"
                    yield f"{movement.symbol} settled at {told}, it was {value} and {amount} USD"

    def watched(self, decide: Decide) -> Decide:
        """Return ``decide``, with what it is shown checked first (I14)."""

        def checked(
            snapshot: MarketSnapshot, book: Book, account: Account, memory: Memory, rules: Rules
        ) -> tuple[Plan, Memory]:
            self._check("I14", self._fresh_and_sane(snapshot))
            plan, after = decide(snapshot, book, account, memory, rules)
            self._check("I8", _hedge_is_coherent(plan))
            return self._stage.decided((plan, after))

        return checked

    def _fresh_and_sane(self, snapshot: MarketSnapshot) -> Iterator[str]:
        age = self._stage.now() - snapshot.market.at
        if not -timedelta(seconds=2) <= age <= self._stage.config.limits.quote_age_max:
            yield f"a decision looks at a market that is {age} old"


def _hedge_is_coherent(plan: Plan) -> Iterator[str]:
    """A layer that is to change has its order, or a reason why not; the state has a name."""
    ordered = {intent.layer for intent in plan.orders}
    if not plan.hedge_state:
        yield f"{plan.plan_id}: nobody says how well the book is hedged"
    for layer in plan.layers:
        reasons = (layer.binding_cap, layer.note, *plan.no_trade_reasons)
        if layer.change_contracts and layer.layer not in ordered and not any(reasons):
            yield f"{plan.plan_id}: {layer.layer} is to change, with no order and no reason"


def _price_collar(intent: OrderIntent) -> Iterator[str]:
    tick = order_tick([leg.instrument for leg in intent.legs], intent.limit_price)
    if intent.limit_price % tick != 0:
        yield f"{intent.purpose}: {intent.limit_price} is not on the grid of {tick}"
    if intent.limit_price > intent.worst_price:
        yield f"{intent.purpose}: {intent.limit_price} is beyond {intent.worst_price}"


def _intrinsic(option: OptionContract, value: Decimal) -> Decimal:
    """Return what ``value`` of the underlying makes of one option, points."""
    sign = 1 if option.right == "C" else -1
    return max(Decimal(0), sign * (value - option.strike))
