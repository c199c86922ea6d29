"""Tables fit the screen; JSON and CSV keep every column exactly."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bot.app.render.tables import Grid, cell_text, grid_csv, grid_json, print_table

GRID = Grid(
    columns=("at", "symbol", "quantity", "price", "ok", "note"),
    rows=(
        (
            datetime(2020, 3, 9, 14, 0, tzinfo=UTC),
            "SPXW  200420P02300000",
            -12,
            Decimal("1.150000"),
            True,
            None,
        ),
        (datetime(2020, 3, 9, 15, 0, tzinfo=UTC), "VX    200415", 3, Decimal("0.10"), False, "a,b"),
    ),
)


def printed(grid: Grid, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_table(console, grid)
    return console.file.getvalue()


def test_json_has_stable_keys_exact_decimals_and_utc_times():
    document = json.loads(grid_json(GRID))
    assert document["columns"] == list(GRID.columns)
    assert document["rows"][0] == {
        "at": "2020-03-09T14:00:00+00:00",
        "symbol": "SPXW  200420P02300000",
        "quantity": -12,
        "price": "1.150000",
        "ok": True,
        "note": None,
    }


def test_csv_reads_back():
    rows = list(csv.DictReader(io.StringIO(grid_csv(GRID))))
    assert rows[1]["note"] == "a,b"
    assert rows[0]["note"] == ""
    assert rows[0]["price"] == "1.150000"


def test_a_person_reads_new_york_time():
    assert cell_text(datetime(2020, 3, 9, 14, 0, tzinfo=UTC)) == "2020-03-09 10:00"
    assert cell_text(date(2020, 3, 9)) == "2020-03-09"


def test_columns_that_do_not_fit_are_named():
    text = printed(GRID, 60)
    assert " more column" in text
    assert "in --format json: " in text


def test_markup_in_the_data_is_shown_as_it_is():
    assert "[red]x[/red]" in printed(Grid(columns=("a",), rows=(("[red]x[/red]",),)), 40)


def test_an_empty_table_says_so():
    assert "(no rows)" in printed(Grid(columns=("a", "b"), rows=()), 40)


@given(
    rows=st.lists(
        st.lists(
            st.one_of(
                st.none(),
                st.integers(-(10**9), 10**9),
                st.floats(-1e9, 1e9),
                st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=120),
            ),
            min_size=9,
            max_size=9,
        ),
        max_size=5,
    ),
    width=st.sampled_from([40, 80, 100]),
)
def test_no_table_is_ever_wider_than_the_screen(rows, width):
    names = tuple(f"some_column_{index}" for index in range(9))
    text = printed(Grid(columns=names, rows=tuple(tuple(row) for row in rows)), width)
    assert max((len(line) for line in text.splitlines()), default=0) <= width


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_null(value):
    assert json.loads(grid_json(Grid(columns=("a",), rows=((value,),))))["rows"] == [{"a": None}]
