"""On which days an exchange trades, when its sessions close, and which come next.

exchange_calendars knows the holidays and early closes of exchanges; "24/7" is every day and
"24/5" and "weekdays" Monday to Friday, all three closing at midnight UTC. Where a calendar ends
(XBOM and XSHG end on 2026-12-31), or cannot be built at all (XTAE of exchange_calendars 4.13 with
pandas 3.1), weekdays stand in, and `calendar_notice` says so.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from forecast.prices.schedules import Schedule, load_schedule

WITHOUT_CALENDAR = ("24/7", "24/5", "weekdays")
_DAY = np.timedelta64(1, "D")


def next_sessions(exchange: str, after: np.datetime64, count: int) -> np.ndarray:
    """The `count` sessions that follow a date, shape (count,), datetime64[D].

    Args:
        exchange: as in `Listing.exchange`.
        after: a date; itself never among the answers.
    """
    after = np.datetime64(after, "D")
    ahead = after + _DAY * (count * 7 + 30)  # every exchange opens more than one day in seven
    return sessions_between(exchange, after + _DAY, ahead)[:count]


def sessions_between(exchange: str, first: np.datetime64, last: np.datetime64) -> np.ndarray:
    """Every session from `first` to `last`, both inclusive, datetime64[D], ascending."""
    first, last = np.datetime64(first, "D"), np.datetime64(last, "D")
    days = np.arange(first, last + _DAY)
    if exchange == "24/7":
        return days
    weekdays = days[np.is_busday(days)]
    known = _known(exchange, first)
    if not len(known):
        return weekdays
    within = known[(known >= first) & (known <= last)]
    before, beyond = weekdays[weekdays < known[0]], weekdays[weekdays > known[-1]]
    return np.concatenate([before, within, beyond])


def last_closed_session(exchange: str, now: datetime) -> np.datetime64:
    """The newest session that is over: its close is at or before `now`, datetime64[D].

    Args:
        exchange: as in `Listing.exchange`.
        now: an aware time.
    """
    present = _utc(now)
    today = present.astype("datetime64[D]")
    days = sessions_between(exchange, today - 30 * _DAY, today + _DAY)
    return days[closing_times(exchange, days) <= present][-1]


def next_close(exchange: str, now: datetime) -> datetime:
    """When the next session closes after `now`, UTC."""
    present = _utc(now)
    today = present.astype("datetime64[D]")
    days = sessions_between(exchange, today - _DAY, today + 30 * _DAY)
    closes = closing_times(exchange, days)
    return closes[closes > present][0].item().replace(tzinfo=UTC)


def is_session_due(exchange: str, last_session: np.datetime64, now: datetime) -> bool:
    """Whether a session has closed that is newer than the last one known."""
    return bool(last_closed_session(exchange, now) > np.datetime64(last_session, "D"))


def closing_times(exchange: str, sessions: np.ndarray) -> np.ndarray:
    """When each session closes, early closes included, datetime64[s] in UTC, same shape."""
    sessions = sessions.astype("datetime64[D]")
    midnight = (sessions + _DAY).astype("datetime64[s]")
    if exchange in WITHOUT_CALENDAR or not len(sessions):
        return midnight
    schedule = _schedule(exchange, _decade(sessions[0]))
    if not len(schedule.sessions):
        return midnight
    index = np.searchsorted(schedule.sessions, sessions).clip(max=len(schedule.sessions) - 1)
    known = schedule.sessions[index] == sessions
    usual = schedule.closes[-1] - schedule.sessions[-1].astype("datetime64[s]")
    return np.where(known, schedule.closes[index], sessions.astype("datetime64[s]") + usual)


def missing_sessions(exchange: str, sessions: np.ndarray) -> tuple[np.ndarray, int]:
    """Sessions of the exchange that a table lacks, and how many lie in its range.

    Without a calendar, weekdays count as missing only where more than ten in a row are: no
    holidays last longer.

    Args:
        sessions: the table's, ascending, shape (n_sessions,), n_sessions > 0.
    """
    expected = sessions_between(exchange, sessions[0], sessions[-1])
    known = _known(exchange, sessions[0])
    missing = np.setdiff1d(expected, sessions)
    unsure = (missing < known[0]) | (missing > known[-1]) if len(known) else missing == missing
    if exchange in ("24/7", "24/5"):
        unsure = np.zeros(len(missing), dtype=bool)
    after = np.searchsorted(sessions, missing)  # where each missing day would stand
    run = np.busday_count(sessions[after - 1], sessions[after]) - 1
    return missing[~unsure | (run > 10)], len(expected)


def calendar_notice(exchange: str, sessions: np.ndarray) -> str | None:
    """A sentence where some sessions are only weekdays, because no calendar reaches that far."""
    if exchange == "weekdays":
        return "No exchange calendar is known for this ticker: every weekday counts as a session."
    if exchange in WITHOUT_CALENDAR or not len(sessions):
        return None
    known = _known(exchange, sessions[0])
    if not len(known):
        return f"The calendar of {exchange} cannot be built: every weekday counts as a session."
    end = known[-1]
    if sessions[-1] <= end:
        return None
    return (
        f"The calendar of {exchange} ends on {end}: later sessions are plain weekdays, "
        "whose holidays are not known."
    )


def _known(exchange: str, since: np.datetime64) -> np.ndarray:
    """The sessions that the calendar of an exchange knows, from before a date on; maybe none."""
    if exchange in WITHOUT_CALENDAR:
        return np.array([], dtype="datetime64[D]")
    return _schedule(exchange, _decade(since)).sessions


@lru_cache(maxsize=32)
def _schedule(exchange: str, since: int) -> Schedule:
    """What the calendar of an exchange knows from a year on, read once a process."""
    return load_schedule(exchange, since)


def _decade(session: np.datetime64) -> int:
    """The decade's first year: few different calendars are built, whatever dates are asked for."""
    return int(session.astype("datetime64[Y]").astype(int)) // 10 * 10 + 1970


def _utc(now: datetime) -> np.datetime64:
    """An aware time as datetime64[s] in UTC."""
    return np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "s")
