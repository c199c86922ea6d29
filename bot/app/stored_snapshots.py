"""The file that `alvh snapshot` writes and `alvh decide` reads: all inputs of one decision.

Canonical JSON of ``{"snapshot", "book", "account", "memory", "rules"}``; the rules may be left out.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bot.app.exit_codes import CommandFailed, ExitCode
from strategies.model.book import Account, Book
from strategies.model.encoding import UndecodableValue, decode, to_json
from strategies.model.errors import DomainError
from strategies.model.memory import Memory
from strategies.model.rules import Rules, rule_bounds_violations
from strategies.model.snapshots import MarketSnapshot

FILE_BYTES_MAX = 100_000_000
_KINDS = {
    "snapshot": MarketSnapshot,
    "book": Book,
    "account": Account,
    "memory": Memory,
    "rules": Rules,
}
_OPTIONAL = frozenset({"rules"})
# The decoder's errors read "Kind.field: Kind.field: what was expected"
_STEP = re.compile(r"^\w+\.(\w+): ")


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
    return DecisionInputs(**values)


def _parse(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            _refuse(path, f"larger than {FILE_BYTES_MAX:,} bytes")
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except json.JSONDecodeError as cause:
        raise CommandFailed(
            f"{path}:{cause.lineno}:{cause.colno}: not JSON: {cause.msg}", ExitCode.USAGE
        ) from cause
    except (UnicodeDecodeError, RecursionError, ValueError) as cause:
        raise CommandFailed(f"{path}: not JSON: {cause}", ExitCode.USAGE) from cause
    except OSError as cause:
        message = f"{path}: cannot be read: {cause.strerror}"
        raise CommandFailed(message, ExitCode.USAGE) from cause
    if not isinstance(data, dict):
        _refuse(path, f"expected an object with the keys {', '.join(_KINDS)}")
    if unknown := sorted(data.keys() - _KINDS.keys()):
        _refuse(path, f"{unknown[0]}: unknown key; expected {', '.join(_KINDS)}")
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
    steps = [name]
    while match := _STEP.match(message):
        steps.append(match[1])
        message = message[match.end() :]
    return f"{'.'.join(steps)}: {message}"


def _refuse(path: Path, message: str) -> NoReturn:
    raise CommandFailed(f"{path}: {message}", ExitCode.USAGE)
