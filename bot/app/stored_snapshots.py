"""The file that `alvh snapshot` writes and `alvh decide` reads: all inputs of one decision.

Canonical JSON of ``{"snapshot", "book", "account", "memory", "rules"}``; the rules may be left out.
A file may be gzipped: it shrinks to a quarter.
"""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from bot.app.exit_codes import CommandFailed, ExitCode
from strategies.model.book import Account, Book, CondorLegs
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.encoding import UndecodableValue, decode, to_json
from strategies.model.errors import DomainError
from strategies.model.instruments import OptionContract, Right
from strategies.model.memory import Memory
from strategies.model.rules import Rules, rule_bounds_violations
from strategies.model.snapshots import MarketSnapshot

FILE_BYTES_MAX = 100_000_000  # unpacked
_GZIP = b"\x1f\x8b"  # how every gzip file begins
_KINDS = {
    "snapshot": MarketSnapshot,
    "book": Book,
    "account": Account,
    "memory": Memory,
    "rules": Rules,
}
_OPTIONAL = frozenset({"rules"})
# The decoder's errors read "Kind.field: [3]: Kind.field: what was expected"
_STEP = re.compile(r"^(?:\w+\.(?P<name>\w+)|(?P<place>\[\d+\])): ")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionInputs:
    """Everything one decision depends on."""

    snapshot: MarketSnapshot
    book: Book
    account: Account
    memory: Memory
    rules: Rules | None


def encode_inputs(inputs: DecisionInputs) -> str:
    """Return the canonical JSON text of ``inputs``."""
    values = {name: getattr(inputs, name) for name in _KINDS}
    return to_json({name: value for name, value in values.items() if value is not None})


def read_inputs(path: Path) -> DecisionInputs:
    """Return the inputs in the file at ``path``.

    Raises: CommandFailed, naming the place in the JSON and what was expected there.
    """
    data = _parse(path)
    values = {name: _decode(path, name, data) for name in _KINDS}
    if values["rules"] is not None and (violations := rule_bounds_violations(values["rules"])):
        _refuse(path, f"rules.{violations[0]}")
    inputs = DecisionInputs(**values)
    for problem in snapshot_problems(inputs.snapshot):
        _refuse(path, problem)
    for problem in book_problems(inputs.book, inputs.snapshot.session):
        _refuse(path, problem)
    return inputs


def snapshot_problems(snapshot: MarketSnapshot) -> Iterator[str]:
    """Yield what no interval can have seen, each with its place in the JSON."""
    at, session = snapshot.at, snapshot.session
    if at.astimezone(EXCHANGE_ZONE).date() != session:
        yield f"snapshot.session: expected the day of {at.isoformat()} in New York, found {session}"
    if not snapshot.opens_at <= at <= snapshot.closes_at:
        yield f"snapshot.market.at: expected an instant of the session, found {at.isoformat()}"
    days = snapshot.history.session
    known = int(np.searchsorted(days, np.datetime64(session, "D")))
    where = "snapshot.history.session"
    if (unsorted := np.flatnonzero(days[1:] <= days[:-1])).size:
        place = int(unsorted[0]) + 1
        yield f"{where}[{place}]: {days[place]} does not follow {days[place - 1]}"
    elif known < len(days):
        yield f"{where}[{known}]: expected a day before {session}, found {days[known]}"


def book_problems(book: Book, session: date) -> Iterator[str]:
    """Yield what no book can hold on a session, each with its place in the JSON."""
    ids: set[str] = set()
    for place, condor in enumerate(book.condors):
        where = f"book.condors[{place}]"
        if condor.condor_id in ids:
            yield f"{where}.condor_id: {condor.condor_id} is there twice"
        ids.add(condor.condor_id)
        if condor.quantity < 1:
            yield f"{where}.quantity: expected 1 or more, found {condor.quantity}"
        if not condor.entry_spot > 0:  # asked this way round, NaN is refused too
            yield f"{where}.entry_spot: expected an index level, found {condor.entry_spot}"
        if not condor.entry_sigma_sqrt_t > 0:
            yield f"{where}.entry_sigma_sqrt_t: expected a number above 0"
        yield from (f"{where}.legs{problem}" for problem in _leg_problems(condor.legs, session))
    symbols: set[str] = set()
    for place, hedge in enumerate(book.hedges):
        where, symbol = f"book.hedges[{place}]", hedge.instrument.symbol
        if symbol in symbols:
            yield f"{where}.instrument: {hedge.instrument} is there twice"
        symbols.add(symbol)
        if hedge.instrument.underlying != "VIX":
            yield f"{where}.instrument: {hedge.instrument} is no hedge; VIX options and futures are"
        if hedge.net_contracts == 0:
            yield f"{where}.net_contracts: 0 is not held"
        if hedge.instrument.expiry < session:
            yield f"{where}.instrument: {hedge.instrument} expired before {session}"
    for place, order in enumerate(book.working):
        if order.leaves_quantity < 1:
            found = order.leaves_quantity
            yield f"book.working[{place}].leaves_quantity: expected 1 or more, found {found}"


