"""How far back a network feels, measured: the gradient of its end with respect to each earlier session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.networks.cells import Array, GRUSteps, LSTMSteps, SimpleRNNSteps, Weights, forward_pass
from forecast.networks.gradients import summary_jacobian

_KEEPING_GATE = {LSTMSteps: "forget", GRUSteps: "update"}


@dataclass(frozen=True)
class Memory:
    """How far back one network feels.

    Args:
        network: whose.
        norms: norm of d h_T / d x_{T-k} at lag k = 0, 1, ... [sessions], shape (lookback,).
        half_life: sessions after the strongest lag until the norm has halved for good; None when it
            has not within the window.
        keeping: mean of the gate that keeps the old memory, over sessions and units (LSTM: forget,
            GRU: update); None for a cell without one.
        attention: mean share that the last session takes from lag k, shape (lookback,); None without.
    """

    network: str
    norms: Array
    half_life: float | None
    keeping: float | None
    attention: Array | None

    @property
    def kept_for(self) -> float | None:
        """Sessions that a memory lasts under that gate alone: 1 / (1 - f), infinite when never forgotten."""
        if self.keeping is None:
            return None
        return 1.0 / (1.0 - self.keeping) if self.keeping < 1.0 else np.inf

    def left_at(self, lag: int) -> float:
        """Norm at a lag as a share of the largest one."""
        return float(self.norms[lag] / self.norms.max()) if self.norms.max() > 0.0 else 0.0


def measure_memory(network: str, n_layers: int, seeds: Sequence[Weights], windows: Array) -> Memory:
    """Measure a network's memory, mean over its seeds and over windows.

    Args:
        network, n_layers: as for `forecast.networks.cells.forward`.
        seeds: the weights that each seed led to, at least one.
        windows: scaled, shape (n_windows, lookback, n_features), at least one.

    Raises:
        RunError: when the weights are not those of such a network.
    """
    curves = [gradient_norms(network, n_layers, weights, window) for weights in seeds for window in windows]
    passes = [forward_pass(network, n_layers, weights, windows) for weights in seeds]
    gate = _KEEPING_GATE.get(type(passes[0].layers[-1]))
    attentions = [p.attention.weights[:, -1, ::-1] for p in passes if p.attention is not None]
    norms = np.mean(curves, axis=0)
    return Memory(
        network=network,
        norms=norms,
        half_life=half_life(norms),
        keeping=float(np.mean([getattr(p.layers[-1], gate) for p in passes])) if gate else None,
        attention=np.mean(attentions, axis=(0, 1)) if attentions else None,
    )


def gradient_norms(network: str, n_layers: int, weights: Weights, window: Array) -> Array:
    """Frobenius norm of d h_T / d x_{T-k} for every lag k over one window, shape (lookback,).

    Args:
        network, n_layers, weights: as for `forecast.networks.cells.forward`.
        window: one scaled window, shape (lookback, n_features).

    Source: Pascanu, Mikolov and Bengio (2013), equations 5 and 6.
    """
    jacobian = summary_jacobian(network, n_layers, weights, window).astype(float)
    return np.sqrt((jacobian**2).sum(axis=(1, 2)))[::-1]  # lag 0 first


def half_life(norms: Array) -> float | None:
    """Sessions from the largest norm until it has halved for good; None when it never has.

    Between two lags the norm is taken to shrink by a constant factor a session, so that for
    norms r**k the answer is log(2) / -log(r).

    Args:
        norms: by lag, shape (lookback,), not negative.
    """
    peak = int(norms.argmax())
    half = norms[peak] / 2.0
    last = int(np.flatnonzero(norms >= half)[-1])  # the last lag that still feels half as much
    if half == 0.0 or last == len(norms) - 1:
        return None
    before, after = norms[last], norms[last + 1]
    share = np.log(before / half) / np.log(before / after) if after > 0.0 else 0.0
    return float(last + share - peak)
