"""Logging in to a gateway, and why it did not work: what a person can do about it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

from bot.brokers.ib.errors_table import Code, Reaction
from bot.brokers.ib.library import IB, read_in_pieces

_CLIENT_ID_IN_USE = 326


class Stage(Enum):
    """How far an attempt to connect came."""

    CLOSED = "closed"
    OPEN = "open"  # somebody has accepted the connection
    GREETED = "greeted"  # a gateway has told its version
    READY = "ready"  # everything that is asked at the start has answered


def explain(
    place: str, client_id: int, stage: Stage, cause: Exception, last: tuple[Code, str] | None
) -> str:
    """Return what went wrong, and how to put it right.

    Args:
        place: Host and port.
        client_id: Ours.
        stage: How far it came.
        cause: What ended it.
        last: The last thing the gateway said about the connection.
    """
    if last is not None and last[0].reaction is Reaction.NO_LOGIN:
        code, text = last
        if code.code == _CLIENT_ID_IN_USE:
            return (
                f"client id {client_id} is in use at {place} (326). Another bot, or a connection "
                "of ours that the gateway has not given up yet: end it, wait a minute, or set "
                "broker.client_id"
            )
        return f"{place} refused the connection: {code.code} {text}"
    match stage, cause:
        case Stage.CLOSED, ConnectionRefusedError():
            return (
                f"nothing listens on {place}. Start IB Gateway or TWS and log in, enable the API, "
                "and compare broker.port with its API port (paper: 4002 or 7497)"
            )
        case Stage.CLOSED, _:
            return f"{place} cannot be reached ({cause}); check broker.host and the network"
        case Stage.OPEN, ConnectionResetError():
            return (
                f"{place} closed the connection at the greeting. Either no IB Gateway listens "
                "there, or its API does not accept this machine (trusted IPs)"
            )
        case Stage.OPEN, _:
            return (
                f"what listens on {place} does not greet like an IB Gateway: check broker.port, "
                "and that the API (socket clients) is enabled"
            )
        case _, ConnectionResetError():
            return (
                f"{place} closed the connection during login; is client id {client_id} in use? "
                "End the other client or set broker.client_id"
            )
        case _:
            return (
                f"the gateway on {place} answers but is not logged in to IB: open it and log in "
                "(a new login with the second factor is needed each Sunday)"
            )


async def log_in(
    ib: IB, host: str, port: int, client_id: int, *, within_s: float, on_open: Callable[[], None]
) -> None:
    """Open the socket, greet, and wait until the gateway has told accounts and order ids.

    Args:
        ib: A client that is not connected.
        host: Where the gateway is.
        port: Its API port.
        client_id: Ours.
        within_s: How long each half may take: the greeting, and what follows it.
        on_open: Called when somebody has accepted the connection.

    Raises: OSError, TimeoutError; the library would wait on where the peer has closed.
    """
    lost = asyncio.get_running_loop().create_future()

    def on_lost(_: str) -> None:
        if not lost.done():
            lost.set_result(None)

    async def open_socket(host: str, port: int) -> None:
        await connect_socket(host, port)
        read_in_pieces(ib)
        on_open()

    connect_socket = ib.client.conn.connectAsync
    ib.client.conn.connectAsync = open_socket
    ib.client.conn.disconnected += on_lost
    login = asyncio.ensure_future(ib.client.connectAsync(host, port, client_id, within_s))
    try:
        await asyncio.wait({login, lost}, return_when=asyncio.FIRST_COMPLETED)
        if not login.done():
            raise ConnectionResetError("closed by the peer")
        login.result()
    finally:
        ib.client.conn.disconnected -= on_lost
        login.cancel()
        with suppress(asyncio.CancelledError, OSError, TimeoutError):
            await login
