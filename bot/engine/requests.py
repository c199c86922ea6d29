"""What an operator decides about breaks and locks: compare, adopt, ignore, balance, unlock.

Each decision is on record with who and why.

While the bot runs only it writes the ledger, so another process leaves a file in the control
folder, as it does with a halt. The same functions carry a request out when no bot runs.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog

from bot.engine.break_records import set_locks
from bot.errors import BotError
from bot.ports import Alerts
from state.errors import StateError
from state.ledger import Ledger
from strategies.model.breaks import Break, BreakKind, Resolution
from strategies.model.errors import DomainError
from strategies.model.fills import CashKind, CashMovement
from strategies.model.ids import digest
from strategies.model.locks import LockKind

log = structlog.get_logger(__name__)

_WAITING = ".request"
_ID_LENGTH = 12


class RequestKind(StrEnum):
    """What is asked for."""

    COMPARE = "compare"
    ADOPT = "adopt"
    IGNORE = "ignore"
    BALANCE = "balance"
    UNLOCK = "unlock"


class CashReason(StrEnum):
    """What an operator may book cash as."""

    INTEREST = "interest"
    FEE = "fee"
    OTHER = "other"


class RequestRefused(BotError):
    """What an operator asked for cannot be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One decision of an operator; what its kind does not need stays empty."""

    kind: RequestKind
    by: str
    reason: str
    at: datetime
    break_id: str = ""
    condor_id: str | None = None  # adopt: whose it is from now on, or ...
    layer: str | None = None  # ... the hedge layer
    amount_usd: Decimal = Decimal(0)  # balance: cash in > 0
    cash_reason: CashReason = CashReason.OTHER
    lock_id: str = ""  # unlock


def submit_request(control_dir: Path, request: Request) -> Path:
    """Leave a request for the running bot; the file appears complete or not at all."""
    control_dir.mkdir(parents=True, exist_ok=True)
    body = asdict(request) | {"at": request.at.isoformat(), "amount_usd": f"{request.amount_usd:f}"}
    target = control_dir / f"{request.at:%Y%m%dT%H%M%S%f}-{request.kind}{_WAITING}"
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(body), encoding="utf-8")
    partial.rename(target)
    return target


def waiting_requests(control_dir: Path) -> list[Path]:
    """Return the requests that wait for the running bot, oldest first."""
    return sorted(control_dir.glob(f"*{_WAITING}"))


def take_requests(control_dir: Path, ledger: Ledger, alerts: Alerts, at: datetime) -> list[Path]:
    """Carry out what waits and can be done; what cannot is renamed ``*.refused``, and said.

    Returns: The files of those who wait for a comparison; the caller unlinks them after it.
    """
    comparisons = []
    for path in waiting_requests(control_dir):
        try:
            request = _read(path)
            if request.kind is RequestKind.COMPARE:
                comparisons.append(path)
                continue
            log.warning("operator request", done=carry_out(request, ledger, at), by=request.by)
        except (RequestRefused, StateError, DomainError) as refusal:
            alerts.raise_alert("warning", f"request refused: {refusal}")
            path.rename(path.with_suffix(".refused"))
        else:
            path.unlink()
    return comparisons


def carry_out(request: Request, ledger: Ledger, at: datetime) -> str:
    """Do what an operator decided about a break, on record with who and why; return it in words.

    Raises: RequestRefused; state.errors.AdoptionConflict or UnknownRecord.
    """
    match request.kind:
        case RequestKind.ADOPT:
            return _adopt(request, ledger, at)
        case RequestKind.IGNORE:
            return _ignore(request, ledger, at)
        case RequestKind.BALANCE:
            return _balance(request, ledger, at)
        case RequestKind.UNLOCK:
            return _unlock(request, ledger, at)
        case RequestKind.COMPARE:
            raise AssertionError("a comparison needs a broker")


def _adopt(request: Request, ledger: Ledger, at: datetime) -> str:
    found = _standing(request, ledger)
    if found.kind not in (BreakKind.FOREIGN_FILL, BreakKind.UNRECORDED_ORDER):
        raise RequestRefused(f"{found.break_id} is a {found.kind} break; only fills are adopted")
    roots = [
        fill.exec_root
        for fill in ledger.unadopted_fills()
        if found.key in (fill.exec_root, fill.reference)
    ]
    if not roots:
        raise RequestRefused(f"{found.break_id}: nothing of it is booked; ignore it instead")
    with ledger.transaction() as tx:
        for root in roots:
            tx.adopt_external_fill(
                root,
                at,
                condor_id=request.condor_id,
                layer=request.layer,
                by=request.by,
                reason=request.reason,
            )
        tx.resolve_break(
            found.break_id, at, Resolution.ADOPTED, by=request.by, reason=request.reason
        )
        set_locks(tx, ledger, at)
    return f"{found.break_id} adopted for {request.condor_id or request.layer}"


def _ignore(request: Request, ledger: Ledger, at: datetime) -> str:
    found = _standing(request, ledger)
    with ledger.transaction() as tx:
        tx.resolve_break(
            found.break_id, at, Resolution.IGNORED, by=request.by, reason=request.reason
        )
        set_locks(tx, ledger, at)
    return f"{found.break_id} ignored while it stays as it is: {found.detail}"


def _balance(request: Request, ledger: Ledger, at: datetime) -> str:
    """Book cash that a comparison found missing; what is still missing then is found again."""
    breaks = [each for each in ledger.open_breaks() if each.kind is BreakKind.CASH]
    if not breaks:
        raise RequestRefused("no comparison has found a difference in cash; `alvh reconcile` looks")
    amount, kind = request.amount_usd, request.cash_reason
    reason = f"{kind} {amount:+f} USD: {request.reason}"
    token = digest(kind, f"{amount:f}", request.by, request.reason, request.at.isoformat())
    movement = CashMovement(
        movement_id=f"balance {kind} {token[:_ID_LENGTH]}",
        kind=CashKind.ADJUSTMENT,
        symbol=None,
        quantity=0,
        price=None,
        amount_usd=amount,
        booked_at=at,
    )
    with ledger.transaction() as tx:
        tx.record_cash_movement(movement)
        for each in breaks:
            tx.resolve_break(each.break_id, at, Resolution.BALANCED, by=request.by, reason=reason)
        set_locks(tx, ledger, at)
    return f"booked {reason}"


def _unlock(request: Request, ledger: Ledger, at: datetime) -> str:
    """Take a lock away; what measures from a peak measures from here on, the rest looks again."""
    held = ledger.locks(at)
    named = [each for each in held if each.lock_id.startswith(request.lock_id)]
    if len(named) != 1 or not request.lock_id:
        ids = ", ".join(each.lock_id for each in named or held) or "none"
        raise RequestRefused(f"no one lock is called {request.lock_id!r}; there are: {ids}")
    lock = named[0]
    if lock.kind in (LockKind.BREAK, LockKind.FOREIGN_ACTIVITY):
        raise RequestRefused(
            f"{lock.lock_id} stands for what ledger and broker do not agree on: {lock.reason}; "
            "`alvh reconcile` says what ends it"
        )
    with ledger.transaction() as tx:
        tx.release_lock(lock.lock_id, at, by=request.by, reason=request.reason)
    return f"{lock.lock_id} is released: {lock.kind}; it comes back if its cause is still there"


def _standing(request: Request, ledger: Ledger) -> Break:
    """Return the break that a request names, open or ignored; its id may be shortened."""
    known = (*ledger.open_breaks(), *ledger.ignored_breaks())
    named = [each for each in known if each.break_id.startswith(request.break_id)]
    if len(named) != 1 or not request.break_id:
        ids = ", ".join(each.break_id for each in named or known) or "none"
        raise RequestRefused(f"no one break is called {request.break_id!r}; there are: {ids}")
    return named[0]


def _read(path: Path) -> Request:
    """Return the request of a file; raises RequestRefused."""
    try:
        body: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Request(
            kind=RequestKind(body["kind"]),
            by=str(body["by"]),
            reason=str(body["reason"]),
            at=datetime.fromisoformat(body["at"]),
            break_id=str(body["break_id"]),
            condor_id=None if body["condor_id"] is None else str(body["condor_id"]),
            layer=None if body["layer"] is None else str(body["layer"]),
            amount_usd=Decimal(str(body["amount_usd"])),
            cash_reason=CashReason(body["cash_reason"]),
            lock_id=str(body["lock_id"]),
        )
    except (ValueError, KeyError, TypeError, InvalidOperation) as cause:
        raise RequestRefused(f"{path.name} is no request") from cause
