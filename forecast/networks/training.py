"""Training of one network from one seed: an evaluation fit, and a deployed fit on everything."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

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

_PATIENT_LOOK = 0.05  # seconds between two looks at whether validation has chosen


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
class Fit:
    """One of the two fits of a task.

    Args:
        weights: in Keras's order, after `n_epochs`.
        n_epochs: that validation chose.
        history: every epoch of the evaluation fit, those up to the chosen one of the deployed fit.
        seconds: wall time.
    """

    weights: list[np.ndarray]
    n_epochs: int
    history: tuple[Epoch, ...]
    seconds: float


@dataclass(frozen=True)
class FitResult:
    """What a fit leaves: weights in Keras's order, and its history.

    Args:
        evaluation_weights: of the epoch with the lowest validation loss.
        deployed_weights: trained on everything for as many epochs; empty when none was wanted.
        best_epoch: the epoch that validation chose, from 1.
        seconds: wall time of both fits together.
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
    evaluation = fit_evaluation(task, on_epoch)
    if not task.everything:
        return join(task, evaluation)
    return join(task, evaluation, fit_deployed(task, lambda: evaluation.n_epochs, on_epoch))


def join(task: FitTask, evaluation: Fit, deployed: Fit | None = None) -> FitResult:
    """Both fits as the result of their task."""
    deployed = deployed or Fit([], 0, (), 0.0)
    return FitResult(
        task.network,
        task.seed,
        evaluation.weights,
        deployed.weights,
        evaluation.history + deployed.history,
        evaluation.n_epochs,
        evaluation.seconds + deployed.seconds,
    )


def fit_evaluation(task: FitTask, on_epoch: Callable[[Epoch], None]) -> Fit:
    """Train until validation stops; the weights are those of the epoch with the lowest validation loss.

    Raises:
        ForecastError: no epoch had a finite validation loss.
    """
    started, history = time.perf_counter(), []
    config, best, lowest, best_epoch = task.config, None, math.inf, 0
    for epoch, state in _epochs(task, "evaluation", config.epochs):
        history.append(epoch)
        on_epoch(epoch)
        if epoch.validation_loss < lowest:
            best, lowest, best_epoch = state, epoch.validation_loss, epoch.epoch
        elif epoch.epoch - best_epoch >= config.patience:
            break
    if best is None:
        raise ForecastError(
            f"{task.ticker}: the validation loss of {task.network}, seed {task.seed}, was never finite in"
            f" {epoch.epoch} epochs with learning rate {config.learning_rate}. Use a smaller --learning-rate."
        )
    return Fit(_as_arrays(best.weights), best_epoch, tuple(history), time.perf_counter() - started)


def fit_deployed(task: FitTask, chosen: Callable[[], int], on_epoch: Callable[[Epoch], None]) -> Fit:
    """Train on all sessions for as many epochs as validation chose.

    Each epoch is the same however many follow, so that this fit need not wait for the evaluation fit: it keeps the
    weights of every epoch, and gives back those of the chosen one.

    Args:
        task: with sessions in `everything`.
        chosen: the epoch that validation chose; 0 as long as the evaluation fit is at work.
        on_epoch: hears of every epoch, also of those that are not kept in the end.
    """
    started, history, weights = time.perf_counter(), [], []
    for epoch, state in _epochs(task, "deployed", chosen() or task.config.epochs):
        history.append(epoch)
        on_epoch(epoch)
        weights.append(state.weights)
        if 0 < chosen() <= epoch.epoch:
            break
    while not chosen():
        time.sleep(_PATIENT_LOOK)
    n_epochs = chosen()
    kept = tuple(replace(epoch, n_epochs=n_epochs) for epoch in history[:n_epochs])
    return Fit(_as_arrays(weights[n_epochs - 1]), n_epochs, kept, time.perf_counter() - started)


def _epochs(task: FitTask, fit: str, epochs: int) -> Iterator[tuple[Epoch, State]]:
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
        yield Epoch(task.ticker, task.network, task.seed, fit, number, epochs, float(loss), validated), state


def _count_windows(samples: tuple[Samples, ...]) -> int:
    """Windows of all tickers together."""
    return sum(len(each.cutoffs) for each in samples)


def _stack(samples: tuple[Samples, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Windows of all tickers, one after the other: X (n_windows, lookback, n_features), y (n_windows, horizon)."""
    xs, ys = zip(*(sample.arrays() for sample in samples))
    return np.concatenate(xs), np.concatenate(ys)


def _as_arrays(weights: list) -> list[np.ndarray]:
    return [np.asarray(weight) for weight in weights]
