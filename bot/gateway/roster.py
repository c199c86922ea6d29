"""Who is connected, and who hears what is said about orders."""

from collections.abc import Iterator

from bot.gateway.protocol.message import Message
from bot.gateway.session import Session

MANUAL_CLIENT = 0  # the client that is told of orders placed by hand


class Roster:
    """The clients that have started, by their ids."""

    def __init__(self, master_client_id: int | None) -> None:
        self._master_client_id = master_client_id
        self._sessions: dict[int, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._sessions.values()))

    def __contains__(self, client_id: int) -> bool:
        return client_id in self._sessions

    def join(self, session: Session) -> None:
        """Add a client whose id is free."""
        assert session.client_id not in self._sessions, "client ids are unique"
        self._sessions[session.client_id] = session

    def leave(self, session: Session) -> None:
        """Remove a client; one that never joined is no matter."""
        if self._sessions.get(session.client_id) is session:
            del self._sessions[session.client_id]

    def sees_all(self, client_id: int) -> bool:
        """Return whether a client is told about the orders of others: the master client is."""
        return client_id == self._master_client_id

    def publish(self, message: Message, client_id: int | None) -> None:
        """Send news of an order to its owner, and but for errors to those who see everything.

        Args:
            message: The news.
            client_id: The owner; None for an order placed by hand, which is client 0's.
        """
        is_private = message.kind == "error"
        owner = MANUAL_CLIENT if client_id is None else client_id
        for session in self:
            sees_it = self.sees_all(session.client_id) and not is_private
            if session.client_id == owner or sees_it:
                session.send(message)

    def broadcast(self, message: Message) -> None:
        """Send a message to every client."""
        for session in self:
            session.send(message)
