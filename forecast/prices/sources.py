"""Where the prices of a ticker come from: Yahoo, a person's own files, or the simulated DEMO.

Every source ends in the same way: rows are checked, stored as a snapshot, and loaded from it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from forecast.errors import DataError, UsageError
from forecast.prices.checks import Checked, check_quotes
from forecast.prices.demo import DEMO, simulate_demo
from forecast.prices.downloads import ask_again_at, fetch_prices, load_yahoo
from forecast.prices.exchanges import exchange_from_listing
from forecast.prices.files.text import MAX_BYTES
from forecast.prices.intake import finished_rows, fitting_calendar, store_checked
from forecast.prices.snapshots import load_snapshot, read_current
from forecast.prices.table import Listing, Prices, Quotes
from forecast.prices.tickers import check_ticker

__all__ = ["ask_again_at", "fetch_prices", "import_prices", "load_prices", "source_from_option"]

CSV_PREFIX = "csv:"
READING = 1  # counted up when a file is read or checked in another way than before


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

    Yahoo is asked only if a session has closed since the last snapshot. If it cannot answer for
    the moment, the stored prices serve, with a notice that says how old they are.

    Args:
        ticker: as `check_ticker` accepts it.
        source: "yahoo", "demo" or "csv:/absolute/path".
        folder: the workspace's data folder.
        offline: never ask the network; only what is stored.
        now: the present, an aware time; None for the clock's.

    Raises:
        DataError: if the prices cannot be used as they are.
        UnknownTicker: if Yahoo does not know the ticker.
        SourceUnavailable: if the source cannot be reached and nothing is stored.
        TryAgainLater: at a rate limit with nothing stored, or while another process holds the lock.
    """
    ticker = check_ticker(ticker)
    now = now or datetime.now(UTC)
    if source == "demo":
        return _load_demo(folder, now)
    if source.startswith(CSV_PREFIX):
        return import_prices(ticker, Path(source.removeprefix(CSV_PREFIX)), folder=folder, now=now)
    if source != "yahoo":
        raise UsageError(f"{source!r} is no source of prices: yahoo, demo and csv:PATH are.")
    return load_yahoo(ticker, folder, offline, now)


def import_prices(
    ticker: str, path: Path, *, folder: Path, now: datetime | None = None
) -> Prices:
    """Prices read from a person's own file, in whatever dialect it is written.

    A file that has been read before, and has not changed since, is not read again: its snapshot is.

    Args:
        ticker: as `check_ticker` accepts it; chooses columns or rows where the file holds several.
        path: absolute path of the file.
        folder: the workspace's data folder.
        now: the present, an aware time; None for the clock's.

    Raises:
        DataError: if the file cannot be read or its prices cannot be used; with path and line.
    """
    ticker = check_ticker(ticker)
    now = now or datetime.now(UTC)
    source, fingerprint = f"{CSV_PREFIX}{path}", _fingerprint(path)
    known = read_current(folder, ticker).get(source, {})
    if fingerprint and known.get("file") == fingerprint:
        try:
            return load_snapshot(folder, ticker, known["sha256"])
        except DataError:
            pass  # the snapshot was damaged; the file is still there
    from forecast.prices.files.reader import read_price_file

    guessed = exchange_from_listing(ticker)
    file = read_price_file(path, ticker, guessed.timezone)
    calendar = fitting_calendar(guessed.calendar, file.quotes.sessions)
    kept, unfinished = finished_rows(file.quotes, calendar, now)
    checked = check_quotes(
        file.quotes.rows(kept),
        where=str(path),
        exchange=calendar,
        today=np.datetime64(now.date() + timedelta(days=1), "D"),
        lines=file.lines[kept],
    )
    notices = [*file.notices, *unfinished, *checked.notices]
    if calendar != guessed.calendar:
        notices.append(f"Its dates are not those of {guessed.calendar}: sessions are {calendar}.")
    checked = replace(checked, notices=tuple(notices))
    listing = Listing(calendar, file.currency, guessed.timezone)
    pointer = {} if unfinished else {"file": fingerprint}  # what was left out today is finished tomorrow
    return store_checked(folder, ticker, source, listing, checked, now, **pointer)


def _fingerprint(path: Path) -> str:
    """What changes when a file does, or the way it is read; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return f"{READING} {hashlib.sha256(file.read(MAX_BYTES + 1)).hexdigest()}"  # longer ones are refused
    except OSError:
        return ""  # the reader says why


def _load_demo(folder: Path, now: datetime) -> Prices:
    prices = simulate_demo().prices
    columns = {name: getattr(prices, name) for name in ("open", "high", "low", "close", "volume")}
    quotes = Quotes.of(prices.sessions, **columns)
    checked = Checked(quotes, (), np.array([], "datetime64[D]"), ())
    return store_checked(folder, prices.ticker, "demo", prices.listing, checked, now)
