"""From sessions to arrays: supervised windows, the targets beside them, and the way back to returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Samples:
    """Windows of one ticker that are not cut yet: what travels to a worker, small.

    Args:
        values: scaled features, shape (n_sessions, n_features), float32.
        targets: shape (n_sessions, horizon), float32; row t is what a window with cutoff t should answer.
        cutoffs: last session of each window, int, shape (n_windows,).
        lookback: sessions a window sees.
    """

    values: np.ndarray
    targets: np.ndarray
    cutoffs: np.ndarray
    lookback: int

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """X (n_windows, lookback, n_features) and y (n_windows, horizon)."""
        return make_windows(self.values, self.cutoffs, self.lookback), self.targets[self.cutoffs]


def make_windows(values: np.ndarray, cutoffs: np.ndarray, lookback: int) -> np.ndarray:
    """Cut a feature table into windows, in the order of the cutoffs.

    With `lookback=3` and cutoffs 2, 3:

        session   0 1 2 3 4
        window 0  x x x
        window 1    x x x

    Args:
        values: shape (n_sessions, n_features).
        cutoffs: index of each window's last session, at least lookback - 1.
        lookback: sessions a window sees.

    Returns:
        Shape (n_windows, lookback, n_features).
    """
    views = np.lib.stride_tricks.sliding_window_view(values, lookback, axis=0)  # (n_sessions-lookback+1, n_features, lookback)
    return views[np.asarray(cutoffs) - lookback + 1].transpose(0, 2, 1)         # (n_windows, lookback, n_features)


def make_targets(close: np.ndarray, horizon: int) -> np.ndarray:
    """Cumulative log returns 1..horizon sessions after each session.

    Args:
        close: shape (n_sessions,) [currency].
        horizon: sessions ahead.

    Returns:
        Shape (n_sessions, horizon); NaN where the future has not happened yet.
    """
    log_close = np.log(close)
    targets = np.full((len(close), horizon), np.nan)
    for k in range(1, horizon + 1):
        targets[:-k, k - 1] = log_close[k:] - log_close[:-k]
    return targets


def return_unit(volatility: np.ndarray, horizon: int) -> np.ndarray:
    """What one unit of a network's answer is worth as a cumulative log return: v_t sqrt(k).

    Args:
        volatility: v_t of each session, shape (n,).
        horizon: sessions ahead.

    Returns:
        Shape (n, horizon).
    """
    return volatility[:, None] * np.sqrt(np.arange(1, horizon + 1))
