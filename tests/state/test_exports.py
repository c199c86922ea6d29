"""Tables as files that spreadsheets and data frames read back."""

import csv

import pandas as pd
import pytest

from state.errors import StorageFailed
from state.exports import write_csv, write_parquet
from state.readers import Table

TABLE = Table(
    ("exec_id", "quantity", "price", "layer", "passed", "vega"),
    (
        ("e1.01", -12, "3.10", None, True, -0.25),
        ("e2.01", 10, "-0.50", "L1", None, None),
    ),
)


def test_csv_holds_every_cell_as_it_is(tmp_path):
    write_csv(TABLE, tmp_path / "fills.csv")
    with (tmp_path / "fills.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        list(TABLE.columns),
        ["e1.01", "-12", "3.10", "", "True", "-0.25"],
        ["e2.01", "10", "-0.50", "L1", "", ""],
    ]


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd", "@sum", "\t=1", "=HYPERLINK(1)"])
def test_text_that_a_spreadsheet_would_run_is_disarmed(tmp_path, text):
    write_csv(Table(("note",), ((text,), ("-1.15",))), tmp_path / "t.csv")
    frame = pd.read_csv(tmp_path / "t.csv", dtype=str)
    assert frame["note"].tolist() == [f"'{text}", "-1.15"]


def test_parquet_keeps_whole_numbers_whole_and_decimals_exact(tmp_path):
    write_parquet(TABLE, tmp_path / "fills.parquet")
    frame = pd.read_parquet(tmp_path / "fills.parquet")
    assert list(frame.columns) == list(TABLE.columns)
    assert frame["quantity"].tolist() == [-12, 10]
    assert str(frame["quantity"].dtype).startswith("Int")
    assert frame["price"].tolist() == ["3.10", "-0.50"]
    assert frame["layer"].isna().tolist() == [True, False]


def test_empty_tables_have_their_columns(tmp_path):
    empty = Table(TABLE.columns, ())
    write_csv(empty, tmp_path / "empty.csv")
    write_parquet(empty, tmp_path / "empty.parquet")
    assert (tmp_path / "empty.csv").read_text() == ",".join(TABLE.columns) + "\n"
    assert list(pd.read_parquet(tmp_path / "empty.parquet").columns) == list(TABLE.columns)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    for write in (write_csv, write_parquet):
        with pytest.raises(StorageFailed, match="missing"):
            write(TABLE, tmp_path / "missing" / "file")
