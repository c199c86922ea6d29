"""Factor feeds (E): what a file may hold, what is refused and where, and what is known when."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.history.factors import BUNDLED_FRED, FactorFiles, read_observations
from bot.history.files import HistoryFileInvalid
from bot.history.store import FACTOR_SERIES
from strategies.model.factors import known_before
from strategies.model.rules import FactorRule

TODAY = date(2026, 11, 20)
CSV = FactorRule(name="stress", source="csv", series="stress.csv", fear_above=1.0)
FRED = replace(CSV, source="fred")
PARQUET = replace(CSV, source="parquet", series="stress.parquet")
GOOD = "date,value\n2020-03-02,1.5\n2020-03-03,-2\n2020-03-06,3e1\n"


def write(folder: Path, text: str | bytes, name: str = "stress.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(folder: Path, **columns) -> Path:
    path = folder / "stress.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def refusal(path: Path, rule: FactorRule = CSV) -> HistoryFileInvalid:
    with pytest.raises(HistoryFileInvalid) as caught:
        read_observations(path, rule, TODAY)
    assert str(path) in str(caught.value)
    return caught.value


@pytest.mark.parametrize("date_name", ["date", "DATE", "observation_date", " Date "])
def test_e_a_csv_file_has_a_date_and_a_value_column_in_any_order_and_case(tmp_path, date_name):
    text = f"note,VALUE,{date_name}\nx,1.5,2020-03-02\n,-2,2020-03-03\n"
    seen = read_observations(write(tmp_path, text), CSV, TODAY)
    assert seen.day.tolist() == [date(2020, 3, 2), date(2020, 3, 3)]
    assert seen.value.tolist() == [1.5, -2.0]


def test_e_a_fred_file_has_the_series_as_its_other_column_and_points_for_what_is_missing(tmp_path):
    text = "observation_date,DBAA\n2020-03-02,3.5\n2020-03-03,.\n2020-03-04,\n2020-03-05,3.7\n"
    seen = read_observations(write(tmp_path, text), FRED, TODAY)
    assert seen.day.tolist() == [date(2020, 3, 2), date(2020, 3, 5)]
    assert seen.value.tolist() == [3.5, 3.7]


@pytest.mark.parametrize(
    "days",
    [
        pa.array([date(2020, 3, 2), date(2020, 3, 3)]),
        pa.array(["2020-03-02", "2020-03-03"]),
        pa.array([1583107200000, 1583193600000], pa.timestamp("ms")),
    ],
)
def test_e_a_parquet_file_holds_days_of_any_kind(tmp_path, days):
    seen = read_observations(table(tmp_path, date=days, value=[1.5, 2]), PARQUET, TODAY)
    assert seen.day.tolist() == [date(2020, 3, 2), date(2020, 3, 3)]


@pytest.mark.parametrize(
    ("text", "row", "column", "words"),
    [
        ("", 1, None, "expected a column date or observation_date in the header, found nothing"),
        ("day,value\n2020-03-02,1\n", 1, None, "found day, value"),
        ("date,close\n2020-03-02,1\n", 1, "value", "in the header, found date, close"),
        ("date,date,value\n2020-03-02,2020-03-02,1\n", 1, "date", "expected each column once"),
        ("date,value\n", None, None, "expected at least one observation, found none"),
        ("date,value\n02.03.2020,1\n", 2, "date", "expected a date written 2026-03-31, found"),
        ("date,value\n,1\n", 2, "date", "found nothing"),
        ("date,value\n2020-03-02,1\n2020-03-03,x\n", 3, "value", "a finite number, found 'x'"),
        ("date,value\n2020-03-02,nan\n", 2, "value", "a finite number, found 'nan'"),
        ("date,value\n2020-03-02,inf\n", 2, "value", "a finite number, found 'inf'"),
        ("date,value\n2020-03-02,\n", 2, "value", "a finite number, found nothing"),
        ("date,value\n2020-03-02,.\n", 2, "value", "a finite number, found '.'"),
        ("date,value\n2020-03-02\n", 2, None, "expected 2 fields as in the header, found 1"),
        (GOOD + "2020-03-06,1\n", 5, "date", "each date once, but 2020-03-06 is already in row 4"),
        (GOOD + "2020-03-05,1\n", 5, "date", "to ascend, but 2020-03-05 follows 2020-03-06"),
        (GOOD + "2020-03-14,1\n", 5, "date", "2020-03-14 comes 8 days after 2020-03-06"),
        ("date,value\n2026-11-21,1\n", 2, "date", "no day after today, 2026-11-20, found 2026-11"),
        (b"date,value\n2020-03-02,\xff\n", None, None, "expected UTF-8 text"),
    ],
)
def test_e_a_bad_file_is_refused_with_its_line_its_column_and_what_was_expected(
    tmp_path, text, row, column, words
):
    fault = refusal(write(tmp_path, text))
    assert (fault.row, fault.column) == (row, column)
    assert words in str(fault)


def test_e_a_gap_of_just_max_age_is_allowed_and_missing_values_do_not_hide_one(tmp_path):
    path = write(tmp_path, GOOD + "2020-03-13,1\n")
    assert len(read_observations(path, CSV, TODAY).day) == 4
    text = "date,X\n2020-03-02,1\n2020-03-05,.\n2020-03-10,2\n"
    fault = refusal(write(tmp_path, text), FRED)
    assert "2020-03-10 comes 8 days after 2020-03-02" in str(fault)
    monthly = replace(FRED, max_age=31)
    assert len(read_observations(write(tmp_path, text), monthly, TODAY).day) == 2


def test_e_a_day_of_today_is_allowed_and_missing_days_must_ascend_too(tmp_path):
    assert read_observations(write(tmp_path, f"date,value\n{TODAY},1\n"), CSV, TODAY).value == [1.0]
    fault = refusal(write(tmp_path, "date,X\n2020-03-03,.\n2020-03-02,1\n"), FRED)
    assert "2020-03-02 follows 2020-03-03" in str(fault)
    fault = refusal(write(tmp_path, "date,X\n2020-03-03,.\n2020-03-03,1\n"), FRED)
    assert "already in row 2" in str(fault)


@pytest.mark.parametrize("header", ["date,DBAA,DGS10", "date"])
def test_e_a_fred_file_with_no_or_more_series_is_refused(tmp_path, header):
    fault = refusal(write(tmp_path, f"{header}\n"), FRED)
    assert "expected two columns in the header, date and series" in str(fault)


def test_e_a_fred_file_of_nothing_but_missing_values_is_refused(tmp_path):
    fault = refusal(write(tmp_path, "date,DBAA\n2020-03-02,.\n"), FRED)
    assert "expected at least one observation" in str(fault)


@pytest.mark.parametrize("value", [None, float("nan"), "many", True])
def test_e_a_bad_parquet_value_is_refused_with_its_row(tmp_path, value):
    days = [date(2020, 3, 2), date(2020, 3, 3)]
    values = ["1", value] if isinstance(value, str) else [value] * 2
    fault = refusal(table(tmp_path, date=days, value=values), PARQUET)
    assert (fault.row, fault.column) == (2 if isinstance(value, str) else 1, "value")


def test_e_a_file_that_is_not_there_or_no_parquet_is_refused(tmp_path):
    assert "cannot be read: No such file" in str(refusal(tmp_path / "nowhere.csv"))
    assert "expected a parquet file" in str(refusal(write(tmp_path, GOOD, "x.parquet"), PARQUET))
    assert "expected a .csv or .parquet file, found ''" in str(refusal(tmp_path))


LINES = st.lists(
    st.one_of(
        st.tuples(st.dates(date(2019, 1, 1), date(2027, 1, 1)).map(str), st.floats().map(str)),
        st.tuples(st.text(max_size=12), st.text(max_size=12)),
        st.just(("2020-03-02", "1")),
    ),
    max_size=8,
)
HEADERS = st.sampled_from(["date,value", "observation_date,DBAA", "DATE,value,x", "a,b", ""])


@given(header=HEADERS, lines=LINES, source=st.sampled_from(["csv", "fred"]))
def test_e_any_text_is_read_or_refused_with_its_file_and_never_breaks(
    tmp_path_factory, header, lines, source
):
    text = "\n".join([header, *(",".join(line) for line in lines)])
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(text, encoding="utf-8", errors="replace")
    check_read_or_refused(path, replace(CSV, source=source))


@given(data=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".parquet", ".txt"]))
def test_e_any_bytes_are_read_or_refused_with_their_file_and_never_break(
    tmp_path_factory, data, suffix
):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(data)
    check_read_or_refused(path, CSV)


@given(
    days=st.lists(st.none() | st.dates() | st.integers() | st.text(max_size=5), max_size=4),
    values=st.lists(st.none() | st.floats() | st.text(max_size=5), max_size=4),
)
def test_e_any_parquet_table_is_read_or_refused_and_never_breaks(tmp_path_factory, days, values):
    size = min(len(days), len(values))
    try:
        columns = pa.table({"date": days[:size], "value": values[:size]})
    except (pa.ArrowException, OverflowError):  # kinds that no column holds together
        return
    path = tmp_path_factory.getbasetemp() / "any-table.parquet"
    pq.write_table(columns, path)
    check_read_or_refused(path, PARQUET)


def check_read_or_refused(path: Path, rule: FactorRule) -> None:
    try:
        seen = read_observations(path, rule, TODAY)
    except HistoryFileInvalid:
        refusal(path, rule)
        return
    assert len(seen.day) == len(seen.value) > 0
    assert np.isfinite(seen.value).all()
    steps = np.diff(seen.day).astype(int)
    assert ((steps > 0) & (steps <= rule.max_age)).all()
    assert seen.day[-1].item() <= TODAY


# --- what is known when -------------------------------------------------------------------------


def known(session, days, lag=0):
    values = np.arange(float(len(days)))
    return known_before(
        np.array(days, dtype="datetime64[D]"), values, replace(CSV, lag=lag), session
    )


def test_e_only_observations_strictly_before_the_session_are_handed_over():
    days = ["2020-03-12", "2020-03-13", "2020-03-16", "2020-03-17"]
    assert known(date(2020, 3, 16), days).day.tolist() == [date(2020, 3, 12), date(2020, 3, 13)]
    assert known(date(2020, 3, 12), days).day.tolist() == []
    assert known(date(2020, 3, 18), days).value.tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("day", "lag", "first_used"),
    [
        ("2020-03-13", 0, "2020-03-14"),  # a Friday
        ("2020-03-13", 1, "2020-03-17"),  # out on Monday, known on Tuesday
        ("2020-03-14", 0, "2020-03-15"),  # a Saturday, of something that trades on it
        ("2020-03-14", 1, "2020-03-18"),  # as Monday's
        ("2020-02-01", 31, "2020-03-18"),  # a Saturday: the 31st weekday after Monday
    ],
)
def test_e_a_lag_counts_weekdays_to_the_day_of_publication(day, lag, first_used):
    first = date.fromisoformat(first_used)
    assert known(first, [day], lag).day.size == 1
    assert known(first - timedelta(days=1), [day], lag).day.size == 0


@given(
    days=st.lists(st.dates(date(2003, 1, 1), date(2021, 1, 1)), max_size=20, unique=True).map(
        sorted
    ),
    session=st.dates(date(2002, 1, 1), date(2022, 1, 1)),
    lag=st.integers(0, 60),
)
def test_e_nothing_published_on_the_session_or_later_is_known(days, session, lag):
    seen = known(session, days, lag)
    for day in days:
        published = np.busday_offset(np.datetime64(day), lag, roll="forward") if lag else day
        is_known = date(2004, 3, 26) <= day and published < np.datetime64(session)
        assert (np.datetime64(day) in seen.day) == is_known


# --- bundled and broken at run time -------------------------------------------------------------


def files(history, folder, today=TODAY) -> FactorFiles:
    return FactorFiles(history, lambda path: folder / path, today)


def test_e_a_bundled_fred_series_needs_no_file(history, tmp_path):
    rule = replace(FRED, series="DBAA", lag=1)
    seen = files(history, tmp_path).before(rule, date(2020, 3, 17))
    assert seen.problem == ""
    assert seen.day[-1] == np.datetime64("2020-03-13")
    assert seen.value[-1] == history.daily("DBAA").close_on(date(2020, 3, 13))
    assert seen.day[0] == np.datetime64("2004-03-26")
    assert set(BUNDLED_FRED) == {*FACTOR_SERIES, "BAA10Y"}


def test_e_a_fred_name_that_is_not_bundled_is_refused_with_what_is(history, tmp_path):
    with pytest.raises(HistoryFileInvalid, match="or one of BAA10Y, DBAA, T10Y3M, RBUSBIS"):
        files(history, tmp_path).read(replace(FRED, series="DGS2"))


def test_e_a_file_that_vanishes_or_breaks_at_run_time_makes_the_factor_absent(history, tmp_path):
    path, feeds = write(tmp_path, GOOD), files(history, tmp_path)
    session = date(2020, 3, 9)
    assert feeds.before(CSV, session).value.tolist() == [1.5, -2.0, 30.0]
    path.write_text(GOOD + "oops\n")
    broken = feeds.before(CSV, session)
    assert broken.problem == f"{path}, row 5: expected 2 fields as in the header, found 1"
    path.unlink()
    gone = feeds.before(CSV, session)
    assert (gone.name, gone.day.size) == ("stress", 0)
    assert "cannot be read: No such file" in gone.problem
