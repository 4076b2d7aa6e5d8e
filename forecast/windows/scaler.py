"""The scaler: what insample looked like, and nothing later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scaler:
    """A shift and a stretch per feature: scaled = (value - center) / spread.

    Args:
        center: shape (n_features,), in the feature's unit.
        spread: shape (n_features,), in the feature's unit, positive.
    """

    center: np.ndarray
    spread: np.ndarray

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Scaled values, shape as given; what is unknown (NaN) becomes 0, the middle of insample."""
        return np.nan_to_num((values - self.center) / self.spread, nan=0.0).astype(np.float32)

    def inverse(self, scaled: np.ndarray, column: int) -> np.ndarray:
        """Values of one feature from its scaled ones, shape as given."""
        return scaled * self.spread[column] + self.center[column]


def fit_scaler(insample: np.ndarray, kind: str) -> Scaler:
    """A scaler that has seen `insample` only.

    Args:
        insample: features, shape (n_insample, n_features); NaN is passed over.
        kind: "standard" (mean 0, spread 1) or "minmax" (insample becomes [0, 1]).
    """
    # scikit-learn takes 0.6 s to import, and only training gets here.
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    known = ~np.isnan(insample).all(axis=0)                 # (n_features,)
    center, spread = np.zeros(len(known)), np.ones(len(known))
    if kind == "standard":
        fitted = StandardScaler().fit(insample[:, known])
        center[known], spread[known] = fitted.mean_, fitted.scale_
    else:
        fitted = MinMaxScaler().fit(insample[:, known])
        center[known], spread[known] = fitted.data_min_, 1.0 / fitted.scale_
    return Scaler(center, spread)


def dict_from_scaler(scaler: Scaler) -> dict[str, list[float]]:
    """Plain values, ready for JSON."""
    return {"center": scaler.center.tolist(), "spread": scaler.spread.tolist()}


def scaler_from_dict(values: dict[str, list[float]]) -> Scaler:
    """The inverse of `dict_from_scaler`."""
    return Scaler(np.asarray(values["center"], dtype=float), np.asarray(values["spread"], dtype=float))
