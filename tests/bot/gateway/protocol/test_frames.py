"""Frames in pieces, greetings, and what is refused before it is waited for."""

import contextlib
import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.gateway.protocol.errors import BadFrame, BadGreeting, NoCommonVersion, ProtocolError
from bot.gateway.protocol.frames import (
    MAX_PAYLOAD,
    ClientStream,
    FrameReader,
    Greeting,
    frame,
    negotiate,
    parse_greeting,
    welcome,
)

GREETING_OF_IB_INSYNC = bytes.fromhex("41 50 49 00 00 00 00 09 76 31 35 37 2e 2e 31 37 36")


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def test_the_greeting_of_ib_insync_is_read_as_it_is_on_the_wire():
    assert ClientStream().feed(GREETING_OF_IB_INSYNC) == [Greeting(157, 176)]
    assert Greeting(157, 176).to_bytes() == GREETING_OF_IB_INSYNC


@pytest.mark.parametrize(
    ("payload", "greeting"),
    [
        (b"v176", Greeting(176, 176)),
        (b"v157..178 +PACEAPI", Greeting(157, 178, "+PACEAPI")),
        (b"v100..157", Greeting(100, 157)),
    ],
)
def test_a_single_version_and_options_are_understood(payload, greeting):
    assert parse_greeting(payload) == greeting


@pytest.mark.parametrize(
    "payload", [b"", b"63", b"v", b"v1..", b"v9..8", b"v12345", b"vx..y", b"V1..2", b"v1..2+X"]
)
def test_what_is_no_range_of_versions_is_refused(payload):
    with pytest.raises(BadGreeting):
        parse_greeting(payload)


@pytest.mark.parametrize(
    "opening", [b"GET / HTTP/1.1", b"63\0", b"API\x01", b"API\0\xff\xff\xff\xff", b"\0\0\0\0"]
)
def test_what_does_not_begin_as_a_client_does_is_refused(opening):
    with pytest.raises(BadGreeting):
        ClientStream().feed(opening)


def test_the_newest_version_both_speak_is_taken():
    assert negotiate(Greeting(157, 176)) == 176
    assert negotiate(Greeting(100, 157)) == 157
    assert negotiate(Greeting(157, 225)) == 178
    assert negotiate(Greeting(157, 178), highest=170) == 170


@pytest.mark.parametrize("greeting", [Greeting(100, 156), Greeting(200, 200), Greeting(213, 225)])
def test_no_common_version_is_said_so(greeting):
    with pytest.raises(NoCommonVersion, match=r"this gateway 157\.\.178"):
        negotiate(greeting)


def test_the_welcome_has_two_fields():
    at = datetime(2026, 4, 13, 15, 27, 4, tzinfo=UTC)
    assert welcome(176, at, "EST") == b"176\x0020260413 15:27:04 EST\0"


@given(
    payloads=st.lists(st.binary(max_size=40), max_size=8),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_payloads_come_out_whole_however_the_stream_is_cut(payloads, cuts):
    stream = ClientStream()
    data = GREETING_OF_IB_INSYNC + b"".join(map(frame, payloads))
    got = [item for piece in _pieces(data, cuts) for item in stream.feed(piece)]
    assert got == [Greeting(157, 176), *payloads]
    assert stream.pending == 0


@given(
    payloads=st.lists(st.binary(max_size=40), max_size=8),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_a_client_reads_the_same_frames(payloads, cuts):
    reader = FrameReader()
    got = [
        payload
        for piece in _pieces(b"".join(map(frame, payloads)), cuts)
        for payload in reader.feed(piece)
    ]
    assert got == payloads


def test_a_frame_that_is_too_long_is_refused_before_its_payload_is_waited_for():
    with pytest.raises(BadFrame, match="16777216 bytes"):
        FrameReader().feed((MAX_PAYLOAD + 1).to_bytes(4, "big"))
    reader = FrameReader(max_payload=10)
    assert reader.feed(frame(b"x" * 10)) == [b"x" * 10]
    with pytest.raises(BadFrame):
        reader.feed(frame(b"x" * 11))


def test_half_a_frame_is_all_that_is_ever_held():
    reader = FrameReader(max_payload=1000)
    most = 0
    for _ in range(200):
        for piece in _pieces(frame(b"y" * 1000), [300, 600]):
            reader.feed(piece)
            most = max(most, reader.pending)
    assert most <= 1004
    stream = ClientStream()
    for byte in GREETING_OF_IB_INSYNC:
        stream.feed(bytes([byte]))
        assert stream.pending <= len(GREETING_OF_IB_INSYNC)
    stream.feed(MAX_PAYLOAD.to_bytes(4, "big"))
    for _ in range(50):
        stream.feed(b"z" * 1000)
    assert stream.pending == 50_004


def test_many_small_pieces_take_time_in_proportion():
    reader = FrameReader()
    stream = frame(b"x" * 2_000_000)
    got = []
    for start in range(0, len(stream), 100):  # 20,000 pieces of one frame
        got += reader.feed(stream[start : start + 100])
    assert [len(payload) for payload in got] == [2_000_000]


@settings(max_examples=200)
@given(data=st.binary(max_size=200), prefix=st.sampled_from([b"", b"API\0", GREETING_OF_IB_INSYNC]))
def test_random_bytes_raise_nothing_but_the_typed_errors(data, prefix):
    stream = ClientStream()
    with contextlib.suppress(ProtocolError):
        stream.feed(prefix + data)
