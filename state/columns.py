"""How exact amounts, instants and dates stand in the database, and how they come back.

Amounts of money and prices are whole millionths in INTEGER columns whose names end in ``_micros``:
sums are exact, in Python and in SQL. Instants are UTC text of one width
(``2020-03-16T14:00:00.000000Z``), so that they sort, compare with a bare date, and can be read.
"""

import json
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Dialect,
    String,
    bindparam,
    func,
    select,
)
from sqlalchemy.types import TypeDecorator, UserDefinedType

from state.amounts import from_micros, instant_of, instant_text, to_micros

_INSTANT_LENGTH = 27
_DATE_LENGTH = 10


class Micros(TypeDecorator[Decimal]):
    """A Decimal as whole millionths in an INTEGER."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002 the signature is SQLAlchemy's
        """Return the stored form."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 the signature is SQLAlchemy's
        """Return the amount."""
        return None if value is None else from_micros(value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime as UTC text of one width."""

    impl = String(_INSTANT_LENGTH)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002 the signature is SQLAlchemy's
        """Return the stored form."""
        return None if value is None else instant_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 the signature is SQLAlchemy's
        """Return the instant, in UTC."""
        return None if value is None else instant_of(value)


class Day(TypeDecorator[date]):
    """A date as ISO-8601 text."""

    impl = String(_DATE_LENGTH)
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:  # noqa: ARG002 the signature is SQLAlchemy's
        """Return the stored form."""
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:  # noqa: ARG002 the signature is SQLAlchemy's
        """Return the date."""
        return None if value is None else date.fromisoformat(value)


class Scalar(UserDefinedType[Any]):
    """A number or a text as it is: a BLOB column has no affinity that would turn "3" into 3."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the declared type."""
        return "BLOB"


class Listed(TypeDecorator[Collection[Any]]):
    """Texts or dates as one JSON array, for ``among``."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> str:  # noqa: ARG002 the signature is SQLAlchemy's
        """Return the array."""
        return json.dumps([str(each) for each in value or ()])


def among(column: Column[Any], name: str) -> ColumnElement[bool]:
    """Return the condition that a column is among the values of a parameter, however many.

    One statement serves any number of them; an expanding parameter is spelt anew each time.
    """
    values = func.json_each(bindparam(name, type_=Listed())).table_valued("value")
    return column.in_(select(values.c.value))


def one_of(column: str, kinds: type[StrEnum] | Sequence[str]) -> CheckConstraint:
    """Return the constraint that a column holds one of the values (not the names) of an enum."""
    values = ", ".join(f"'{kind}'" for kind in kinds)
    return CheckConstraint(f"{column} IN ({values})", name=f"{column}_is_known")


def whole(*columns: str) -> CheckConstraint:
    """Return the constraint that amounts are integers: SQLite would accept text and fractions."""
    kinds = " AND ".join(f"typeof({column}) IN ('integer', 'null')" for column in columns)
    return CheckConstraint(kinds, name="amounts_are_whole")
