"""May anything be sent at all: account, halts, locks, lease, connection, approval."""

from strategies.model.book import root_id
from strategies.model.limits import HaltScope, SystemState
from strategies.risk.checks.request import RefusalReason, Request, Verdict


def check_account(request: Request) -> Verdict:
    """I11: mode, ledger and the broker's account belong together."""
    if not request.readiness.account_agrees:
        return RefusalReason.WRONG_ACCOUNT, "mode, ledger and the broker's account do not agree"
    return None


def check_state(request: Request) -> Verdict:
    """I9, I10: what a halt forbids."""
    state, scope = request.readiness.state, request.readiness.halt_scope
    if state in (SystemState.STARTING, SystemState.RECONCILING):
        return RefusalReason.NOT_RUNNING, f"the bot is {state}"
    if state is SystemState.HALTED and scope is None:
        scope = HaltScope.ALL
    if scope is HaltScope.ALL:
        return RefusalReason.HALTED, "nothing is sent while halted"
    if not request.opens:
        return None
    if scope is HaltScope.FLATTEN:
        return RefusalReason.HALTED, "everything is being closed"
    if state is SystemState.REDUCE_ONLY or scope is HaltScope.REDUCE_ONLY:
        return RefusalReason.REDUCE_ONLY, "only orders that take risk away are sent"
    if scope is HaltScope.OPENS and request.intent.condor_id is not None:
        return RefusalReason.HALTED, "no condor is opened under this halt"
    return None


def check_locks(request: Request) -> Verdict:
    """Nothing opens under a lock that holds; what takes risk away passes every lock."""
    if not request.opens:
        return None
    keys = {instrument.symbol for instrument, _ in request.legs}
    keys |= {instrument.underlying for instrument, _ in request.legs}
    if (condor_id := request.intent.condor_id) is not None:
        keys |= {condor_id, root_id(condor_id)}
    for lock in request.readiness.locks:
        if lock.holds_at(request.readiness.at) and lock.covers(*keys):
            return RefusalReason.LOCKED, f"{lock.key}: {lock.kind}: {lock.reason}"
    return None


def check_lease(request: Request) -> Verdict:
    """I12: one process trades."""
    if not request.readiness.lease_held:
        return RefusalReason.LEASE_LOST, "another process may be trading this account"
    return None


def check_connection(request: Request) -> Verdict:
    """The broker is there, and ledger and broker have been compared."""
    if not request.readiness.connected:
        return RefusalReason.NOT_CONNECTED, "the broker cannot be reached"
    if not request.readiness.reconciled:
        return RefusalReason.NOT_RECONCILED, "ledger and broker have not been compared"
    return None


def check_approval(request: Request) -> Verdict:
    """I20: where a person has to approve, an opening order is within what was approved.

    What takes risk away waits for nobody.
    """
    approvals, intent = request.readiness.approvals, request.intent
    if approvals is None or not request.opens:
        return None
    named = [a for a in approvals if (a.plan_id, a.purpose) == (intent.plan_id, intent.purpose)]
    if not named:
        return RefusalReason.NOT_APPROVED, "nobody has approved it"
    for approval in named:
        if (
            request.readiness.at < approval.until
            and intent.quantity <= approval.quantity
            and intent.worst_price <= approval.worst_price
        ):
            return None
    return RefusalReason.NOT_APPROVED, "it goes beyond what was approved, or too late"
