"""How much wider or narrower ranges must be to hold what they promise: split conformal."""

from __future__ import annotations

import math

import numpy as np

from forecast.errors import DataError
from forecast.networks.distribution import RANGE_LEVELS, StudentT

# The smallest number of sessions among which the finite-sample 95 % quantile exists.
MIN_SESSIONS = math.ceil(max(RANGE_LEVELS) / (1.0 - max(RANGE_LEVELS)) - 1e-9)


def fit_calibration(forecast: StudentT, y_true: np.ndarray) -> np.ndarray:
    """One factor per step by which every scale is to be multiplied.

    For each step, and each of RANGE_LEVELS, the half width of a range is compared with the miss:

        ratio[i] = |y[i] - location[i]| / (scale[i] * t_quantile((1 + level) / 2, df[i]))
        factor   = the ceil((n + 1) * level)-th smallest ratio of n

    A range widened by its own `factor` covers the next outcome with probability `level` at least,
    and `level + 1 / (n + 1)` at most, if validation and test outcomes are exchangeable. The factor
    given back is the geometric mean over the levels: one number, so that the calibrated forecast
    stays a Student-t and its CRPS, quantiles and ranges all speak of the same distribution. Each
    level's coverage then holds up to what the Student-t's shape misses.

    What remains: over n independent outcomes, the coverage of a level p that the factor brings
    about scatters by about sqrt(p (1 - p) / n). At k steps ahead the windows overlap, and only
    about n / k of the outcomes are independent; and where volatility changes between validation
    and test, they are not exchangeable. That is why measured coverage stands beside every range.

    Args:
        forecast: validation forecasts, shape (n_cutoffs, horizon), df > 0.
        y_true: cumulative log returns that came, same shape.

    Returns:
        Factors, shape (horizon,), for `StudentT.widened`; ones for a point forecast, which has
        no ranges.

    Raises:
        DataError: fewer than 19 cutoffs, too few for a 95 % range; or prices that stood still so
            often that half of the outcomes are the median itself.

    Source: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman (2018), "Distribution-free predictive
    inference for regression", algorithm 2 and theorem 2.2.
    """
    n, horizon = y_true.shape
    if forecast.is_point:
        return np.ones(horizon)
    if n < MIN_SESSIONS:
        raise DataError(
            f"{n} validation sessions: calibrating a {max(RANGE_LEVELS):.0%} range needs at least"
            f" {MIN_SESSIONS}. Use an earlier --start or a larger validation share."
        )
    centred = StudentT(np.zeros_like(forecast.location), forecast.scale, forecast.df)
    half_width = centred.quantile((1.0 + np.asarray(RANGE_LEVELS)) / 2.0)  # (n, horizon, n_levels)
    ratio = np.sort(np.abs(y_true - forecast.location)[..., None] / half_width, axis=0)
    rank = [math.ceil((n + 1) * level - 1e-9) - 1 for level in RANGE_LEVELS]  # 1e-9: 20 * 0.95 = 19
    factors = np.stack([ratio[r, :, i] for i, r in enumerate(rank)])  # (n_levels, horizon)
    if not factors.all():
        raise DataError(
            f"At step {1 + int(np.argmin(factors.min(axis=0)))}, half or more of {n} validation"
            " outcomes equal the forecast median exactly: prices that stand still have no ranges to"
            " calibrate. Use another ticker or period."
        )
    return np.exp(np.log(factors).mean(axis=0))
