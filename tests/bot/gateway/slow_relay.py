"""A relay between a client and a gateway that keeps every byte for a while: a slow network."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"


class SlowRelay:
    """Listens on a port of its own and passes bytes on, late, in their order.

    Args:
        port: Of the gateway.
        to_gateway_s: How long bytes of the client are kept.
        to_client_s: How long bytes of the gateway are kept: with 0.05 and nothing the other way,
            each answer comes 50 ms after its request.
    """

    def __init__(self, port: int, *, to_gateway_s: float = 0.0, to_client_s: float = 0.0) -> None:
        self.port = 0
        self._gateway_port = port
        self._to_gateway_s = to_gateway_s
        self._to_client_s = to_client_s
        self._server: asyncio.Server | None = None
        self._ends: set[_End] = set()

    async def __aenter__(self) -> Self:
        """Begin to listen; ``port`` says where."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every connection and listen no longer."""
        for end in tuple(self._ends):
            end.abort()
        assert self._server is not None, "it has begun to listen"
        self._server.close()
        await self._server.wait_closed()
        await asyncio.sleep(0)  # lets the transports hear of their end

    def _accept(self) -> "_End":
        near, far = _End(self._ends, self._to_gateway_s), _End(self._ends, self._to_client_s)
        near.other, far.other = far, near
        loop = asyncio.get_running_loop()
        near.dialling = loop.create_task(self._dial(near, far))
        return near

    async def _dial(self, near: "_End", far: "_End") -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: far, HOST, self._gateway_port)
        except OSError:
            near.abort()


class _End(asyncio.Protocol):
    """One of the two connections of a pair; what it receives leaves at the other one."""

    def __init__(self, ends: set["_End"], delay_s: float) -> None:
        self._ends = ends
        self._delay_s = delay_s
        self._transport: asyncio.Transport | None = None
        self._kept: deque[Callable[[_End], None]] = deque()
        self._early: deque[bytes] = deque()  # came out of the delay before we were connected
        self._is_ending = False
        self.other: _End | None = None
        self.dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what has waited for the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ends.add(self)
        while self._early:
            transport.write(self._early.popleft())
        if self._is_ending:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Pass bytes on when their time has come."""
        self._later(lambda other: other.write(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other connection, after what is still under way."""
        del exc
        self._ends.discard(self)
        self._later(_End.end)

    def write(self, data: bytes) -> None:
        """Send bytes that have been kept long enough."""
        if self._transport is None:
            self._early.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def end(self) -> None:
        """Close once everything is sent."""
        self._is_ending = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.dialling is not None:
            self.dialling.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _later(self, act: Callable[["_End"], None]) -> None:
        if self._delay_s <= 0:
            self._pass_on(act)
            return
        self._kept.append(act)  # timers of one instant may ring in any order
        asyncio.get_running_loop().call_later(
            self._delay_s, lambda: self._pass_on(self._kept.popleft())
        )

    def _pass_on(self, act: Callable[["_End"], None]) -> None:
        assert self.other is not None, "ends come in pairs"
        act(self.other)
