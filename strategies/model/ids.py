"""Identity is derived from what it names, so that a replay collides instead of multiplying."""

import hashlib
import re
from typing import NewType

ClientOrderId = NewType("ClientOrderId", str)

_ID_LENGTH = 20
_OWN = re.compile(rf"A[0-9a-f]{{{_ID_LENGTH}}}")


def digest(*parts: str) -> str:
    """Return the SHA-256 of the parts, hexadecimal; parts cannot run into each other."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode()
        hasher.update(len(data).to_bytes(8, "big"))
        hasher.update(data)
    return hasher.hexdigest()


def client_order_id(plan_id: str, purpose: str, legs: str, attempt: int) -> ClientOrderId:
    """Return the id of one attempt at one purpose of one plan (FIX tag 11, IB's orderRef)."""
    assert attempt >= 1, "attempts are counted from one"
    return ClientOrderId("A" + digest(plan_id, purpose, legs, str(attempt))[:_ID_LENGTH])


def is_own_id(text: str) -> bool:
    """Whether a text has the form of an id made here."""
    return _OWN.fullmatch(text) is not None
