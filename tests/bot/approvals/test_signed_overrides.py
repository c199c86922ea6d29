"""D3: a signed override is believed for what it says, by whom, for which account, and once."""

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.approvals.overrides import (
    OverridePolicy,
    OverrideRecord,
    OverrideRefused,
    SignedOverride,
    check_not_expired,
    read_override,
    sign_override,
)
from bot.approvals.signatures import KeyInvalid, SigningKey, check_public_key, is_signed_by

AT = datetime(2020, 3, 9, 14, 0, tzinfo=UTC)
ALICE, MALLORY = SigningKey.generate(), SigningKey.generate()
POLICY = OverridePolicy(
    account="DU0000001", keys={"alice": ALICE.public_text}, lifetime_max=timedelta(hours=72)
)
RECORD = OverrideRecord(
    action="hold_layer:L2",
    reason="a fund is being unwound",
    signer="alice",
    account="DU0000001",
    serial=1,
    issued_at=AT,
    expires_at=AT + timedelta(hours=24),
)
SIGNED = sign_override(RECORD, ALICE)


def test_d3_what_was_signed_is_believed_word_by_word():
    override = POLICY.verified(SIGNED)
    assert (override.action, override.reason, override.signer) == (
        "hold_layer:L2",
        "a fund is being unwound",
        "alice",
    )
    assert override.override_id == RECORD.override_id
    assert read_override(SIGNED.as_json()) == SIGNED


def test_d3_the_same_record_signs_to_the_same_bytes_in_every_zone():
    moved = replace(RECORD, issued_at=AT.astimezone(), expires_at=RECORD.expires_at.astimezone())
    assert sign_override(moved, ALICE).signature == SIGNED.signature
    assert moved.override_id == RECORD.override_id


@pytest.mark.parametrize(
    "change",
    [
        {"action": "close_condor:C0001"},
        {"reason": "another"},
        {"serial": 2},
        {"issued_at": AT - timedelta(seconds=1)},
        {"expires_at": AT + timedelta(hours=25)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_d3_no_word_can_be_changed_under_a_signature(change):
    altered = SignedOverride(record=replace(RECORD, **change), signature=SIGNED.signature)
    with pytest.raises(OverrideRefused, match="the signature is not that of alice"):
        POLICY.verified(altered)


def test_d3_another_key_in_alice_s_name_is_refused():
    with pytest.raises(OverrideRefused, match="not that of alice"):
        POLICY.verified(sign_override(RECORD, MALLORY))


def test_d3_a_signer_without_a_key_is_refused():
    forged = sign_override(replace(RECORD, signer="mallory"), MALLORY)
    with pytest.raises(OverrideRefused, match=r"'mallory' has no key .* \(known: alice\)"):
        POLICY.verified(forged)


def test_d3_nobody_signed():
    with pytest.raises(OverrideRefused, match="nobody has signed it"):
        POLICY.verified(replace(SIGNED, signature=""))


@pytest.mark.parametrize(
    "signature",
    ["x", "AAAA", "%%%", SIGNED.signature[:-4]],
    ids=["a letter", "too short", "no base64", "cut off"],  # keys are new in every process
)
def test_d3_what_is_no_signature_is_not_one(signature):
    with pytest.raises(OverrideRefused, match="not that of alice"):
        POLICY.verified(replace(SIGNED, signature=signature))


def test_d3_another_account_s_override_is_refused():
    other = sign_override(replace(RECORD, account="U7654321"), ALICE)
    with pytest.raises(OverrideRefused, match="signed for account U7654321, not DU0000001"):
        POLICY.verified(other)


@pytest.mark.parametrize(("hours", "believed"), [(72, True), (72.001, False)])
def test_d3_an_override_may_not_outlast_the_bound(hours, believed):
    signed = sign_override(replace(RECORD, expires_at=AT + timedelta(hours=hours)), ALICE)
    if believed:
        POLICY.verified(signed)
    else:
        with pytest.raises(OverrideRefused, match=r"lasts longer than .* 72"):
            POLICY.verified(signed)


@pytest.mark.parametrize(("seconds", "good"), [(-1, True), (0, False), (1, False)])
def test_d3_an_expired_override_is_refused(seconds, good):
    override = POLICY.verified(SIGNED)
    now = RECORD.expires_at + timedelta(seconds=seconds)
    if good:
        check_not_expired(override, now)
    else:
        with pytest.raises(OverrideRefused, match="expired at 2020-03-10"):
            check_not_expired(override, now)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"action": "buy_everything"}, "action: expected skip_entries"),
        ({"reason": "  "}, "reason: expected 1 to 500"),
        ({"reason": "x" * 501}, "reason: expected 1 to 500"),
        ({"expires_at": AT}, "expires_at: expected an instant after"),
        ({"serial": -1}, "serial: expected a number from 0"),
    ],
)
def test_d3_nonsense_is_not_signed_and_not_believed(change, expected):
    record = replace(RECORD, **change)
    with pytest.raises(OverrideRefused, match=expected):
        sign_override(record, ALICE)
    with pytest.raises(OverrideRefused, match=expected):
        POLICY.verified(SignedOverride(record=record, signature=ALICE.sign(record.content)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"override": {}, "signature": ""}',
        '{"override": null}',
        SIGNED.as_json().replace('"serial": 1', '"serial": true'),
        SIGNED.as_json().replace('"serial": 1', '"serial": 1, "more": 1'),
        json.dumps({**json.loads(SIGNED.as_json()), "signature": 5}),
        json.dumps({**json.loads(SIGNED.as_json()), "also": 5}),
    ],
)
def test_d3_a_file_that_is_no_override_is_refused(text):
    with pytest.raises(OverrideRefused, match="not an override"):
        read_override(text)


# --- keys -----------------------------------------------------------------------------------------


def test_a_private_key_s_file_is_its_owner_s_alone_and_never_overwritten(tmp_path):
    path = tmp_path / "alice.pem"
    ALICE.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.read(path).public_text == ALICE.public_text
    with pytest.raises(KeyInvalid, match="cannot be written"):
        MALLORY.write(path)
    assert SigningKey.read(path).public_text == ALICE.public_text


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_file_that_is_no_key_is_named(tmp_path, text):
    path = tmp_path / "key.pem"
    path.write_text(text)
    with pytest.raises(KeyInvalid, match=r"key\.pem: not an unencrypted private key"):
        SigningKey.read(path)
    with pytest.raises(KeyInvalid, match="No such file"):
        SigningKey.read(tmp_path / "none.pem")


@pytest.mark.parametrize(
    "text",
    ["", "AAAA", "no base64!", ALICE.public_text + "AAAA"],
    ids=["nothing", "too short", "no base64", "too long"],
)
def test_a_public_key_is_32_bytes(text):
    with pytest.raises(KeyInvalid, match="expected a public key, 32 bytes in base64"):
        check_public_key(text)
    check_public_key(ALICE.public_text)


def test_a_key_of_another_kind_is_refused(tmp_path):
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    path = tmp_path / "other.pem"
    key = X25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(KeyInvalid, match="not an Ed25519 key"):
        SigningKey.read(path)


def test_a_known_signature_of_rfc_8032():
    """Test 2 of section 7.1."""
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    import base64

    key, signed = base64.b64encode(public).decode(), base64.b64encode(signature).decode()
    assert is_signed_by(key, b"\x72", signed)
    assert not is_signed_by(key, b"\x73", signed)
