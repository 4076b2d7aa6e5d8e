"""Where the prices of a ticker come from: Yahoo, a person's own files, or the simulated DEMO."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from forecast.errors import DataError, UsageError
from forecast.prices.demo import DEMO, simulate_demo
from forecast.prices.snapshots import (
    Snapshot,
    load_snapshot,
    save_snapshot,
    ticker_lock,
    write_current,
)
from forecast.prices.table import QUOTE_COLUMNS, Listing, Prices, Quotes
from forecast.prices.tickers import check_ticker

CSV_PREFIX = "csv:"


def source_from_option(ticker: str, csv: Path | None) -> str:
    """The source that a command's `--csv` option, or its absence, means for a ticker.

    Args:
        ticker: checked ticker; DEMO without a file is the simulated one.
        csv: a price file, or a folder that holds TICKER.csv; None for Yahoo.

    Returns:
        "yahoo", "demo" or "csv:/absolute/path".

    Raises:
        UsageError: if `csv` does not exist, or is a folder without a file for the ticker.
    """
    if csv is None:
        return "demo" if ticker == DEMO else "yahoo"
    path = Path(csv).expanduser().absolute()
    if path.is_dir():
        path = path / f"{ticker}.csv"
    if not path.is_file():
        raise UsageError(f"--csv: there is no file {path}.")
    return f"{CSV_PREFIX}{path}"


def load_prices(
    ticker: str,
    *,
    source: str,
    folder: Path,
    offline: bool = False,
    now: datetime | None = None,
) -> Prices:
    """The prices of a ticker, stored as a snapshot that a run can name.

    Args:
        ticker: as `check_ticker` accepts it.
        source: "yahoo", "demo" or "csv:/absolute/path".
        folder: the workspace's data folder.
        offline: never ask the network; only what is stored.
        now: the present, for tests; UTC.

    Raises:
        DataError: if the prices cannot be used as they are.
        SourceUnavailable: if the source cannot be reached and nothing is stored.
        TryAgainLater: at a rate limit with nothing stored, or while another process holds the lock.
    """
    ticker = check_ticker(ticker)
    now = now or datetime.now(UTC)
    if source == "demo":
        prices = simulate_demo().prices
        quotes = _quotes_from_prices(prices)
        return _stored(folder, Snapshot(ticker, source, prices.listing, len(prices), *_range(quotes), simulated=True, fetched_at=now), quotes)
    if source.startswith(CSV_PREFIX):
        from forecast.prices.files.reader import read_quotes

        quotes, notices = read_quotes(Path(source.removeprefix(CSV_PREFIX)), ticker)
        return _stored(folder, Snapshot(ticker, source, Listing(), len(quotes), *_range(quotes), notices=notices, fetched_at=now), quotes)
    raise DataError(f"source {source} is not known.")


def _stored(folder: Path, snapshot: Snapshot, quotes: Quotes) -> Prices:
    with ticker_lock(folder, snapshot.ticker):
        saved = save_snapshot(folder, snapshot, quotes)
        write_current(folder, saved.ticker, saved.source, sha256=saved.sha256)
    return load_snapshot(folder, saved.ticker, saved.sha256)


def _range(quotes: Quotes) -> tuple[str, str]:
    first, last = np.datetime_as_string(quotes.sessions[[0, -1]]).tolist()
    return first, last


def _quotes_from_prices(prices: Prices) -> Quotes:
    columns = {name: getattr(prices, name) for name in QUOTE_COLUMNS if name != "adj_close"}
    return Quotes(**columns, adj_close=np.full(len(prices), np.nan))
