"""What the networks are told about each session, and nothing that was not known at its close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np

from forecast.prices.table import Prices

WARM_UP = 20        # sessions before volatility and mean volume mean anything
_VOLUME_MEAN = 60   # sessions of the mean that volume is measured against
_OFFSET = 0.1       # keeps log(0) away on a session without any move
_QUARTER = 13 * 7   # [days] companies report every thirteenth week, mostly on the same weekday
_QUARTERS = 12      # three years of anniversaries
_LONGEST_WAIT = 90  # sessions; an event longer ago tells nothing more


@dataclass(frozen=True)
class FeatureTable:
    """Features per session, oldest first.

    Args:
        names: column names, n_features of them.
        values: shape (n_sessions, n_features); NaN in the first `WARM_UP` sessions, and throughout
            a column whose price or volume the source does not give.
        volatility: v_t, standard deviation of a session's log return as known at its close, shape
            (n_sessions,); NaN in the first `WARM_UP` sessions.
    """

    names: tuple[str, ...]
    values: np.ndarray
    volatility: np.ndarray


@lru_cache(maxsize=4)   # every network of a run asks for the same, and each time for its calibration and for its forecast
def make_features(prices: Prices, names: tuple[str, ...], half_life: int) -> FeatureTable:
    """Features of every session, not to be written to; row t depends on sessions up to t alone.

        return            r_t / v_t                    r_t = log(close_t / close_{t-1})
        absolute_return   log(|r_t| / v_t + 0.1)
        range             log(log(high_t / low_t) / v_t + 0.1)
        volume            log(volume_t / mean volume of 60 sessions)
        overnight_gap     log(open_t / close_{t-1}) / v_t
        volatility        log v_t
        since_event       sessions since the last event, at most 90
        anniversary       events around the session that came next 13, 26, ... 156 weeks ago, mean of the logarithms
        anniversary_week  the same, of the week that came next
        close             close_t [currency]

    An event is a large move on a large volume, such as a quarterly report makes: e_t = (|r_t| / v_{t-1} - 1) times
    (volume + 0.3), the first factor kept within 0 and 5, the second within 0 and 2. `since_event` counts from e > 1.

    Args:
        prices: n_sessions of them.
        names: which of the above, in the order of the columns.
        half_life: of the volatility v_t [sessions].
    """
    returns = log_returns(prices.close)
    volatility = trailing_volatility(returns, half_life)
    with np.errstate(divide="ignore", invalid="ignore"):  # what cannot be known becomes NaN below
        columns = [_COLUMNS[name](prices, returns, volatility) for name in names]
    values = np.column_stack(columns)                     # (n_sessions, n_features)
    values[:WARM_UP] = np.nan
    values[np.isinf(values)] = np.nan
    volatility[:WARM_UP] = np.nan
    for kept in (values, volatility):
        kept.setflags(write=False)
    return FeatureTable(names, values, volatility)


def log_returns(close: np.ndarray) -> np.ndarray:
    """Log return of each session over the one before it, shape (n_sessions,); the first is NaN."""
    return np.concatenate([[np.nan], np.diff(np.log(close))])


def trailing_volatility(returns: np.ndarray, half_life: int) -> np.ndarray:
    """Root of the exponentially weighted mean of squared log returns, the session's own included.

        v_t^2 = sum_i w^i r_{t-i}^2 / sum_i w^i        w = 0.5 ** (1 / half_life)

    Args:
        returns: log returns, shape (n_sessions,), the first NaN.
        half_life: sessions after which a return's weight has halved.

    Returns:
        v_t, shape (n_sessions,); NaN where no return is known yet or all were zero.

    Source:
        RiskMetrics (1996), eq. 5.3, with the weights of a finite past normalised.
    """
    weight = 0.5 ** (1.0 / half_life)
    known = np.isfinite(returns)
    squares = _decayed_sum(np.where(known, returns, 0.0) ** 2, weight)
    weights = _decayed_sum(known, weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        volatility = np.sqrt(squares / weights)
    return np.where(volatility > 0.0, volatility, np.nan)


def _decayed_sum(values: np.ndarray, weight: float) -> np.ndarray:
    """Each value plus `weight` times the sum before it; scipy's filter would take 0.3 s to import."""
    sums = accumulate(values.tolist(), lambda total, value: weight * total + value)
    return np.fromiter(sums, dtype=float, count=len(values))


