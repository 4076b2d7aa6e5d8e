"""How dates are written, and which day of the exchange each one means."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from forecast.errors import DataError

_TIME = (
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|[+-]\d{2}:?\d{2}(?::\d{2})?|[A-Z]{2,5})?)?\Z"
)
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?,?\s+)?"
_SHAPES = {
    shape: re.compile(pattern + _TIME, re.IGNORECASE | re.ASCII)
    for shape, pattern in {
        "year first": r"(?P<x>\d{4})([-/. ])(?P<y>\d{1,2})\2(?P<z>\d{1,2})",
        "ideographs": r"(?P<x>\d{4})[年년]\s?(?P<y>\d{1,2})[月월]\s?(?P<z>\d{1,2})[日일]",
        "digits": r"(?P<x>(?:19|20)\d{2})(?P<y>\d{2})(?P<z>\d{2})",
        "year last": r"(?P<x>\d{1,2})([-/. ])(?P<y>\d{1,2})\2(?P<z>\d{4})",
        "short year": r"(?P<x>\d{1,2})([-/. ])(?P<y>\d{1,2})\2(?P<z>\d{2})",
        "day month": _WEEKDAY
        + r"(?P<x>\d{1,2})[-/. ]+(?P<y>[A-Z]{3,9})\.?[-/, ]+(?P<z>\d{4}|\d{2})",
        "month day": _WEEKDAY + r"(?P<y>[A-Z]{3,9})\.?[-/ ]+(?P<x>\d{1,2}),?[-/ ]+(?P<z>\d{4}|\d{2})",
        "year month": r"(?P<x>\d{4})[-/ ](?P<y>[A-Z]{3,9})\.?[-/ ](?P<z>\d{1,2})",
        "epoch": r"(?P<epoch>\d{9,10}|\d{12,13}|\d{15,16}|\d{18,19})(?:\.0*)?",
        "spreadsheet": r"(?P<serial>[2-6]\d{4})(?:\.\d+)?",
    }.items()
}
# Positions of year, month and day among (x, y, z).
_ORDERS = {
    "year first": ("yyyy-mm-dd",),
    "ideographs": ("yyyy-mm-dd",),
    "digits": ("yyyy-mm-dd",),
    "year month": ("yyyy-mm-dd",),
    "day month": ("dd-mm-yyyy",),
    "month day": ("dd-mm-yyyy",),
    "year last": ("dd-mm-yyyy", "mm-dd-yyyy"),
    "short year": ("dd-mm-yy", "mm-dd-yy", "yy-mm-dd"),
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SPREADSHEET_ORIGIN = np.datetime64("1899-12-30", "D")
_EPOCH_UNITS = {9: "s", 10: "s", 12: "ms", 13: "ms", 15: "us", 16: "us", 18: "ns", 19: "ns"}
_UTC_NAMES = ("z", "utc", "gmt", "+00:00", "+0000", "-00:00", "+00:00:00")
_NO_DATE = np.datetime64("NaT", "D")


def is_date(cell: str) -> bool:
    """Whether a cell is written in one of the ways that dates are written in."""
    return _match(cell)[0] != ""


def sessions_from_cells(
    cells: list[str], lines: list[int], timezone: str, where: str
) -> np.ndarray:
    """The day of the exchange that each cell means, shape (n_cells,), datetime64[D].

    A time stamp with an offset is taken at that offset; stamps in UTC that are not all at midnight
    are taken at the exchange. Day before month or month before day is decided by all cells: only
    one order gives dates that exist, or only one gives dates in order.

    Args:
        cells: the date column, in the file's order.
        lines: line numbers, for messages.
        timezone: IANA name of the exchange's.
        where: the file, for messages.

    Returns:
        The sessions; NaT where a cell is not a date of the column's own kind.

    Raises:
        DataError: if day and month cannot be told apart.
    """
    try:  # by far the most common way, at once
        if all(len(cell) == 10 and cell[4] == cell[7] == "-" for cell in cells):
            return np.array(cells, dtype="datetime64[D]")
    except ValueError:
        pass
    matched = [_match(cell) for cell in cells]
    shape = Counter(shape for shape, _ in matched if shape).most_common(1)
    sessions = np.full(len(cells), _NO_DATE)
    if not shape:
        return sessions
    rows = [i for i, (found, _) in enumerate(matched) if found == shape[0][0]]
    matches = [matched[i][1] for i in rows]
    sessions[rows] = _sessions_of_shape(shape[0][0], matches, [lines[i] for i in rows], timezone, where)
    return sessions


def _sessions_of_shape(shape: str, matches: list[re.Match], lines, timezone, where) -> np.ndarray:
    """Sessions from cells that are all written in one way."""
    if shape == "spreadsheet":
        return _SPREADSHEET_ORIGIN + np.array([int(match["serial"]) for match in matches])
    if shape == "epoch":
        return _local_days(np.array([_epoch(match["epoch"]) for match in matches]), timezone)
    days = _days_in_order(shape, matches, lines, where)
    zones = {(match["zone"] or "").lower() for match in matches}
    if zones <= set(_UTC_NAMES):
        seconds = np.array([_seconds(match) for match in matches])
        return _local_days(days.astype("datetime64[s]") + seconds, timezone)
    return days


def _match(cell: str) -> tuple[str, re.Match | None]:
    """The way in which a cell is written, and its parts; ("", None) if it is no date."""
    for shape, pattern in _SHAPES.items():
        match = pattern.match(cell)
        if match and (not match.groupdict().get("y") or _month(match["y"])):
            return shape, match
    return "", None


def _days_in_order(shape: str, matches: list[re.Match], lines: list[int], where: str) -> np.ndarray:
    """Dates under the only order of day, month and year that makes sense for all of them."""
    parts = np.array([[int(m["x"]), _month(m["y"]), int(m["z"])] for m in matches])
    candidates = {order: _days(parts, order) for order in _ORDERS[shape]}
    existing = {order: days for order, days in candidates.items() if not np.isnat(days).any()}
    if not existing:
        order, days = min(candidates.items(), key=lambda item: np.isnat(item[1]).sum())
        if len(candidates) == 1 or np.isnat(days).mean() < 0.02:
            return days  # a date like 31-02: the row is bad, not the column
        wrong = int(np.flatnonzero(np.isnat(days))[0])
        raise DataError(
            f"{where}, line {lines[wrong]}: {matches[wrong][0]!r} is not a date like the others, "
            f"whichever of {', '.join(candidates)} is meant."
        )
    if len(existing) > 1:
        existing = {order: days for order, days in existing.items() if _is_ordered(days)} or existing
    distinct = {days.tobytes() for days in existing.values()}
    if len(distinct) > 1:
        raise DataError(
            f"{where}, line {lines[0]}: {matches[0][0]!r} may be {' or '.join(existing)}, and no "
            "other date in the column tells which. Write dates as yyyy-mm-dd."
        )
    return next(iter(existing.values()))


def _days(parts: np.ndarray, order: str) -> np.ndarray:
    """Dates from (x, y, z) under one order; NaT where no such day exists."""
    names = order.split("-")
    year = parts[:, next(i for i, name in enumerate(names) if name.startswith("y"))]
    month, day = parts[:, names.index("mm")], parts[:, names.index("dd")]
    year = np.where(year < 70, 2000 + year, np.where(year < 100, 1900 + year, year))
    exists = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (year >= 1800)
    months = ((year - 1970) * 12 + np.where(exists, month, 1) - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    exists &= days.astype("datetime64[M]") == months
    return np.where(exists, days, _NO_DATE)


def _is_ordered(days: np.ndarray) -> bool:
    steps = np.diff(days).astype(int)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _local_days(instants: np.ndarray, timezone: str) -> np.ndarray:
    """Days at the exchange of instants in UTC, unless all of them are plain dates at midnight."""
    seconds = instants.astype("datetime64[s]").astype(np.int64)
    if (seconds % 86_400 == 0).all() or timezone == "UTC":
        return instants.astype("datetime64[D]")
    zone = ZoneInfo(timezone)
    days = [datetime.fromtimestamp(second, UTC).astimezone(zone).date() for second in seconds.tolist()]
    return np.array(days, dtype="datetime64[D]")


def _seconds(match: re.Match) -> np.timedelta64:
    """Seconds since midnight of a match's time, with AM and PM."""
    hour = int(match["hour"] or 0)
    half = (match["half"] or "").lower()[:1]
    hour = hour % 12 + 12 * (half == "p") if half else hour
    return np.timedelta64(hour * 3600 + int(match["minute"] or 0) * 60 + int(match["second"] or 0), "s")


def _epoch(digits: str) -> np.datetime64:
    return np.datetime64(int(digits), _EPOCH_UNITS[len(digits)]).astype("datetime64[s]")


def _month(text: str) -> int:
    """The number of a month, given as digits or as an English name; 0 for no month's name."""
    if text.isdigit():
        return int(text)
    return _MONTHS.index(text[:3].lower()) + 1 if text[:3].lower() in _MONTHS else 0
