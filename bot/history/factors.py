"""Factor feeds of the evidence panel (E): observations from files and from bundled history.

Nothing in a file is believed, and every refusal names the file and the line. An observation counts
from the session after the one it was published on: its own day, and ``lag`` weekdays on where the
publisher takes that long. What a file holds of later days never reaches a decision.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from bot.history.files import (
    FileLayout,
    HistoryFileInvalid,
    accept,
    number_between,
    parse_day,
    parsed_rows,
    read_header,
)
from bot.history.store import DateArray, History
from strategies.model.factors import absent, known_before
from strategies.model.quotes import FloatArray
from strategies.model.rules import FactorRule
from strategies.model.snapshots import FactorSeries

# FRED's names of what is bundled; other series of theirs come as a file
BUNDLED_FRED: Final = ("BAA10Y", "DBAA", "T10Y3M", "RBUSBIS")
_DATE_COLUMNS: Final = ("date", "observation_date")
_VALUE_COLUMN: Final = "value"
_MISSING: Final = ("", ".")  # as FRED writes it
_LARGEST: Final = 1e300

_number = number_between(-_LARGEST, _LARGEST, "a finite number")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observations:
    """Every observation of one feed, oldest first; arrays (n,)."""

    day: DateArray  # datetime64[D], ascending
    value: FloatArray  # finite


class FactorFiles:
    """The feeds of a configuration that do not come from the broker."""

    def __init__(self, history: History, resolve: Callable[[Path], Path], today: date) -> None:
        """Read nothing yet.

        Args:
            history: Where bundled series come from.
            resolve: Turns a path of the configuration into one that can be opened.
            today: The day of the wall clock; a file with later days is refused.
        """
        self._history = history
        self._resolve = resolve
        self._today = today

    def read(self, rule: FactorRule) -> Observations:
        """Return every observation of a feed, as its source has them now.

        Raises: HistoryFileInvalid.
        """
        assert rule.source != "ib", "the broker is asked through its port"
        if rule.source == "fred" and rule.series in BUNDLED_FRED:
            series = self._history.daily(rule.series)
            return Observations(day=series.session, value=series.close)
        path = self._resolve(Path(rule.series))
        if rule.source == "fred" and path.suffix.lower() != ".csv":
            names = ", ".join(BUNDLED_FRED)
            raise HistoryFileInvalid(path, f"expected a .csv file, or one of {names}")
        return read_observations(path, rule, self._today)

    def before(self, rule: FactorRule, session: date) -> FactorSeries:
        """Return what was known of a feed before a session; if it cannot be read, why."""
        try:
            observations = self.read(rule)
        except HistoryFileInvalid as fault:
            return absent(rule, str(fault))
        return known_before(observations.day, observations.value, rule, session)


def read_observations(path: Path, rule: FactorRule, today: date) -> Observations:
    """Return the observations of a file.

    A ``fred`` file has a date column and one other, in which "." is no value; ``csv`` and
    ``parquet`` files have a date column and one named ``value``. A date column is called ``date``
    or ``observation_date``, in either case.

    Args:
        path: The file.
        rule: Its feed; observations further apart than ``max_age`` are refused.
        today: Days after it are refused.

    Raises: HistoryFileInvalid.
    """
    is_fred = rule.source == "fred"
    date_name, value_name = _columns(path, is_fred=is_fred)
    layout = FileLayout(
        key=(),
        required={date_name: parse_day, value_name: _or_missing if is_fred else _number},
        optional={},
        check_row=accept,
    )
    reading = _Reading(path, date_name, rule.max_age, today)
    for row, cells in parsed_rows(path, layout):
        reading.add(row, cells[date_name], cells[value_name])
    return reading.observations()


class _Reading:
    """Takes the rows of a file one by one and refuses the first that is out of place."""

    def __init__(self, path: Path, date_name: str, max_age: int, today: date) -> None:
        self._path = path
        self._date_name = date_name
        self._max_age = max_age
        self._today = today
        self._last: tuple[date, int] | None = None  # day and row, with a value or without
        self._days: list[date] = []
        self._values: list[float] = []

    def add(self, row: int, day: date, value: float) -> None:
        """Take one row; NaN is a day without a value."""
        if day > self._today:
            self._refuse(row, f"expected no day after today, {self._today}, found {day}")
        if self._last is not None:
            last_day, last_row = self._last
            if day == last_day:
                self._refuse(
                    row, f"expected each date once, but {day} is already in row {last_row}"
                )
            if day < last_day:
                self._refuse(row, f"expected dates to ascend, but {day} follows {last_day}")
        self._last = (day, row)
        if math.isnan(value):
            return
        if self._days and (gap := (day - self._days[-1]).days) > self._max_age:
            self._refuse(
                row,
                f"expected observations at most {self._max_age} days apart (max_age); {day} "
                f"comes {gap} days after {self._days[-1]}",
            )
        self._days.append(day)
        self._values.append(value)

    def observations(self) -> Observations:
        """Return what was taken."""
        if not self._days:
            raise HistoryFileInvalid(self._path, "expected at least one observation, found none")
        days = np.array(self._days, dtype="datetime64[D]")
        return Observations(day=days, value=np.array(self._values))

    def _refuse(self, row: int, expected: str) -> NoReturn:
        raise HistoryFileInvalid(self._path, expected, row=row, column=self._date_name)


def _columns(path: Path, *, is_fred: bool) -> tuple[str, str]:
    """Return the names of the date column and of the value column."""
    header = read_header(path)
    found = ", ".join(header) or "nothing"
    dates = [name for name in _DATE_COLUMNS if name in header]
    if not dates:
        expected = f"expected a column {' or '.join(_DATE_COLUMNS)} in the header, found {found}"
        raise HistoryFileInvalid(path, expected, row=1)
    others = [name for name in header if name != dates[0]]
    if is_fred and len(others) != 1:
        expected = f"expected two columns in the header, date and series, found {found}"
        raise HistoryFileInvalid(path, expected, row=1)
    if not is_fred and _VALUE_COLUMN not in others:
        expected = f"expected this column in the header, found {found}"
        raise HistoryFileInvalid(path, expected, row=1, column=_VALUE_COLUMN)
    return dates[0], others[0] if is_fred else _VALUE_COLUMN


def _or_missing(value: object) -> float:
    is_missing = isinstance(value, str) and value.strip() in _MISSING
    return math.nan if is_missing else _number(value)
