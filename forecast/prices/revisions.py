"""What changed between two downloads of one ticker: rounding, a split, a dividend, or a revision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.prices.checks import listed
from forecast.prices.table import Quotes

NOISE = 1e-6  # relative: sources keep prices in single precision
SPLIT_STEP = 1.25  # an adjustment by more than a quarter is a split, by less a dividend
_NEIGHBOURS = 3  # sessions on either side that tell the level of the ratio
_DENOMINATORS = np.arange(1, 21)


@dataclass(frozen=True)
class Adjustment:
    """A constant factor on all prices before a date.

    Args:
        kind: "split", "dividend", or "reversal" of one.
        factor: new price over old price.
        after: ISO date of the last session whose price it changed.
        by: ISO date of the first session that it did not change; where none is common, of the
            newest one.
        known: ISO dates on which the new download itself names such an event, in that range.
    """

    kind: str
    factor: float
    after: str
    by: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        when = f"after {self.after}"
        if self.known:
            when = f"on {', '.join(self.known)}"
        elif self.by > self.after:
            when += f", by {self.by}"
        if self.kind == "split":
            return f"{ratio_in_words(self.factor)} split {when}: earlier prices x {self.factor:.6g}."
        if self.kind == "dividend":
            what = "Dividend" if self.factor > 0.95 else "Dividends"
            return f"{what} {when}: earlier prices x {self.factor:.6f}, {1 - self.factor:.2%} of the price."
        return f"An adjustment was taken back {when}: earlier prices x {self.factor:.6f}."


@dataclass(frozen=True)
class Revision:
    """A close that changed alone: its session, and what it was and is, adjustments taken out."""

    session: str
    old: float
    new: float


@dataclass(frozen=True)
class Comparison:
    """What changed between two downloads.

    Args:
        n_common: sessions in both.
        n_added: sessions of the new one alone.
        lost: ISO dates of the old one alone, within the new one's range or not.
        adjustments: oldest first.
        revisions: oldest first.
        reshaped: ISO dates whose Open, High or Low changed against an unchanged close.
        noise: largest relative difference that remains.
    """

    n_common: int
    n_added: int
    lost: tuple[str, ...]
    adjustments: tuple[Adjustment, ...]
    revisions: tuple[Revision, ...]
    reshaped: tuple[str, ...]
    noise: float

    def sentences(self) -> list[str]:
        """What to tell a person, most important first."""
        found = [str(adjustment) for adjustment in self.adjustments]
        if self.revisions:
            days = listed(f"{r.session} {r.old:.6g} to {r.new:.6g}" for r in self.revisions)
            found.append(f"{len(self.revisions)} closes revised: {days}.")
        if self.reshaped:
            found.append(f"{len(self.reshaped)} bars with another Open, High or Low: {listed(self.reshaped)}.")
        if self.lost:
            found.append(f"{len(self.lost)} sessions lost: {listed(self.lost)}.")
        rest = "identical" if self.noise == 0 else f"equal to {self.noise:.1e}, rounding"
        others = "the other" if found else "all"
        found.append(f"{self.n_added} sessions added; {others} common closes are {rest}.")
        return found


def compare_quotes(old: Quotes, new: Quotes) -> Comparison:
    """What the new download changed about the sessions that both have.

    The logarithm of new close over old close is a staircase: each step is an adjustment, each
    point off the stairs a revision.

        0 ------------+                        0 -------.------------
                      |  split or dividend            |
        -1.6          +-------------                  o  revision

    Raw and adjusted closes are compared each for itself where both downloads have both: a split
    shows in the first, a dividend only in the second.

    Args:
        old, new: accepted rows, oldest first, of the same ticker.
    """
    sessions, i, j = np.intersect1d(old.sessions, new.sessions, return_indices=True)
    before, after = old.rows(i), new.rows(j)
    if _tells_dividends(old) and _tells_dividends(new):
        dividends = (after.adj_close / after.close) / (before.adj_close / before.close)
        tolerances = _rounding(before.close, before.adj_close, after.close, after.adj_close)
        pairs = [(before.close, after.close), (None, dividends)]
    else:
        tolerances = _rounding(before.adjusted_close(), after.adjusted_close())
        pairs = [(before.adjusted_close(), after.adjusted_close())]
    adjustments, revisions, noise = [], [], 0.0
    for first, second in pairs:
        ratio = second if first is None else second / first
        levels, off = _find_levels(np.log(ratio), tolerances)
        adjustments += _adjustments(sessions, levels, new)
        noise = max([noise, *np.abs(np.expm1(np.log(ratio) - levels))[~off]])
        if first is not None:
            scaled = first * np.exp(levels)
            revisions += [
                Revision(str(sessions[t]), float(scaled[t]), float(second[t]))
                for t in np.flatnonzero(off)
            ]
    return Comparison(
        n_common=len(sessions),
        n_added=len(new) - len(sessions),
        lost=tuple(np.setdiff1d(old.sessions, new.sessions).astype(str).tolist()),
        adjustments=tuple(sorted(adjustments, key=lambda adjustment: adjustment.by)),
        revisions=tuple(revisions),
        reshaped=_reshaped(before, after),
        noise=float(noise),
    )


def ratio_in_words(factor: float) -> str:
    """A split's ratio, new shares for old ones: 0.2 is "5:1", 10 is "1:10", 2/3 is "3:2"."""
    shares = 1.0 / factor
    numerators = np.maximum(np.round(shares * _DENOMINATORS), 1)
    fits = np.abs(np.log(numerators / _DENOMINATORS / shares)) < 0.005
    best = int(np.argmax(fits)) if fits.any() else 0
    if not fits.any():
        return f"{shares:.4g}:1"
    return f"{numerators[best]:.0f}:{_DENOMINATORS[best]}"


