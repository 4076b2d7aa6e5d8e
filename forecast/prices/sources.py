"""Where the prices of a ticker come from: Yahoo, a person's own files, or the simulated DEMO.

Every source ends in the same way: rows are checked, stored as a snapshot, and loaded from it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from forecast.errors import DataError, SourceUnavailable, TryAgainLater, UnknownTicker, UsageError
from forecast.prices.checks import Checked, check_quotes, listed
from forecast.prices.demo import DEMO, simulate_demo
from forecast.prices.exchanges import exchange_from_listing
from forecast.prices.snapshots import (
    Snapshot,
    list_snapshots,
    load_snapshot,
    read_current,
    read_snapshot,
    save_snapshot,
    ticker_lock,
    write_current,
    write_whole,
)
from forecast.prices.table import Listing, Prices, Quotes
from forecast.prices.tickers import check_ticker, folder_from_ticker
from forecast.prices.yahoo import NoPrices, download_quotes

CSV_PREFIX = "csv:"
SETTLING = timedelta(minutes=20)  # Yahoo's quotes lag behind some exchanges by a quarter of an hour
LATE = timedelta(hours=1)  # until Yahoo is asked again for a session that it did not have yet
UNKNOWN_FOR = timedelta(days=1)  # until Yahoo is asked again for a ticker that it did not know
MAX_LOST = 0.05  # share of the old dates that a new download may lack


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
    return _load_yahoo(ticker, folder, offline, now)


def fetch_prices(
    ticker: str, *, folder: Path, now: datetime | None = None, force: bool = False
) -> Prices:
    """Prices that Yahoo was asked for if a session has closed since; failures are raised.

    Args:
        ticker: as `check_ticker` accepts it.
        folder: the workspace's data folder.
        now: the present, an aware time; None for the clock's.
        force: ask although nothing is due, and accept a download that lost many old dates.

    Raises:
        DataError, UnknownTicker, SourceUnavailable, TryAgainLater: as `load_prices`, also where
            stored prices could serve.
    """
    ticker = check_ticker(ticker)
    now = now or datetime.now(UTC)
    with ticker_lock(folder, ticker):  # whoever waited finds what the other one fetched
        current, damages = current_snapshot(folder, ticker, "yahoo")
        if current and not damages and not force and not _is_due(folder, current, now):
            return load_snapshot(folder, ticker, current.sha256)
        return _ask_yahoo(ticker, folder, current, now, force)


def import_prices(
    ticker: str, path: Path, *, folder: Path, now: datetime | None = None
) -> Prices:
    """Prices read from a person's own file, in whatever dialect it is written.

    Args:
        ticker: as `check_ticker` accepts it; chooses columns or rows where the file holds several.
        path: absolute path of the file.
        folder: the workspace's data folder.
        now: the present, an aware time; None for the clock's.

    Raises:
        DataError: if the file cannot be read or its prices cannot be used; with path and line.
    """
    from forecast.prices.files.reader import read_price_file

    ticker = check_ticker(ticker)
    now = now or datetime.now(UTC)
    guessed = exchange_from_listing(ticker)
    file = read_price_file(path, ticker, guessed.timezone)
    calendar = _fitting_calendar(guessed.calendar, file.quotes.sessions)
    kept, unfinished = _finished_rows(file.quotes, calendar, now)
    checked = check_quotes(
        file.quotes.rows(kept),
        where=str(path),
        exchange=calendar,
        today=np.datetime64(now.date() + timedelta(days=1), "D"),
        lines=file.lines[kept],
    )
    checked = replace(checked, notices=(*file.notices, *unfinished, *checked.notices))
    listing = Listing(calendar, file.currency, guessed.timezone)
    return _store(folder, ticker, f"{CSV_PREFIX}{path}", listing, checked, now)


def current_snapshot(
    folder: Path, ticker: str, source: str
) -> tuple[Snapshot | None, list[str]]:
    """The newest intact snapshot of a source, and a sentence for each damaged one before it.

    Where the current snapshot was damaged, the one before it serves.
    """
    entry = read_current(folder, ticker).get(source)
    try:
        if entry:
            return read_snapshot(folder, ticker, entry["sha256"])[0], []
    except DataError as damage:
        snapshots = list_snapshots(folder, ticker, source)
        return (snapshots or [None])[-1], [str(damage)]
    snapshots = list_snapshots(folder, ticker, source)
    return (snapshots or [None])[-1], []


def _load_demo(folder: Path, now: datetime) -> Prices:
    prices = simulate_demo().prices
    columns = {name: getattr(prices, name) for name in ("open", "high", "low", "close", "volume")}
    quotes = Quotes.of(prices.sessions, **columns)
    checked = Checked(quotes, (), np.array([], "datetime64[D]"), ())
    return _store(folder, prices.ticker, "demo", prices.listing, checked, now)


def _load_yahoo(ticker: str, folder: Path, offline: bool, now: datetime) -> Prices:
    """Yahoo's prices: stored ones where nothing is due or nothing can be asked, else new ones."""
    current, damages = current_snapshot(folder, ticker, "yahoo")
    if offline and current is None:
        others = {snapshot.source for snapshot in list_snapshots(folder, ticker)}
        hint = f" Stored from elsewhere: {listed(others)}; --csv FILE reads it." if others else ""
        raise SourceUnavailable(
            f"No prices of {ticker} from Yahoo are stored in {folder}, and --offline forbids to ask. "
            f"Run `forecast data fetch {ticker}` with a network first.{hint}" + " ".join(["", *damages])
        )
    if current and (offline or (not damages and not _is_due(folder, current, now))):
        return _noticed(load_snapshot(folder, ticker, current.sha256), *damages)
    try:
        return _noticed(fetch_prices(ticker, folder=folder, now=now), *damages)
    except (SourceUnavailable, TryAgainLater, NoPrices) as failure:
        if current is None:
            raise
        age = f"{failure} The prices of {describe_age(current, now)} serve."
        return _noticed(load_snapshot(folder, ticker, current.sha256), *damages, age)


