"""A trained network with all that it needs to forecast: no TensorFlow, only the cell equations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from forecast.config import Config
from forecast.networks.cells import forward
from forecast.networks.distribution import StudentT
from forecast.networks.heads import points_from_outputs, student_t_from_outputs
from forecast.prices.table import Prices
from forecast.windows.features import FeatureTable, make_features
from forecast.windows.scaler import Scaler
from forecast.windows.windows import make_windows, return_unit


@dataclass(frozen=True)
class Forecaster:
    """One network, all its seeds, the scaler they were trained behind and the calibration of their ranges.

    Args:
        network: one of `forecast.config.NETWORKS`.
        config: what it was trained with.
        scaler: fitted on the sessions that its fit may know.
        weights: of each seed, in Keras's order.
        calibration: what every scale is multiplied by, shape (horizon,).
    """

    network: str
    config: Config
    scaler: Scaler
    weights: tuple[list[np.ndarray], ...]
    calibration: np.ndarray

    def predict(self, prices: Prices, cutoffs: np.ndarray) -> StudentT:
        """Distributions of the cumulative log return 1..horizon sessions after each cutoff.

        Args:
            prices: of any ticker; nothing after a cutoff is looked at for its forecast.
            cutoffs: indices of sessions, shape (n_cutoffs,).

        Returns:
            Arrays of shape (n_cutoffs, horizon); the answers of the seeds are averaged.
        """
        features = features_of(prices, self.config)
        scaled = self.scaler.transform(features.values)                     # (n_sessions, n_features)
        x = make_windows(scaled, cutoffs, self.config.lookback)             # (n_cutoffs, lookback, n_features)
        answers = [forward(self.network, self.config.layers, weights, x) for weights in self.weights]
        outputs = np.mean(answers, axis=0, dtype=float)                     # (n_cutoffs, n_outputs)
        if self.config.is_distribution:
            unit = return_unit(features.volatility[cutoffs], self.config.horizon)
            return student_t_from_outputs(outputs, unit).widened(self.calibration)
        close = self.config.features.index("close")
        return points_from_outputs(outputs, prices.close[cutoffs], self.scaler.center[close], self.scaler.spread[close])

    def each_seed(self) -> list[Forecaster]:
        """The same network from one seed at a time: their spread is what averaging removes."""
        return [replace(self, weights=(weights,)) for weights in self.weights]


def features_of(prices: Prices, config: Config) -> FeatureTable:
    """The features that a configuration asks for."""
    return make_features(prices, config.features, config.half_life)
