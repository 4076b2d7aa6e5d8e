"""How Yahoo is asked through yfinance, and what each of its answers and failures means.

One download is the whole daily history in one request. yfinance repeats a refused request up to
sixteen times; `_Session` stops it at the first refusal, so that a rate limit is not made worse.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from forecast.errors import DataError, ForecastError, SourceUnavailable, TryAgainLater, UnknownTicker
from forecast.prices.exchanges import exchange_from_listing
from forecast.prices.table import Listing, Quotes

TIMEOUT = 10.0  # [s] for each request
PAUSES = (1.0, 3.0)  # [s] before the second and the third attempt
PATIENCE = 20.0  # [s] after which no further attempt begins
_CHART = "/v8/finance/chart/"
_COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends", "Stock Splits")

_rate_limited_at: datetime | None = None  # in this process: no further request after a refusal


class NoPrices(DataError):
    """Yahoo answered, and its answer holds no daily prices."""


class _Temporary(SourceUnavailable):
    """A failure that another attempt may cure."""


class _Refused(Exception):
    """Yahoo answered the request for prices with an HTTP error."""

    def __init__(self, status: int, body: str):
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Download:
    """One answer of Yahoo.

    Args:
        quotes: every row of it, oldest first.
        listing: what Yahoo says of the instrument.
    """

    quotes: Quotes
    listing: Listing


def download_quotes(ticker: str, cache: Path) -> Download:
    """The whole daily history of a ticker, as Yahoo has it now.

    Args:
        ticker: checked by `check_ticker`: it becomes part of a URL.
        cache: a folder for yfinance's cookies, kept private.

    Raises:
        UnknownTicker: if Yahoo does not know it, or knows it under another name.
        TryAgainLater: at a rate limit, and ever after in this process.
        SourceUnavailable: if Yahoo cannot be reached or gives no usable answer.
        NoPrices: if Yahoo has no daily prices of it.
    """
    global _rate_limited_at
    if _rate_limited_at is not None:
        raise TryAgainLater(
            f"Yahoo was not asked for {ticker}: it refused further requests at "
            f"{_rate_limited_at:%H:%M} UTC (rate limit). Try again in an hour."
        )
    try:
        return _download_patiently(ticker, cache)
    except TryAgainLater:
        _rate_limited_at = datetime.now(UTC)
        raise


def _download_patiently(ticker: str, cache: Path) -> Download:
    """Up to three attempts, while what fails is temporary and patience lasts."""
    started = time.monotonic()
    for pause in PAUSES:
        try:
            return _download(ticker, cache)
        except _Temporary:
            if time.monotonic() - started > PATIENCE:
                raise
        time.sleep(pause)
    return _download(ticker, cache)


def _download(ticker: str, cache: Path) -> Download:
    """One attempt."""
    yfinance = _import_yfinance(cache)
    with _make_session() as session:
        asked = yfinance.Ticker(ticker, session=session)
        # Only parses dates that we do not give; unset, it would cost a second request.
        asked._tz = exchange_from_listing(ticker).timezone
        try:
            frame = asked.history(
                period="max", auto_adjust=False, actions=True, keepna=True, timeout=TIMEOUT
            )
            metadata = asked.get_history_metadata()
            return _download_from_frame(ticker, frame, metadata)
        except ForecastError:
            raise
        except Exception as failure:  # whatever yfinance lets through; a bug keeps its traceback below
            raise _translated(ticker, failure, session.status) from failure


def _import_yfinance(cache: Path):
    """yfinance, set to raise its failures and to keep its cookies in `cache` (0.5 s to import)."""
    import warnings

    import yfinance

    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"^yfinance")
    for name in ("yfinance", "bs4"):  # what matters is raised, and translated
        logging.getLogger(name).setLevel(logging.CRITICAL)
    yfinance.config.debug.hide_exceptions = False
    yfinance.config.network.retries = 0
    cache.mkdir(parents=True, exist_ok=True)
    cache.chmod(0o700)  # yfinance pickles its cookies there
    yfinance.set_tz_cache_location(str(cache))
    return yfinance


def _make_session():
    """A browser-like session that stops at the first refusal of a request for prices."""
    from curl_cffi import requests

    class Session(requests.Session):
        status: int | None = None

        def request(self, method, url, **options):
            options["timeout"] = min(options.get("timeout") or TIMEOUT, TIMEOUT)
            response = super().request(method, url, **options)
            if _CHART in str(url):
                self.status = response.status_code
                if self.status >= 400 and self.status not in (401, 403):  # those: a new cookie helps
                    raise _Refused(self.status, response.text[:2000])
            return response

    return Session(impersonate="chrome")


def _translated(ticker: str, failure: Exception, status: int | None) -> ForecastError:
    """What a failure of yfinance means to a person."""
    from curl_cffi.requests import exceptions
    from yfinance.exceptions import YFDataException, YFPricesMissingError, YFRateLimitError

    if isinstance(failure, _Refused):
        return _translated_refusal(ticker, failure)
    if isinstance(failure, YFRateLimitError):
        return _rate_limit(ticker)
    if isinstance(failure, YFPricesMissingError) and status in (401, 403):
        return SourceUnavailable(
            f"Yahoo turned the request for {ticker} away (HTTP {status}). Update yfinance, or try "
            "from another network."
        )
    if isinstance(failure, YFPricesMissingError) and "symbol may be delisted" in str(failure.yahoo_reason):
        return _unknown(ticker, failure.yahoo_reason)
    if isinstance(failure, YFPricesMissingError):
        reason = f": {failure.yahoo_reason}" if failure.yahoo_reason else ""
        return NoPrices(f"Yahoo answered, and has no daily prices of {ticker}{reason}.")
    if isinstance(failure, YFDataException):
        return _Temporary(f"Yahoo is down: it answered the request for {ticker} with a notice.")
    if isinstance(failure, (exceptions.JSONDecodeError, json.JSONDecodeError)):
        return _Temporary(
            f"Yahoo's answer for {ticker} is broken: no JSON, or cut off (HTTP {status}). "
            "Try again; if it stays so, update yfinance."
        )
    if isinstance(failure, (exceptions.Timeout, TimeoutError)):
        return _Temporary(f"Yahoo did not answer for {ticker} within {TIMEOUT:.0f} s.")
    if isinstance(failure, exceptions.DNSError):
        return _Temporary(
            f"Yahoo was not asked for {ticker}: its name cannot be resolved. Are you online? "
            "Without a network there are the ticker DEMO, and --csv with a file of your own."
        )
    if isinstance(failure, OSError):
        return _Temporary(f"The connection to Yahoo for {ticker} failed: {_first_sentence(failure)}.")
    return SourceUnavailable(
        f"Yahoo's answer for {ticker} has a form that yfinance cannot read "
        f"({type(failure).__name__}: {_first_sentence(failure)}). Update yfinance."
    )


def _translated_refusal(ticker: str, refused: _Refused) -> ForecastError:
    """What an HTTP error in place of prices means."""
    try:
        description = json.loads(refused.body)["chart"]["error"]["description"][:200]
    except (ValueError, TypeError, KeyError):
        description = ""
    if refused.status == 429:
        return _rate_limit(ticker)
    if refused.status == 404:
        return _unknown(ticker, "HTTP 404" + (description and f": {description}"))
    if refused.status >= 500:
        return _Temporary(f"Yahoo failed to answer for {ticker} (HTTP {refused.status}).")
    return NoPrices(
        f"Yahoo gives no daily prices of {ticker} (HTTP {refused.status}{description and ': '}{description})."
    )


def _unknown(ticker: str, reason: str) -> UnknownTicker:
    return UnknownTicker(
        f"Yahoo does not know {ticker} ({reason}). It may be misspelt, renamed or delisted: look it up "
        "on finance.yahoo.com."
    )


def _rate_limit(ticker: str) -> TryAgainLater:
    return TryAgainLater(
        f"Yahoo refuses further requests for now (rate limit, HTTP 429), asked for {ticker}. "
        "Nothing more is asked in this run; try again in an hour."
    )


def _download_from_frame(ticker: str, frame, metadata) -> Download:
    """yfinance's frame and metadata as arrays and a listing."""
    meta = dict(metadata.items()) if frame.empty else metadata
    symbol = str(meta.get("symbol") or ticker).upper()
    if symbol != ticker:
        raise UnknownTicker(f"Yahoo answers for {ticker} with {symbol[:24]!r}: ask for that ticker.")
    if frame.empty:
        raise NoPrices(f"Yahoo answered, and has no daily prices of {ticker}.")
    exchange = exchange_from_listing(ticker, meta.get("exchangeName"), meta.get("instrumentType"))
    listing = Listing(
        exchange=exchange.calendar,
        currency=meta.get("currency"),
        timezone=meta.get("exchangeTimezoneName") or exchange.timezone,
        name=_printable(meta.get("longName") or meta.get("shortName")),
    )
    columns = [frame[name].to_numpy(dtype=float, na_value=np.nan) for name in _COLUMNS]
    sessions = frame.index.tz_localize(None).to_numpy().astype("datetime64[D]")
    return Download(Quotes(sessions, *columns), listing)


def _printable(text: str | None) -> str | None:
    """A name from outside, without control characters and of a bearable length."""
    return text and "".join(letter for letter in text if letter.isprintable())[:80]


def _first_sentence(failure: Exception) -> str:
    text = " ".join(str(failure).split())
    return text.split(". ")[0][:160].rstrip(".") or type(failure).__name__
