"""`forecast train`: fetch if due, train, score, draw, store."""

from __future__ import annotations

from forecast.cli.options import (
    BatchSize, Csv, Epochs, Horizon, Layers, LearningRate, Lookback, Networks, NSeeds, Recipe, Tickers, Units, Workers,
)
from forecast.cli.shared import Shared, command


@command
def train(
    shared: Shared,
    tickers: Tickers = None,
    csv: Csv = None,
    recipe: Recipe = None,
    networks: Networks = None,
    lookback: Lookback = None,
    horizon: Horizon = None,
    units: Units = None,
    layers: Layers = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    n_seeds: NSeeds = None,
    workers: Workers = None,
) -> None:
    """Fetch prices if due, train SimpleRNN and LSTM, score them against naive, draw, store a run per ticker."""
    print(shared, tickers, csv)
