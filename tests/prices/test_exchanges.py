"""The exchange is what Yahoo says, else what the ticker's spelling says."""

from zoneinfo import ZoneInfo

import pytest

from forecast.prices.exchanges import _EXCHANGES, exchange_from_listing, timezone_from_calendar


@pytest.mark.parametrize(
    ("ticker", "calendar"),
    [
        ("TSLA", "XNYS"),
        ("BRK-B", "XNYS"),
        ("^GSPC", "XNYS"),
        ("0700.HK", "XHKG"),
        ("BMW.DE", "XETR"),
        ("RELIANCE.NS", "XBOM"),
        ("600519.SS", "XSHG"),
        ("7203.T", "XTKS"),
        ("PETR4.SA", "BVMF"),
        ("BTC-USD", "24/7"),
        ("EURUSD=X", "24/5"),
        ("GC=F", "CMES"),
        ("^UNHEARD", "weekdays"),
        ("ABC.XYZ", "weekdays"),
    ],
)
def test_a_tickers_spelling_tells_its_exchange(ticker, calendar):
    assert exchange_from_listing(ticker).calendar == calendar


def test_what_yahoo_says_comes_first():
    assert exchange_from_listing("ABC", "GER", "EQUITY").calendar == "XETR"
    assert exchange_from_listing("GC=F", "CMX", "FUTURE").calendar == "CMES"
    assert exchange_from_listing("BTC-USD", "CCC", "CRYPTOCURRENCY").calendar == "24/7"
    assert exchange_from_listing("0700.HK", "UNHEARD", "EQUITY").calendar == "XHKG"


def test_every_calendar_and_time_zone_exists():
    import exchange_calendars

    known = {*exchange_calendars.get_calendar_names(), "24/7", "24/5"}
    assert {exchange.calendar for exchange in _EXCHANGES} <= known
    assert all(ZoneInfo(timezone_from_calendar(exchange.calendar)) for exchange in _EXCHANGES)


def test_no_code_or_suffix_stands_for_two_exchanges():
    for marks in ("codes", "suffixes"):
        words = [word for exchange in _EXCHANGES for word in getattr(exchange, marks).split()]
        assert len(words) == len(set(words))
