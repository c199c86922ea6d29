"""Ed25519: keys in files and in the configuration, and signatures over exact bytes (RFC 8032)."""

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

KEY_BYTES = 32
SIGNATURE_BYTES = 64
_OWNER_ONLY = 0o600


class KeyInvalid(Exception):
    """A key that cannot be one, or a key file that cannot be read."""


class SigningKey:
    """A private key. Its file belongs to its owner alone."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> "SigningKey":
        """Return a new key, from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path) -> "SigningKey":
        """Return the key in a PEM file; raises KeyInvalid."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as cause:
            raise KeyInvalid(f"{path}: cannot be read: {cause.strerror}") from cause
        except (ValueError, TypeError) as cause:
            raise KeyInvalid(f"{path}: not an unencrypted private key in PEM") from cause
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyInvalid(f"{path}: not an Ed25519 key")
        return cls(key)

    def write(self, path: Path) -> None:
        """Write the key to a new file that only its owner can read; raises KeyInvalid."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        except OSError as cause:
            raise KeyInvalid(f"{path}: cannot be written: {cause.strerror}") from cause
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)

    @property
    def public_text(self) -> str:
        """The public key as the configuration holds it: 32 bytes in base64."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def sign(self, content: bytes) -> str:
        """Return the signature of ``content``, in base64."""
        return base64.b64encode(self._key.sign(content)).decode()


def check_public_key(text: str) -> None:
    """Raise KeyInvalid unless ``text`` is a public key as ``SigningKey.public_text`` writes it."""
    _decoded(text, KEY_BYTES, "a public key")


def is_signed_by(public_text: str, content: bytes, signature: str) -> bool:
    """Return whether ``signature`` is that of ``content`` under a public key.

    Raises: KeyInvalid for a key that is none; a signature that is none is just not one.
    """
    key = Ed25519PublicKey.from_public_bytes(_decoded(public_text, KEY_BYTES, "a public key"))
    try:
        key.verify(_decoded(signature, SIGNATURE_BYTES, "a signature"), content)
    except (InvalidSignature, KeyInvalid):
        return False
    return True


def _decoded(text: str, length: int, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as cause:
        raise KeyInvalid(f"expected {what}, {length} bytes in base64") from cause
    if len(raw) != length:
        raise KeyInvalid(f"expected {what}, {length} bytes in base64, found {len(raw)}")
    return raw
