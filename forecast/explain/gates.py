"""What a trained network held, session by session, over the window that led to one forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.networks.cells import Array, GRUSteps, LSTMSteps, SimpleRNNSteps, Weights, forward_pass

# What each array of a cell's steps is called, in the order of the equations.
PANELS = {
    LSTMSteps: {
        "forget": "forget gate",
        "input": "input gate",
        "candidate": "candidate",
        "cell": "cell state",
        "output": "output gate",
        "hidden": "hidden state",
    },
    GRUSteps: {
        "update": "update gate",
        "reset": "reset gate",
        "candidate": "candidate",
        "hidden": "hidden state",
    },
    SimpleRNNSteps: {"hidden": "hidden state"},
}
GATES = ("forget gate", "input gate", "output gate", "update gate", "reset gate")   # between 0, shut, and 1, open


@dataclass(frozen=True)
class WindowRecord:
    """The last recurrent layer of one network over one window, units in a readable order.

    Args:
        network: whose.
        panels: "forget gate", "cell state"...: each (lookback, units).
        units: the network's own number of each unit shown, shape (units,).
        widest_input: index of the session whose input gate stood open widest, mean over units;
            None for a cell without an input gate.
        attention: share that the last session took from each, shape (lookback,); None without attention.
    """

    network: str
    panels: dict[str, Array]
    units: Array
    widest_input: int | None
    attention: Array | None


def record_window(network: str, n_layers: int, weights: Weights, window: Array) -> WindowRecord:
    """Run a network over one window and keep what its last recurrent layer held.

    Args:
        network, n_layers, weights: as for `forecast.networks.cells.forward`.
        window: one scaled window, shape (lookback, n_features).

    Raises:
        RunError: when the weights are not those of such a network.
    """
    passed = forward_pass(network, n_layers, weights, window[None])
    steps = passed.layers[-1]
    arrays = {title: getattr(steps, name)[0] for name, title in PANELS[type(steps)].items()}
    units = order_units(arrays)
    widest = int(arrays["input gate"].mean(axis=1).argmax()) if "input gate" in arrays else None
    attention = None if passed.attention is None else passed.attention.weights[0, -1]
    return WindowRecord(network, {title: a[:, units] for title, a in arrays.items()}, units, widest, attention)


def order_units(arrays: dict[str, Array]) -> Array:
    """Numbers of the units, the one that forgets fastest first, shape (units,).

    The mean of the gate that keeps the old memory decides: the forget gate of an LSTM, the update
    gate of a GRU. A SimpleRNN has none: its units are ordered by how they go along with the
    strongest common movement of all of them, so that those which move together stand together.
    """
    keeping = arrays.get("forget gate", arrays.get("update gate"))
    if keeping is not None:
        return np.argsort(keeping.mean(axis=0), kind="stable")
    hidden = arrays["hidden state"] - arrays["hidden state"].mean(axis=0)  # (lookback, units)
    return np.argsort(np.linalg.svd(hidden, full_matrices=False)[2][0], kind="stable")
