"""Training of one network from one seed: an evaluation fit, and a deployed fit on everything."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from forecast.config import Config
from forecast.errors import ForecastError
from forecast.networks.epochs import (
    VALIDATION_BATCH,
    State,
    capacity_for,
    compile_epoch,
    initial_state,
    make_batches,
    shuffled,
)
from forecast.windows.windows import Samples


@dataclass(frozen=True)
class Epoch:
    """What is known at the end of an epoch: one row of `history.csv`, one tick of the progress."""

    ticker: str
    network: str
    seed: int
    fit: str                        # "evaluation" or "deployed"
    epoch: int                      # from 1
    n_epochs: int                   # at most, or exactly for the deployed fit
    loss: float
    validation_loss: float | None   # None for the deployed fit, which has seen everything


@dataclass(frozen=True)
class FitTask:
    """One network, one seed, and all that a process needs to fit it.

    Args:
        ticker: whose sessions these are.
        network: one of `forecast.config.NETWORKS`.
        seed: sets weights, dropout and the order of the batches.
        config: how to train.
        train, validation: the evaluation fit learns from the one and stops by the other.
        everything: the deployed fit learns from it; empty when no deployed fit is wanted.
        start: weights that each fit ("evaluation", "deployed") starts from, in place of fresh ones.
    """

    ticker: str
    network: str
    seed: int
    config: Config
    train: tuple[Samples, ...]
    validation: tuple[Samples, ...]
    everything: tuple[Samples, ...] = ()
    start: Mapping[str, list[np.ndarray]] = field(default_factory=dict)


@dataclass(frozen=True)
class FitResult:
    """What a fit leaves: weights in Keras's order, and its history.

    Args:
        evaluation_weights: of the epoch with the lowest validation loss.
        deployed_weights: trained on everything for as many epochs; empty when none was wanted.
        best_epoch: the epoch that validation chose, from 1.
        seconds: wall time of both fits.
    """

    network: str
    seed: int
    evaluation_weights: list[np.ndarray]
    deployed_weights: list[np.ndarray]
    history: tuple[Epoch, ...]
    best_epoch: int
    seconds: float


def fit_network(task: FitTask, on_epoch: Callable[[Epoch], None]) -> FitResult:
    """Train one network from one seed; the same task gives the same bits on the same versions.

    Raises:
        ForecastError: no epoch had a finite validation loss.
    """
    started = time.perf_counter()
    history: list[Epoch] = []

    def note(epoch: Epoch) -> None:
        history.append(epoch)
        on_epoch(epoch)

    evaluated, best_epoch = _fit_until_validation_stops(task, note)
    deployed = _fit_on_everything(task, best_epoch, note) if task.everything else []
    seconds = time.perf_counter() - started
    return FitResult(task.network, task.seed, evaluated, deployed, tuple(history), best_epoch, seconds)


def _fit_until_validation_stops(task: FitTask, note: Callable[[Epoch], None]) -> tuple[list[np.ndarray], int]:
    """Weights of the epoch with the lowest validation loss, and that epoch."""
    config, best, lowest, best_epoch = task.config, None, math.inf, 0
    for epoch, state in _epochs(task, "evaluation", config.epochs, note):
        if epoch.validation_loss < lowest:
            best, lowest, best_epoch = state, epoch.validation_loss, epoch.epoch
        elif epoch.epoch - best_epoch >= config.patience:
            break
    if best is None:
        raise ForecastError(
            f"{task.ticker}: the validation loss of {task.network}, seed {task.seed}, was never finite in"
            f" {epoch.epoch} epochs with learning rate {config.learning_rate}. Use a smaller --learning-rate."
        )
    return _arrays(best), best_epoch


def _fit_on_everything(task: FitTask, epochs: int, note: Callable[[Epoch], None]) -> list[np.ndarray]:
    """Weights after so many epochs on all sessions."""
    for _, state in _epochs(task, "deployed", epochs, note):
        pass
    return _arrays(state)


def _epochs(task: FitTask, fit: str, epochs: int, note: Callable[[Epoch], None]) -> Iterator[tuple[Epoch, State]]:
    """Each epoch with the state that it ends with; both fits have one shape, and so one compilation."""
    config = task.config
    samples = task.train if fit == "evaluation" else task.everything
    n_windows = max(_count_windows(task.train), _count_windows(task.everything))
    train = make_batches(*_stack(samples), config.batch_size, capacity_for(n_windows))
    n_validated = _count_windows(task.validation)
    validation = make_batches(*_stack(task.validation), VALIDATION_BATCH, capacity_for(n_validated))
    if fit == "deployed":
        validation = validation._replace(n_batches=np.int32(0))
    n_features = train.x.shape[2]
    run_epoch = compile_epoch(task.network, config, n_features)
    state = initial_state(task.network, config, n_features, task.seed)
    if fit in task.start:
        state = state._replace(weights=task.start[fit])
    rng = np.random.default_rng(task.seed)
    for number in range(1, epochs + 1):
        state, loss, validation_loss = run_epoch(state, shuffled(train, rng), validation)
        validated = float(validation_loss) if fit == "evaluation" else None
        epoch = Epoch(task.ticker, task.network, task.seed, fit, number, epochs, float(loss), validated)
        note(epoch)
        yield epoch, state


def _count_windows(samples: tuple[Samples, ...]) -> int:
    """Windows of all tickers together."""
    return sum(len(each.cutoffs) for each in samples)


def _stack(samples: tuple[Samples, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Windows of all tickers, one after the other: X (n_windows, lookback, n_features), y (n_windows, horizon)."""
    xs, ys = zip(*(sample.arrays() for sample in samples))
    return np.concatenate(xs), np.concatenate(ys)


def _arrays(state: State) -> list[np.ndarray]:
    return [np.asarray(weight) for weight in state.weights]
