"""What validation makes of a network's answers: how much of a location counts, and how wide a range must be.

    validation              fit_location_share: a direction counts as far as the outcomes bear it out
                            fit_factors: split conformal, one factor per step ahead
    every session since     adapt: a little wider after a miss, a little narrower after a hit
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from forecast.errors import DataError
from forecast.networks.distribution import RANGE_LEVELS, StudentT

# The smallest number of sessions among which the finite-sample 95 % quantile exists.
MIN_SESSIONS = math.ceil(max(RANGE_LEVELS) / (1.0 - max(RANGE_LEVELS)) - 1e-9)

ADAPTED_LEVELS = (0.80, 0.95)  # the ranges whose hits and misses are followed
RATE = 0.005                   # of the logarithm of a factor, for each standard deviation of a hit or miss
UNPROVEN_SHARE = 0.2           # of a location that validation does not bear out: none costs what shares drift upwards
PROOF = 2.0                    # standard errors below which a location counts as not borne out


@dataclass(frozen=True)
class Calibration:
    """Shares of the locations of a network, and factors for its scales, which follow the outcomes from some session on.

    Args:
        since: the first cutoff whose outcomes the factors follow, datetime64[D]; None for never.
        factors: at that cutoff and before it, shape (horizon,).
        location_share: what every location is multiplied by, shape (horizon,).
    """

    since: np.datetime64 | None
    factors: np.ndarray
    location_share: np.ndarray

    @classmethod
    def none(cls, horizon: int) -> Calibration:
        """The one that leaves every answer as it is."""
        return cls(None, np.ones(horizon), np.ones(horizon))


def dict_from_calibration(calibration: Calibration) -> dict[str, object]:
    """Plain values, ready for JSON."""
    since = None if calibration.since is None else str(calibration.since)
    return {
        "since": since,
        "factors": calibration.factors.tolist(),
        "location_share": calibration.location_share.tolist(),
    }


def calibration_from_dict(values: dict[str, object]) -> Calibration:
    """The inverse of `dict_from_calibration`."""
    since = None if values["since"] is None else np.datetime64(values["since"], "D")
    arrays = (np.asarray(values[name], dtype=float) for name in ("factors", "location_share"))
    return Calibration(since, *arrays)


def calibrate(forecast: StudentT, y_true: np.ndarray, since: np.datetime64) -> Calibration:
    """What the validation sessions say of a network's answers, followed from the cutoff `since` on; else as `fit_factors`."""
    share = fit_location_share(forecast, y_true)
    return Calibration(since, fit_factors(forecast.shrunk(share), y_true), share)


def fit_location_share(forecast: StudentT, y_true: np.ndarray) -> np.ndarray:
    """How much of each step's location the outcomes bear out, from `UNPROVEN_SHARE` to 1.

    A network finds some direction in any past. For each step the outcomes are regressed on the locations, both in
    units of the scale, and the slope is shrunk by what its error may be:

        share = min(slope, 1) * (1 - PROOF**2 / t**2)        t = slope / standard error

    At k steps ahead windows overlap, and k of them tell of one return: the error's variance counts k times.

    Args:
        forecast: validation forecasts, shape (n_cutoffs, horizon).
        y_true: cumulative log returns that came, same shape.

    Returns:
        Shape (horizon,); ones for a point forecast, which is nothing but its location.

    Source: Breiman (1995), "Better subset regression using the nonnegative garrote", for one regressor.
    """
    n, horizon = y_true.shape
    if forecast.is_point:
        return np.ones(horizon)
    steps = np.arange(1, horizon + 1)
    location, outcome = forecast.location / forecast.scale, y_true / forecast.scale
    energy = (location**2).sum(axis=0)                                        # (horizon,)
    with np.errstate(divide="ignore", invalid="ignore"):                      # a location that is zero throughout
        slope = (location * outcome).sum(axis=0) / energy
        variance = steps * ((outcome - slope * location) ** 2).sum(axis=0) / (n - 1) / energy
        share = np.clip(slope, 0.0, 1.0) * (1.0 - PROOF**2 * variance / slope**2)
    return np.fmax(share, UNPROVEN_SHARE)


def adapt(forecast: StudentT, y_true: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Factors that follow the outcomes, each from what was known at its own cutoff.

    Where a range of level p, as it was given at the time, missed (m = 1) or held (m = 0) the newest known outcome of
    its step k, the next factor is

        log factor += RATE / sqrt(k) * sum over the levels of (m - (1 - p)) / sqrt(p (1 - p))

    so that over time each range holds what it promises, also where volatility rose after the validation sessions.

    Args:
        forecast: at consecutive cutoffs, oldest first, shape (n_cutoffs, horizon).
        y_true: cumulative log returns that came, same shape; not looked at before they are known.
        factors: to begin with, shape (horizon,).

    Returns:
        Shape (n_cutoffs, horizon); row i depends on outcomes up to cutoff i alone.

    Source: Gibbs and Candès (2021), "Adaptive conformal inference under distribution shift", eq. 2, on the scale
    instead of the level.
    """
    n, horizon = y_true.shape
    levels = np.asarray(ADAPTED_LEVELS)
    miss = np.abs(y_true - forecast.location)                            # (n_cutoffs, horizon)
    half_width = _half_widths(forecast, levels)                          # (n_cutoffs, horizon, n_levels)
    weights = 1.0 / np.sqrt(levels * (1.0 - levels))
    steps = np.arange(1, horizon + 1)
    log_factors = np.tile(np.log(factors), (n, 1))
    for i in range(1, n):
        log_factors[i] = log_factors[i - 1]
        known = steps[steps <= i]                                        # steps whose outcome cutoff i knows for the first time
        k, then = known - 1, i - known
        missed = miss[then, k, None] > np.exp(log_factors[then, k, None]) * half_width[then, k]
        log_factors[i, k] += RATE / np.sqrt(known) * ((missed - (1.0 - levels)) @ weights)
    return np.exp(log_factors)


def fit_factors(forecast: StudentT, y_true: np.ndarray) -> np.ndarray:
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
    half_width = _half_widths(forecast, np.asarray(RANGE_LEVELS))  # (n, horizon, n_levels)
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


def _half_widths(forecast: StudentT, levels: np.ndarray) -> np.ndarray:
    """Half the width of each central range, shape (n_cutoffs, horizon, n_levels)."""
    centred = StudentT(np.zeros_like(forecast.location), forecast.scale, forecast.df)
    return centred.quantile((1.0 + levels) / 2.0)
