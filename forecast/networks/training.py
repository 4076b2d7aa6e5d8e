"""Training of one network from one seed: an evaluation fit, and a deployed fit on everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from forecast.config import Config
from forecast.networks.backend import import_keras
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
    """Train one network from one seed; the same task gives the same bits on the same versions."""
    started = time.perf_counter()
    history: list[Epoch] = []

    def note(epoch: Epoch) -> None:
        history.append(epoch)
        on_epoch(epoch)

    evaluated = _fit(task, "evaluation", task.config.epochs, note)
    best_epoch = min(history, key=lambda epoch: epoch.validation_loss).epoch
    deployed = _fit(task, "deployed", best_epoch, note) if task.everything else []
    seconds = time.perf_counter() - started
    return FitResult(task.network, task.seed, evaluated, deployed, tuple(history), best_epoch, seconds)


def _fit(task: FitTask, fit: str, epochs: int, note: Callable[[Epoch], None]) -> list[np.ndarray]:
    """Weights after one fit; the evaluation fit stops early and returns to its best epoch."""
    from forecast.networks.builders import build_network
    from forecast.networks.heads import student_t_loss

    keras = import_keras()
    config = task.config
    x, y = _stack(task.train if fit == "evaluation" else task.everything)
    keras.utils.set_random_seed(task.seed)
    network = build_network(task.network, config, x.shape[2])
    if fit in task.start:
        network.set_weights(task.start[fit])
    network.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate),
        loss=student_t_loss if config.is_distribution else "mse",
        jit_compile=False,  # XLA takes 2 to 5 s to compile what then trains for 10
    )
    callbacks = [_progress(task, fit, epochs, note)]
    if fit == "evaluation":
        callbacks.append(keras.callbacks.EarlyStopping(patience=config.patience, restore_best_weights=True))
    network.fit(
        x,
        y,
        batch_size=config.batch_size,
        epochs=epochs,
        validation_data=_stack(task.validation) if fit == "evaluation" else None,
        validation_batch_size=1024,
        callbacks=callbacks,
        verbose=0,
    )
    return network.get_weights()


def _stack(samples: tuple[Samples, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Windows of all tickers, one after the other: X (n_windows, lookback, n_features), y (n_windows, horizon)."""
    xs, ys = zip(*(sample.arrays() for sample in samples))
    return np.ascontiguousarray(np.concatenate(xs)), np.concatenate(ys)


def _progress(task: FitTask, fit: str, epochs: int, note: Callable[[Epoch], None]):
    """A Keras callback that notes each epoch."""
    import keras

    def on_epoch_end(epoch: int, logs: dict[str, float]) -> None:
        validation_loss = float(logs["val_loss"]) if "val_loss" in logs else None
        note(Epoch(task.ticker, task.network, task.seed, fit, epoch + 1, epochs, float(logs["loss"]), validation_loss))

    return keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)
