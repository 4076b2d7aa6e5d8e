"""A ticker is safe in paths and URLs, and its folder's name leads back to it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import UsageError
from forecast.prices.snapshots import snapshot_folder
from forecast.prices.tickers import check_ticker, folder_from_ticker, ticker_from_folder

TICKERS = st.from_regex(r"\A(?!.*\.\.)[A-Z0-9^][A-Z0-9.^=&_-]{0,23}\Z")


@pytest.mark.parametrize("text", ["tsla", "^GSPC", "EURUSD=X", "GC=F", "BRK-B", "M&M.NS", "0700.HK"])
def test_what_yahoo_lists_is_a_ticker(text):
    assert check_ticker(text) == text.upper()


@pytest.mark.parametrize(
    "text", ["", "../etc", "TSLA?x=1", "-rf", "TSLA\n", "A B", "A/B", "A..B", "A" * 25, "ﬁ", "ß", "TSLÄ", ".A", "A%2F"]
)
def test_anything_else_is_refused_with_what_is_allowed(text):
    with pytest.raises(UsageError, match="is not a ticker: 1 to 24 letters, digits"):
        check_ticker(text)


@given(TICKERS)
def test_a_folder_leads_back_to_its_ticker_and_stays_inside(ticker):
    assert ticker_from_folder(folder_from_ticker(ticker)) == ticker
    assert snapshot_folder(Path("/data"), ticker).parent == Path("/data")


def test_plain_tickers_keep_their_name():
    assert folder_from_ticker("TSLA") == "TSLA"
    assert folder_from_ticker("^GSPC") == "%5EGSPC"