def _tells_dividends(quotes: Quotes) -> bool:
    """Whether a download has closes both before and after dividends were taken out of them."""
    return not (np.isnan(quotes.adj_close) | (quotes.adj_close == quotes.close)).all()


def _reshaped(before: Quotes, after: Quotes) -> tuple[str, ...]:
    """Sessions whose Open, High or Low changed in proportion to the close."""
    changed = np.zeros(len(before), dtype=bool)
    for name in ("open", "high", "low"):
        old, new = getattr(before, name), getattr(after, name)
        step = np.abs(np.log((new / after.close) / (old / before.close)))
        changed |= step > _rounding(old, before.close, new, after.close)  # False where NaN
    return tuple(before.sessions[changed].astype(str).tolist())


def _find_levels(log_ratio: np.ndarray, tolerances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The stair that each session stands on, shape (n_common,), and which ones lie off it."""
    if not len(log_ratio):
        return log_ratio, np.array([], dtype=bool)
    padded = np.pad(log_ratio, _NEIGHBOURS, mode="constant", constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEIGHBOURS + 1)
    around = np.nanmedian(windows, axis=1)
    off = np.abs(log_ratio - around) > tolerances
    on = np.flatnonzero(~off)
    breaks = np.abs(np.diff(around[on])) > tolerances[on][1:] + tolerances[on][:-1]
    stair = np.append(0, np.cumsum(breaks))[: len(on)]
    levels = around.copy()
    for step in np.unique(stair):
        rows = on[stair == step]
        level = np.median(log_ratio[rows])
        # Rounding averages out over the rows of a step.
        unsure = NOISE + 3.0 * np.median(tolerances[rows]) / np.sqrt(len(rows))
        levels[rows] = 0.0 if abs(level) <= unsure else level
    return levels, off


def _adjustments(sessions: np.ndarray, levels: np.ndarray, new: Quotes) -> list[Adjustment]:
    """One adjustment for each step of the stairs, the last one down to the newest sessions."""
    if not len(levels):
        return []
    steps = np.append(levels[:-1] - levels[1:], levels[-1])
    later = new.sessions[new.sessions > sessions[-1]]
    following = np.append(sessions[1:], later[-1:] if len(later) else sessions[-1:])
    found = []
    for t in np.flatnonzero(np.abs(steps) > 2 * NOISE):
        factor = float(np.exp(steps[t]))
        split = abs(steps[t]) > np.log(SPLIT_STEP)
        kind = "split" if split else "dividend" if factor < 1.0 else "reversal"
        events = new.splits if split else new.dividends
        inside = (new.sessions > sessions[t]) & (new.sessions <= following[t]) & (events > 0)
        known = tuple(new.sessions[inside].astype(str).tolist())
        found.append(Adjustment(kind, factor, str(sessions[t]), str(following[t]), known))
    return found


def _rounding(*columns: np.ndarray) -> np.ndarray:
    """By how much ratios of these columns may differ for rounding alone, shape (n_sessions,)."""
    relative = [_quantum(column) / column for column in columns]
    return 2.0 * NOISE + np.sum(relative, axis=0)


def _quantum(column: np.ndarray) -> float:
    """The unit of the last decimal that a column is written with; 0 for full precision."""
    for decimals in range(8):
        scaled = column * 10.0**decimals
        if np.allclose(scaled, np.round(scaled), rtol=1e-9, atol=1e-3):
            return 10.0**-decimals
    return 0.0
