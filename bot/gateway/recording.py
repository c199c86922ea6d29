"""A recorder between a client and a gateway: it passes every byte on and writes down what was said.

Clients connect to it instead of the gateway. What a paper account says that way becomes a
transcript, and a transcript can be replayed (``replaying``) as a test of this project's gateway
and of its broker adapter.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import structlog

from bot.gateway.listening import Listener
from bot.gateway.protocol.codec import fields_of
from bot.gateway.protocol.errors import BadFrame
from bot.gateway.protocol.frames import ClientStream, FrameReader, Greeting
from bot.gateway.transcripts import Masker, Sender, TranscriptWriter, record

_LOG = structlog.get_logger(__name__)
_CHUNK = 64 * 1024


class Recorder:
    """Listens on the loopback interface and records each connection to a file of its own.

    Account numbers are masked the same way in all files of one recorder.
    """

    def __init__(self, *, host: str, port: int, folder: Path, name: str = "session") -> None:
        """Record connections to the gateway at ``host:port`` into ``folder``."""
        self._host = host
        self._port = port
        self._folder = folder
        self._name = name
        self._masker = Masker()
        self._listener = Listener(self._pass_on, "recorder")
        self.transcripts: list[Path] = []

    async def start(self, listen_port: int = 0) -> int:
        """Listen, and return the port clients connect to."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return await self._listener.start(listen_port)

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        await self._listener.stop()

    async def _pass_on(
        self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        from_gateway, to_gateway = await asyncio.open_connection(self._host, self._port)
        path = self._folder / f"{self._name}-{len(self.transcripts) + 1:03d}.jsonl"
        self.transcripts.append(path)
        with path.open("w", encoding="utf-8") as out:
            notes = Notes(out, self._masker, asyncio.get_running_loop().time)
            copies = (
                asyncio.ensure_future(_copy(from_client, to_gateway, notes.client_sent)),
                asyncio.ensure_future(_copy(from_gateway, to_client, notes.gateway_sent)),
            )
            try:
                await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
            finally:
                to_gateway.close()
                for copy in copies:
                    copy.cancel()
                await asyncio.gather(*copies, return_exceptions=True)


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, noted: Callable[[bytes], None]
) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        noted(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


class Notes:
    """Takes frames out of the two streams of a connection and writes them down.

    A stream that is no stream of frames is passed on all the same; from there on nothing of it is
    written down.
    """

    def __init__(self, out: TextIO, masker: Masker, now: Callable[[], float]) -> None:
        self._out = out
        self._masker = masker
        self._now = now
        self._began = now()
        self._from_client: ClientStream | None = ClientStream()
        self._from_gateway: FrameReader | None = FrameReader()
        self._writer: TranscriptWriter | None = None
        self._version = 0

    def client_sent(self, data: bytes) -> None:
        """Note bytes on their way to the gateway."""
        if self._from_client is None:
            return
        try:
            frames = self._from_client.feed(data)
        except BadFrame as problem:
            self._from_client = None
            _LOG.warning("recorder.client_unreadable", problem=str(problem))
            return
        for frame in frames:
            if not isinstance(frame, Greeting):
                self._note("client", frame)

    def gateway_sent(self, data: bytes) -> None:
        """Note bytes on their way to the client."""
        if self._from_gateway is None:
            return
        try:
            payloads = self._from_gateway.feed(data)
        except BadFrame as problem:
            self._from_gateway = None
            _LOG.warning("recorder.gateway_unreadable", problem=str(problem))
            return
        for payload in payloads:
            if self._writer is None:
                self._version = _version_of(payload)
                self._writer = TranscriptWriter(self._out, self._version)
            else:
                self._note("gateway", payload)

    def _note(self, sender: Sender, payload: bytes) -> None:
        if self._writer is None:  # before the gateway has answered nothing should be sent
            return
        masked = self._masker.fields(sender, fields_of(payload))
        self._writer.add(record(self._now() - self._began, sender, masked, self._version))


def _version_of(welcome: bytes) -> int:
    version = fields_of(welcome)[0]
    return int(version) if version.isascii() and version.isdigit() else 0