def _leg_problems(legs: CondorLegs, session: date) -> Iterator[str]:
    rights = {
        "long_put": Right.PUT,
        "short_put": Right.PUT,
        "short_call": Right.CALL,
        "long_call": Right.CALL,
    }
    for name, right in rights.items():
        leg: OptionContract = getattr(legs, name)
        if leg.right is not right or leg.underlying != "SPX":
            yield f".{name}: expected a {right.name.lower()} on SPX, found {leg}"
        if leg.expiry < session:
            yield f".{name}: {leg} expired before {session}"
    if legs.put_width <= 0:
        yield f".long_put: {legs.long_put} is not below {legs.short_put}"
    if legs.call_width <= 0:
        yield f".long_call: {legs.long_call} is not above {legs.short_call}"
    if (
        legs.long_put.expiry < legs.short_put.expiry
        or legs.long_call.expiry < legs.short_call.expiry
    ):
        yield ": a long expires before its short"
    if not 1 <= legs.short_ratio <= legs.long_ratio:
        yield f".long_ratio: expected at least short_ratio, found {legs.long_ratio}"


def _parse(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(_read(path).decode(), parse_constant=_no_constant)
    except json.JSONDecodeError as cause:
        raise CommandFailed(
            f"{path}:{cause.lineno}:{cause.colno}: not JSON: {cause.msg}", ExitCode.USAGE
        ) from cause
    except (UnicodeDecodeError, RecursionError, ValueError) as cause:
        raise CommandFailed(f"{path}: not JSON: {cause}", ExitCode.USAGE) from cause
    except (gzip.BadGzipFile, EOFError, zlib.error) as cause:
        raise CommandFailed(f"{path}: not gzip: {cause}", ExitCode.USAGE) from cause
    except OSError as cause:
        message = f"{path}: cannot be read: {cause.strerror}"
        raise CommandFailed(message, ExitCode.USAGE) from cause
    if not isinstance(data, dict):
        _refuse(path, f"expected an object with the keys {', '.join(_KINDS)}")
    if unknown := sorted(data.keys() - _KINDS.keys()):
        _refuse(path, f"{unknown[0]}: unknown key; expected {', '.join(_KINDS)}")
    return data


def _read(path: Path) -> bytes:
    """Return the bytes of a file, unpacked where they are gzip; never more than a file may have."""
    with path.open("rb") as file:
        is_packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        source = gzip.GzipFile(fileobj=file) if is_packed else file
        data = source.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        _refuse(path, f"larger than {FILE_BYTES_MAX:,} bytes")
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _decode(path: Path, name: str, data: dict[str, Any]) -> Any:  # noqa: ANN401 one row a kind
    if name not in data:
        if name in _OPTIONAL:
            return None
        _refuse(path, f"{name}: missing")
    try:
        return decode(_KINDS[name], data[name])
    except UndecodableValue as cause:
        _refuse(path, _with_path(name, str(cause)))
    except (DomainError, AssertionError) as cause:  # a value that its own type refuses
        _refuse(path, f"{name}: {cause}")


def _with_path(name: str, message: str) -> str:
    while match := _STEP.match(message):
        name += match["place"] or f".{match['name']}"
        message = message[match.end() :]
    return f"{name}: {message}"


def _refuse(path: Path, message: str) -> NoReturn:
    raise CommandFailed(f"{path}: {message}", ExitCode.USAGE)