def describe_age(snapshot: Snapshot, now: datetime) -> str:
    """When a snapshot was taken, in words: "3 days ago, up to the session of 2026-08-14"."""
    hours = (now - snapshot.fetched_at).total_seconds() / 3600
    age = f"{hours / 24:.0f} days" if hours >= 48 else f"{max(hours, 0):.0f} hours"
    return f"{age} ago, up to the session of {snapshot.last},"


def _is_due(folder: Path, current: Snapshot, now: datetime) -> bool:
    """Whether Yahoo may have a session that is not stored; needs no calendar in the usual case."""
    from forecast.prices.calendar import is_session_due

    entry = read_current(folder, current.ticker).get("yahoo", {})
    try:
        return now >= datetime.fromisoformat(entry["ask_again_at"])
    except (KeyError, ValueError, TypeError):
        return is_session_due(current.listing.exchange, np.datetime64(current.last), now - SETTLING)


def _ask_yahoo(
    ticker: str, folder: Path, current: Snapshot | None, now: datetime, force: bool
) -> Prices:
    """A new snapshot from Yahoo; the caller holds the ticker's lock."""
    if not force:
        _check_known(ticker, folder, now)
    try:
        download = download_quotes(ticker, _yahoo_folder(folder))
    except UnknownTicker:
        path = _unknown_path(ticker, folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, now.isoformat().encode("ascii"))
        raise
    exchange = download.listing.exchange
    kept, unfinished = _finished_rows(download.quotes, exchange, now - SETTLING)
    checked = check_quotes(
        download.quotes.rows(kept),
        where=f"Yahoo's history of {ticker}",
        exchange=exchange,
        today=np.datetime64(now.date() + timedelta(days=1), "D"),
    )
    if current and not force:
        _check_lost_dates(folder, current, checked.quotes.sessions)
    checked = replace(checked, notices=(*unfinished, *checked.notices))
    asked = ask_again_at(exchange, checked.quotes.sessions[-1], now)
    return _store(folder, ticker, "yahoo", download.listing, checked, now, ask_again_at=asked)


