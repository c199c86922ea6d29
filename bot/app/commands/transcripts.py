"""`alvh gateway --record` and `--replay`: write down what a gateway says, and say it again."""

import asyncio
import os
import re
import signal
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

import typer

from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.logs import silence_logging
from bot.gateway.recording import Recorder
from bot.gateway.replaying import Replayer
from bot.gateway.transcripts import BadTranscript, Transcript

_ADDRESS = re.compile(r"(?P<host>[^:\s]+):(?P<port>\d{1,5})")
_STOPPED_BY = {signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}


class _Listener(Protocol):
    def start(self, port: int, /) -> Awaitable[int]: ...

    def stop(self) -> Awaitable[None]: ...


def port_refused(port: int, cause: OSError) -> CommandFailed:
    """Return the error that a port cannot be listened on; asyncio's own words are long."""
    reason = os.strerror(cause.errno) if cause.errno else str(cause)
    return CommandFailed(f"port {port}: {reason}; choose another with --port", ExitCode.USAGE)


def record_command(upstream: str, folder: Path, *, port: int) -> ExitCode:
    """Pass clients on to a gateway and write down both sides, a file a connection."""
    address = _ADDRESS.fullmatch(upstream)
    if address is None:
        message = f"--record: expected HOST:PORT, such as 127.0.0.1:4002; found {upstream!r}"
        raise CommandFailed(message, ExitCode.USAGE)
    recorder = Recorder(host=address["host"], port=int(address["port"]), folder=folder)
    code = _serve(recorder, port, f"records clients of {upstream} into {folder}/")
    typer.echo(f"{len(recorder.transcripts)} transcripts in {folder}/")
    return code


def replay_command(path: Path, *, port: int) -> ExitCode:
    """Answer clients as a transcript says."""
    try:
        transcript = Transcript.read(path)
    except BadTranscript as cause:
        raise CommandFailed(str(cause), ExitCode.USAGE) from cause
    except OSError as cause:
        raise CommandFailed(f"{path}: {cause.strerror}", ExitCode.USAGE) from cause
    return _serve(Replayer(transcript), port, f"REPLAYS {path}")


def _serve(listener: _Listener, port: int, title: str) -> ExitCode:
    silence_logging()
    return asyncio.run(_until_stopped(listener, port, title))


async def _until_stopped(listener: _Listener, port: int, title: str) -> ExitCode:
    try:
        listening = await listener.start(port)
    except OSError as cause:
        raise port_refused(port, cause) from cause
    stopped: asyncio.Queue[ExitCode] = asyncio.Queue()  # more than one signal may come
    for number, code in _STOPPED_BY.items():
        asyncio.get_running_loop().add_signal_handler(number, stopped.put_nowait, code)
    typer.echo(f"port {listening}: {title}")
    try:
        return await stopped.get()
    finally:
        await listener.stop()
