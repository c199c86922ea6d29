"""The listening end: loopback only, a bounded number of links, and away when it has to be."""

import asyncio
from collections.abc import Callable, Iterator

from bot.errors import BotError
from bot.gateway.link import Link
from bot.gateway.session import Session
from bot.gateway.settings import GatewaySettings

HOST = "127.0.0.1"
LIVE_PORTS = frozenset({7496, 4001})  # where people expect an account with real money


class AddressRefused(BotError):
    """A simulated gateway does not listen there."""


class Server:
    """Accepts links and gives each a session."""

    def __init__(self, new_session: Callable[[], Session], settings: GatewaySettings) -> None:
        self._new_session = new_session
        self._settings = settings
        self._links: dict[Link, Session] = {}
        self._listening: asyncio.Server | None = None
        self.port = 0

    async def start(self, port: int, host: str = HOST) -> int:
        """Listen and return the port; 0 lets the system choose one.

        Raises: AddressRefused; OSError if the port is taken.
        """
        if host != HOST:
            raise AddressRefused(f"{host}: a simulated gateway listens on {HOST} only")
        if port in LIVE_PORTS:
            raise AddressRefused(f"port {port} is where live gateways listen")
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._new_link, HOST, port)
        self.port = self._listening.sockets[0].getsockname()[1]
        if self.port in LIVE_PORTS:
            await self.stop()
            raise AddressRefused(f"port {self.port} is where live gateways listen")
        return self.port

    async def stop(self) -> None:
        """End every link and listen no longer."""
        self.close_all()
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
            await listening.wait_closed()
        await asyncio.sleep(0)  # lets the links hear of their end

    def go_away(self) -> None:
        """End every link at once and refuse new ones until ``come_back``."""
        self.close_all()
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def come_back(self) -> None:
        """Listen again where we did before."""
        if self._listening is None:
            await self.start(self.port)

    def close_all(self) -> None:
        """End every link at once."""
        for link in tuple(self._links):
            link.abort()

    def links(self) -> Iterator[Link]:
        """Yield the open links."""
        yield from tuple(self._links)

    def sessions(self) -> Iterator[Session]:
        """Yield the session of every link, started or not."""
        yield from tuple(self._links.values())

    def forget(self, session: Session) -> None:
        """Forget a session whose link has ended."""
        self._links.pop(session.link, None)

    def _new_link(self) -> Link:
        session = self._new_session()
        link = Link(session, self._settings)
        session.opened(link)
        self._links[link] = session
        if len(self._links) > self._settings.connections_max:
            victim = self._victim(link)
            victim.abort()
            del self._links[victim]  # its end is heard of later, and more may come before
        return link

    def _victim(self, newest: Link) -> Link:
        """Return who has to go: the oldest link that has not started, or the newest."""
        unfinished = (link for link, session in self._links.items() if not session.is_ready)
        return next(unfinished, newest)
