"""One TCP connection: payloads in, bytes out, and an end to it when the peer misbehaves.

Nothing here knows what a message says. Bytes to send are gathered during a turn of the event loop
and leave in pieces: a client that cuts its whole buffer at every message would otherwise spend its
time copying. A peer that does not read makes what waits for it grow; first it is no longer listened
to, then it is dropped.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from bot.gateway.protocol.errors import BadFrame
from bot.gateway.protocol.frames import ClientStream, Greeting
from bot.gateway.settings import GatewaySettings

_PIECE_BYTES = 32 * 1024
_PROMPT_BYTES = 4 * 1024  # an answer this short leaves before the next request is looked at
_UNHURRIED_BYTES = 1 << 20  # with more than this waiting for it, a peer is not listened to


class Receiver(Protocol):
    """Who is told what a link receives."""

    def greeted(self, greeting: Greeting) -> None:
        """Take what a peer says first."""
        ...

    def payload(self, payload: bytes) -> None:
        """Take the content of one frame."""
        ...

    def misframed(self) -> None:
        """Take note that what comes cannot be told apart."""
        ...

    def closed(self) -> None:
        """Take note of the end of the link."""
        ...


@dataclass(slots=True)
class Traffic:
    """How many bytes a link has seen."""

    received: int = 0
    sent: int = 0  # handed over to be sent, whether or not they have left


class Link(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, receiver: Receiver, settings: GatewaySettings) -> None:
        self._receiver = receiver
        self._settings = settings
        self._transport: asyncio.Transport | None = None
        self._stream = ClientStream(settings.frame_bytes_max)
        self._unread: deque[Greeting | bytes] = deque()
        self._is_introduced = False
        self._is_reading = False  # guards against recursion
        self._is_deaf = False  # listens to the peer no longer until it has read something
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_flushing = False
        self._can_write = True
        self._ends_after_flush = False
        self._is_unwanted = False
        self._deadline: asyncio.TimerHandle | None = None
        self.traffic = Traffic()
        self.peer_port = 0
        self.is_open = False

    # --- from asyncio -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the greeting."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer_port = transport.get_extra_info("peername")[1]
        self.is_open = True
        if self._is_unwanted:
            self.abort()
            return
        self._expect_within(self._settings.handshake_s)

    def data_received(self, data: bytes) -> None:
        """Pass on what is complete, and give the rest of a frame some time."""
        self.traffic.received += len(data)
        try:
            self._unread.extend(self._stream.feed(data))
        except BadFrame:
            self._receiver.misframed()
            return
        if self._is_introduced:
            if not self._stream.pending:
                self._calm()
            elif self._unread or self._deadline is None:
                self._expect_within(self._settings.half_frame_s)
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything that waited."""
        del exc
        self.is_open = False
        self._calm()
        self._unread.clear()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._receiver.closed()

    def pause_writing(self) -> None:
        """Keep what comes now to ourselves: the peer reads too slowly."""
        self._can_write = False

    def resume_writing(self) -> None:
        """Go on sending."""
        self._can_write = True
        self._flush_soon()

    # --- out ----------------------------------------------------------------------------------

    @property
    def is_talking(self) -> bool:
        """Whether the link is open and nobody has decided to end it."""
        return self.is_open and not self._ends_after_flush

    @property
    def waiting_bytes(self) -> int:
        """What has not been handed to the kernel."""
        held = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return self._waiting_bytes + held

    def write(self, data: bytes) -> None:
        """Send bytes, in the order of the calls; drops a peer for which too many wait."""
        if not self.is_talking:
            return
        self.traffic.sent += len(data)
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > self._settings.backlog_bytes_max:
            self.abort()
            return
        if not self._is_deaf and self._waiting_bytes > _UNHURRIED_BYTES:
            self._is_deaf = True
            self._pause_reading()
        self._flush_soon()

    def close(self) -> None:
        """Send what waits, then end the link."""
        self._ends_after_flush = True
        self._unread.clear()
        self._pause_reading()
        self._expect_within(self._settings.half_frame_s)
        self._flush_soon()

    def abort(self) -> None:
        """End the link at once, also before it has begun."""
        self._is_unwanted = True
        if self._transport is not None:
            self.is_open = False
            self._transport.abort()

    def _flush_soon(self) -> None:
        if not self._is_flushing and self.is_open:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        if not self.is_open or self._transport is None or not self._can_write:
            return
        piece = self._next_piece()
        if piece:
            self._transport.write(piece)
        if self._waiting:
            self._flush_soon()
        elif self._ends_after_flush:
            self._transport.close()
        if self._is_deaf and self._waiting_bytes <= _UNHURRIED_BYTES // 2:
            self._is_deaf = False
            self._resume_reading()

    def _next_piece(self) -> bytes:
        """Take what fits into one piece; of bytes that are too many at once, the beginning."""
        piece: list[bytes] = []
        size = 0
        while self._waiting and size + len(self._waiting[0]) <= _PIECE_BYTES:
            data = self._waiting.popleft()
            piece.append(data)
            size += len(data)
        if not piece and self._waiting:
            data = self._waiting.popleft()
            piece.append(data[:_PIECE_BYTES])
            size = _PIECE_BYTES
            self._waiting.appendleft(data[_PIECE_BYTES:])
        self._waiting_bytes -= size
        return b"".join(piece)

    # --- in -----------------------------------------------------------------------------------

    def _read(self) -> None:
        if self._is_reading:
            return
        self._is_reading = True
        try:
            while self._unread and self._can_read():
                item = self._unread.popleft()
                if isinstance(item, Greeting):
                    self._receiver.greeted(item)
                else:
                    self._receiver.payload(item)
                    if 0 < self._waiting_bytes <= _PROMPT_BYTES:
                        self._flush()
        finally:
            self._is_reading = False

    def _can_read(self) -> bool:
        return self.is_talking and not self._is_deaf

    def introduced(self) -> None:
        """Stop the clock of the greeting: the peer has said who it is."""
        self._is_introduced = True
        self._calm()

    def _expect_within(self, seconds: float) -> None:
        self._calm()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def _calm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self.abort()

    def _pause_reading(self) -> None:
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._transport is None or self._ends_after_flush:
            return
        self._transport.resume_reading()
        asyncio.get_running_loop().call_soon(self._read)
