"""One client: its introduction, its requests one by one, and everything that is sent to it."""

from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from bot.gateway.agenda import Agenda
from bot.gateway.delivery import Delivery
from bot.gateway.faults import Faults
from bot.gateway.link import Link
from bot.gateway.pacing import Pacing
from bot.gateway.protocol.builders import error_message
from bot.gateway.protocol.codec import encode_reply
from bot.gateway.protocol.errors import NoCommonVersion
from bot.gateway.protocol.frames import LOWEST_VERSION, Greeting, frame, negotiate
from bot.gateway.protocol.message import Message
from bot.gateway.settings import GatewaySettings

NOBODY = -1  # the client id of who has not started yet


class Stage(Enum):
    """How far a client has come."""

    NEW = auto()  # nothing is known of it
    GREETED = auto()  # the version is agreed
    READY = auto()  # it has started


class Host(Protocol):
    """Who looks after clients."""

    def welcome(self, version: int) -> bytes:
        """Return the payload that answers a greeting."""
        ...

    def receive(self, session: "Session", payload: bytes) -> None:
        """Carry out one request of a client whose version is agreed."""
        ...

    def lose(self, session: "Session") -> None:
        """Forget a client."""
        ...


class Session:
    """One client of the gateway."""

    def __init__(
        self, host: Host, settings: GatewaySettings, faults: Faults, agenda: Agenda
    ) -> None:
        self._host = host
        self._delivery = Delivery(faults, agenda, self._put)
        self._link: Link | None = None
        self.stage = Stage.NEW
        self.version = LOWEST_VERSION
        self.client_id = NOBODY
        self.is_mute = False  # the line is dead in both directions, and nobody has noticed
        self.refreshed_at: datetime | None = None  # its market data
        self.pacing = Pacing(
            messages_per_second=settings.messages_per_second,
            breaches_max=settings.pacing_breaches_max,
            historical_per_ten_minutes=settings.historical_per_ten_minutes,
        )

    @property
    def link(self) -> Link:
        """The connection."""
        assert self._link is not None, "a session has a link from the beginning"
        return self._link

    @property
    def is_ready(self) -> bool:
        """Whether the client has started."""
        return self.stage is Stage.READY

    # --- from the link ------------------------------------------------------------------------

    def opened(self, link: Link) -> None:
        """Take note of the link."""
        self._link = link

    def greeted(self, greeting: Greeting) -> None:
        """Agree on a version."""
        try:
            self.version = negotiate(greeting)
        except NoCommonVersion:
            self.error(-1, 503, "The TWS is out of date and must be upgraded.")
            self.link.close()
            return
        self.stage = Stage.GREETED
        self.send_frames(frame(self._host.welcome(self.version)))

    def payload(self, payload: bytes) -> None:
        """Take a request."""
        if not self.is_mute:
            self._host.receive(self, payload)

    def misframed(self) -> None:
        """End a link on which something else is spoken."""
        if self.stage is Stage.NEW:
            self.link.abort()
        else:
            self.error(-1, 507, "Bad Message Length")
            self.link.close()

    def closed(self) -> None:
        """Forget the client."""
        self._host.lose(self)

    # --- to the client ------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Send a message after everything sent before it."""
        self._delivery.send(message, self.client_id)

    def send_frames(self, data: bytes) -> None:
        """Send frames that are spelled already."""
        if not self.is_mute:
            self.link.write(data)

    def error(self, req_id: int, code: int, text: str) -> None:
        """Send an error or a notice."""
        self.send(error_message(req_id, code, text))

    def start(self, client_id: int) -> None:
        """Take note that the client has started."""
        self.client_id = client_id
        self.stage = Stage.READY
        self.link.introduced()

    def recover(self) -> None:
        """Be heard again, and hear again."""
        self.is_mute = False

    def _put(self, message: Message) -> None:
        self.send_frames(frame(encode_reply(message, self.version)))
