from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import BotError
from bot.history import files
from bot.history.files import (
    EVENTS_LAYOUT,
    VX_LAYOUT,
    HistoryFileInvalid,
    daily_layout,
    read_user_file,
)

VIX = daily_layout("VIX")


def write(folder, text, name="vix.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path, layout=VIX):
    with pytest.raises(HistoryFileInvalid) as caught:
        read_user_file(path, layout)
    assert str(path) in str(caught.value)
    return caught.value


def test_reads_a_csv_file_of_closes_in_any_order(tmp_path):
    columns = read_user_file(write(tmp_path, "date,close\n2026-09-02,16.5\n2026-09-01,15\n"), VIX)
    assert columns["date"].tolist() == [date(2026, 9, 1), date(2026, 9, 2)]
    assert columns["close"].tolist() == [15.0, 16.5]
    assert np.isnan(columns["open"]).all()


def test_header_case_spaces_byte_order_mark_extra_columns_and_blank_lines_do_not_matter(tmp_path):
    text = "\ufeffDATE, Open,HIGH,LOW,CLOSE,Volume\n\n2026-09-01,15,17,14,16,\n"
    columns = read_user_file(write(tmp_path, text), VIX)
    assert [columns[name].tolist() for name in ("open", "high", "low", "close")] == [
        [15.0],
        [17.0],
        [14.0],
        [16.0],
    ]


def test_reads_a_parquet_file_with_real_dates(tmp_path):
    path = tmp_path / "vix.parquet"
    pq.write_table(pa.table({"Date": [date(2026, 9, 1)], "Close": [15.5], "note": ["x"]}), path)
    columns = read_user_file(path, VIX)
    assert columns["date"].tolist() == [date(2026, 9, 1)]
    assert columns["close"].tolist() == [15.5]


@pytest.mark.parametrize(
    ("text", "row", "column", "words"),
    [
        ("", 1, "date", "in the header, found nothing"),
        ("day,close\n2026-09-01,15\n", 1, "date", "in the header, found day, close"),
        ("date,last\n2026-09-01,15\n", 1, "close", "in the header"),
        ("date,close,close\n2026-09-01,15,15\n", 1, "close", "each column once"),
        ("date,close\n", None, None, "at least one row"),
        ("date,close\n2026-09-01\n", 2, None, "2 fields as in the header, found 1"),
        ("date,close\n2026-09-01,1,2\n", 2, None, "2 fields as in the header, found 3"),
        ("date,close\n2026-09-01,15\n09/02/2026,16\n", 3, "date", "written 2026-03-31"),
        ("date,close\n,15\n", 2, "date", "found nothing"),
        ("date,close\n2026-09-05,15\n", 2, "date", "a weekday"),
        ("date,close\n2026-09-01,15\n2026-09-01,16\n", 3, "date", "already in row 2"),
        ("date,close\n2026-09-01,\n", 2, "close", "a price above 0, found nothing"),
        ("date,close\n2026-09-01,nan\n", 2, "close", "a price above 0, found 'nan'"),
        ("date,close\n2026-09-01,inf\n", 2, "close", "a price above 0"),
        ("date,close\n2026-09-01,-15\n", 2, "close", "a price above 0, found '-15'"),
        ("date,close\n2026-09-01,0\n", 2, "close", "a price above 0"),
        ("date,close\n2026-09-01,1_5\n", 2, "close", "a price above 0"),
        ("date,close\n2026-09-01,fifteen\n", 2, "close", "found 'fifteen'"),
        ("date,open,close\n2026-09-01,-1,15\n", 2, "open", "a price above 0"),
        ("date,high,low,close\n2026-09-01,14,15,14.5\n", 2, None, "low at or below high"),
        ("date,high,low,close\n2026-09-01,16,15,17\n", 2, None, "close between low"),
        ('date,close\n2026-09-01,"15\n', None, None, "comma-separated text"),
        (b"date,close\n2026-09-01,\xff\n", None, None, "UTF-8"),
        (b"PK\x03\x04\x00\x00", 1, "date", "in the header"),
    ],
)
def test_a_bad_csv_file_is_refused_with_its_place_and_what_was_expected(
    tmp_path, text, row, column, words
):
    fault = refusal(write(tmp_path, text))
    assert (fault.row, fault.column) == (row, column)
    assert words in str(fault)
    assert isinstance(fault, BotError)


@pytest.mark.parametrize(
    ("table", "row", "column", "words"),
    [
        ({"date": [date(2026, 9, 1)]}, 1, "close", "in the header"),
        ({"date": [date(2026, 9, 1)], "close": [float("nan")]}, 1, "close", "found 'nan'"),
        ({"date": [date(2026, 9, 1)], "close": [None]}, 1, "close", "found nothing"),
        ({"date": [date(2026, 9, 1)], "close": [True]}, 1, "close", "found 'True'"),
        ({"date": [date(2026, 9, 1)], "close": [[15.0]]}, 1, "close", "a price above 0"),
        ({"date": [date(2026, 9, 1), None], "close": [15.0, 16.0]}, 2, "date", "found nothing"),
        ({"date": [20260901], "close": [15.0]}, 1, "date", "written 2026-03-31"),
        ({"date": pa.array([], pa.date32()), "close": pa.array([], pa.float64())}, None, None,
         "at least one row"),
    ],
)  # fmt: skip
def test_a_bad_parquet_file_is_refused_with_its_place(tmp_path, table, row, column, words):
    path = tmp_path / "vix.parquet"
    pq.write_table(pa.table(table), path)
    fault = refusal(path)
    assert (fault.row, fault.column) == (row, column)
    assert words in str(fault)


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    assert "a parquet file" in str(refusal(write(tmp_path, "date,close\n", "vix.parquet")))


def test_a_file_of_another_kind_or_no_file_is_refused(tmp_path):
    assert "found '.xlsx'" in str(refusal(write(tmp_path, "x", "vix.xlsx")))
    assert "No such file" in str(refusal(tmp_path / "absent.csv"))
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be read" in str(refusal(tmp_path / "folder.csv"))


def test_a_file_above_the_size_cap_is_refused_unread(tmp_path):
    path = tmp_path / "vix.csv"
    with path.open("wb") as file:
        file.truncate(files.MAX_BYTES + 1)
    assert "at most 33,554,432 bytes" in str(refusal(path))


def test_a_file_above_the_row_cap_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_ROWS", 2)
    days = ["2026-09-01", "2026-09-02", "2026-09-03"]
    text = "date,close\n" + "".join(f"{day},15\n" for day in days)
    assert refusal(write(tmp_path, text)).row == 4
    path = tmp_path / "vix.parquet"
    pq.write_table(pa.table({"date": days, "close": [1.0, 2.0, 3.0]}), path)
    assert "at most 2 rows, found 3" in str(refusal(path))


def test_a_parquet_file_that_unpacks_too_large_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_MAX_UNPACKED_BYTES", 10)
    path = tmp_path / "vix.parquet"
    pq.write_table(pa.table({"date": ["2026-09-01"], "close": [1.0]}), path)
    assert "bytes unpacked" in str(refusal(path))


def test_an_overlong_field_is_refused(tmp_path):
    assert "field larger" in str(refusal(write(tmp_path, "date,close\n" + "1" * 200_000)))


def test_breadth_is_a_share_and_a_rate_may_be_negative(tmp_path):
    path = write(tmp_path, "date,close\n2026-09-01,-0.4\n")
    assert read_user_file(path, daily_layout("BREADTH"))["close"].tolist() == [-0.4]
    assert read_user_file(path, daily_layout("RATE"))["close"].tolist() == [-0.4]
    counts = write(tmp_path, "date,close\n2026-09-01,412\n")
    assert "a share from -1 to 1" in str(refusal(counts, daily_layout("BREADTH")))
    assert "a rate in percent" in str(refusal(counts, daily_layout("RATE")))


def test_futures_are_keyed_by_trade_date_and_expiry(tmp_path):
    header = "trade_date,contract_expiry,settle\n"
    two = "2026-06-02,2026-06-17,18.1\n2026-06-02,2026-07-22,20\n"
    columns = read_user_file(write(tmp_path, header + two), VX_LAYOUT)
    assert columns["settle"].tolist() == [18.1, 20.0]
    twice = refusal(write(tmp_path, header + two + "2026-06-02,2026-07-22,20\n"), VX_LAYOUT)
    assert (twice.row, twice.column) == (4, "trade_date")
    late = refusal(write(tmp_path, header + "2026-06-18,2026-06-17,18\n"), VX_LAYOUT)
    assert "on or before contract_expiry" in str(late)


def test_events_know_three_kinds_and_default_times(tmp_path):
    text = "date,event\n2028-01-26,fomc_decision\n2028-01-13,CPI\n"
    columns = read_user_file(write(tmp_path, text), EVENTS_LAYOUT)
    assert columns["event"].tolist() == ["cpi", "fomc"]
    assert columns["time_et"].tolist() == [None, None]
    fault = refusal(write(tmp_path, "date,event\n2028-01-26,nfp\n"), EVENTS_LAYOUT)
    assert (fault.column, "one of fomc, cpi, ppi" in str(fault)) == ("event", True)
    text = "date,event,time_et\n2028-01-26,fomc,2pm\n"
    assert refusal(write(tmp_path, text), EVENTS_LAYOUT).column == "time_et"


@given(st.binary(max_size=300), st.sampled_from(["f.csv", "f.parquet"]))
def test_any_bytes_are_read_or_refused_never_anything_else(tmp_path_factory, contents, name):
    path = Path(tmp_path_factory.mktemp("any")) / name
    path.write_bytes(contents)
    with pytest.raises(HistoryFileInvalid):  # 300 random bytes never spell a history
        read_user_file(path, VIX)


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_damaged_parquet_file_is_read_or_refused_never_anything_else(tmp_path_factory, damage):
    path = Path(tmp_path_factory.mktemp("damaged")) / "f.parquet"
    days = [date(2026, 9, 1), date(2026, 9, 2)]
    pq.write_table(pa.table({"date": days, "close": [15.0, 16.0], "open": ["14", "15"]}), path)
    contents = bytearray(path.read_bytes())
    for place, byte in damage:
        contents[place % len(contents)] = byte
    path.write_bytes(contents)
    try:
        columns = read_user_file(path, VIX)
    except HistoryFileInvalid:
        return
    assert (columns["close"] > 0).all()


def test_a_parquet_date_beyond_the_year_9999_is_refused(tmp_path):
    path = tmp_path / "vix.parquet"
    far = pa.array([2_000_000_000], pa.int32()).view(pa.date32())
    pq.write_table(pa.table({"date": far, "close": [15.0]}), path)
    assert "a parquet file" in str(refusal(path))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["2026-09-01", "2026-09-02", "x", ""]),
            st.sampled_from(["15", "-1", "nan", "", "1e400", " 7 ", "0x10"]),
        ),
        max_size=4,
    )
)
def test_what_is_accepted_is_finite_positive_and_ascending(tmp_path_factory, rows):
    path = Path(tmp_path_factory.mktemp("rows")) / "f.csv"
    path.write_text("date,close\n" + "".join(f"{day},{close}\n" for day, close in rows))
    try:
        columns = read_user_file(path, VIX)
    except HistoryFileInvalid:
        return
    assert len(columns["date"]) == len(rows)
    assert (np.diff(columns["date"]).astype(int) > 0).all()
    assert (np.isfinite(columns["close"]) & (columns["close"] > 0)).all()
