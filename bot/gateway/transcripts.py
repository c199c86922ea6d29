"""What client and gateway said to each other, as JSON lines, without saying whose account it was.

The first line names the server version; each other line is one frame: when (seconds since the
connection), from whom, its fields as they were after masking, and what they mean. The fields are
what is replayed; the meaning is there to be read.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from bot.gateway.protocol.codec import decode_reply, decode_request
from bot.gateway.protocol.errors import ProtocolError
from bot.gateway.protocol.frames import HIGHEST_VERSION
from bot.gateway.protocol.message import Message

Sender = Literal["client", "gateway"]
FORMAT: Final = 1

_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])(D?[UFI])(\d{5,9})(?![A-Za-z0-9])")
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_HARMLESS = re.compile(r"|-?[\d.,]+%?(?:[eE][+-]?\d+)?|[A-Z]{3}|BASE|true|false|N/A|-", re.ASCII)
_WORDS_OF_ACCOUNTS = frozenset({"AccountType", "SegmentTitle", "TradingType"})
_ACCOUNT_VALUES = {"6": (2, 3), "63": (4, 5), "73": (5, 6)}  # where key and value are
_PERSONAL = {  # fields that are somebody's own text: position by message id
    "gateway": {"16": (3,), "107": (2,)},
    "client": {"19": (3,), "72": (4,)},
}
MASKED: Final = "masked"


class BadTranscript(ProtocolError):
    """A file is no transcript."""


class Masker:
    """Replaces account numbers, always the same by the same, and what people are called by.

    ``U1234567`` becomes ``U0000001``, ``DU1234567`` becomes ``DU0000002``: what kind of account it
    is stays visible, because clients go by it.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, str] = {}

    def fields(self, sender: Sender, fields: Iterable[str]) -> list[str]:
        """Return the fields of a message without what says whose account it is."""
        masked = [self.text(text) for text in fields]
        number = masked[0] if masked else ""
        for at in _PERSONAL[sender].get(number, ()):
            if at < len(masked) and masked[at]:
                masked[at] = MASKED
        if sender == "gateway" and number in _ACCOUNT_VALUES:
            key_at, value_at = _ACCOUNT_VALUES[number]
            if value_at < len(masked):
                masked[value_at] = self._account_value(masked[key_at], masked[value_at])
        return masked

    def text(self, text: str) -> str:
        """Return a text with account numbers and mail addresses replaced."""
        return _MAIL.sub(MASKED, _ACCOUNT.sub(self._account, text))

    def _account(self, match: re.Match[str]) -> str:
        number = match.group()
        if number not in self._accounts:
            self._accounts[number] = f"{match.group(1)}{len(self._accounts) + 1:07d}"
        return self._accounts[number]

    def _account_value(self, key: str, value: str) -> str:
        known_words = key.partition("-")[0] in _WORDS_OF_ACCOUNTS
        if known_words or _HARMLESS.fullmatch(value) or value in self._accounts.values():
            return value
        return MASKED


@dataclass(frozen=True, slots=True)
class Record:
    """One frame.

    Attributes:
        at: Seconds since the connection was made.
        sender: Who sent it.
        fields: Its fields, masked; empty where the version is one this codec cannot read.
        message: What they mean; None where they are not readable.
        problem: Why they are not.
    """

    at: float
    sender: Sender
    fields: tuple[str, ...]
    message: Message | None = None
    problem: str = ""

    @property
    def payload(self) -> bytes:
        """The frame's payload."""
        return "".join(f"{text}\0" for text in self.fields).encode()


@dataclass(frozen=True, slots=True)
class Transcript:
    """A connection from beginning to end."""

    version: int
    records: tuple[Record, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Transcript":
        """Return the transcript in a file.

        Raises:
            BadTranscript: It is none, or of another format.
        """
        with path.open(encoding="utf-8") as lines:
            try:
                header = json.loads(next(lines, ""))
                if header["transcript"] != FORMAT:
                    raise BadTranscript(f"{path}: format {header['transcript']}, not {FORMAT}")
                version = int(header["server_version"])
                records = tuple(_record_of(json.loads(line), version) for line in lines)
            except (ValueError, KeyError, TypeError) as spoilt:
                raise BadTranscript(f"{path}: not a transcript of --record: {spoilt}") from spoilt
        return cls(version, records, header)


def record(at: float, sender: Sender, fields: Iterable[str], version: int) -> Record:
    """Return the record of a frame whose fields are masked already."""
    masked = tuple(fields)
    if version > HIGHEST_VERSION:  # may be protobuf: nobody looked whether it was masked
        return Record(at, sender, (), problem=f"version {version} is not read")
    unread = Record(at, sender, masked)
    try:
        decode = decode_request if sender == "client" else decode_reply
        return Record(at, sender, masked, decode(unread.payload, version))
    except ProtocolError as problem:
        return Record(at, sender, masked, problem=str(problem))


class TranscriptWriter:
    """Writes a transcript line by line, so that a connection that breaks is kept up to there."""

    def __init__(self, out: TextIO, version: int) -> None:
        self._out = out
        self._line({"transcript": FORMAT, "server_version": version})

    def add(self, entry: Record) -> None:
        """Write one frame."""
        line: dict[str, Any] = {
            "at": round(entry.at, 6),
            "from": entry.sender,
            "fields": entry.fields,
        }
        if entry.message is not None:
            line["kind"] = entry.message.kind
            line["values"] = readable(entry.message.values)
        if entry.problem:
            line["problem"] = entry.problem
        self._line(line)

    def _line(self, line: Mapping[str, Any]) -> None:
        self._out.write(json.dumps(line) + "\n")
        self._out.flush()


def readable(value: Any) -> Any:  # noqa: ANN401 whatever a message holds
    """Return a value as JSON can hold it."""
    match value:
        case Mapping():
            return {key: readable(inner) for key, inner in value.items()}
        case tuple() | list():
            return [readable(inner) for inner in value]
        case Decimal():
            return str(value)
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value


def pretty(transcript: Transcript) -> Iterator[str]:
    """Return a transcript as lines to read: time, direction, message, and what it says.

    What is unset, zero, empty or false is left out.
    """
    yield f"server version {transcript.version}"
    for entry in transcript.records:
        arrow = "->" if entry.sender == "client" else "<-"
        yield f"{entry.at:10.3f} {arrow} {_said(entry)}"


def _said(entry: Record) -> str:
    if entry.message is None:
        return f"({entry.problem}) {'|'.join(entry.fields)}"
    values = " ".join(
        f"{name}={_short(value)}"
        for name, value in entry.message.values.items()
        if value not in (None, "", 0, (), False)
    )
    return f"{entry.message.kind} {values}".rstrip()


def _short(value: Any) -> str:  # noqa: ANN401 whatever a message holds
    if isinstance(value, tuple):
        return f"[{', '.join(map(_short, value))}]"
    if isinstance(value, Mapping):
        inner = (f"{name}={_short(told)}" for name, told in value.items() if told not in (None, ""))
        return f"{{{' '.join(inner)}}}"
    if isinstance(value, str) and (" " in value or value == ""):
        return repr(value)
    return str(value)


def _record_of(line: Mapping[str, Any], version: int) -> Record:
    sender = line["from"]
    if sender not in ("client", "gateway"):
        raise ValueError(f"nobody is called {sender!r}")
    return record(float(line["at"]), sender, map(str, line["fields"]), version)
