from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.calendars import special_days
from bot.calendars.special_days import (
    CalendarFileInvalid,
    DayKind,
    SpecialDay,
    read_special_days,
)

HEADER = "date,kind,reason\n"


def write(folder, contents):
    path = folder / "overrides.csv"
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return path


def refusal(path):
    with pytest.raises(CalendarFileInvalid) as caught:
        read_special_days(path)
    assert str(path) in str(caught.value)
    return caught.value


def test_days_are_read_in_order_with_their_reasons(tmp_path):
    path = write(
        tmp_path,
        HEADER + '2026-12-29, CLOSED ,"storm, second day"\n\n2026-12-28,early_close,storm\n',
    )
    assert read_special_days(path) == (
        SpecialDay(date(2026, 12, 28), DayKind.EARLY_CLOSE, "storm"),
        SpecialDay(date(2026, 12, 29), DayKind.CLOSED, "storm, second day"),
    )


def test_a_file_without_rows_overrides_nothing(tmp_path):
    assert read_special_days(write(tmp_path, HEADER)) == ()


def test_the_tightest_of_two_rows_of_a_day_counts(tmp_path):
    rows = ["2026-12-29,closed,a", "2026-12-29,open,b", "2026-12-29,early_close,c"]
    for order in (rows, rows[::-1]):
        (day,) = read_special_days(write(tmp_path, HEADER + "\n".join(order)))
        assert day.kind is DayKind.CLOSED


@pytest.mark.parametrize(
    ("contents", "row", "column", "words"),
    [
        ("", 1, None, "expected the header date,kind,reason, found nothing"),
        ("day,kind\n", 1, None, "found day,kind"),
        (HEADER + "2026-12-28,closed\n", 2, None, "expected 3 fields, found 2"),
        (HEADER + "2026-12-28,closed,a,b\n", 2, None, "expected 3 fields, found 4"),
        (HEADER + "28.12.2026,closed,storm\n", 2, "date", "written 2026-12-24"),
        (HEADER + "2026-12-26,closed,storm\n", 2, "date", "a weekday, found 2026-12-26 (Saturday)"),
        (HEADER + "2026-12-28,shut,storm\n", 2, "kind", "one of open, early_close, closed"),
        (HEADER + '2026-12-28,closed,"storm\n', None, None, "comma-separated text"),
        (b"\xff\xfe\x00", None, None, "UTF-8"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path, contents, row, column, words):
    fault = refusal(write(tmp_path, contents))
    assert (fault.row, fault.column) == (row, column)
    assert words in str(fault)


def test_no_file_and_a_file_above_the_cap_are_refused(tmp_path):
    assert "No such file" in str(refusal(tmp_path / "absent.csv"))
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(special_days.MAX_BYTES + 1)
    assert "at most 1,048,576 bytes" in str(refusal(path))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_never_anything_else(tmp_path_factory, contents):
    path = Path(tmp_path_factory.mktemp("any")) / "f.csv"
    path.write_bytes(contents)
    refusal(path)
