"""Weights to start from that have learned, from simulated shares, what volatility is.

No real price has gone into them: `benchmarks/pretrain.py` makes the shares, trains one network of each
kind on all of them, and writes what it learned to `start_weights/`. A ticker's own few thousand
sessions then only have to tell how it differs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from forecast.config import Config, has_start
from forecast.networks.heads import n_outputs

KEPT_HORIZON = 10       # steps ahead that were learned; a longer horizon starts with the last one's answer
N_KEPT = 3              # starts of each kind; seeds take them in turn
FOLDER = Path(__file__).with_name("start_weights")


def kept_start(network: str, config: Config, seed: int) -> list[np.ndarray] | None:
    """Weights in Keras's order that a fit starts from; None where it starts from random ones.

    Args:
        network: one of `forecast.config.NETWORKS`.
        config: whether to start so, and the shape of the network.
        seed: of the fit.
    """
    if config.start != "simulated" or not has_start(config):
        return None
    with np.load(start_path(network), allow_pickle=False) as kept:
        weights = [kept[name] for name in sorted(kept.files) if name.startswith(f"{seed % N_KEPT}-")]
    steps = np.minimum(np.arange(config.horizon), KEPT_HORIZON - 1)
    columns = np.concatenate([part * KEPT_HORIZON + steps for part in range(n_outputs(True, 1))])
    return [*weights[:-2], weights[-2][:, columns], weights[-1][columns]]


def save_start(network: str, seeds: list[list[np.ndarray]]) -> None:
    """Keep the weights of `N_KEPT` networks of one kind, of horizon `KEPT_HORIZON`."""
    named = {f"{i}-{j:02}": array for i, weights in enumerate(seeds) for j, array in enumerate(weights)}
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(start_path(network), **named)


def start_path(network: str) -> Path:
    """Where the weights of one kind are kept."""
    return FOLDER / f"{network}.npz"
