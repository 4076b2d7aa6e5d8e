"""How rows from a source become stored prices: sessions that have closed, a fitting calendar, a snapshot."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from forecast.prices.calendar import closing_times, last_closed_session, sessions_between
from forecast.prices.checks import Checked
from forecast.prices.snapshots import (
    Snapshot,
    load_snapshot,
    save_snapshot,
    ticker_lock,
    write_current,
)
from forecast.prices.table import Listing, Prices, Quotes


def finished_rows(
    quotes: Quotes, exchange: str, now: datetime
) -> tuple[np.ndarray, list[str]]:
    """Which rows belong to sessions that have closed, and what to say of the others."""
    closed = quotes.sessions <= last_closed_session(exchange, now)
    today = np.datetime64(now.date(), "D")
    open_ = ~closed & (quotes.sessions <= today + 1)  # later ones are an error, not unfinished
    if not open_.any():
        return np.ones(len(quotes), dtype=bool), []
    session = quotes.sessions[open_][-1]
    close = closing_times(exchange, quotes.sessions[open_][-1:])[0]
    return ~open_, [f"The bar of {session} was left out: its session closes at {close} UTC."]


def fitting_calendar(calendar: str, sessions: np.ndarray) -> str:
    """The calendar of a file's ticker, or a plainer one where the file's own dates contradict it."""
    sessions = np.unique(sessions)
    if len(sessions) < 2:
        return calendar
    if (~np.is_busday(sessions)).mean() > 0.2:
        return "24/7"
    known = sessions_between(calendar, sessions[0], sessions[-1])
    return calendar if np.isin(sessions, known).mean() > 0.98 else "weekdays"


def store_checked(
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
