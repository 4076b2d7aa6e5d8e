"""What a network's last layer means: its loss in Keras, and its way back to log returns in NumPy.

    student_t   (location, log scale, shape) for each step, in units of recent volatility
    close       the scaled close of each step: a point and nothing around it

A network with random weights answers zero everywhere, and zero is the naive forecast: location 0, the
standard deviation that recent volatility says, and tails of six degrees of freedom.
"""

from __future__ import annotations

import math

import numpy as np

from forecast.networks.distribution import StudentT

LOCATION_UNIT = 3.0               # a direction that is there is learned in time; calibration takes back what is noise
DF_FLOOR = 2.1                    # below 2 a Student-t has no variance
_DF_SHIFT = 3.88                  # so that an answer of zero means df 6: daily stock returns have 3 to 8
DF_AT_ZERO = DF_FLOOR + math.log1p(math.exp(_DF_SHIFT))
SCALE_AT_ZERO = math.sqrt((DF_AT_ZERO - 2.0) / DF_AT_ZERO)  # makes the standard deviation one unit


def n_outputs(is_distribution: bool, horizon: int) -> int:
    """Width of the last layer."""
    return 3 * horizon if is_distribution else horizon


def student_t_from_outputs(outputs: np.ndarray, unit: np.ndarray) -> StudentT:
    """The distribution of cumulative log returns that a network's answer stands for.

    Args:
        outputs: shape (n_windows, 3 * horizon): all locations, all log scales, all shapes.
        unit: log return that one unit is worth, shape (n_windows, horizon).

    Returns:
        Arrays of shape (n_windows, horizon).
    """
    location, log_scale, shape = np.split(outputs.astype(float), 3, axis=1)  # (n_windows, horizon) each
    return StudentT(
        location=LOCATION_UNIT * location * unit,
        scale=SCALE_AT_ZERO * np.exp(log_scale) * unit,
        df=DF_FLOOR + np.logaddexp(0.0, shape + _DF_SHIFT),
    )


def points_from_outputs(outputs: np.ndarray, last_close: np.ndarray, center: float, spread: float) -> StudentT:
    """Medians alone: the scaled close turned back into the log return from the last close.

    Args:
        outputs: scaled closes, shape (n_windows, horizon).
        last_close: shape (n_windows,) [currency].
        center, spread: of the scaler's close column [currency].

    Returns:
        Location of shape (n_windows, horizon), NaN for scale and df. A close at or below zero,
        which nothing keeps such a network from answering, becomes a loss of all but a cent in a million.
    """
    close = np.maximum(outputs.astype(float) * spread + center, 1e-8 * last_close[:, None])
    location = np.log(close / last_close[:, None])
    unknown = np.full_like(location, np.nan)
    return StudentT(location, unknown, unknown)


def student_t_loss(y_true, outputs):
    """Negative log likelihood of a Student-t, weighted mean over steps, in `keras.ops`.

    Step k weighs 1/k: windows that overlap tell of each return k times, and would be learned by heart.

    Args:
        y_true: cumulative log returns in units of recent volatility, shape (batch, horizon).
        outputs: shape (batch, 3 * horizon), as `student_t_from_outputs` reads them.

    Returns:
        One loss for each window, shape (batch,), as Keras's own losses do.

    Source:
        Lange, Little and Taylor (1989), eq. 2, for one dimension.
    """
    from keras import ops

    location, log_scale, shape = ops.split(outputs, 3, axis=1)
    df = DF_FLOOR + ops.softplus(shape + _DF_SHIFT)
    log_scale = log_scale + math.log(SCALE_AT_ZERO)
    z = (y_true - LOCATION_UNIT * location) * ops.exp(-log_scale)
    normaliser = _log_gamma(df / 2.0) - _log_gamma((df + 1.0) / 2.0) + 0.5 * ops.log(math.pi * df)
    losses = normaliser + log_scale + (df + 1.0) / 2.0 * ops.log1p(z * z / df)     # (batch, horizon)
    return ops.mean(losses * step_weights(y_true.shape[1]), axis=1)


def step_weights(horizon: int) -> np.ndarray:
    """1/k for each step, scaled to a mean of one, shape (horizon,)."""
    weights = 1.0 / np.arange(1, horizon + 1)
    return (weights / weights.mean()).astype(np.float32)


def _log_gamma(x):
    """log of the gamma function for x > 1, which `keras.ops` lacks: Stirling's series at x + 4."""
    from keras import ops

    shifted = x + 4.0
    series = 1.0 / (12.0 * shifted) - 1.0 / (360.0 * shifted**3) + 1.0 / (1260.0 * shifted**5)
    stirling = (shifted - 0.5) * ops.log(shifted) - shifted + 0.5 * math.log(2.0 * math.pi) + series
    return stirling - ops.log(x * (x + 1.0) * (x + 2.0) * (x + 3.0))
