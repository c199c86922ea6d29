"""A client that says exactly what a test wants, well-formed or not, and reads what comes."""

import asyncio
from contextlib import suppress
from typing import Any

from bot.gateway.protocol.codec import decode_reply, encode_request
from bot.gateway.protocol.frames import FrameReader, Greeting, frame
from bot.gateway.protocol.message import Message


class Wire:
    """One socket to a gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()
        self._payloads: list[bytes] = []
        self.version = 0

    @classmethod
    async def open(cls, port: int) -> "Wire":
        """Connect, and say nothing."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def greeted(cls, port: int, lowest: int = 157, highest: int = 178) -> "Wire":
        """Connect and agree on a version."""
        wire = await cls.open(port)
        wire.send_bytes(Greeting(lowest, highest).to_bytes())
        welcome = await wire.payload()
        wire.version = int(welcome.split(b"\0")[0])
        return wire

    @classmethod
    async def started(cls, port: int, client_id: int = 1, highest: int = 178) -> "Wire":
        """Connect as a client and read what it is told first."""
        wire = await cls.greeted(port, highest=highest)
        wire.ask("startApi", clientId=client_id)
        await wire.until("nextValidId")
        return wire

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self._writer.write(data)

    def send_fields(self, *fields: object) -> None:
        """Send one frame of fields."""
        self.send_bytes(frame("".join(f"{each}\0" for each in fields).encode()))

    def ask(self, kind: str, **values: Any) -> None:
        """Send a request."""
        self.send_bytes(frame(encode_request(Message(kind, values), self.version)))

    async def payload(self, within_s: float = 5) -> bytes:
        """Return the next payload; ConnectionError once the peer has closed."""
        async with asyncio.timeout(within_s):
            while not self._payloads:
                data = await self._reader.read(65_536)
                if not data:
                    raise ConnectionError("closed")
                self._payloads += self._frames.feed(data)
        return self._payloads.pop(0)

    async def message(self, within_s: float = 5) -> Message:
        """Return the next message."""
        return decode_reply(await self.payload(within_s), self.version)

    async def until(self, kind: str) -> list[Message]:
        """Return the messages up to and including the first of a kind."""
        messages = [await self.message()]
        while messages[-1].kind != kind:
            messages.append(await self.message())
        return messages

    async def fence(self) -> list[Message]:
        """Ask for the time and return everything that came before the answer."""
        self.ask("reqCurrentTime")
        return (await self.until("currentTime"))[:-1]

    async def is_closed(self, within_s: float = 5) -> bool:
        """Read until the peer closes; False if it does not in time."""
        try:
            while True:
                await self.payload(within_s)
        except TimeoutError:
            return False
        except (ConnectionError, OSError):
            return True

    async def close(self) -> None:
        """Close this end."""
        self._writer.close()
        with suppress(OSError):  # the other end was quicker
            await self._writer.wait_closed()
