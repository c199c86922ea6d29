"""Overrides on their way into a decision: taken when genuine, and proven again when used (D3).

Another process leaves a signed record as a file, as it does with commands; nothing in the file is
believed because of where it lies.
"""

from datetime import datetime
from pathlib import Path

import structlog

from bot.approvals.overrides import (
    OverridePolicy,
    OverrideRecord,
    OverrideRefused,
    SignedOverride,
    check_not_expired,
    read_override,
)
from bot.ports import Alerts
from state.errors import OverrideReplayed
from state.governance import StoredOverride
from state.ledger import Ledger
from strategies.model.overrides import Override

log = structlog.get_logger(__name__)

_WAITING = ".override"


def submit_override(control_dir: Path, signed: SignedOverride) -> Path:
    """Leave ``signed`` for the running bot; the file appears complete or not at all."""
    control_dir.mkdir(parents=True, exist_ok=True)
    target = control_dir / f"{signed.record.override_id}{_WAITING}"
    partial = target.with_suffix(".partial")
    partial.write_text(signed.as_json(), encoding="utf-8")
    partial.rename(target)
    return target


def waiting_overrides(control_dir: Path) -> list[Path]:
    """Return the files that wait for the running bot."""
    return sorted(control_dir.glob(f"*{_WAITING}"))


def take_overrides(
    control_dir: Path, policy: OverridePolicy, ledger: Ledger, alerts: Alerts, now: datetime
) -> None:
    """Record what waits and is genuine; what is not is renamed ``*.refused``, and said."""
    for path in waiting_overrides(control_dir):
        try:
            signed = read_override(path.read_text(encoding="utf-8", errors="replace"))
            record_override(signed, policy, ledger, now)
        except (OverrideRefused, OverrideReplayed) as refusal:
            alerts.raise_alert("warning", f"override refused: {refusal}")
            path.rename(path.with_suffix(".refused"))
        else:
            log.warning("override taken", action=signed.record.action, signer=signed.record.signer)
            path.unlink()


def record_override(
    signed: SignedOverride, policy: OverridePolicy, ledger: Ledger, now: datetime
) -> None:
    """Record an override that is genuine, still to be used, and new.

    Raises: OverrideRefused, OverrideReplayed.
    """
    override = policy.verified(signed)
    check_not_expired(override, now)
    stored = StoredOverride(
        override=override,
        account=signed.record.account,
        serial=signed.record.serial,
        public_key=policy.keys[signed.record.signer],
        signature=signed.signature,
    )
    with ledger.transaction() as tx:
        tx.record_override(stored, now)


def overrides_in_force(
    policy: OverridePolicy, ledger: Ledger, alerts: Alerts, now: datetime
) -> tuple[Override, ...]:
    """Return the overrides on record that hold now and still prove genuine.

    One whose key has left the configuration, or whose row was changed, is not used any more.
    """
    believed = []
    for stored in ledger.overrides_in_force(now):
        try:
            believed.append(policy.verified(signed_again(stored)))
        except OverrideRefused as refusal:
            alerts.raise_alert("warning", f"override not used: {refusal}")
    return tuple(believed)


def signed_again(stored: StoredOverride) -> SignedOverride:
    """Return a stored override as it was signed."""
    override = stored.override
    record = OverrideRecord(
        action=override.action,
        reason=override.reason,
        signer=override.signer,
        account=stored.account,
        serial=stored.serial,
        issued_at=override.issued_at,
        expires_at=override.expires_at,
    )
    return SignedOverride(record=record, signature=stored.signature)