def _store(
    folder: Path,
    ticker: str,
    source: str,
    listing: Listing,
    checked: Checked,
    now: datetime,
    **pointer: str,
) -> Prices:
    """Keep checked rows as the current snapshot of their source, and load them from it."""
    first, last = checked.quotes.sessions[[0, -1]].astype(str).tolist()
    snapshot = Snapshot(
        ticker=ticker,
        source=source,
        listing=listing,
        n_sessions=len(checked.quotes),
        first=first,
        last=last,
        simulated=source == "demo",
        notices=checked.notices,
        missing=tuple(checked.missing.astype(str).tolist()),
        anomalies=checked.anomalies,
        fetched_at=now.astimezone(UTC),
    )
    with ticker_lock(folder, ticker):
        sha256 = save_snapshot(folder, snapshot, checked.quotes).sha256
        write_current(folder, ticker, source, sha256=sha256, **pointer)
        return load_snapshot(folder, ticker, sha256)


def _finished_rows(
    quotes: Quotes, exchange: str, now: datetime
) -> tuple[np.ndarray, list[str]]:
    """Which rows belong to sessions that have closed, and what to say of the others."""
    from forecast.prices.calendar import closing_times, last_closed_session

    closed = quotes.sessions <= last_closed_session(exchange, now)
    today = np.datetime64(now.date(), "D")
    open_ = ~closed & (quotes.sessions <= today + 1)  # later ones are an error, not unfinished
    if not open_.any():
        return np.ones(len(quotes), dtype=bool), []
    session = quotes.sessions[open_][-1]
    close = closing_times(exchange, quotes.sessions[open_][-1:])[0]
    return ~open_, [f"The bar of {session} was left out: its session closes at {close} UTC."]


def _fitting_calendar(calendar: str, sessions: np.ndarray) -> str:
    """The calendar of a file's ticker, or a plainer one where the file's own dates contradict it."""
    from forecast.prices.calendar import sessions_between

    sessions = np.unique(sessions)
    if len(sessions) < 2:
        return calendar
    if (~np.is_busday(sessions)).mean() > 0.2:
        return "24/7"
    known = sessions_between(calendar, sessions[0], sessions[-1])
    return calendar if np.isin(sessions, known).mean() > 0.98 else "weekdays"


def _check_lost_dates(folder: Path, current: Snapshot, sessions: np.ndarray) -> None:
    """Refuse a download that lacks many of the dates that the last one had."""
    old = load_snapshot(folder, current.ticker, current.sha256).sessions
    lost = np.setdiff1d(old, sessions)
    if len(lost) > MAX_LOST * len(old):
        raise DataError(
            f"Yahoo's new history of {current.ticker} lacks {len(lost)} of the {len(old)} sessions of "
            f"the last one: {listed(lost.astype(str))}. The old one stays; `forecast data fetch "
            f"{current.ticker} --force` takes the new one."
        )


def ask_again_at(exchange: str, last: np.datetime64, now: datetime) -> str:
    """When a source may have more: after the next close, or soon where a session is only late.

    Args:
        exchange: as in `Listing.exchange`.
        last: the newest session that the source has given.
        now: an aware time.

    Returns:
        ISO time, UTC.
    """
    from forecast.prices.calendar import last_closed_session, next_close, sessions_between

    settled = now - SETTLING
    lacking = sessions_between(exchange, last + 1, last_closed_session(exchange, settled))
    if 0 < len(lacking) <= 3:
        return (now + LATE).isoformat()
    return (next_close(exchange, settled) + SETTLING).isoformat()


def _yahoo_folder(folder: Path) -> Path:
    """Where cookies and unknown tickers are remembered; no ticker begins with a dot."""
    return Path(folder) / ".yahoo"


def _unknown_path(ticker: str, folder: Path) -> Path:
    return _yahoo_folder(folder) / "unknown" / folder_from_ticker(ticker)


def _check_known(ticker: str, folder: Path, now: datetime) -> None:
    """Refuse a ticker that Yahoo did not know within the last day, without asking."""
    path = _unknown_path(ticker, folder)
    try:
        asked_at = datetime.fromisoformat(path.read_text("ascii"))
        recent = timedelta(0) <= now - asked_at < UNKNOWN_FOR
    except (OSError, ValueError, TypeError):
        return
    if recent:
        raise UnknownTicker(
            f"Yahoo did not know {ticker} when asked at {asked_at:%Y-%m-%d %H:%M} UTC, and is asked "
            f"again a day later. `forecast data fetch {ticker} --force` asks now."
        )


def _noticed(prices: Prices, *notices: str) -> Prices:
    """The same prices with more to say, most urgent first."""
    return replace(prices, notices=(*notices, *prices.notices))
