"""What prices must satisfy before a model may see them, and what becomes of rows that do not.

Few bad rows (3, or 1 in 50) are left out and named in a notice; more are an error. A table whose
units, spacing or splits are wrong is always an error: no row of it can be trusted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from forecast.errors import DataError
from forecast.prices.calendar import missing_sessions, sessions_between
from forecast.prices.jumps import SMALLEST_SPLIT, is_unit_change, split_ratio
from forecast.prices.table import Quotes

RANGE_TOLERANCE = 0.005  # Open and Close may lie this far outside Low..High: venues differ a little
WILD_RANGE = 3.0  # a High or Low this many times beyond Open and Close is a typing error
MAX_MISSING = 0.02  # share of the exchange's sessions that may be missing
NOTABLE_MOVE = 0.25  # log return that `data show` lists


@dataclass(frozen=True)
class Checked:
    """Rows that a model may see, oldest first, and what was found on the way.

    Args:
        quotes: accepted rows.
        notices: sentences about rows that were left out.
        missing: sessions of the exchange that have no row, datetime64[D].
        anomalies: sentences about accepted rows that look odd.
    """

    quotes: Quotes
    notices: tuple[str, ...]
    missing: np.ndarray
    anomalies: tuple[str, ...]


@dataclass(frozen=True)
class _Candidate:
    """Rows under examination, with what messages need to know of them."""

    quotes: Quotes
    lines: np.ndarray | None  # line numbers in a file
    where: str

    def rows(self, kept: np.ndarray) -> _Candidate:
        lines = None if self.lines is None else self.lines[kept]
        return replace(self, quotes=self.quotes.rows(kept), lines=lines)

    def name(self, index: int) -> str:
        """A row, as a message names it."""
        line = "" if self.lines is None else f" (line {self.lines[index]})"
        return f"{self.quotes.sessions[index]}{line}"

    def names(self, rows: np.ndarray) -> str:
        return listed(self.name(index) for index in np.flatnonzero(rows))


def few_of(n_rows: int) -> int:
    """How many rows of a table may be left out before the table itself is refused."""
    return max(3, n_rows // 50)


def listed(items: Iterable[str], at_most: int = 4) -> str:
    """Items as people write them: "a, b, c and 12 more"."""
    items = list(items)
    shown = ", ".join(str(item)[:40] for item in items[:at_most])
    more = len(items) - at_most
    return f"{shown} and {more} more" if more > 0 else shown


def check_quotes(
    quotes: Quotes,
    *,
    where: str,
    exchange: str,
    today: np.datetime64,
    lines: np.ndarray | None = None,
) -> Checked:
    """The rows that can be used, oldest first.

    Args:
        quotes: rows in any order.
        where: ticker or file, for messages.
        exchange: as in `Listing.exchange`; tells which sessions are missing.
        today: no session may be later.
        lines: line numbers in a file, shape (n_rows,).

    Raises:
        DataError: if no row has prices, if these are no daily bars, if many rows are bad, if units
            change, if a split or dividend is not taken out, or if many sessions are missing.
    """
    candidate = _sorted(_Candidate(quotes, lines, where))
    notices: list[str] = []
    for step in (_without_empty_rows, _without_repeats, _without_bad_rows, _without_spikes):
        candidate, notice = step(candidate)
        notices += notice
    candidate, notice = _without_idle_days(candidate, exchange)
    notices += notice
    _check_future(candidate, today)
    _check_jumps(candidate)
    _check_dividends(candidate)
    missing = _check_gaps(candidate, exchange)
    return Checked(candidate.quotes, tuple(notices), missing, tuple(_anomalies(candidate.quotes)))


def _sorted(candidate: _Candidate) -> _Candidate:
    """Oldest first; where a file is newest first, the later of two equal dates stays the later."""
    sessions = candidate.quotes.sessions
    if len(sessions) > 1 and sessions[0] > sessions[-1]:
        candidate = candidate.rows(np.arange(len(sessions))[::-1])
    return candidate.rows(np.argsort(candidate.quotes.sessions, kind="stable"))


def _without_empty_rows(candidate: _Candidate) -> tuple[_Candidate, list[str]]:
    """Without rows that have no price at all; before the first and after the last, any number."""
    quotes = candidate.quotes
    priced = ~np.isnan(np.array([quotes.open, quotes.high, quotes.low, quotes.close])).all(axis=0)
    if not priced.any():
        raise DataError(f"{candidate.where} has {len(quotes)} rows and no price in any of them.")
    first, last = np.flatnonzero(priced)[[0, -1]]
    inner = ~priced
    inner[:first] = inner[last + 1 :] = False
    if inner.sum() > few_of(len(quotes)):
        raise DataError(
            f"{candidate.where} has {inner.sum()} rows without prices among {len(quotes)}: "
            f"{candidate.names(inner)}. Download it again."
        )
    return candidate.rows(priced), _left_out(candidate, ~priced, "without prices")


def _without_repeats(candidate: _Candidate) -> tuple[_Candidate, list[str]]:
    """One row a session: the later of equal ones, none of two that disagree; daily bars only."""
    sessions, close = candidate.quotes.sessions, candidate.quotes.close
    _check_spacing(candidate)
    same_day = sessions[1:] == sessions[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        agree = np.isclose(close[1:], close[:-1], rtol=1e-6, atol=0.0)
    earlier = np.append(same_day, False)
    disputed = np.isin(sessions, sessions[1:][same_day & ~agree])
    if disputed.sum() > few_of(len(sessions)):
        raise DataError(
            f"{candidate.where} has {disputed.sum()} rows of the same date and different closes: "
            f"{candidate.names(disputed)}. Two histories were mixed; download it again."
        )
    notices = _left_out(candidate, earlier & ~disputed, "of a date that comes again")
    notices += _left_out(candidate, disputed, "of the same date and different closes")
    return candidate.rows(~earlier & ~disputed), notices


def _check_spacing(candidate: _Candidate) -> None:
    """Refuse bars of an hour, a week or a month."""
    sessions = candidate.quotes.sessions
    if len(sessions) < 4:
        return
    steps = np.diff(sessions).astype(int)
    median = float(np.median(steps))
    if median == 0:
        again = int(np.flatnonzero(steps == 0)[0]) + 1
        raise DataError(
            f"{candidate.where} has {len(sessions)} rows on {len(np.unique(sessions))} days, first "
            f"again on {candidate.name(again)}: these are intraday bars. Download daily bars."
        )
    if median >= 5:
        kind = "weekly" if median < 20 else "monthly" if median < 80 else "quarterly"
        raise DataError(
            f"{candidate.where} has one bar every {median:.0f} days ({candidate.name(0)}, "
            f"{candidate.name(1)}): these are {kind} bars. Download daily bars."
        )


def _without_bad_rows(candidate: _Candidate) -> tuple[_Candidate, list[str]]:
    """Without rows whose prices cannot be: not positive, not finite, High and Low not around."""
    reasons = _bad_rows(candidate.quotes)
    bad = np.any(list(reasons.values()), axis=0)
    notices = []
    if bad.sum() > few_of(len(bad)):
        kept = _after_bad_beginning(bad)
        if kept == 0 or kept == len(bad):
            reason, rows = max(reasons.items(), key=lambda item: item[1].sum())
            raise DataError(
                f"{candidate.where} has {bad.sum()} bad rows among {len(bad)}, most of them with "
                f"{reason}: {candidate.names(rows)}. Up to {few_of(len(bad))} would be left out."
            )
        notices = [
            f"{kept} rows before {candidate.name(kept)} were left out: {bad[:kept].sum()} of them "
            "have prices that are missing or cannot be."
        ]
        candidate, bad = candidate.rows(np.arange(len(bad)) >= kept), bad[kept:]
        reasons = {reason: rows[kept:] for reason, rows in reasons.items()}
    for reason, rows in reasons.items():
        notices += _left_out(candidate, rows, f"with {reason}")
    return candidate.rows(~bad), notices


def _bad_rows(quotes: Quotes) -> dict[str, np.ndarray]:
    """For each reason the rows that are bad for it, and for no reason before it."""
    columns = {"open": quotes.open, "high": quotes.high, "low": quotes.low, "close": quotes.close}
    if not np.isnan(quotes.adj_close).all():
        columns["adjusted close"] = quotes.adj_close
    present = {name: values for name, values in columns.items() if not np.isnan(values).all()}
    reasons = {}
    with np.errstate(invalid="ignore"):
        reasons["a price that is missing"] = np.any([np.isnan(v) for v in present.values()], axis=0)
        reasons["a price that is not positive and finite"] = np.any(
            [~((values > 0) & np.isfinite(values)) for values in present.values()], axis=0
        )
        reasons["a volume below zero"] = quotes.volume < 0
        reasons["High below Low"] = quotes.high < quotes.low * (1.0 - 1e-6)
        top = np.fmax(quotes.open, quotes.close)
        bottom = np.fmin(quotes.open, quotes.close)
        reasons[f"Open or Close more than {RANGE_TOLERANCE:.1%} outside Low to High"] = (
            top > quotes.high * (1.0 + RANGE_TOLERANCE)
        ) | (bottom < quotes.low * (1.0 - RANGE_TOLERANCE))
        reasons[f"High or Low {WILD_RANGE:.0f} times beyond Open and Close"] = (
            quotes.high > top * WILD_RANGE
        ) | (quotes.low < bottom / WILD_RANGE)
    seen = np.zeros(len(quotes), dtype=bool)
    for reason, rows in reasons.items():
        reasons[reason] = rows & ~seen
        seen |= rows
    return reasons


def _after_bad_beginning(bad: np.ndarray) -> int:
    """How many rows make up a bad beginning, such as decades without opening prices; 0 if none.

    The shortest beginning after which few rows are bad, if most of that beginning is bad.
    """
    remaining = bad[::-1].cumsum()[::-1]
    allowed = np.maximum(3, np.arange(len(bad), 0, -1) // 50)
    cut = int(np.argmax(remaining <= allowed))  # 0 also where no beginning will do
    while cut and bad[cut] and cut < len(bad) - 1:
        cut += 1  # the beginning ends with its last bad row
    return cut if bad[:cut].mean() > 0.5 and remaining[cut] <= allowed[cut] else 0


def _without_spikes(candidate: _Candidate) -> tuple[_Candidate, list[str]]:
    """Without single bars that leave the others by a factor of three and come back at once."""
    moves = np.diff(np.log(candidate.quotes.adjusted_close()))
    there, back = moves[:-1], moves[1:]
    spikes = np.zeros(len(candidate.quotes), dtype=bool)
    spikes[1:-1] = (np.abs(there) > np.log(3.0)) & (np.abs(there + back) < 0.3 * np.abs(there))
    spikes[1:] &= ~spikes[:-1]  # of two neighbours, the one between is the odd one
    if spikes.sum() > few_of(len(spikes)):
        return candidate, []  # not spikes but changes of unit, which `_check_jumps` names
    return candidate.rows(~spikes), _left_out(candidate, spikes, "three times off and back at once")


def _without_idle_days(candidate: _Candidate, exchange: str) -> tuple[_Candidate, list[str]]:
    """Without rows that repeat a close on days when nothing was traded and the exchange was closed.

    A last row without trades goes too: a share that has left the exchange keeps its last price.
    """
    quotes = candidate.quotes
    if not (quotes.volume > 0).mean() > 0.5:  # an index or a currency: no volume says nothing
        return candidate, []
    flat = (quotes.volume == 0) & (quotes.high == quotes.low) & (quotes.close == quotes.open)
    closed = ~np.isin(quotes.sessions, sessions_between(exchange, *quotes.sessions[[0, -1]]))
    idle = flat & closed
    idle[-1] |= flat[-1]
    return candidate.rows(~idle), _left_out(candidate, idle, "on which nothing was traded")


def _check_future(candidate: _Candidate, today: np.datetime64) -> None:
    """Refuse sessions that have not come yet."""
    future = candidate.quotes.sessions > today
    if future.any():
        raise DataError(
            f"{candidate.where} has {future.sum()} rows after today, {today}: "
            f"{candidate.names(future)}. Are day and month exchanged?"
        )


def _check_jumps(candidate: _Candidate) -> None:
    """Refuse prices that change their unit or that a split was not taken out of."""
    quotes = candidate.quotes
    close = quotes.adjusted_close()
    factors = close[1:] / close[:-1]
    for t in np.flatnonzero(np.abs(np.log(factors)) > np.log(SMALLEST_SPLIT)) + 1:
        factor = float(factors[t - 1])
        found = f"{candidate.where}: the close goes from {close[t - 1]:g} to {close[t]:g} on "
        found += f"{candidate.name(t)}, a factor of {factor:.4g}. "
        if is_unit_change(quotes, t, factor):
            raise DataError(f"{found}That is a change of unit, such as pence and pounds.")
        if ratio := split_ratio(quotes, t, factor):
            raise DataError(
                f"{found}That is a {ratio} split which was not taken out of the earlier prices. "
                "Use split-adjusted prices."
            )


def _check_dividends(candidate: _Candidate) -> None:
    """Refuse an adjusted close from which a dividend, given beside it, was not taken out.

    On the ex-date the ratio of adjusted close to close rises by 1 / (1 - dividend / last close).
    """
    quotes, dividends = candidate.quotes, candidate.quotes.dividends
    if np.isnan(quotes.adj_close).all():
        return
    share = np.nan_to_num(dividends[1:]) / quotes.close[:-1]
    ratio = quotes.adj_close / quotes.close
    step = np.log(ratio[1:] / ratio[:-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = -np.log1p(-np.clip(share, 0.0, 0.99))
    wrong = np.append(False, (share > 0.001) & (step < 0.5 * expected))
    if wrong.any():
        t = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{candidate.where}: the dividend of {dividends[t]:g} on {candidate.name(t)} is not in the "
            f"adjusted close: {quotes.close[t - 1]:g} before it should have become "
            f"{quotes.close[t - 1] * ratio[t] * (1 - share[t - 1]):.6g} and is "
            f"{quotes.adj_close[t - 1]:.6g}. Download it again, or leave out the rows up to that day."
        )


def _check_gaps(candidate: _Candidate, exchange: str) -> np.ndarray:
    """Sessions of the exchange that have no row; refused where they are many."""
    sessions = candidate.quotes.sessions
    missing, n_expected = missing_sessions(exchange, sessions)
    if len(missing) > max(5, MAX_MISSING * n_expected):
        widest = int(np.argmax(np.diff(sessions)))
        raise DataError(
            f"{candidate.where} lacks {len(missing)} of the {n_expected} sessions of {exchange} from "
            f"{sessions[0]} to {sessions[-1]}, the most between {candidate.name(widest)} and "
            f"{candidate.name(widest + 1)}. Up to {MAX_MISSING:.0%} may be missing; download it again."
        )
    return missing


def _anomalies(quotes: Quotes) -> list[str]:
    """Sentences about accepted rows that look odd."""
    sessions, close = quotes.sessions, quotes.adjusted_close()
    moves = np.append(0.0, np.diff(np.log(close)))
    large = np.flatnonzero(np.abs(moves) > NOTABLE_MOVE)
    found = []
    if len(large):
        moved = listed((f"{sessions[t]} {np.expm1(moves[t]):+.0%}" for t in large), at_most=8)
        found.append(f"{len(large)} moves beyond {np.expm1(-NOTABLE_MOVE):.0%}: {moved}.")
    outside = np.fmax(quotes.open, quotes.close) > quotes.high * (1 + 1e-6)
    outside |= np.fmin(quotes.open, quotes.close) < quotes.low * (1 - 1e-6)
    for rows, what in (
        (quotes.volume == 0, "no volume"),
        (outside, f"Open or Close up to {RANGE_TOLERANCE:.1%} outside Low to High"),
    ):
        if rows.any() and not rows.all():
            days = listed(sessions[rows].astype(str))
            found.append(f"{rows.sum()} sessions with {what}: {days}.")
    return found


def _left_out(candidate: _Candidate, rows: np.ndarray, reason: str) -> list[str]:
    """A sentence about rows that were left out; none where there are none."""
    count = int(rows.sum())
    if not count:
        return []
    what = "1 row was" if count == 1 else f"{count} rows were"
    return [f"{what} left out, {reason}: {candidate.names(rows)}."]
