"""What `forecast status` tells: who serves each ticker, how old it is, how the last retraining ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from forecast.automation.journal import Entry, load_last_entries
from forecast.errors import RunError
from forecast.prices.calendar import last_closed_session, sessions_between
from forecast.store.champions import load_champion
from forecast.store.ledger import LEDGER, load_forecasts
from forecast.store.runs import Manifest, load_manifest


@dataclass(frozen=True)
class TickerStatus:
    """One row of the table.

    Args:
        ticker: checked symbol.
        simulated: True for DEMO.
        champion: run that serves; None without one.
        last_session: newest session dealt with by a retraining, else the champion's last; ISO.
        age: sessions that closed since the champion's last one, by the exchange's calendar.
        retrained_at: when the last retraining that asked a source ended, UTC, ISO.
        outcome, reason: how it ended; None before the first one.
        forecast_at: when the last forecast was put on record, UTC, ISO.
        problem: why this needs a person, in words; None where all is well.
    """

    ticker: str
    simulated: bool
    champion: str | None
    last_session: str | None
    age: int | None
    retrained_at: str | None
    outcome: str | None
    reason: str | None
    forecast_at: str | None
    problem: str | None


def load_status(tickers: Sequence[str], workspace: Path, max_days: float, now: datetime | None = None) -> list[TickerStatus]:
    """The status of each ticker, in their order.

    Args:
        tickers: checked symbols.
        workspace: folder of models/.
        max_days: days after the close of a session by which a retraining should have dealt with it.
        now: the present, an aware time; None for the clock's.
    """
    models, now = workspace / "models", now or datetime.now(UTC)
    entries = load_last_entries(models, tickers)
    made_at = {row.ticker: row.made_at for row in load_forecasts(models / LEDGER)}
    return [_status(ticker, models, entries.get(ticker), made_at.get(ticker), max_days, now) for ticker in tickers]


def _status(
    ticker: str, models: Path, entry: Entry | None, forecast_at: str | None, max_days: float, now: datetime
) -> TickerStatus:
    manifest, damage = _champion(models, ticker)
    last_session = _latest(entry, manifest)
    problem = damage or _problem(entry, manifest, last_session, max_days, now)
    return TickerStatus(
        ticker=ticker,
        simulated=manifest is not None and manifest.simulated,
        champion=None if manifest is None else manifest.run_id,
        last_session=last_session,
        age=None if manifest is None else _n_closed_since(manifest, now),
        retrained_at=None if entry is None else entry.ended,
        outcome=None if entry is None else entry.outcome,
        reason=None if entry is None else entry.reason,
        forecast_at=forecast_at,
        problem=problem,
    )


def _champion(models: Path, ticker: str) -> tuple[Manifest | None, str | None]:
    """The champion's manifest, or why it cannot be read; neither where there is none."""
    try:
        path = load_champion(models, ticker)
        return (None if path is None else load_manifest(path)), None
    except RunError as damage:
        return None, str(damage)


def _latest(entry: Entry | None, manifest: Manifest | None) -> str | None:
    dates = [entry.session if entry else None, manifest.cutoffs["last_session"] if manifest else None]
    return max((date for date in dates if date), default=None)


def _problem(
    entry: Entry | None, manifest: Manifest | None, last_session: str | None, max_days: float, now: datetime
) -> str | None:
    if entry is not None and entry.outcome == "failed":
        return f"the last retraining failed: {entry.reason}"
    if manifest is None:
        return "no champion: nothing was trained yet"
    if manifest.simulated:
        return None  # gets no new sessions
    expected = str(last_closed_session(manifest.listing.exchange, now - timedelta(days=max_days)))
    if last_session < expected:
        return f"stale: the session of {expected} closed more than {max_days:g} days ago, {last_session} is the last dealt with"
    return None


def _n_closed_since(manifest: Manifest, now: datetime) -> int:
    exchange, last = manifest.listing.exchange, np.datetime64(manifest.cutoffs["last_session"])
    return len(sessions_between(exchange, last + 1, last_closed_session(exchange, now)))
