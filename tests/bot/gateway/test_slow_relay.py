"""The slow network of other tests: late, in order, and gone when an end is."""

import asyncio
import time

import pytest

from tests.bot.gateway.slow_relay import HOST, SlowRelay


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every line with itself; a line ``bye`` ends the connection."""
    while line := await reader.readline():
        if line == b"bye\n":
            break
        writer.write(line)
    writer.close()


async def round_trips(count: int, **delays: float) -> tuple[float, list[bytes], bytes]:
    """Send lines through a relay at once; return the seconds, the answers and the rest."""
    server = await asyncio.start_server(echo, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    async with SlowRelay(port, **delays) as relay:
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        began = time.perf_counter()
        for number in range(count):
            writer.write(b"%d\n" % number)
        answers = [await reader.readline() for _ in range(count)]
        took = time.perf_counter() - began
        writer.write(b"bye\n")
        rest = await reader.read()
        writer.close()
        await writer.wait_closed()
    server.close()
    await server.wait_closed()
    return took, answers, rest


@pytest.mark.parametrize("delays", [{"to_client_s": 0.05}, {"to_gateway_s": 0.05}])
def test_bytes_come_late_and_in_order(delays):
    took, answers, rest = asyncio.run(round_trips(50, **delays))
    assert 0.05 <= took < 0.5
    assert answers == [b"%d\n" % number for number in range(50)]
    assert rest == b""  # the far end's goodbye arrives, too


def test_without_a_delay_it_only_passes_on():
    took, answers, _ = asyncio.run(round_trips(5))
    assert took < 0.5
    assert len(answers) == 5


def test_a_gateway_that_is_not_there_ends_the_connection():
    async def reach_nobody() -> bytes:
        async with SlowRelay(1) as relay:
            reader, writer = await asyncio.open_connection(HOST, relay.port)
            try:
                return await asyncio.wait_for(reader.read(), 5)
            except ConnectionResetError:
                return b""
            finally:
                writer.close()

    assert asyncio.run(reach_nobody()) == b""
