"""How far a forecast was from what happened: errors of its points, and of its distributions.

Two units, each where it can be compared:

    points          mae, rmse                  [currency]    of last_close * exp(median)
    distributions   crps, pinball, width_*     [%]           of 100 x cumulative log return, so that
                                                             a ticker's cheap years weigh as much as
                                                             its dear ones
"""

from __future__ import annotations

import numpy as np

from forecast.errors import DataError
from forecast.networks.distribution import QUANTILE_LEVELS, RANGE_LEVELS, StudentT

POINT_METRICS = ("mae", "rmse", "mase", "directional_accuracy")
DISTRIBUTION_METRICS = (
    "crps",
    "pinball",
    "coverage_50",
    "coverage_80",
    "coverage_95",
    "width_50",
    "width_80",
    "width_95",
)
METRICS = (*POINT_METRICS, *DISTRIBUTION_METRICS, "n")

PERCENT = 100.0  # log returns to percent


def score(
    forecast: StudentT, y_true: np.ndarray, last_close: np.ndarray, insample_close: np.ndarray
) -> dict[str, dict]:
    """Every metric over all steps together, and for each step ahead.

    Args:
        forecast: cumulative log returns, shape (n_cutoffs, horizon); scale NaN throughout where a
            model gives points only.
        y_true: cumulative log returns that came, same shape.
        last_close: close at each cutoff [currency], shape (n_cutoffs,).
        insample_close: closes the model was fitted on [currency], shape (n_insample,): the scale
            of MASE.

    Returns:
        {"overall": {...}, "by_horizon": {"1": {...}, ...}} with METRICS and
        `directional_accuracy_interval` in each: plain floats, or None for a metric that the
        forecast does not have (distributions of a point forecast, the direction of no change).

    Raises:
        DataError: shapes differ, a number is not finite, or the insample closes never change.
    """
    _check(forecast, y_true, last_close)
    naive_mae = _insample_naive_mae(insample_close)
    horizon = y_true.shape[1]

    def scores_of(steps: slice, independent: float) -> dict:
        part = StudentT(*(p[:, steps] for p in (forecast.location, forecast.scale, forecast.df)))
        return {
            **_point_scores(part, y_true[:, steps], last_close, naive_mae, independent),
            **_distribution_scores(part, y_true[:, steps]),
            "n": int(y_true[:, steps].size),
        }

    steps = range(1, horizon + 1)
    return {
        "overall": scores_of(slice(None), 1.0 / horizon**2),
        "by_horizon": {str(k): scores_of(slice(k - 1, k), 1.0 / k) for k in steps},
    }


def absolute_error(forecast: StudentT, y_true: np.ndarray, last_close: np.ndarray) -> np.ndarray:
    """|median price - price that came| [currency], shape (n_cutoffs, horizon)."""
    last_close = np.asarray(last_close, dtype=float)[:, None]  # (n_cutoffs, 1)
    return np.abs(last_close * (np.exp(forecast.location) - np.exp(y_true)))


