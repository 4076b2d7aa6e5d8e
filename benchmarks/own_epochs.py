"""Seconds of each epoch of this project's own training on the peers' windows, in one process and one thread."""

import sys
from pathlib import Path

import numpy as np

from forecast.config import make_config
from forecast.networks.training import FitTask, fit_network
from forecast.windows.windows import Samples

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from work import BATCH, CELLS, LAYERS, LOOKBACK, UNITS, Clock, load_closes, n_train, parse, report, scale  # noqa: E402


def measure(cell: str, epochs: int, scaled: np.ndarray) -> dict[str, list[float]]:
    """Seconds of each epoch of one fit, the first with its compilation; one window to validate on."""
    targets = np.append(scaled[1:], scaled[-1:], axis=0)
    cutoffs = LOOKBACK - 1 + np.arange(n_train(scaled))
    config = make_config(
        {"recipe": "classic", "lookback": LOOKBACK, "units": UNITS, "layers": LAYERS, "batch_size": BATCH, "epochs": epochs}
    )
    train, validation = (Samples(scaled, targets, rows, LOOKBACK) for rows in (cutoffs, cutoffs[-1:] + 1))
    clock = Clock()
    network = {"rnn": "simple_rnn", "lstm": "lstm"}[cell]
    fit_network(FitTask("TSLA", network, 1, config, (train,), (validation,)), lambda epoch: clock.tick())
    return clock.seconds()


options = parse()
closes = load_closes(options.csv)[1]
report({cell: measure(cell, options.epochs, scale(closes)[0]) for cell in CELLS})
