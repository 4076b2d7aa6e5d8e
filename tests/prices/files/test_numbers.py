"""Numbers: the decimal mark of a file is decided by all of its numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import DataError
from forecast.prices.files.numbers import decimal_mark, is_null, number_from_cell


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("348.95", ".", 348.95),
        ("$1,234.50", ".", 1234.5),
        ("1,23,456.75", ".", 123456.75),  # as India groups
        ("51.34M", ".", 51.34e6),
        ("0.24%", ".", 0.24),
        ("1.234,5", ",", 1234.5),
        ("3,31B", ",", 3.31e9),
        ("1 234,56", ",", 1234.56),
        ("1'234.56", ".", 1234.56),
        ("-0.5", ".", -0.5),
        ("1e-5", ".", 1e-5),
        ("7765.5万", ".", 77655000.0),
        ("EUR 12.5", ".", 12.5),
        ("R$ 12,5", ",", 12.5),
    ],
)
def test_a_number_is_what_a_person_means_by_it(cell, decimal, value):
    assert number_from_cell(cell, decimal) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("cell", ["", "abc", "1.2.3", "12,34.5", "4:1 Split", "e5", "0.22 Dividend", ".", "1_000", "inf"])
def test_what_is_no_number_is_none(cell):
    assert number_from_cell(cell, ".") is None


@pytest.mark.parametrize(
    ("cells", "hints", "mark"),
    [
        (["348.95", "51.34M"], [], "."),
        (["141.264", "3,31B"], [], ","),
        (["141.264", "140.928"], ["0,24%"], ","),  # an index of 141 thousand points
        (["141.264", "140.928"], [], "."),
        (["1,234,567", "12.345"], [], "."),
        (["1.234,5"], [], ","),
        (["12", "13"], [], "."),
        (["0,123"], [], ","),
    ],
)
def test_the_decimal_mark_is_decided_by_all_numbers(cells, hints, mark):
    assert decimal_mark(cells, hints, "file.csv") == mark


def test_two_decimal_marks_in_one_file_are_refused():
    with pytest.raises(DataError, match=r"'12.5' has a decimal point, '13,75' a decimal comma"):
        decimal_mark(["12.5", "13,75"], [], "file.csv")


def test_commas_that_could_be_either_are_refused():
    with pytest.raises(DataError, match="'12,345' may mean thousands or a decimal comma"):
        decimal_mark(["12,345", "13,456"], [], "file.csv")


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_every_number_that_python_writes_is_read_back(value):
    assert number_from_cell(repr(value), ".") == value
    assert number_from_cell(repr(value).replace(".", ","), ",") == value


def test_the_ways_to_write_nothing_are_nulls():
    assert all(map(is_null, ("", "null", "NaN", "N/A", "#N/A", "None", "-", "--", ".")))
    assert not any(map(is_null, ("0", "0.0", "Nancy")))
