"""Who changed what beside the rules: overrides taken, and configuration files edited underneath."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from strategies.model.overrides import Override


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOverride:
    """An override as it was signed, word by word, so that it can be verified again."""

    override: Override
    account: str
    serial: int
    public_key: str  # base64
    signature: str  # base64


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigEdit:
    """A file of the configuration that is not, or again, as the running bot read it (D1)."""

    file: str
    digest_in_force: str
    digest_found: str | None  # None = it is gone or cannot be read


def override_row(stored: StoredOverride, accepted_at: datetime) -> dict[str, Any]:
    """Return the row of an override."""
    return {
        **asdict(stored.override),
        "account": stored.account,
        "serial": stored.serial,
        "public_key": stored.public_key,
        "signature": stored.signature,
        "accepted_at": accepted_at,
    }


def stored_override(row: Any) -> StoredOverride:  # noqa: ANN401 a row mapping
    """Return the override of a row."""
    names = ("override_id", "action", "reason", "signer", "issued_at", "expires_at")
    return StoredOverride(
        override=Override(**{name: row[name] for name in names}),
        account=row["account"],
        serial=row["serial"],
        public_key=row["public_key"],
        signature=row["signature"],
    )
