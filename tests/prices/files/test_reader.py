"""Files come back as what was written into them, whoever wrote them; nothing else ever does."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.errors import DataError
from forecast.prices.files.reader import PriceFile, read_price_file

NEW_YORK = "America/New_York"
DATES = {  # how a session is written: none of these leaves day and month open for long
    "2024-03-28": "{0}",
    "2024/03/28": "{0:%Y/%m/%d}",
    "20240328": "{0:%Y%m%d}",
    "28-03-2024": "{0:%d-%m-%Y}",
    "28.03.2024": "{0:%d.%m.%Y}",
    "03/28/2024": "{0:%m/%d/%Y}",
    "3/28/2024": "{0.month}/{0.day}/{0.year}",
    "28-Mar-24": "{0:%d-%b-%y}",
    "Mar 28, 2024": "{0:%b %d, %Y}",
    "Thursday, March 28, 2024": "{0:%A, %B %d, %Y}",
    "2024-03-28 00:00:00-05:00": "{0} 00:00:00-05:00",
    "2024-03-28T00:00:00.000Z": "{0}T00:00:00.000Z",
    "2024-03-28 14:30:00+00:00": "{0} 14:30:00+00:00",
    "03/28/2024 16:00:00": "{0:%m/%d/%Y} 16:00:00",
    "3/28/2024 4:00 PM": "{0.month}/{0.day}/{0.year} 4:00 PM",
}
HEADERS = {
    "english": ("Date", "Open", "High", "Low", "Close", "Volume"),
    "lower case": ("date", "open", "high", "low", "close", "volume"),
    "nasdaq": ("Date", "Open", "High", "Low", "Close/Last", "Volume"),
    "investing": ("Date", "Open", "High", "Low", "Price", "Vol."),
    "german": ("Datum", "Eröffnung", "Hoch", "Tief", "Schluss", "Volumen"),
    "polish": ("Data", "Otwarcie", "Najwyższy", "Najniższy", "Zamknięcie", "Wolumen"),
    "portuguese": ("Data", "Abertura", "Máxima", "Mínima", "Último", "Vol."),
    "metatrader": ("<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>"),
    "alpha vantage": ("timestamp", "1. open", "2. high", "3. low", "4. close", "5. volume"),
    "quantmod": ("", "TSLA.Open", "TSLA.High", "TSLA.Low", "TSLA.Close", "TSLA.Volume"),
    "flattened": ("Date", "Open_TSLA", "High_TSLA", "Low_TSLA", "Close_TSLA", "Volume_TSLA"),
    "tuples": ("Date", *(f"('{name}', 'TSLA')" for name in ("Open", "High", "Low", "Close", "Volume"))),
}
SIGNS = ("", "$", "€", "USD ")


@st.composite
def tables(draw):
    """Sessions and prices with two decimals, so that every dialect can hold them."""
    n = draw(st.integers(21, 40))  # three weeks and more: some day is past the twelfth
    start = np.datetime64("2005-01-03") + draw(st.integers(0, 6000))
    sessions = np.busday_offset(start, np.arange(n), roll="forward")
    cents = st.integers(101, 99_999_999)
    prices = np.array(draw(st.lists(cents, min_size=4 * n, max_size=4 * n))).reshape(4, n) / 100
    volume = np.array(draw(st.lists(st.integers(0, 10**9), min_size=n, max_size=n)), dtype=float)
    return sessions, np.vstack([prices, volume])


@st.composite
def dialects(draw):
    """A way to write a table."""
    decimal = draw(st.sampled_from(".,"))
    return {
        "date": draw(st.sampled_from(sorted(DATES.values()))),
        "header": draw(st.sampled_from(sorted(HEADERS.values()))),
        "separator": draw(st.sampled_from(",;\t|")),
        "decimal": decimal,
        "thousands": draw(st.sampled_from(["", "," if decimal == "." else ".", " ", "'"])),
        "sign": draw(st.sampled_from(SIGNS)),
        "newest first": draw(st.booleans()),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])),
        "end": draw(st.sampled_from(["\n", "\r\n"])),
        "title": draw(st.sampled_from([None, "Historical prices"])),
        "spaces": draw(st.booleans()),
    }


def write_table(path: Path, sessions, columns, dialect) -> None:
    """A table in a dialect; cells that hold the separator are quoted."""

    def number(value: float, sign: str, digits: int) -> str:
        text = f"{value:,.{digits}f}".translate({44: "T", 46: "D"})
        return sign + text.replace("T", dialect["thousands"]).replace("D", dialect["decimal"])

    def quoted(cell: str) -> str:
        return f'"{cell}"' if dialect["separator"] in cell else cell

    rows = [dialect["header"]]
    order = range(len(sessions))
    for i in reversed(order) if dialect["newest first"] else order:
        day = dialect["date"].format(sessions[i].item())
        cells = [number(value, dialect["sign"], 2) for value in columns[:4, i]]
        rows.append((day, *cells, number(columns[4, i], "", 0)))
    separator = dialect["separator"] + (" " if dialect["spaces"] else "")
    lines = [separator.join(quoted(cell) for cell in row) for row in rows]
    if dialect["title"]:
        lines.insert(0, dialect["title"])
    path.write_bytes((dialect["end"].join(lines) + dialect["end"]).encode(dialect["encoding"]))


@settings(max_examples=150, deadline=None)
@given(tables(), dialects())
def test_a_table_comes_back_the_same_from_every_dialect(table, dialect):
    sessions, columns = table
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "TSLA.csv"
        write_table(path, sessions, columns, dialect)
        quotes = read_price_file(path, "TSLA", NEW_YORK).quotes
    order = np.argsort(quotes.sessions)
    np.testing.assert_array_equal(quotes.sessions[order], sessions)
    for name, written in zip(("open", "high", "low", "close", "volume"), columns, strict=True):
        np.testing.assert_allclose(getattr(quotes, name)[order], written, rtol=1e-12)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_read_or_refused(content):
    read_or_refuse(content)


ODD_TEXT = st.text(alphabet="0123456789-/:.,;\t\"' \nDateCloseOpn$null%KM\r\u00a0é", max_size=300)


@settings(max_examples=200, deadline=None)
@given(ODD_TEXT, ODD_TEXT)
def test_text_that_resembles_a_table_is_read_or_refused(header, body):
    read_or_refuse(f"Date,Close{header}\n2024-01-02,{body}\n{body}".encode())


def read_or_refuse(content: bytes) -> PriceFile | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.csv"
        path.write_bytes(content)
        try:
            return read_price_file(path, "TSLA", NEW_YORK)
        except DataError as refusal:
            assert str(path) in str(refusal)
            return None


def read_lines(tmp_path: Path, *lines: str, ticker: str = "TSLA", timezone: str = NEW_YORK) -> PriceFile:
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(lines) + "\n")
    return read_price_file(path, ticker, timezone)


def test_a_two_level_header_gives_each_ticker_its_columns(tmp_path):
    lines = (
        "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume",
        "Ticker,AAPL,TSLA,AAPL,TSLA,AAPL,TSLA,AAPL,TSLA,AAPL,TSLA",
        "Date,,,,,,,,,,",
        "2024-01-02,185.5,248.25,188,251.5,183.5,244.25,187,250,82488700,104654200",
        "2024-01-03,184.25,238.5,185.5,245.75,183.25,236.25,184.5,244,58414500,121082600",
    )
    assert read_lines(tmp_path, *lines).quotes.close.tolist() == [248.25, 238.5]
    assert read_lines(tmp_path, *lines, ticker="AAPL").quotes.volume.tolist() == [82488700, 58414500]
    with pytest.raises(DataError, match="2 tickers, and MSFT is not among them: AAPL, TSLA"):
        read_lines(tmp_path, *lines, ticker="MSFT")


def test_a_header_of_tickers_above_fields_is_understood_too(tmp_path):
    quotes = read_lines(
        tmp_path,
        ",TSLA,TSLA,AAPL,AAPL",
        ",Open,Close,Open,Close",
        "Date,,,,",
        "2024-01-02,250.5,248.25,187,185.5",
    ).quotes
    assert (quotes.open[0], quotes.close[0]) == (250.5, 248.25)


def test_columns_of_another_ticker_are_read_and_said(tmp_path):
    file = read_lines(tmp_path, "Date,FB.Open,FB.Close", "2024-01-02,1.5,2.5", ticker="META")
    assert file.quotes.close.tolist() == [2.5] and file.notices == ("The file calls it 'FB', not META.",)


def test_a_column_a_ticker_gives_closes_alone(tmp_path):
    quotes = read_lines(tmp_path, "Date,AAPL,TSLA", "2024-01-02,185.5,248.25", ticker="TSLA").quotes
    assert quotes.close.tolist() == [248.25]
    assert np.isnan(quotes.open).all() and np.isnan(quotes.volume).all()


def test_rows_of_many_tickers_are_filtered(tmp_path):
    file = read_lines(
        tmp_path,
        "date,symbol,close",
        "2024-01-02,AAPL,185.5",
        "2024-01-02,TSLA,248.25",
        "2024-01-03,TSLA,238.5",
    )
    assert file.quotes.close.tolist() == [248.25, 238.5]
    assert file.lines.tolist() == [3, 4]
    assert file.notices == ("2 of 3 rows are those of TSLA.",)


def test_the_adjusted_close_is_not_taken_for_the_close(tmp_path):
    quotes = read_lines(tmp_path, "Date,Adj Close**,Close*", "2024-01-02,24.5,49.25").quotes
    assert (quotes.close[0], quotes.adj_close[0]) == (49.25, 24.5)


def test_the_previous_close_is_no_close(tmp_path):
    quotes = read_lines(tmp_path, "Date,PREV. CLOSE,close,VWAP", "02-Jan-2024,10.5,11.25,11").quotes
    assert quotes.close.tolist() == [11.25]


def test_a_currency_sign_is_remembered(tmp_path):
    assert read_lines(tmp_path, "Date,Close", "2024-01-02,$24.50").currency == "USD"
    assert read_lines(tmp_path, "Date,Close", "2024-01-02,24.50").currency is None


def test_few_unreadable_rows_are_left_out_with_their_lines(tmp_path):
    days = [f"2024-01-{day:02},{100 + day}.5" for day in range(2, 12)]
    file = read_lines(tmp_path, "Date,Close", *days, "Source: somebody,", "2024-01-12,0.22 Dividend")
    assert file.notices == ("2 rows were left out for a cell that cannot be read: line 12, 13.",)
    assert len(file.quotes) == 10


def test_many_unreadable_rows_refuse_the_file_with_the_first_line(tmp_path):
    with pytest.raises(DataError, match="line 3: 'abc' is neither a date nor a number.*5 of 6 rows"):
        read_lines(tmp_path, "Date,Close", "2024-01-02,1.5", *["2024-01-03,abc"] * 5)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04workbook", "an Excel workbook"),
        (b"\x1f\x8b\x08", "compressed with gzip"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b'{"chart": {}}', "JSON"),
        (b"a\0b", "zero bytes"),
        (b"2024-01-02,1.5\n2024-01-03,1.6\n", "there is no header"),
        (b"Date,Open,High,Low,Close\n", "a header and no rows"),
        (b"Date,Weather\n2024-01-02,sunny\n", "no column for the close"),
        (b"Date,Close,Close\n2024-01-02,1.5,2.5\n", "2 columns named 'Close'"),
        (b"Date,Open,Close\n2024-01-02,1,5,2,5\n" * 9, "line 2: 5 cells under 3 columns"),
    ],
)
def test_what_is_no_table_of_prices_is_refused_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "some.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason):
        read_price_file(path, "TSLA", NEW_YORK)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_price_file(tmp_path / "none.csv", "TSLA", NEW_YORK)


def test_every_spelling_of_a_date_is_one_that_the_property_uses():
    assert all(
        spelling == pattern.format(np.datetime64("2024-03-28").item()) for spelling, pattern in DATES.items()
    )