def crps(forecast: StudentT, y_true: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score [% of log return], shape of `y_true`; lower is better.

        scale * [ z (2 F(z) - 1) + 2 f(z) (df + z^2) / (df - 1)
                  - 2 sqrt(df) B(1/2, df - 1/2) / ((df - 1) B(1/2, df/2)^2) ]

    and for the normal distribution scale * [ z (2 F(z) - 1) + 2 f(z) - 1 / sqrt(pi) ]. Needs
    df > 1; NaN where the scale is NaN.

    Source: Jordan, Krueger and Lerch (2019), "Evaluating probabilistic forecasts with
    scoringRules", appendix A.1.
    """
    from scipy.special import betaln
    from scipy.stats import norm, t

    z = (y_true - forecast.location) / forecast.scale
    normal = z * (2.0 * norm.cdf(z) - 1.0) + 2.0 * norm.pdf(z) - 1.0 / np.sqrt(np.pi)
    df = np.where(np.isinf(forecast.df), 5.0, forecast.df)  # the formula knows no infinity
    spread = np.exp(betaln(0.5, df - 0.5) - 2.0 * betaln(0.5, 0.5 * df))
    student = (
        z * (2.0 * t.cdf(z, df) - 1.0)
        + 2.0 * t.pdf(z, df) * (df + z**2) / (df - 1.0)
        - 2.0 * np.sqrt(df) / (df - 1.0) * spread
    )
    return PERCENT * forecast.scale * np.where(np.isinf(forecast.df), normal, student)


def pinball(forecast: StudentT, y_true: np.ndarray) -> np.ndarray:
    """Pinball loss [% of log return], mean over QUANTILE_LEVELS, shape of `y_true`.

        max(level * (y - q), (level - 1) * (y - q))

    Source: Koenker and Bassett (1978), "Regression quantiles", equation 1.1.
    """
    levels = np.asarray(QUANTILE_LEVELS)
    miss = y_true[..., None] - forecast.quantile(levels)  # (n_cutoffs, horizon, n_levels)
    return PERCENT * np.maximum(levels * miss, (levels - 1.0) * miss).mean(axis=-1)


def pit(forecast: StudentT, y_true: np.ndarray) -> np.ndarray:
    """Probability integral transform: where in its distribution each outcome fell, 0..1.

    Uniform where the forecast is calibrated; heaped at both ends where it is too narrow.
    """
    return forecast.cdf(y_true)


def pit_histogram(forecast: StudentT, y_true: np.ndarray, n_bins: int = 10) -> np.ndarray:
    """Share of the outcomes in each of `n_bins` equal parts of the PIT, shape (n_bins,), sum 1."""
    counts, _ = np.histogram(pit(forecast, y_true), bins=n_bins, range=(0.0, 1.0))
    return counts / counts.sum()


def wilson_interval(hits: float, n: float) -> tuple[float, float]:
    """95 % interval of a share of `hits` among `n` > 0 independent outcomes.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    z = 1.959963984540054  # normal quantile of 0.975
    centre = (hits + z**2 / 2.0) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(hits * (n - hits) / n + z**2 / 4.0)
    return float(centre - half), float(centre + half)


def _point_scores(
    forecast: StudentT,
    y_true: np.ndarray,
    last_close: np.ndarray,
    naive_mae: float,
    independent: float,
) -> dict:
    """Metrics of the median; MASE as Hyndman and Koehler (2006), "Another look at measures"."""
    errors = absolute_error(forecast, y_true, last_close)
    mae = float(errors.mean())
    return {
        "mae": mae,
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "mase": mae / naive_mae,
        **_direction_scores(forecast.location, y_true, independent),
    }


def _direction_scores(location: np.ndarray, y_true: np.ndarray, independent: float) -> dict:
    """Share of moves whose direction was forecast, among predicted changes of prices that moved.

    Windows of k steps overlap, so that among n of them only about n / k are independent: the
    interval counts those, the fraction `independent` of all.
    """
    judged = (location != 0.0) & (y_true != 0.0)
    if not judged.any():
        return {"directional_accuracy": None, "directional_accuracy_interval": None}
    share = float(np.mean(np.sign(location[judged]) == np.sign(y_true[judged])))
    n = independent * np.count_nonzero(judged)
    return {
        "directional_accuracy": share,
        "directional_accuracy_interval": list(wilson_interval(share * n, n)),
    }


def _distribution_scores(forecast: StudentT, y_true: np.ndarray) -> dict:
    """Metrics of the whole distribution; all None for a point forecast."""
    if forecast.is_point:
        return dict.fromkeys(DISTRIBUTION_METRICS)
    scores = [float(crps(forecast, y_true).mean()), float(pinball(forecast, y_true).mean())]
    levels = np.asarray(RANGE_LEVELS)
    lower = forecast.quantile((1.0 - levels) / 2.0)  # (n_cutoffs, horizon, n_levels)
    upper = forecast.quantile((1.0 + levels) / 2.0)
    outcome = y_true[..., None]
    coverage = np.mean((lower <= outcome) & (outcome <= upper), axis=(0, 1))
    width = PERCENT * np.mean(upper - lower, axis=(0, 1))
    return dict(zip(DISTRIBUTION_METRICS, [*scores, *coverage.tolist(), *width.tolist()]))


def _insample_naive_mae(insample_close: np.ndarray) -> float:
    """Mean absolute change of the close from one insample session to the next [currency]."""
    naive_mae = float(np.mean(np.abs(np.diff(insample_close))))
    if naive_mae == 0.0:
        raise DataError(
            f"The close never changes on {len(insample_close)} insample sessions, so MASE has no"
            " scale. Use another ticker or an earlier --start."
        )
    return naive_mae


def _check(forecast: StudentT, y_true: np.ndarray, last_close: np.ndarray) -> None:
    """Refuse what would otherwise end as NaN in a table."""
    shapes = [np.shape(a) for a in (forecast.location, forecast.scale, forecast.df, y_true)]
    if len(set(shapes)) > 1 or len(last_close) != len(y_true) or not np.size(y_true):
        raise DataError(
            f"Location, scale, df and outcomes have shapes {shapes} for {len(last_close)} closes;"
            " all four need (n_cutoffs, horizon), with one close a cutoff."
        )
    numbers = [forecast.location, y_true, np.asarray(last_close)[:, None]]
    if not np.isnan(forecast.scale).all():
        numbers.append(forecast.scale)
    broken = sum(np.count_nonzero(~np.isfinite(a)) for a in numbers)
    if broken:
        raise DataError(
            f"{broken} of the numbers to score {np.shape(y_true)} forecasts are not finite: the"
            " training may have diverged. Use a smaller --learning-rate."
        )
