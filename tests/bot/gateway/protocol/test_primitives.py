"""How single values are spelled."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateway.protocol.primitives import (
    BOOL,
    INT,
    PRICE,
    QUANTITY,
    REAL,
    escape,
    optional_int,
    optional_price,
    spell_plain,
    spell_real,
    unescape,
)


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (5800.0, "5800.0"),
        (5800, "5800.0"),
        (0.05, "0.05"),
        (Decimal("12.30"), "12.3"),
        (0.0, "0.0"),
        (-1.5, "-1.5"),
        (0.001, "0.001"),
        (0.0005, "5.0E-4"),
        (9999999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (123456789.25, "1.2345678925E8"),
        (-1.25e-10, "-1.25E-10"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (float("inf"), "Infinity"),
    ],
)
def test_doubles_are_spelled_as_java_does(value, spelled):
    assert spell_real(value) == spelled


@given(st.floats(allow_nan=False))
def test_a_double_crosses_exactly(value):
    assert float(spell_real(value).replace("Infinity", "inf")) == value


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (Decimal("2.0"), "2"),
        (Decimal("0.50"), "0.5"),
        (Decimal(100), "100"),
        (Decimal("1E+3"), "1000"),
        (2, "2"),
        (2.0, "2"),
        (0.5, "0.5"),
        (Decimal("-0"), "0"),
        (Decimal("-3.10"), "-3.1"),
        (True, "1"),
    ],
)
def test_quantities_never_end_in_a_fraction_that_says_nothing(value, spelled):
    assert spell_plain(value) == spelled


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", "2"), ("2.0", "2"), ("0.50", "0.5"), ("1E7", "10000000"), ("1.5e3", "1500"),
     ("", "0"), ("170141183460469231731687303715884105727", "0"), (".5", "0.5"), ("100", "100")],
)  # fmt: skip
def test_quantities_are_read_without_it_too(text, value):
    assert str(QUANTITY.read(text)) == value


def test_a_number_that_must_be_there_is_zero_when_unset():
    for unset in ("", "1.7976931348623157E308", "2147483647", "9223372036854775807"):
        assert INT.read(unset) == 0
        assert REAL.read(unset) == 0.0
        assert PRICE.read(unset) == 0
        assert optional_int().read(unset) is None
        assert optional_price().read(unset) is None


@pytest.mark.parametrize(
    "text", ["1_0", " 1", "1 ", "0x10", "nan", "NaN", "1e9999", "1e309", "--1", "1,5", "¹"]
)
def test_what_python_takes_for_a_number_and_java_does_not_is_refused(text):
    for kind in (INT, REAL, PRICE, QUANTITY):
        with pytest.raises(ValueError):  # noqa: PT011 the text is not ours to match
            kind.read(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("0", False), ("", False), ("true", True), ("False", False), ("2", True)],
)
def test_booleans(text, value):
    assert BOOL.read(text) is value


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("S&P 500", "S&P 500"),
        ("C:\\new", "C:\\\\new"),
        ("Zürich", "Z\\u00fcrich"),
        ("日本", "\\u65e5\\u672c"),
        ("😀", "\\ud83d\\ude00"),
    ],
)
def test_text_is_escaped_as_java_does(text, escaped):
    assert escape(text) == escaped
    assert unescape(escaped) == text


@given(st.text(st.characters(blacklist_categories=("Cs",))))
def test_any_text_crosses_in_ascii(text):
    assert escape(text).isascii()
    assert unescape(escape(text)) == text


def test_text_that_is_not_escaped_properly_is_left_as_it_is():
    assert unescape("C:\\x") == "C:\\x"
    assert unescape("ends in \\") == "ends in \\"