def _overnight_gap(prices: Prices, returns: np.ndarray, volatility: np.ndarray) -> np.ndarray:
    gap = np.full(len(prices), np.nan)
    gap[1:] = np.log(prices.open[1:] / prices.close[:-1])
    return gap / volatility


def _relative_volume(prices: Prices, returns: np.ndarray, volatility: np.ndarray) -> np.ndarray:
    """Log volume against the mean of the sessions that traded, among the last 60."""
    traded = np.nan_to_num(prices.volume) > 0.0
    sums = _rolling_sum(np.where(traded, prices.volume, 0.0))
    return np.log(np.where(traded, prices.volume, np.nan) * _rolling_sum(traded.astype(float)) / sums)


def _rolling_sum(values: np.ndarray) -> np.ndarray:
    totals = np.cumsum(values)
    totals[_VOLUME_MEAN:] -= totals[:-_VOLUME_MEAN].copy()
    return totals


def _events(prices: Prices, returns: np.ndarray, volatility: np.ndarray) -> np.ndarray:
    """How much of an event each session is, from 0 to 10, shape (n_sessions,); 0 while too little is known to say."""
    before = np.concatenate([[np.nan], volatility[:-1]])
    surprise = np.clip(np.abs(returns) / before - 1.0, 0.0, 5.0)
    attention = np.clip(np.nan_to_num(_relative_volume(prices, returns, volatility), neginf=0.0) + 0.3, 0.0, 2.0)
    events = np.nan_to_num(surprise * attention)
    events[:_VOLUME_MEAN] = 0.0
    return events


def _since_event(prices: Prices, returns: np.ndarray, volatility: np.ndarray) -> np.ndarray:
    session = np.arange(len(prices))
    latest = np.maximum.accumulate(np.where(_events(prices, returns, volatility) > 1.0, session, -_LONGEST_WAIT))
    return np.minimum(session - latest, _LONGEST_WAIT).astype(float)


def _anniversary(prices: Prices, returns: np.ndarray, volatility: np.ndarray) -> np.ndarray:
    return _mean_of_anniversaries(prices.sessions, _events(prices, returns, volatility), {-1: 0.5, 0: 1.0, 1: 0.5})


def _anniversary_week(prices: Prices, returns: np.ndarray, volatility: np.ndarray) -> np.ndarray:
    return _mean_of_anniversaries(prices.sessions, _events(prices, returns, volatility), dict.fromkeys(range(-1, 6), 1.0))


def _mean_of_anniversaries(sessions: np.ndarray, events: np.ndarray, weights: dict[int, float]) -> np.ndarray:
    """Mean over the past quarters of log(1 + weighted events) around the session that followed the same weekday.

    Args:
        sessions: dates, shape (n_sessions,).
        events: shape (n_sessions,).
        weights: by distance from that session [sessions].

    Returns:
        Shape (n_sessions,); NaN before the first anniversary.
    """
    n, reach = len(events), max(weights)
    padded = np.pad(events, reach)
    around = np.log1p(sum(weight * padded[reach + lag : reach + lag + n] for lag, weight in weights.items()))
    total, count = np.zeros(n), np.zeros(n)
    for quarter in range(1, _QUARTERS + 1):
        then = sessions - np.timedelta64(quarter * _QUARTER, "D")
        next_then = np.searchsorted(sessions, then, side="right")                # (n_sessions,)
        known = (next_then > _VOLUME_MEAN) & (next_then + reach <= np.arange(n))  # else, over a gap, it is yet to come
        total[known] += around[next_then[known]]
        count += known
    with np.errstate(invalid="ignore"):
        return total / count


_Column = Callable[[Prices, np.ndarray, np.ndarray], np.ndarray]
_COLUMNS: dict[str, _Column] = {
    "return": lambda prices, r, v: r / v,
    "absolute_return": lambda prices, r, v: np.log(np.abs(r) / v + _OFFSET),
    "range": lambda prices, r, v: np.log(np.log(prices.high / prices.low) / v + _OFFSET),
    "volume": _relative_volume,
    "overnight_gap": _overnight_gap,
    "volatility": lambda prices, r, v: np.log(v),
    "since_event": _since_event,
    "anniversary": _anniversary,
    "anniversary_week": _anniversary_week,
    "close": lambda prices, r, v: prices.close,
}
