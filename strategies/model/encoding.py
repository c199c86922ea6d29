"""Values to JSON and back, canonically: the same value always gives the same bytes.

Dates and instants are ISO-8601 (instants in UTC), decimals strings, enumerations their values,
arrays plain lists with null for NaN, tuples lists. Decoding is driven by the dataclass types.
"""

import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache, lru_cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from strategies.model.errors import DomainError
from strategies.model.instruments import FutureContract, OptionContract, parse_symbol

T = TypeVar("T")

# Metadata of a field that came later: an empty one is not written, so that what was written
# before it existed keeps its bytes. It needs a default, which decoding then gives it.
LEFT_OUT_IF_EMPTY = {"left out if empty": True}


class UndecodableValue(DomainError):
    """JSON that does not have the shape of the value it should become."""


def to_json(value: object) -> str:
    """Return the canonical JSON text of a domain value."""
    return json.dumps(encode(value), separators=(",", ":"), sort_keys=True, allow_nan=False)


def from_json(kind: type[T], text: str) -> T:
    """Return the value of type ``kind`` that ``to_json`` wrote; raises UndecodableValue."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as cause:
        raise UndecodableValue(f"line {cause.lineno}: {cause.msg}") from cause
    value: T = decode(kind, data)
    return value


def encode(value: object) -> Any:  # noqa: ANN401 JSON has no closed type
    """Return ``value`` as plain JSON types."""
    kind: Any = type(value)
    return _encoder(kind)(value)


_PLAIN = frozenset({type(None), bool, int, str})


@cache
def _encoder(kind: type) -> Callable[[Any], Any]:
    """Choose once a type: a decision holds thousands of values of a few dozen types."""
    for kinds, encoder in _ENCODERS:
        if issubclass(kind, kinds):
            return encoder
    assert is_dataclass(kind), f"{kind.__name__} has no JSON form"
    names = tuple(entry.name for entry in fields(kind))

    def encode_fields(value: object) -> dict[str, Any]:
        """Return a dataclass by name; what is plain already is not asked for an encoder."""
        items = ((name, getattr(value, name)) for name in names)
        return {name: item if type(item) in _PLAIN else encode(item) for name, item in items}

    left_out = {entry.name for entry in fields(kind) if entry.metadata == LEFT_OUT_IF_EMPTY}
    if not left_out:
        return encode_fields
    return lambda value: {
        name: item
        for name, item in encode_fields(value).items()
        if item != [] or name not in left_out
    }


def _encode_array(array: np.ndarray[Any, Any]) -> list[Any] | dict[str, list[int]]:
    if array.size == 0 and array.ndim > 1:  # a plain [] would forget the columns
        return {"shape": list(array.shape)}
    if array.dtype.kind == "M":
        return [str(item) for item in array.astype("datetime64[D]")]
    if array.dtype.kind == "f" and np.isnan(array).any():
        return [encode(item) for item in array.tolist()]
    items: list[Any] = array.tolist()
    return items


@lru_cache(maxsize=4096)  # a chain tells the same hundred instants in every decision of a day
def _utc(instant: datetime, fold: int) -> str:
    """Return an instant; ``fold`` tells apart the two that a clock shows alike."""
    del fold
    return instant.astimezone(UTC).isoformat()


# The first row that fits: booleans are integers, numpy floats are floats, instants are dates
_ENCODERS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (Enum, lambda value: value.value),
    ((type(None), bool, int, str), lambda value: value),
    (float, lambda value: None if math.isnan(value) else value),
    (Decimal, str),
    (datetime, lambda value: _utc(value, value.fold)),
    (date, lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    ((OptionContract, FutureContract), lambda value: value.symbol),
    (np.ndarray, _encode_array),
    (np.generic, lambda value: encode(value.item())),
    (Mapping, lambda value: {str(encode(key)): encode(item) for key, item in value.items()}),
    ((tuple, list), lambda value: [encode(item) for item in value]),
)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def decode(kind: Any, data: Any) -> Any:  # noqa: ANN401 one row a type
    """Return ``data`` as a value of type ``kind``; raises UndecodableValue."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(kind, data)
    if origin is np.ndarray:
        return _decode_array(kind, data)
    if origin is tuple:
        return _decode_tuple(get_args(kind), _expect(list, data, kind))
    if origin is dict:
        item_kind = get_args(kind)[1]
        mapping = _expect(dict, data, kind)
        return {str(key): decode(item_kind, item) for key, item in mapping.items()}
    if origin is Literal:
        if data not in get_args(kind):
            raise UndecodableValue(f"{data!r:.80} is not one of {get_args(kind)}")
        return data
    if is_dataclass(kind) and kind not in (OptionContract, FutureContract):
        return _decode_dataclass(kind, _expect(dict, data, kind))
    return _decode_scalar(kind, data)


