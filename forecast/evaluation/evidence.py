"""What a test proves about the networks: losses, differences that count, echoes, seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forecast.errors import DataError
from forecast.evaluation.metrics import absolute_error, crps
from forecast.evaluation.significance import Echo, detect_echo, diebold_mariano, seed_spread
from forecast.networks.distribution import StudentT

CLAIM_LEVEL = 0.05  # shared among the networks judged (Bonferroni)
CHECKED_LEVELS = (0.80, 0.95)  # ranges whose coverage a verdict speaks of


@dataclass(frozen=True)
class ModelLosses:
    """What one model's test forecasts cost, cutoff by cutoff.

    Args:
        absolute_error: mean over the steps [currency], shape (n_cutoffs,).
        squared_error: mean over the steps [currency^2], shape (n_cutoffs,).
        crps: mean over the steps [% of log return], shape (n_cutoffs,); None for points only.
        coverage: share of outcomes inside the range of each of CHECKED_LEVELS; None likewise.
        predicted_change: log return forecast one step ahead, shape (n_cutoffs,).
        seed_losses: mean loss of each seed's network alone: CRPS, or the absolute error for points.
    """

    absolute_error: np.ndarray
    squared_error: np.ndarray
    crps: np.ndarray | None
    coverage: tuple[float, ...] | None
    predicted_change: np.ndarray
    seed_losses: tuple[float, ...] = ()

    @property
    def ranking(self) -> np.ndarray:
        """The loss by which networks are compared: CRPS, or the absolute error for points."""
        return self.absolute_error if self.crps is None else self.crps


@dataclass(frozen=True)
class Evidence:
    """All that findings are drawn from; every model has seen the same cutoffs.

    Args:
        networks: losses by model name, in the order in which they are spoken of.
        naive: losses of yesterday's close.
        garch: losses of GARCH(1,1)-t.
        actual_change: log return that came one step ahead, shape (n_cutoffs,), at consecutive
            cutoffs.
        horizon: steps ahead.
        share_outside: share of the test closes outside the range of the insample closes, 0..1.
    """

    networks: Mapping[str, ModelLosses]
    naive: ModelLosses
    garch: ModelLosses
    actual_change: np.ndarray
    horizon: int
    share_outside: float


@dataclass(frozen=True)
class Comparison:
    """One model's mean loss against another's.

    Args:
        change: relative difference of the mean losses; negative is better, -0.01 is 1 % better.
        p_value: of the Diebold-Mariano test, two-sided.
        better, worse: whether the difference is significant, either way.
    """

    change: float
    p_value: float
    better: bool
    worse: bool


@dataclass(frozen=True)
class NetworkFindings:
    """What the test says of one network.

    Args:
        price: absolute error against yesterday's close.
        rmse_ratio: RMSE over that of yesterday's close; above 1 is worse.
        ranges: CRPS against GARCH's; None for points only.
        coverage: measured coverage by nominal level, as in "0.8"; None likewise.
        echo: whether the line repeats the past.
        seed_spread: highest minus lowest loss among the seeds, relative to their mean; None for
            a single seed.
    """

    price: Comparison
    rmse_ratio: float
    ranges: Comparison | None
    coverage: dict[str, float] | None
    echo: Echo
    seed_spread: float | None


@dataclass(frozen=True)
class Findings:
    """The numbers behind a verdict; `dataclasses.asdict` makes them JSON.

    Args:
        networks: findings by model name.
        rivals: the LSTM's loss against the SimpleRNN's; None unless both are there.
        claim_level: p-value below which a difference counts.
        share_outside: share of the test closes outside the range of the insample closes.
    """

    networks: dict[str, NetworkFindings]
    rivals: Comparison | None
    claim_level: float
    share_outside: float


def make_losses(
    forecast: StudentT,
    y_true: np.ndarray,
    last_close: np.ndarray,
    seed_forecasts: Sequence[StudentT] = (),
) -> ModelLosses:
    """Losses of a model's test forecasts.

    Args:
        forecast: cumulative log returns, shape (n_cutoffs, horizon).
        y_true: cumulative log returns that came, same shape.
        last_close: close at each cutoff [currency], shape (n_cutoffs,).
        seed_forecasts: the same forecasts by each seed's network alone.
    """
    errors = absolute_error(forecast, y_true, last_close)
    seeds = (make_losses(each, y_true, last_close) for each in seed_forecasts)
    return ModelLosses(
        absolute_error=errors.mean(axis=1),
        squared_error=np.mean(errors**2, axis=1),
        crps=None if forecast.is_point else crps(forecast, y_true).mean(axis=1),
        coverage=None if forecast.is_point else _coverage(forecast, y_true),
        predicted_change=forecast.location[:, 0],
        seed_losses=tuple(float(seed.ranking.mean()) for seed in seeds),
    )


def share_outside(test_close: np.ndarray, insample_close: np.ndarray) -> float:
    """Share of the test closes below the lowest or above the highest insample close, 0..1."""
    low, high = np.min(insample_close), np.max(insample_close)
    return float(np.mean((test_close < low) | (test_close > high)))


def weigh(evidence: Evidence) -> Findings:
    """Judge every network against yesterday's close, GARCH and its own seeds.

    A difference counts when p is below 5 % divided by the number of networks: of a whole verdict
    on networks that know nothing, the claim "predicts the price better" is made in at most 2.5 %.

    Raises:
        DataError: too few cutoffs for a Diebold-Mariano test, or GARCH's ranges are missing.
    """
    if evidence.garch.crps is None:
        raise DataError("The losses of GARCH have no CRPS: ranges have nothing to be measured by.")
    level = CLAIM_LEVEL / max(1, len(evidence.networks))
    networks = {
        name: _findings(losses, evidence, level) for name, losses in evidence.networks.items()
    }
    return Findings(networks, _rivals(evidence, level), level, evidence.share_outside)


def _findings(losses: ModelLosses, evidence: Evidence, level: float) -> NetworkFindings:
    """What the test says of one network."""
    points_only = losses.crps is None
    naive, horizon = evidence.naive, evidence.horizon
    spread = seed_spread(losses.seed_losses)
    return NetworkFindings(
        price=_compare(losses.absolute_error, naive.absolute_error, horizon, level),
        rmse_ratio=float(np.sqrt(losses.squared_error.mean() / naive.squared_error.mean())),
        ranges=None if points_only else _compare(losses.crps, evidence.garch.crps, horizon, level),
        coverage=None if points_only else dict(zip(map(str, CHECKED_LEVELS), losses.coverage)),
        echo=detect_echo(losses.predicted_change, evidence.actual_change),
        seed_spread=None if spread is None else spread / float(np.mean(losses.seed_losses)),
    )


def _compare(loss: np.ndarray, other: np.ndarray, horizon: int, level: float) -> Comparison:
    """Mean of `loss` against that of `other`, with the Diebold-Mariano test."""
    change = float(loss.mean() / other.mean() - 1.0)
    p_value = diebold_mariano(loss, other, horizon).p_value
    significant = p_value < level
    return Comparison(change, p_value, significant and change < 0.0, significant and change > 0.0)


def _rivals(evidence: Evidence, level: float) -> Comparison | None:
    """LSTM against SimpleRNN by CRPS, or by the absolute error for points."""
    lstm, simple_rnn = (evidence.networks.get(name) for name in ("lstm", "simple_rnn"))
    if lstm is None or simple_rnn is None:
        return None
    return _compare(lstm.ranking, simple_rnn.ranking, evidence.horizon, level)


def _coverage(forecast: StudentT, y_true: np.ndarray) -> tuple[float, ...]:
    """Share of the outcomes inside the central range of each of CHECKED_LEVELS."""
    centred = np.abs(forecast.cdf(y_true) - 0.5)  # half the level of the range that just holds y
    return tuple(float(np.mean(centred <= level / 2.0)) for level in CHECKED_LEVELS)
