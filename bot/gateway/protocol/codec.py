"""Messages to payloads and back, in both directions and at every version, by the tables.

A table is compiled once for each version: what is not in the version is left out, and runs of
plain fields are put together, so that a long message costs one loop. For what is sent it is
compiled once for each set of values, too: most messages leave most of their fields alone, and what
a message does not say is spelled beforehand.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from operator import is_
from typing import Any

from bot.gateway.protocol.errors import BadMessage, UnknownMessage
from bot.gateway.protocol.layouts import (
    C12_OF_REQUEST,
    REQUIRED,
    Constant,
    Field,
    Group,
    Item,
    Layout,
    Maybe,
    Values,
    When,
)
from bot.gateway.protocol.message import Message
from bot.gateway.protocol.primitives import INT, Kind
from bot.gateway.protocol.replies import REPLIES
from bot.gateway.protocol.requests import REQUESTS

_REPLY_LAYOUTS = {layout.kind: layout for layout in REPLIES}
_REQUEST_LAYOUTS = {layout.kind: layout for layout in REQUESTS}
_REPLY_KINDS = {str(layout.number): layout.kind for layout in REPLIES}
_REQUEST_KINDS = {str(layout.number): layout.kind for layout in REQUESTS}
assert len(_REPLY_KINDS) == len(_REPLY_LAYOUTS) == len(REPLIES), "a reply is in one table"
assert len(_REQUEST_KINDS) == len(_REQUEST_LAYOUTS) == len(REQUESTS), "a request is in one table"

# who describes a contract describes it whole, also where a message has no place for all of it
_MAY_BE_LEFT_OVER = frozenset(item.name for item in C12_OF_REQUEST)
_MISSING: Any = object()
_NEVER: Any = object()
_LARGEST_GROUP = 200_000
_KEPT_WRITERS = 512  # orders can be described in many ways
_SHOWN = 40
_FIELDS_WORTH_REMEMBERING = 4
_FIELDS_READ_TOGETHER = 8


def encode_reply(message: Message, version: int) -> bytes:
    """Return the payload of a message from the gateway.

    A value that the message must have and has not, or has and the table does not know, is a
    mistake of ours and asserted.
    """
    return _encode(_reply_writer(message.kind, version, tuple(message.values)), message)


def encode_request(message: Message, version: int) -> bytes:
    """Return the payload of a message from a client."""
    return _encode(_request_writer(message.kind, version, tuple(message.values)), message)


def decode_reply(payload: bytes, version: int) -> Message:
    """Return what a gateway said.

    Raises:
        UnknownMessage: No table has its number.
        BadMessage: Its fields are not what the table says.
    """
    return _decode(payload, version, _REPLY_KINDS, _reply_plan)


def decode_request(payload: bytes, version: int) -> Message:
    """Return what a client asks.

    Raises:
        UnknownMessage: No table has its number.
        BadMessage: Its fields are not what the table says.
    """
    return _decode(payload, version, _REQUEST_KINDS, _request_plan)


def fields_of(payload: bytes) -> list[str]:
    """Return the fields of a payload; each is ended by a zero, the last one too."""
    fields = payload.decode(errors="backslashreplace").split("\0")
    if fields[-1] == "":
        fields.pop()
    return fields


class _Reader:
    """Where decoding is in a payload."""

    __slots__ = ("at", "fields", "kind")

    def __init__(self, kind: str, fields: list[str]) -> None:
        self.kind = kind
        self.fields = fields
        self.at = 1

    def take(self, name: str, kind: Kind) -> Any:  # noqa: ANN401 whatever the kind reads
        """Return the next field as ``kind``."""
        if self.at >= len(self.fields):
            raise _Spoilt(f"ends before {name}, its field {self.at + 1}")
        text = self.fields[self.at]
        try:
            value = kind.read(text)
        except ValueError:
            raise _Spoilt(f"{name} is {kind.name}, got {text[:_SHOWN]!r}") from None
        self.at += 1
        return value

    def take_count(self, name: str) -> int:
        """Return how often a group repeats."""
        count: int = self.take(f"the number of {name}", INT)
        left = len(self.fields) - self.at
        if not 0 <= count <= min(left, _LARGEST_GROUP):
            raise _Spoilt(f"{count} {name} announced, {left} fields are left")
        return count


class _Spoilt(Exception):
    """Why a message cannot be read; becomes a BadMessage where its kind is known."""


class _Run:
    """Plain fields in a row.

    What one order says, the next mostly says too: a run remembers the last one.

    Args:
        items: The fields.
        said: The only ones a message may say; None for any of them.
    """

    __slots__ = (
        "fields",
        "is_remembered",
        "put_last",
        "required",
        "spelled",
        "take_last",
        "unsaid",
        "wanting",
    )

    def __init__(self, items: Sequence[Field | Constant], said: Collection[str] | None) -> None:
        self.fields: list[tuple[str | None, Kind]] = []
        self.unsaid: list[str] = []  # the run of a message that says nothing
        self.spelled: list[tuple[int, str, Callable[[Any], str], str | None]] = []
        self.required: set[str] = set()
        for place, item in enumerate(items):
            if isinstance(item, Constant):
                self.fields.append((None, _CONSTANT))
                self.unsaid.append(item.text)
                continue
            self.fields.append((item.name, item.kind))
            self.unsaid.append(_spelled_default(item))
            if item.default is REQUIRED:
                self.required.add(item.name)
            if said is None or item.name in said:
                self.spelled.append((place, item.name, item.kind.spell, item.kind.unset))
        self.wanting = set() if said is None else self.required.difference(said)
        self.is_remembered = len(self.spelled) >= _FIELDS_WORTH_REMEMBERING
        self.put_last: tuple[list[Any], list[str]] = [_NEVER] * len(self.spelled), []
        self.take_last: tuple[list[str] | None, dict[str, Any]] = None, {}

    def put(self, values: Mapping[str, Any], out: list[str]) -> None:
        assert not self.wanting, f"{', '.join(sorted(self.wanting))} is required and missing"
        get = values.get
        said = [get(name, _MISSING) for _, name, _, _ in self.spelled]
        last, texts = self.put_last
        if not self.is_remembered or not all(map(is_, said, last)):
            texts = self.unsaid.copy()
            for (place, name, spell, unset), value in zip(self.spelled, said, strict=True):
                if value is _MISSING:
                    assert name not in self.required, f"{name} is required and missing"
                elif value is None:
                    assert unset is not None, f"{name} cannot be unset"
                    texts[place] = unset
                else:
                    texts[place] = spell(value)
            self.put_last = said, texts
        out += texts

    def take(self, reader: _Reader, values: dict[str, Any]) -> None:
        fields, at = reader.fields, reader.at
        texts = fields[at : at + len(self.fields)]
        last, known = self.take_last
        if texts == last:
            values.update(known)
            reader.at = at + len(texts)
            return
        name: str | None = None
        kind = _CONSTANT
        try:
            for name, kind in self.fields:
                if name is not None:
                    values[name] = kind.read(fields[at])
                at += 1
        except (IndexError, ValueError):
            reader.at = at
            reader.take(name or "", kind)  # says what is wrong
            raise
        reader.at = at
        if self.is_remembered:
            names = (each for each, _ in self.fields if each is not None)
            self.take_last = texts, {each: values[each] for each in names}


class _Repeated:
    """A group: a count, and that many times the same items."""

    __slots__ = ("name", "steps")

    def __init__(self, item: Group, version: int) -> None:
        self.name = item.name
        self.steps = _compile(item.items, version)

    def put(self, values: Mapping[str, Any], out: list[str]) -> None:
        members = values.get(self.name, ())
        out.append(str(len(members)))
        for member in members:
            for step in self.steps:
                step.put(member, out)

    def take(self, reader: _Reader, values: dict[str, Any]) -> None:
        members = []
        for _ in range(reader.take_count(self.name)):
            member: dict[str, Any] = {}
            for step in self.steps:
                step.take(reader, member)
            members.append(member)
        values[self.name] = tuple(members)


class _Listed:
    """A count, and that many single values."""

    __slots__ = ("kind", "name")

    def __init__(self, item: Values) -> None:
        self.name = item.name
        self.kind = item.kind

    def put(self, values: Mapping[str, Any], out: list[str]) -> None:
        members = values.get(self.name, ())
        out.append(str(len(members)))
        out.extend(map(self.kind.spell, members))

    def take(self, reader: _Reader, values: dict[str, Any]) -> None:
        count = reader.take_count(self.name)
        values[self.name] = tuple(reader.take(self.name, self.kind) for _ in range(count))


class _Optional:
    """A flag, and if it is set a mapping."""

    __slots__ = ("name", "steps")

    def __init__(self, item: Maybe, version: int) -> None:
        self.name = item.name
        self.steps = _compile(item.items, version)

    def put(self, values: Mapping[str, Any], out: list[str]) -> None:
        member = values.get(self.name)
        out.append("0" if member is None else "1")
        if member is not None:
            for step in self.steps:
                step.put(member, out)

    def take(self, reader: _Reader, values: dict[str, Any]) -> None:
        if not reader.take(self.name, INT):
            values[self.name] = None
            return
        member: dict[str, Any] = {}
        for step in self.steps:
            step.take(reader, member)
        values[self.name] = member


class _Conditional:
    """Items that are there only if a value met before them passes a test."""

    __slots__ = ("default", "name", "steps", "test")

    def __init__(
        self, item: When, version: int, default: object, said: Collection[str] | None
    ) -> None:
        self.name = item.name
        self.test = item.test
        self.default = default
        self.steps = _compile(item.items, version, said)

    def put(self, values: Mapping[str, Any], out: list[str]) -> None:
        if self.test(values.get(self.name, self.default)):
            for step in self.steps:
                step.put(values, out)

    def take(self, reader: _Reader, values: dict[str, Any]) -> None:
        if self.test(values[self.name]):
            for step in self.steps:
                step.take(reader, values)


_Step = _Run | _Repeated | _Listed | _Optional | _Conditional
_CONSTANT = Kind("text", str, str, "")


class _Plan:
    """A table at one version."""

    __slots__ = ("layout", "steps")

    def __init__(self, layout: Layout, version: int, said: Collection[str] | None = None) -> None:
        self.layout = layout
        self.steps = _compile(layout.items, version, said)


def _compile(
    items: Iterable[Item], version: int, said: Collection[str] | None = None
) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    run: list[Field | Constant] = []
    defaults: dict[str, object] = {}

    def end_run() -> None:
        if run:
            steps.append(_Run(run, said))
            run.clear()

    for item in items:
        if not item.since <= version <= item.until:
            continue
        match item:
            case Field() | Constant():
                run.append(item)
                if isinstance(item, Field) and item.default is not REQUIRED:
                    defaults[item.name] = item.default
                if said is None and len(run) == _FIELDS_READ_TOGETHER:
                    end_run()
                continue
            case _:
                end_run()
        match item:
            case Group():
                steps.append(_Repeated(item, version))
            case Values():
                steps.append(_Listed(item))
            case Maybe():
                steps.append(_Optional(item, version))
            case When():
                steps.append(_Conditional(item, version, defaults.get(item.name), said))
    end_run()
    return tuple(steps)


def _names(items: Iterable[Item]) -> Iterable[str]:
    for item in items:
        match item:
            case Constant():
                pass
            case When():
                yield from _names(item.items)
            case _:
                yield item.name


def _spelled_default(item: Field) -> str:
    if item.default is REQUIRED:
        return ""
    text = item.kind.unset if item.default is None else item.kind.spell(item.default)
    assert text is not None, f"{item.name} cannot be unset"
    return text


@cache
def _reply_plan(kind: str, version: int) -> _Plan:
    return _Plan(_REPLY_LAYOUTS[kind], version)


@cache
def _request_plan(kind: str, version: int) -> _Plan:
    return _Plan(_REQUEST_LAYOUTS[kind], version)


@lru_cache(maxsize=_KEPT_WRITERS)
def _reply_writer(kind: str, version: int, said: tuple[str, ...]) -> _Plan:
    assert kind in _REPLY_LAYOUTS, f"no reply is called {kind}"
    return _writer(_REPLY_LAYOUTS[kind], version, said)


@lru_cache(maxsize=_KEPT_WRITERS)
def _request_writer(kind: str, version: int, said: tuple[str, ...]) -> _Plan:
    assert kind in _REQUEST_LAYOUTS, f"no request is called {kind}"
    return _writer(_REQUEST_LAYOUTS[kind], version, said)


def _writer(layout: Layout, version: int, said: tuple[str, ...]) -> _Plan:
    """Return the plan of messages that say these values and no others."""
    unknown = set(said) - _MAY_BE_LEFT_OVER - set(_names(layout.items))
    assert not unknown, f"{layout.kind} has no {sorted(unknown)}"
    return _Plan(layout, version, frozenset(said))


def _encode(plan: _Plan, message: Message) -> bytes:
    values = message.values
    out = [str(plan.layout.number)]
    for step in plan.steps:
        step.put(values, out)
    out.append("")
    payload = "\0".join(out).encode(errors="backslashreplace")
    assert payload.count(0) == len(out) - 1, f"a text of {message.kind} has a zero in it"
    return payload


def _decode(
    payload: bytes,
    version: int,
    kinds: Mapping[str, str],
    plan_of: Callable[[str, int], _Plan],
) -> Message:
    number = payload.partition(b"\0")[0].decode(errors="backslashreplace")
    kind = kinds.get(number)
    if kind is None:
        raise UnknownMessage(number)
    fields = fields_of(payload)
    reader = _Reader(kind, fields)
    values: dict[str, Any] = {}
    try:
        for step in plan_of(kind, version).steps:
            step.take(reader, values)
    except _Spoilt as problem:
        raise BadMessage(kind, str(problem), _reference(values)) from None
    if reader.at != len(fields):
        raise BadMessage(
            kind,
            f"has {reader.at} fields at version {version}, got {len(fields)}",
            _reference(values),
        )
    return Message(kind, values)


def _reference(values: Mapping[str, Any]) -> int:
    for name in ("orderId", "reqId"):
        if isinstance(values.get(name), int):
            return int(values[name])
    return -1
