"""What the networks are told about each session, and nothing that was not known at its close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from forecast.prices.table import Prices

WARM_UP = 20        # sessions before volatility and mean volume mean anything
_VOLUME_MEAN = 60   # sessions of the mean that volume is measured against
_OFFSET = 0.1       # keeps log(0) away on a session without any move


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


def make_features(prices: Prices, names: tuple[str, ...], half_life: int) -> FeatureTable:
    """Features of every session; row t depends on sessions up to t alone.

        return            r_t / v_t                    r_t = log(close_t / close_{t-1})
        absolute_return   log(|r_t| / v_t + 0.1)
        range             log(log(high_t / low_t) / v_t + 0.1)
        volume            log(volume_t / mean volume of 60 sessions)
        overnight_gap     log(open_t / close_{t-1}) / v_t
        volatility        log v_t
        close             close_t [currency]

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
    return FeatureTable(names, values, np.where(np.arange(len(prices)) < WARM_UP, np.nan, volatility))


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


_Column = Callable[[Prices, np.ndarray, np.ndarray], np.ndarray]
_COLUMNS: dict[str, _Column] = {
    "return": lambda prices, r, v: r / v,
    "absolute_return": lambda prices, r, v: np.log(np.abs(r) / v + _OFFSET),
    "range": lambda prices, r, v: np.log(np.log(prices.high / prices.low) / v + _OFFSET),
    "volume": _relative_volume,
    "overnight_gap": _overnight_gap,
    "volatility": lambda prices, r, v: np.log(v),
    "close": lambda prices, r, v: prices.close,
}
