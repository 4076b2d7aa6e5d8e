"""When Yahoo is asked, what is done with its answer, and what serves while it cannot be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from forecast.errors import DataError, SourceUnavailable, TryAgainLater, UnknownTicker
from forecast.prices.calendar import (
    is_session_due,
    last_closed_session,
    next_close,
    sessions_between,
)
from forecast.prices.checks import check_quotes, listed
from forecast.prices.intake import finished_rows, store_checked
from forecast.prices.snapshots import (
    Snapshot,
    list_snapshots,
    load_snapshot,
    read_current,
    read_snapshot,
    ticker_lock,
    write_whole,
)
from forecast.prices.table import Prices
from forecast.prices.tickers import check_ticker, folder_from_ticker

SETTLING = timedelta(minutes=20)  # Yahoo's quotes lag behind some exchanges by a quarter of an hour
LATE = timedelta(hours=1)  # until Yahoo is asked again for a session that it did not have yet
UNKNOWN_FOR = timedelta(days=1)  # until Yahoo is asked again for a ticker that it did not know
STALE_AFTER = 14  # days since the last session; the longest holidays of an exchange are shorter
MAX_LOST = 0.05  # share of the old dates that a new download may lack


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
        current, damages = _current_snapshot(folder, ticker)
        if current and not damages and not force and not _is_due(folder, current, now):
            return load_snapshot(folder, ticker, current.sha256)
        return _ask_yahoo(ticker, folder, current, now, force)


def load_yahoo(ticker: str, folder: Path, offline: bool, now: datetime) -> Prices:
    """Yahoo's prices: stored ones where nothing is due or nothing can be asked, else new ones."""
    current, notices = _current_snapshot(folder, ticker)
    if offline and current is None:
        raise _nothing_stored(folder, ticker, notices)
    if current and (offline or (not notices and not _is_due(folder, current, now))):
        prices = load_snapshot(folder, ticker, current.sha256)
    else:
        prices, failures = _fetch_or_fall_back(ticker, folder, current, now)
        notices = notices + failures
    age = (np.datetime64(now.date(), "D") - prices.sessions[-1]).astype(int)
    if age > STALE_AFTER:
        notices = [*notices, f"The newest session of {ticker} is {prices.sessions[-1]}, {age} days ago."]
    return replace(prices, notices=(*notices, *prices.notices))


def _fetch_or_fall_back(
    ticker: str, folder: Path, current: Snapshot | None, now: datetime
) -> tuple[Prices, list[str]]:
    """New prices, or the stored ones with a sentence that says why and how old they are."""
    from forecast.prices.yahoo import NoPrices

    try:
        return fetch_prices(ticker, folder=folder, now=now), []
    except UnknownTicker as failure:
        if current is None:
            raise
        hint = f"Its prices up to {current.last} stay; --offline works with them."
        raise UnknownTicker(f"{failure} {hint}") from failure
    except (SourceUnavailable, TryAgainLater, NoPrices) as failure:
        if current is None:
            raise
        age = f"{failure} The prices of {_describe_age(current, now)} serve."
        return load_snapshot(folder, ticker, current.sha256), [age]


def _nothing_stored(folder: Path, ticker: str, damages: list[str]) -> SourceUnavailable:
    """What to say offline, when nothing intact of Yahoo's is stored."""
    others = sorted({snapshot.source for snapshot in list_snapshots(folder, ticker)})
    hint = [f"Stored from elsewhere: {listed(others)}; --csv FILE reads it."] if others else []
    fetch = f"Run `forecast data fetch {ticker}` with a network first."
    missing = f"No prices of {ticker} from Yahoo are stored in {folder}, and --offline forbids to ask."
    return SourceUnavailable(" ".join([missing, fetch, *hint, *damages]))


def ask_again_at(exchange: str, last: np.datetime64, now: datetime) -> str:
    """When a source may have more: after the next close, or soon where a session is only late.

    Args:
        exchange: as in `Listing.exchange`.
        last: the newest session that the source has given.
        now: an aware time.

    Returns:
        ISO time, UTC.
    """
    settled = now - SETTLING
    lacking = sessions_between(exchange, last + 1, last_closed_session(exchange, settled))
    if 0 < len(lacking) <= 3:
        return (now + LATE).isoformat()
    return (next_close(exchange, settled) + SETTLING).isoformat()


def _current_snapshot(folder: Path, ticker: str) -> tuple[Snapshot | None, list[str]]:
    """The newest intact snapshot of Yahoo's, and a sentence if the one that should serve is damaged."""
    damages = []
    if entry := read_current(folder, ticker).get("yahoo"):
        try:
            return read_snapshot(folder, ticker, entry["sha256"])[0], []
        except DataError as damage:
            damages.append(str(damage))
    snapshots = list_snapshots(folder, ticker, "yahoo")
    return (snapshots or [None])[-1], damages


def _describe_age(snapshot: Snapshot, now: datetime) -> str:
    """When a snapshot was taken, in words: "3 days ago, up to the session of 2026-08-14"."""
    hours = (now - snapshot.fetched_at).total_seconds() / 3600
    age = f"{hours / 24:.0f} days" if hours >= 48 else f"{max(hours, 0):.0f} hours"
    return f"{age} ago, up to the session of {snapshot.last},"


def _is_due(folder: Path, current: Snapshot, now: datetime) -> bool:
    """Whether Yahoo may have a session that is not stored; needs no calendar in the usual case."""
    entry = read_current(folder, current.ticker).get("yahoo", {})
    try:
        return now >= datetime.fromisoformat(entry["ask_again_at"])
    except (KeyError, ValueError, TypeError):
        return is_session_due(current.listing.exchange, np.datetime64(current.last), now - SETTLING)


def _ask_yahoo(
    ticker: str, folder: Path, current: Snapshot | None, now: datetime, force: bool
) -> Prices:
    """A new snapshot from Yahoo; the caller holds the ticker's lock."""
    from forecast.prices.yahoo import download_quotes

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
    kept, unfinished = finished_rows(download.quotes, exchange, now - SETTLING)
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
    return store_checked(folder, ticker, "yahoo", download.listing, checked, now, ask_again_at=asked)


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
