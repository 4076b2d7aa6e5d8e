"""Seconds of each epoch of this project's own training on the peers' windows, in one process and one thread."""

import sys
from pathlib import Path

import numpy as np

from forecast.config import make_config
from forecast.networks.training import FitTask, fit_network
from forecast.windows.windows import Samples

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from work import (  # noqa: E402
    BATCH,
    LAYERS,
    LOOKBACK,
    UNITS,
    Clock,
    load_closes,
    n_train,
    parse,
    report,
    scale,
    validation_part,
)


def measure(cell: str, scaled: np.ndarray) -> dict[str, object]:
    """Seconds of each epoch of one fit, the first with its compilation; unasked it validates on one window."""
    targets = np.append(scaled[1:], scaled[-1:], axis=0)
    cutoffs = LOOKBACK - 1 + np.arange(len(scaled) - LOOKBACK)
    n = n_train(scaled)
    validated = validation_part(scaled) if options.validate else slice(n, n + 1)
    train, validation = (Samples(scaled, targets, cutoffs[part], LOOKBACK) for part in (slice(n), validated))
    words = {"lookback": LOOKBACK, "units": UNITS, "layers": LAYERS, "batch_size": BATCH}
    config = make_config({"recipe": "classic", **words, "epochs": options.epochs, "patience": options.epochs})
    clock, losses = Clock(), []

    def note(epoch) -> None:
        losses.append(epoch.validation_loss)
        clock.tick()

    network = {"rnn": "simple_rnn", "lstm": "lstm"}[cell]
    fit_network(FitTask("TSLA", network, options.seed, config, (train,), (validation,)), note)
    return clock.validated(losses)


options = parse()
closes = load_closes(options.csv)[1]
report({cell: measure(cell, scale(closes)[0]) for cell in options.cells})
