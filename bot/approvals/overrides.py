"""Signed overrides (D3): the record a person signs, and what it takes to be believed.

What is signed is the canonical JSON of the record behind a fixed prefix, so that a signature given
for one thing can never be shown for another. The account binds it to one bot, the serial number to
one use: a ledger takes a signer's number once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.approvals.signatures import SigningKey, is_signed_by
from bot.errors import BotError
from strategies.model.encoding import UndecodableValue, decode, encode, to_json
from strategies.model.errors import DomainError
from strategies.model.ids import digest
from strategies.model.overrides import Override, check_action

_PREFIX = b"alvh override 1\n"
_ID_LENGTH = 12
_REASON_LENGTH_MAX = 500


class OverrideRefused(BotError):
    """An override that is not believed; nothing of it was used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideRecord:
    """What is signed. Instants are the market's."""

    action: str
    reason: str
    signer: str  # the name of the key in ``governance.keys``
    account: str
    serial: int  # never used twice by a signer
    issued_at: datetime
    expires_at: datetime

    @property
    def override_id(self) -> str:
        """The derived identity of the record."""
        return "O" + digest(to_json(self))[:_ID_LENGTH]

    @property
    def content(self) -> bytes:
        """The bytes that are signed."""
        return _PREFIX + to_json(self).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOverride:
    """A record with the signature under it."""

    record: OverrideRecord
    signature: str  # base64; empty = nobody signed

    def as_json(self) -> str:
        """Return the file that is passed around: one JSON document, for people too."""
        body = {"override": encode(self.record), "signature": self.signature}
        return json.dumps(body, indent=2, sort_keys=True)


def sign_override(record: OverrideRecord, key: SigningKey) -> SignedOverride:
    """Return ``record`` with the signature of ``key``; raises OverrideRefused for nonsense."""
    _check_contents(record)
    return SignedOverride(record=record, signature=key.sign(record.content))


def read_override(text: str) -> SignedOverride:
    """Return the override in the text of a file; raises OverrideRefused."""
    try:
        body = json.loads(text)
        if not isinstance(body, dict) or body.keys() - {"override", "signature"}:
            raise UndecodableValue("expected an object with the keys override and signature")
        record = decode(OverrideRecord, body.get("override"))
        signature = body.get("signature", "")
    except (ValueError, RecursionError, DomainError) as cause:
        raise OverrideRefused(f"not an override: {cause}") from cause
    if not isinstance(signature, str):
        raise OverrideRefused("not an override: the signature is no text")
    return SignedOverride(record=record, signature=signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverridePolicy:
    """Whose overrides a bot believes, and for how long."""

    account: str
    keys: Mapping[str, str]  # name -> public key, base64
    lifetime_max: timedelta

    def verified(self, signed: SignedOverride) -> Override:
        """Return the override as a decision takes it, its signature and account proven.

        Whether it has expired is another question, and whether it was used before is the ledger's.

        Raises: OverrideRefused.
        """
        record = signed.record
        _check_contents(record)
        if record.account != self.account:
            raise OverrideRefused(
                f"{record.override_id}: signed for account {record.account}, not {self.account}"
            )
        if not signed.signature:
            raise OverrideRefused(f"{record.override_id}: nobody has signed it")
        key = self.keys.get(record.signer)
        if key is None:
            known = ", ".join(sorted(self.keys)) or "none"
            raise OverrideRefused(
                f"{record.override_id}: {record.signer!r} has no key in governance.keys "
                f"(known: {known})"
            )
        if not is_signed_by(key, record.content, signed.signature):
            raise OverrideRefused(
                f"{record.override_id}: the signature is not that of {record.signer} over this "
                "content"
            )
        if record.expires_at - record.issued_at > self.lifetime_max:
            hours = self.lifetime_max.total_seconds() / 3600
            raise OverrideRefused(
                f"{record.override_id}: lasts longer than governance.override_hours_max, {hours:g}"
            )
        return Override(
            override_id=record.override_id,
            action=record.action,
            reason=record.reason,
            signer=record.signer,
            issued_at=record.issued_at,
            expires_at=record.expires_at,
        )


NOBODY = OverridePolicy(account="", keys={}, lifetime_max=timedelta())  # believes no override


def check_not_expired(override: Override, now: datetime) -> None:
    """Raise OverrideRefused if an override has nothing left to say at ``now``."""
    if override.expires_at <= now:
        raise OverrideRefused(
            f"{override.override_id}: expired at {override.expires_at.isoformat()}, "
            f"and it is {now.isoformat()}"
        )


def _check_contents(record: OverrideRecord) -> None:
    try:
        check_action(record.action)
    except DomainError as cause:
        raise OverrideRefused(f"action: {cause}") from cause
    if not 0 < len(record.reason.strip()) <= _REASON_LENGTH_MAX:
        raise OverrideRefused(f"reason: expected 1 to {_REASON_LENGTH_MAX} characters")
    if record.expires_at <= record.issued_at:
        raise OverrideRefused("expires_at: expected an instant after issued_at")
    if record.serial < 0:
        raise OverrideRefused("serial: expected a number from 0")