def _decode_dataclass(kind: Any, data: dict[str, Any]) -> Any:  # noqa: ANN401
    hints = _hints(kind)
    names = {entry.name for entry in fields(kind)}
    if unknown := data.keys() - names:
        raise UndecodableValue(f"{kind.__name__}: unknown key {min(unknown)!r}")
    values = {}
    for name in (entry.name for entry in fields(kind) if entry.name in data):
        try:
            values[name] = decode(hints[name], data[name])
        except UndecodableValue as cause:
            raise UndecodableValue(f"{kind.__name__}.{name}: {cause}") from cause
    try:
        return kind(**values)
    except (TypeError, AssertionError, DomainError) as cause:  # AssertionError: an invariant of it
        raise UndecodableValue(f"{kind.__name__}: {cause}") from cause


def _decode_union(kind: Any, data: Any) -> Any:  # noqa: ANN401
    options = [option for option in get_args(kind) if option is not types.NoneType]
    if data is None and len(options) < len(get_args(kind)):
        return None
    if len(options) == 1:  # its own message says more, and where
        return decode(options[0], data)
    for option in options:
        try:
            return decode(option, data)
        except (UndecodableValue, DomainError):
            continue
    raise UndecodableValue(f"{data!r} is none of {kind}")


# Kinds of array that plain JSON items may become; an object array is floats with null for NaN.
_ARRAY_KINDS = {np.float64: "ifO", np.int64: "i", np.bool_: "b", np.datetime64: "U"}


def _decode_array(kind: Any, data: Any) -> Any:  # noqa: ANN401
    scalar = get_args(get_args(kind)[1])[0]
    dtype = "datetime64[D]" if scalar is np.datetime64 else scalar
    if isinstance(data, dict):
        return np.empty(_decode_empty_shape(data), dtype=dtype)
    items = _expect(list, data, kind)
    try:
        array = np.array(items)
        if array.size and array.dtype.kind not in _ARRAY_KINDS[scalar]:
            raise UndecodableValue(f"not an array of {scalar.__name__}")
        if array.dtype.kind == "f" and np.isinf(array).any():
            raise UndecodableValue("too large a number")
        return array.astype(dtype)  # None becomes NaN
    except (TypeError, ValueError) as cause:
        raise UndecodableValue(f"not an array of {scalar.__name__}: {cause}") from cause


def _decode_empty_shape(data: dict[str, Any]) -> tuple[int, ...]:
    shape = data.get("shape")
    if data.keys() != {"shape"} or not isinstance(shape, list) or 0 not in shape:
        raise UndecodableValue(f"{data!r:.80} is not the shape of an empty array")
    return _decode_tuple((int, ...), shape)


def _decode_tuple(kinds: tuple[Any, ...], items: list[Any]) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:  # noqa: PLR2004 tuple[X, ...]
        kinds = (kinds[0],) * len(items)
    if len(kinds) != len(items):
        raise UndecodableValue(f"expected {len(kinds)} items, found {len(items)}")
    values: list[Any] = []
    try:
        for kind, item in zip(kinds, items, strict=True):
            values.append(decode(kind, item))
    except UndecodableValue as cause:
        raise UndecodableValue(f"[{len(values)}]: {cause}") from cause
    return tuple(values)


def _decode_scalar(kind: Any, data: Any) -> Any:  # noqa: ANN401 one row a type
    try:
        if kind is datetime:
            instant = datetime.fromisoformat(_expect(str, data, kind))
            if instant.tzinfo is None:
                raise UndecodableValue(f"{data!r} has no time zone")
            return instant
        if kind is date:
            return date.fromisoformat(_expect(str, data, kind))
        if kind is timedelta:
            return timedelta(seconds=float(data))
        if kind is Decimal:
            amount = Decimal(_expect(str, data, kind))
            if not amount.is_finite():
                raise UndecodableValue(f"{data!r} is not a number")
            return amount
        if kind in (OptionContract, FutureContract):
            instrument = parse_symbol(_expect(str, data, kind))
            return _expect(kind, instrument, kind)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return kind(data)
    except (ValueError, ArithmeticError, TypeError) as cause:
        raise UndecodableValue(f"{data!r} is not a {kind.__name__}") from cause
    if kind is float:
        if isinstance(data, bool):
            raise UndecodableValue(f"{data!r} is not a number")
        number = float("nan") if data is None else float(_expect((int, float), data, kind))
        if math.isinf(number):
            raise UndecodableValue("too large a number")
        return number
    if kind is int and isinstance(data, bool):
        raise UndecodableValue(f"{data!r} is not a whole number")
    supertype = getattr(kind, "__supertype__", None)  # NewType
    return _expect(supertype or kind, data, kind)


def _expect(kind: Any, data: Any, wanted: Any) -> Any:  # noqa: ANN401
    if not isinstance(data, kind):
        name = getattr(wanted, "__name__", str(wanted))
        raise UndecodableValue(f"expected {name}, found {data!r:.80}")
    return data
