"""What is known of a connection: for people, for the audit, and for who shares its process."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Farm:
    """The state of one of IB's data farms."""

    is_connected: bool
    code: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionTruth:
    """What is known of a connection, for people and for the audit."""

    host: str
    port: int
    client_id: int
    library: str
    server_version: int
    accounts: tuple[str, ...]
    is_paper: bool
    is_frozen: bool
    farms: Mapping[str, Farm]
    data_types: frozenset[int]  # kinds of market data seen: 1 live, 2 frozen, 3 and 4 delayed
    clock_ahead: timedelta | None  # the gateway's clock against ours; whole seconds


@dataclass(frozen=True, slots=True)
class SocketTraffic:
    """Bytes that went through one socket, as this end of it counts them."""

    port: int  # of this end
    sent: int  # handed over to be sent
    received: int
