"""The distribution that a model predicts: a Student-t for each cutoff and step ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.networks.student_t import cdf, quantile

RANGE_LEVELS = (0.50, 0.80, 0.95)
QUANTILE_LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


@dataclass(frozen=True)
class StudentT:
    """Location-scale Student-t distributions of cumulative log returns, all arrays of one shape.

        price 1..horizon sessions ahead = last_close * exp(location + scale * t(df))

    Args:
        location: median of the cumulative log return, shape (n_cutoffs, horizon).
        scale: scale of the cumulative log return, same shape; NaN where a model gives points only.
        df: degrees of freedom, same shape, 2 or above; infinity makes it a normal distribution.
    """

    location: np.ndarray
    scale: np.ndarray
    df: np.ndarray

    @property
    def is_point(self) -> bool:
        """True where there is a median and nothing around it."""
        return bool(np.isnan(self.scale).any())

    def quantile(self, levels=QUANTILE_LEVELS) -> np.ndarray:
        """Log returns below which the outcome falls with each probability, shape (..., n_levels)."""
        levels = np.asarray(levels, dtype=float)
        standard = quantile(levels, self.df)
        spread = np.where(levels == 0.5, 0.0, self.scale[..., None] * standard)  # a point has its median
        return self.location[..., None] + spread

    def cdf(self, y: np.ndarray) -> np.ndarray:
        """Probability of a log return at or below `y`, same shape as `y`."""
        return cdf((y - self.location) / self.scale, self.df)

    def standard_deviation(self) -> np.ndarray:
        """Standard deviation of the log return, same shape; needs df > 2."""
        finite = np.where(np.isinf(self.df), 5.0, self.df)
        return self.scale * np.where(np.isinf(self.df), 1.0, np.sqrt(finite / (finite - 2.0)))

    def first(self, steps: int) -> StudentT:
        """The same forecasts of the first steps alone."""
        return StudentT(self.location[:, :steps], self.scale[:, :steps], self.df[:, :steps])

    def rows(self, chosen: slice | np.ndarray) -> StudentT:
        """The same forecasts of some cutoffs alone."""
        return StudentT(self.location[chosen], self.scale[chosen], self.df[chosen])

    def shrunk(self, share: np.ndarray) -> StudentT:
        """The same spreads with every location multiplied by `share`, shape (horizon,)."""
        return StudentT(self.location * share, self.scale, self.df)

    def widened(self, factor: np.ndarray) -> StudentT:
        """The same medians with every scale multiplied by `factor`, shape (horizon,) or (n_cutoffs, horizon)."""
        return StudentT(self.location, self.scale * factor, self.df)
