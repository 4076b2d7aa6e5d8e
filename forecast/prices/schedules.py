"""The sessions that exchange_calendars knows, kept in the user's cache: building them takes longer than a forecast.

A kept schedule is two columns of numbers under the name of its exchange, its first year, the month it was built in
and the moment exchange_calendars was installed; any other name, shape or order is built again.
"""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

_FIRST_YEAR = 1970  # exchange_calendars takes older New Year's Days of XNYS for sessions


@dataclass(frozen=True)
class Schedule:
    """The sessions that a calendar knows: dates and closing times [UTC], shape (n_sessions,); maybe none."""

    sessions: np.ndarray  # datetime64[D]
    closes: np.ndarray  # datetime64[s]


def load_schedule(exchange: str, since: int) -> Schedule:
    """Sessions from the first day of a year on, or from where the calendar begins; none where there is no calendar.

    Args:
        exchange: name of an exchange_calendars calendar.
        since: the year.
    """
    path = _path(exchange, since)
    kept = _read(path)
    if kept is None:
        kept = build_schedule(exchange, since)
        _keep(path, kept)
    return kept


def build_schedule(exchange: str, since: int) -> Schedule:
    """The same, from exchange_calendars itself; imports pandas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # exchange_calendars 4.13 meets deprecations of pandas 3.1
        import exchange_calendars
        import pandas

        try:
            calendar = exchange_calendars.get_calendar(exchange)
            start = pandas.Timestamp(f"{max(since, _FIRST_YEAR)}-01-01")
            if start < calendar.first_session:
                start = max(start, calendar.bound_min() or start)
                calendar = exchange_calendars.get_calendar(exchange, start=start)
        except (ValueError, NotImplementedError):  # its rules contradict each other or pandas
            return Schedule(np.array([], "datetime64[D]"), np.array([], "datetime64[s]"))
        sessions = calendar.sessions.to_numpy().astype("datetime64[D]")
        closes = calendar.closes.dt.tz_convert(None).to_numpy().astype("datetime64[s]")
    return Schedule(sessions, closes)


def _path(exchange: str, since: int) -> Path:
    """Where the schedule is kept; a month later it is built again, since calendars grow at their end."""
    from importlib.util import find_spec

    installed = Path(find_spec("exchange_calendars").origin).stat().st_mtime_ns  # its version takes 0.02 s to find out
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "forecast" / "calendars"
    safe = exchange.replace("/", "_")
    return folder / f"{safe}-{since}-{datetime.now(UTC):%Y-%m}-{installed}.npy"


def _read(path: Path) -> Schedule | None:
    """A kept schedule; None where there is none that makes sense."""
    try:
        columns = np.load(path, allow_pickle=False)                      # (2, n_sessions), days and seconds since 1970
    except (OSError, ValueError, EOFError):
        return None
    if columns.ndim != 2 or len(columns) != 2 or columns.dtype != np.int64 or (np.diff(columns) <= 0).any():
        return None
    return Schedule(columns[0].astype("datetime64[D]"), columns[1].astype("datetime64[s]"))


def _keep(path: Path, schedule: Schedule) -> None:
    """Keep a schedule; a cache that cannot be written is no cache."""
    columns = np.stack([schedule.sessions.astype(np.int64), schedule.closes.astype(np.int64)])
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with temporary.open("wb") as file:
            np.save(file, columns, allow_pickle=False)
        os.replace(temporary, path)
