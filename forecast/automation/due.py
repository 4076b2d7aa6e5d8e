"""Whether a ticker is due: decided by the journal and the clock alone, in no time and without pandas."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.prices.sources import CSV_PREFIX, ask_again_at

if TYPE_CHECKING:
    from forecast.automation.journal import Entry
    from forecast.prices.table import Prices


def why_due(last: Entry | None, now: datetime) -> str | None:
    """Why prices should be asked for now, in words; None where nothing is due.

    Args:
        last: the ticker's newest entry; None before its first retraining.
        now: an aware time.
    """
    if last is None or last.session is None or last.due_at is None:
        return "no retraining has ended well yet"
    if last.file != stamp_of(last.source):
        return f"{last.source.removeprefix(CSV_PREFIX)} has changed"
    if now >= datetime.fromisoformat(last.due_at):
        return f"a session has closed since {last.session}"
    return None


def when_due(prices: Prices, now: datetime) -> str:
    """When the source of the prices may have more, by the exchange's calendar; UTC, ISO."""
    again = ask_again_at(prices.listing.exchange, prices.sessions[-1], now)
    return datetime.fromisoformat(again).astimezone(UTC).isoformat(timespec="seconds")


def stamp_of(source: str | None) -> str | None:
    """Size and time of a person's own price file; None for other sources and for a missing file."""
    if source is None or not source.startswith(CSV_PREFIX):
        return None
    try:
        status = Path(source.removeprefix(CSV_PREFIX)).stat()
    except OSError:
        return None
    return f"{status.st_size} {status.st_mtime_ns}"
