"""The kinds of single values a configuration holds, and what each says when it gets another.

YAML values keep their YAML kind: ``"7"`` is no number. Text typed into the environment or on the
command line has no kind of its own and takes the one the schema asks for.
"""

import math
import re
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

_CLOCK_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class Typed(str):
    """Text from the environment or a flag."""

    __slots__ = ()


def found(value: object) -> str:
    """Return a value as an error message calls it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a section with keys"
        case list():
            return "a list"
        case str():
            return repr(str(value)) if len(value) <= 60 else repr(value[:57] + "...")  # noqa: PLR2004 a line's worth
        case _:
            return str(value)


def expected(what: str, value: object) -> PydanticCustomError:
    """Return the error ``expected <what>, found <value>``."""
    return PydanticCustomError(
        "expected",
        "expected {what}, found {found}",
        {
            "what": what,
            "found": found(value),
        },
    )


def _whole(value: object) -> int:
    if isinstance(value, Typed):
        try:
            return int(value)
        except ValueError:
            raise expected("a whole number", value) from None
    if isinstance(value, bool) or not isinstance(value, int):
        raise expected("a whole number", value)
    return value


def _number(value: object) -> float:
    number = _parse_float(value) if isinstance(value, Typed) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise expected("a number", value)
    if not math.isfinite(number):
        raise expected("a finite number", value)
    return float(number)


def _parse_float(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _money(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Typed | Decimal):
        raise expected("an amount in US dollars", value)
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise expected("an amount in US dollars", value) from None
    if not amount.is_finite():
        raise expected("an amount in US dollars", value)
    return amount


def _switch(value: object) -> bool:
    if isinstance(value, Typed) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise expected("true or false", value)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise expected("text (put it in quotes)", value)
    return str(value)


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise expected("a date like 2020-02-03", value) from None


def parse_clock_time(text: str) -> time | None:
    """Return ``10:00`` as a time of day, or None if the text is not one."""
    match = _CLOCK_TIME.fullmatch(text)
    return time(int(match[1]), int(match[2])) if match else None


def _clock_time(value: object) -> time:
    if isinstance(value, time):
        return value
    parsed = parse_clock_time(value) if isinstance(value, str) else None
    if parsed is None:
        raise expected('a New York time of day like "09:45"', value)
    return parsed


Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_number)]
Money = Annotated[Decimal, BeforeValidator(_money)]
Switch = Annotated[bool, BeforeValidator(_switch)]
Text = Annotated[str, BeforeValidator(_text)]
Day = Annotated[date, BeforeValidator(_day)]
ClockTime = Annotated[
    time, BeforeValidator(_clock_time), PlainSerializer(lambda at: at.strftime("%H:%M"))
]
