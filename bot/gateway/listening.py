"""A listening end on the loopback interface whose connections are tasks."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.gateway.protocol.errors import ProtocolError

_LOG = structlog.get_logger(__name__)
_LOOPBACK = "127.0.0.1"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Accepts connections and has each served until either end has enough of it.

    Args:
        serve: Does all that is done on a connection.
        name: What the log calls whom it belongs to.
    """

    def __init__(self, serve: Serve, name: str) -> None:
        self._serve = serve
        self._name = name
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Listen, and return the port; 0 lets the system choose one."""
        self._server = await asyncio.start_server(self._accept, _LOOPBACK, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        if self._server is not None:
            self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None, "a connection is handled in a task"
        self._links.add(link)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # stop() ends connections this way
        except (ProtocolError, OSError) as problem:
            _LOG.warning("connection_lost", by=self._name, problem=str(problem))
        finally:
            self._links.discard(link)
            writer.close()
