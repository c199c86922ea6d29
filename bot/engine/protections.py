"""Protections: persisted locks on what may be opened, each with a reason and an end.

A lock is on record before the next order is asked for, outlives a restart, and ends by itself: at
an instant, or when what set it is over. The thresholds are in ``bot.engine.breakers``; here the
facts are gathered, locks are set and released, and somebody is called.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from bot.engine.breakers import (
    NO_OPERATOR,
    Facts,
    ProtectionPolicy,
    drawdown_lock,
    order_rate_lock,
    tripped,
)
from bot.engine.control import Controls
from bot.engine.pages import Pages
from bot.ports import Clock
from state.ledger import Ledger
from strategies.model.book import Account
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.limits import HaltScope, SystemState
from strategies.model.locks import WHOLE_BOOK, Lock, LockKind
from strategies.pricing.plausibility import MarketDoubt
from strategies.risk.gate import Refusal, RefusalReason

_BY = "bot"
_MARGIN = "margin: "  # begins the reason of a REDUCE_ONLY that margin brought about
# What is judged from facts at each look; a connection is lost and found between looks too
_JUDGED = frozenset(
    {
        LockKind.DAILY_LOSS,
        LockKind.DRAWDOWN,
        LockKind.ORDER_RATE,
        LockKind.REJECT_STREAK,
        LockKind.STALE_DATA,
        LockKind.CLOCK_SKEW,
        LockKind.MARGIN,
        LockKind.OPERATOR,
    }
)


class Protections:
    """Keeps the locks in step with the facts, and calls somebody when one is set."""

    def __init__(
        self,
        policy: ProtectionPolicy,
        *,
        ledger: Ledger,
        clock: Clock,
        controls: Controls,
        pages: Pages,
    ) -> None:
        self.policy = policy
        self._ledger = ledger
        self._clock = clock
        self._controls = controls
        self._pages = pages
        self._began_at = clock.now()
        self._opening: tuple[date, Decimal] | None = None
        self._skipped = 0
        self._data_at: datetime | None = None
        self._skew: timedelta | None = None

    # --- what is noted between judgements ------------------------------------------------------

    def note_time(self, told: datetime, at: datetime) -> None:
        """Take what the broker's clock said at an instant of ours (fault C15)."""
        self._skew = told - at

    def note_skip(self, reason: str) -> None:
        """Take note of an interval that had no usable market (faults D1 to D7, B14)."""
        self._skipped += 1
        if self._skipped >= self.policy.skips_in_a_row:
            text = f"{self._skipped} intervals in a row had no usable market; the last: {reason}"
            self._set(LockKind.STALE_DATA, text)

    def note_data(self, at: datetime) -> None:
        """Take note of a usable market, once it has been judged: opens wait one more look."""
        self._skipped, self._data_at = 0, at

    def note_doubts(self, doubts: Iterable[MarketDoubt]) -> None:
        """Lock each underlying whose market contradicts itself, for a while (faults D6 to D8).

        While the doubt lasts, each look renews the lock.
        """
        at = self._clock.now()
        for underlying, reasons in _by_underlying(doubts).items():
            lock = Lock(
                kind=LockKind.IMPLAUSIBLE,
                key=underlying,
                reason="; ".join(reasons),
                set_at=at,
                until=at + self.policy.doubt_lock,
            )
            with self._ledger.transaction() as tx:
                tx.set_lock(lock, by=_BY)
            text = f"{underlying} does not open ({lock.kind}): {lock.reason}"
            self._pages.page(f"{lock.kind} {underlying}", text)

    def note_refusal(self, refusal: Refusal) -> None:
        """Latch what the gate refused because of too many orders: a runaway (I16, fault A33)."""
        if refusal.reason is RefusalReason.ORDER_RATE:
            at = self._clock.now()
            lock = order_rate_lock(at=at, session=_day(at), reason=refusal.detail)
            self._record(lock)
            self._latch({lock.kind: lock})

    def note_lost(self, reason: str) -> None:
        """Lock every opening order until books and broker have been compared (faults B1, B2)."""
        self._set(LockKind.CONNECTION, f"the broker could not be reached: {reason}")

    def note_reconciled(self) -> None:
        """End what a lost connection locked: everything has been compared since."""
        self._release(self._held(LockKind.CONNECTION), "compared in full since")

    # --- judgement ----------------------------------------------------------------------------

    def judge(self, account: Account, session: date) -> None:
        """Set the locks that these facts ask for, and release those whose cause is over.

        Raises: state.errors if they cannot be recorded.
        """
        facts = self._facts(account, session)
        asked = tripped(self.policy, facts)
        held = {lock.kind: lock for lock in self.locks() if lock.kind in _JUDGED}
        for kind, lock in asked.items():
            if kind not in held:
                self._record(lock)
        for kind, lock in held.items():
            if kind not in asked and _ends_by_itself(lock):
                self._release(lock, "its cause is over")
        self._latch(asked)
        self._reduce_for_margin(asked.get(LockKind.MARGIN))

    def locks(self) -> tuple[Lock, ...]:
        """Return the locks that hold now, whoever set them."""
        return self._ledger.locks(self._clock.now())

    def _facts(self, account: Account, session: date) -> Facts:
        now = self._clock.now()
        booked = self._ledger.last_daily_pnl(session)
        if self._opening is None or self._opening[0] != session:
            began = account.net_liquidation_usd if booked is None else booked.net_liquidation_usd
            self._opening = session, began
        peak = self._ledger.peak_net_liquidation_usd(self._peak_since(session))
        is_today = self._data_at is not None and _day(self._data_at) == session
        return Facts(
            at=now,
            session=session,
            net_liquidation_usd=account.net_liquidation_usd,
            excess_liquidity_usd=account.excess_liquidity_usd,
            opening_usd=self._opening[1],
            peak_usd=peak,
            activity=self._ledger.activity(now),
            skipped_in_a_row=self._skipped,
            data_at=self._data_at if is_today else None,
            skew=self._skew,
            silent_since=self._controls.acknowledged_at() or self._began_at,
        )

    def _peak_since(self, session: date) -> date:
        """Return from when on the peak of a drawdown counts: an operator's unlock begins anew."""
        since = session - timedelta(days=self.policy.drawdown_days)
        lock_id = drawdown_lock(at=self._clock.now(), reason="").lock_id
        released = self._ledger.lock_released_by_hand(lock_id, bot=_BY)
        return since if released is None else max(since, _day(released))

    def _latch(self, asked: dict[LockKind, Lock]) -> None:
        """A runaway stays stopped until an operator has looked (I16)."""
        lock = asked.get(LockKind.ORDER_RATE)
        if lock is not None and self._controls.stored.state is not SystemState.HALTED:
            reason = f"order rate: {lock.reason}"
            self._controls.set_state(SystemState.HALTED, scope=HaltScope.REDUCE_ONLY, reason=reason)

    def _reduce_for_margin(self, lock: Lock | None) -> None:
        """REDUCE_ONLY while excess liquidity is below its floor (fault E4)."""
        stored = self._controls.stored
        is_ours = stored.by == _BY and stored.reason.startswith(_MARGIN)
        if lock is not None and stored.state is SystemState.RUNNING:
            self._controls.set_state(SystemState.REDUCE_ONLY, reason=f"{_MARGIN}{lock.reason}")
        elif lock is None and stored.state is SystemState.REDUCE_ONLY and is_ours:
            self._controls.set_state(SystemState.RUNNING, reason="excess liquidity is back")

    # --- the record ---------------------------------------------------------------------------

    def _held(self, kind: LockKind) -> Lock | None:
        found = (lock for lock in self.locks() if (lock.kind, lock.key) == (kind, WHOLE_BOOK))
        return next(found, None)

    def _set(self, kind: LockKind, reason: str) -> None:
        if self._held(kind) is None:
            at = self._clock.now()
            self._record(Lock(kind=kind, key=WHOLE_BOOK, reason=reason, set_at=at, until=None))

    def _record(self, lock: Lock) -> None:
        with self._ledger.transaction() as tx:
            is_new = tx.set_lock(lock, by=_BY)
        if is_new:
            self._pages.page(lock.kind, f"nothing opens ({lock.kind}): {lock.reason}")

    def _release(self, lock: Lock | None, reason: str) -> None:
        if lock is None:
            return
        with self._ledger.transaction() as tx:
            tx.release_lock(lock.lock_id, self._clock.now(), by=_BY, reason=reason)
        self._pages.over(lock.kind)


def _ends_by_itself(lock: Lock) -> bool:
    """Whether a lock was set by a breaker, to end with its cause; operators set locks as well."""
    if lock.kind is LockKind.OPERATOR and not lock.reason.startswith(NO_OPERATOR):
        return False
    return lock.until is None


def _by_underlying(doubts: Iterable[MarketDoubt]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for doubt in doubts:
        found.setdefault(doubt.underlying, []).append(doubt.reason)
    return found


def _day(at: datetime) -> date:
    return at.astimezone(EXCHANGE_ZONE).date()
