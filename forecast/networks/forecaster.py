"""A trained network with all that it needs to forecast: no TensorFlow, only the cell equations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from forecast.config import Config
from forecast.networks.calibration import Calibration, adapt
from forecast.networks.cells import forward
from forecast.networks.distribution import StudentT
from forecast.networks.heads import points_from_outputs, student_t_from_outputs
from forecast.prices.table import Prices
from forecast.windows.features import FeatureTable, make_features
from forecast.windows.scaler import Scaler
from forecast.windows.splits import first_cutoff
from forecast.windows.windows import make_targets, make_windows, return_unit


@dataclass(frozen=True)
class Forecaster:
    """One network, all its seeds, the scaler they were trained behind and the calibration of their ranges.

    Args:
        network: one of `forecast.config.NETWORKS`.
        config: what it was trained with.
        scaler: fitted on the sessions that its fit may know.
        weights: of each seed, in Keras's order.
        calibration: what every scale is multiplied by, and from when on it follows the outcomes.
    """

    network: str
    config: Config
    scaler: Scaler
    weights: tuple[list[np.ndarray], ...]
    calibration: Calibration

    def predict(self, prices: Prices, cutoffs: np.ndarray) -> StudentT:
        """Distributions of the cumulative log return 1..horizon sessions after each cutoff.

        Args:
            prices: of any ticker; nothing after a cutoff is looked at for its forecast.
            cutoffs: indices of sessions, ascending, shape (n_cutoffs,).

        Returns:
            Arrays of shape (n_cutoffs, horizon); the answers of the seeds are averaged.
        """
        followed = self._followed(prices, cutoffs[-1])
        earlier = cutoffs[cutoffs < followed[0]] if len(followed) else cutoffs
        needed = np.concatenate([earlier, followed])                                 # (n_needed,), ascending
        forecast = self.answer(prices, needed)
        if forecast.is_point:
            return forecast
        forecast = forecast.shrunk(self.calibration.location_share)
        factors = np.tile(self.calibration.factors, (len(needed), 1))                # (n_needed, horizon)
        if len(followed):
            own = slice(len(needed) - len(followed), None)
            y_true = make_targets(prices.close, self.config.horizon)[followed]
            factors[own] = adapt(forecast.rows(own), y_true, self.calibration.factors)
        return forecast.widened(factors).rows(np.searchsorted(needed, cutoffs))

    def factors_at(self, prices: Prices, cutoff: int) -> np.ndarray:
        """What the calibration has become by a cutoff, shape (horizon,)."""
        scale = self.answer(prices, np.array([cutoff])).scale
        return (self.predict(prices, np.array([cutoff])).scale / scale)[0]

    def answer(self, prices: Prices, cutoffs: np.ndarray) -> StudentT:
        """What the networks say, before any calibration; arguments and shapes as for `predict`."""
        features = features_of(prices, self.config)
        scaled = self.scaler.transform(features.values)                     # (n_sessions, n_features)
        x = make_windows(scaled, cutoffs, self.config.lookback)             # (n_cutoffs, lookback, n_features)
        answers = [forward(self.network, self.config.layers, weights, x) for weights in self.weights]
        outputs = np.mean(answers, axis=0, dtype=float)                     # (n_cutoffs, n_outputs)
        if self.config.is_distribution:
            return student_t_from_outputs(outputs, return_unit(features.volatility[cutoffs], self.config.horizon))
        close = self.config.features.index("close")
        return points_from_outputs(outputs, prices.close[cutoffs], self.scaler.center[close], self.scaler.spread[close])

    def _followed(self, prices: Prices, last: int) -> np.ndarray:
        """Cutoffs up to the last one whose outcomes the calibration follows."""
        if self.calibration.since is None:
            return np.array([], dtype=int)
        first = max(int(np.searchsorted(prices.sessions, self.calibration.since)), first_cutoff(self.config.lookback))
        return np.arange(first, last + 1)

    def each_seed(self) -> list[Forecaster]:
        """The same network from one seed at a time: their spread is what averaging removes."""
        return [replace(self, weights=(weights,)) for weights in self.weights]


def features_of(prices: Prices, config: Config) -> FeatureTable:
    """The features that a configuration asks for."""
    return make_features(prices, config.features, config.half_life)
