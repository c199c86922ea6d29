"""`alvh price`: the greeks come back for the vol that made the price; bad cells are named."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bot.app.cli import app
from bot.app.pricing_file import QuoteFileInvalid, price_quotes, read_quotes
from strategies.pricing.black76 import price

HEADER = "forward,strike,right,years,rate,bid,ask\n"


def invoke(text: str, *arguments: str):
    return CliRunner().invoke(app, ["price", "-", *arguments], input=text)


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(QuoteFileInvalid) as caught:
        read_quotes(text.splitlines(), "quotes.csv")
    return caught.value.problems


@given(
    moneyness=st.floats(-0.15, 0.15),
    years=st.floats(0.05, 1.0),
    vol=st.floats(0.08, 0.9),
    is_call=st.booleans(),
)
def test_the_vol_that_made_a_price_comes_back(moneyness, years, vol, is_call):
    strike = 3000 * math.exp(moneyness * vol * math.sqrt(years) * 5)
    paid = float(price(3000.0, strike, years, vol, math.exp(-0.02 * years), is_call))
    right = "C" if is_call else "P"
    text = f"forward,strike,right,years,rate,price\n3000,{strike!r},{right},{years!r},0.02,{paid!r}"
    priced = price_quotes(read_quotes(text.splitlines(), "x"))
    found = dict(zip(priced.columns, priced.rows[0], strict=True))
    assert found["iv"] == pytest.approx(vol, rel=1e-5)


def test_the_mid_is_priced_and_further_columns_are_kept():
    text = "note," + HEADER.strip() + "\nmine,100,100,c,0.5,0.04,5.0,5.2\n"
    priced = price_quotes(read_quotes(text.splitlines(), "x"))
    row = dict(zip(priced.columns, priced.rows[0], strict=True))
    assert row["note"] == "mine"
    assert row["iv"] == pytest.approx(0.18457, abs=1e-5)
    put = price_quotes(read_quotes((HEADER + "100,100,P,0.5,0.04,5.0,5.2").splitlines(), "x"))
    parity = row["delta"] - dict(zip(put.columns, put.rows[0], strict=True))["delta"]
    assert parity == pytest.approx(math.exp(-0.02))


def test_each_bad_cell_is_named_with_file_line_and_column():
    text = HEADER + "100,0,X,soon,4,-1,nan\n\n100,100,C,0.5,0.04,2,1\n100,100,C\n"
    assert problems(text) == (
        "quotes.csv:2:2: strike: expected a number above 0, found '0'",
        "quotes.csv:2:3: right: expected C or P, found 'X'",
        "quotes.csv:2:4: years: expected years to expiry above 0, found 'soon'",
        "quotes.csv:2:5: rate: expected a decimal rate such as 0.045, found '4'",
        "quotes.csv:2:6: bid: expected a price of 0 or more, found '-1'",
        "quotes.csv:2:7: ask: expected a price of 0 or more, found 'nan'",
        "quotes.csv:4:6: bid: 2 is above the ask, 1",
        "quotes.csv:5:1: expected 7 cells, found 3",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "quotes.csv:1:1: empty; expected a header line"),
        ("forward,strike\n", "quotes.csv:1:1: column 'right' is missing"),
        ("forward,strike,right,years,rate,bid\n", "column 'price' is missing, or both"),
        (HEADER.strip() + ",iv\n", "column 'iv' would be added, and is there"),
        (HEADER.strip() + ",bid\n", "column 'bid' stands twice"),
    ],
)
def test_a_bad_header_is_told(text, expected):
    assert any(expected in problem for problem in problems(text))


def test_a_bad_file_is_exit_code_2():
    result = invoke(HEADER + "1,2,C,x,0,1,1\n")
    assert result.exit_code == 2
    assert result.stderr == "stdin:2:4: years: expected years to expiry above 0, found 'x'\n"
    assert CliRunner().invoke(app, ["price", "nowhere.csv"]).exit_code == 2


def test_a_price_no_vol_explains_is_blank_and_said_so():
    result = invoke(HEADER + "100,90,C,0.5,0.04,5,6\n", "--format", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["rows"][0]["iv"] is None
    assert "1 of 1 rows have no implied vol" in result.stderr


def test_csv_keeps_the_input_as_it_was():
    result = invoke(HEADER + "100.00,100,C,0.50,0.04,5.0,5.20\n", "--format", "csv")
    assert result.stdout.splitlines()[1].startswith("100.00,100,C,0.50,0.04,5.0,5.20,0.18457")


def test_the_table_fits_and_shows_the_results():
    result = invoke(HEADER + "100,100,C,0.5,0.04,5.0,5.2\n")
    for name in ("strike", "right", "iv", "delta", "gamma", "vega", "theta"):
        assert name in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 100


def test_a_hundred_thousand_rows_are_priced_at_once():
    strikes = np.linspace(2000, 4000, 100_000)
    lines = [HEADER.strip(), *(f"3000,{strike},C,0.25,0.01,50,51" for strike in strikes)]
    priced = price_quotes(read_quotes(lines, "x"))
    assert len(priced.rows) == 100_000
