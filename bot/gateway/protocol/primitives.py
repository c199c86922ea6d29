"""How single values are spelled on the wire, and what the spellings mean.

A number can be unset. Every end spells that its own way (empty, Java's largest double in either
case, the largest int, long or 128-bit decimal), and all of them are understood everywhere. What a
number that must be there means when it is unset: zero.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

UNSET_DOUBLE = "1.7976931348623157E308"
UNSET_INT = "2147483647"
UNSET_LONG = "9223372036854775807"
UNSET_DECIMAL = "170141183460469231731687303715884105727"

_UNSET = frozenset(
    {"", UNSET_DOUBLE, "1.7976931348623157e+308", UNSET_INT, UNSET_LONG, UNSET_DECIMAL}
)
_INFINITE = frozenset({"Infinity", "Infinite", "inf", "+Infinity"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
_PLAIN_FROM, _PLAIN_BELOW = 1e-3, 1e7  # between them Java prints no exponent
_PLAIN_DIGITS_FROM, _PLAIN_DIGITS_BELOW = Decimal("1E-18"), Decimal("1E18")
_PLAIN_DIGITS = 18
_SHORT = 60
_ASCII_END = 0x80


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of spelling a value.

    Attributes:
        name: What it is called when a field is not one.
        spell: Value to text.
        read: Text to value; ValueError when it is not one.
        unset: How None is spelled; None where a value must be there.
    """

    name: str
    spell: Callable[[Any], str]
    read: Callable[[str], Any]
    unset: str | None = None


def spell_real(value: float | Decimal) -> str:
    """Return a number as Java prints a double: ``5800.0``, ``0.05``, ``1.25E-4``, ``1.0E7``."""
    number = float(value)
    text = repr(number)
    size = abs(number)
    if _PLAIN_FROM <= size < _PLAIN_BELOW or size == 0:
        return text
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    assert not math.isnan(number), "what is sent as a number is one"
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    assert isinstance(exponent, int), "infinity was told apart above"
    first, *others = map(str, digits)
    power = exponent + len(others)
    return f"{'-' if sign else ''}{first}.{''.join(others) or '0'}E{power}"


def spell_plain(value: float | Decimal) -> str:
    """Return a number without exponent or a fraction that says nothing: ``2``, ``0.5``."""
    if isinstance(value, int):
        return str(int(value))
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    plain = str(number)
    if plain.isdigit() and len(plain) <= _PLAIN_DIGITS:
        return plain
    if not number.is_finite() or not (_PLAIN_DIGITS_FROM <= abs(number) < _PLAIN_DIGITS_BELOW):
        return spell_real(number) if number else "0"
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0", "-") else text


def escape(text: str) -> str:
    r"""Return text in ASCII: backslashes doubled, and what is not ASCII as Java writes it."""
    doubled = text.replace("\\", "\\\\")
    if doubled.isascii():
        return doubled
    units = doubled.encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if code < _ASCII_END else f"\\u{code:04x}" for code in codes)


def unescape(text: str) -> str:
    """Return what an escaped text says; one that is not escaped properly is left as it is."""
    if "\\" not in text:
        return text
    try:
        units = text.encode("ascii", "backslashreplace").decode("unicode-escape")
        return units.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    except UnicodeError:
        return text


def _spell_integer(value: Any) -> str:  # noqa: ANN401 what a message holds
    return str(int(value))


def _spell_boolean(value: Any) -> str:  # noqa: ANN401 what a message holds
    return "1" if value else "0"


def _read_boolean(text: str) -> bool:
    if text == "1":
        return True
    if text in ("0", ""):
        return False
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    return bool(_integer(text))


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise ValueError(text[:_SHORT])
    return int(text)


def _real(text: str) -> float:
    if text in _INFINITE:
        return math.inf
    if _NUMBER.fullmatch(text) is None or math.isinf(number := float(text)):
        raise ValueError(text[:_SHORT])
    return number


def _decimal(text: str) -> Decimal:
    if _NUMBER.fullmatch(text) is None:
        if text in _INFINITE:
            return Decimal("Infinity")
        raise ValueError(text[:_SHORT])
    if "." in text and "e" not in text and "E" not in text:
        text = text.rstrip("0").rstrip(".") or "0"
    number = Decimal(text)
    if math.isinf(float(number)):
        raise ValueError(text[:_SHORT])
    return Decimal(f"{number:f}") if "E" in str(number) else number


def _read_integer(text: str) -> int:
    return 0 if text in _UNSET else _integer(text)


def _read_real(text: str) -> float:
    return 0.0 if text in _UNSET else _real(text)


def _read_decimal(text: str) -> Decimal:
    return Decimal(0) if text in _UNSET else _decimal(text)


def _read_integer_or_none(text: str) -> int | None:
    return None if text in _UNSET else _integer(text)


def _read_real_or_none(text: str) -> float | None:
    return None if text in _UNSET else _real(text)


def _read_decimal_or_none(text: str) -> Decimal | None:
    return None if text in _UNSET else _decimal(text)


TEXT = Kind("text", str, str, unset="")
ESCAPED = Kind("text", escape, unescape)
BOOL = Kind("0 or 1", _spell_boolean, _read_boolean)
INT = Kind("a whole number", _spell_integer, _read_integer)
REAL = Kind("a number", spell_real, _read_real)
NUMBER = Kind("a number", spell_plain, _read_real)  # a float without a fraction that says nothing
QUANTITY = Kind("a quantity", spell_plain, _read_decimal)
PRICE = Kind("a price", spell_real, _read_decimal)


def optional_int(unset: str = "") -> Kind:
    """Return a whole number that may be unset, spelled ``unset``."""
    return Kind("a whole number", _spell_integer, _read_integer_or_none, unset)


def optional_real(unset: str = "") -> Kind:
    """Return a float that may be unset, spelled ``unset``."""
    return Kind("a number", spell_real, _read_real_or_none, unset)


def optional_price(unset: str = "") -> Kind:
    """Return an exact price that may be unset, spelled ``unset``."""
    return Kind("a price", spell_real, _read_decimal_or_none, unset)


def optional_quantity(unset: str = "") -> Kind:
    """Return an exact quantity that may be unset, spelled ``unset``."""
    return Kind("a quantity", spell_plain, _read_decimal_or_none, unset)
