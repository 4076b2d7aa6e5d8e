"""An epoch as one compiled function: every batch, then the validation loss, and no Python in between.

The function keeps nothing: weights, dropout's seeds and Adam's moments enter as a `State` and leave as
one. So the fits of all seeds, and of all tickers of like length, share one compilation, and each starts
from exactly what a network built afresh from its seed holds.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from forecast.config import Config
from forecast.networks.backend import import_keras
from forecast.networks.starts import kept_start

VALIDATION_BATCH = 128  # windows; a batch that is not full costs as much as one that is

# XLA takes 3 s to compile an epoch. A SimpleRNN of 2 x 50 units then trains twice as fast; one of 16 units
# gains 0.02 s an epoch, and never earns it back.
UNITS_THAT_REPAY_XLA = 64


class State(NamedTuple):
    """All that training changes, as lists of arrays in Keras's order."""

    weights: list[Any]
    seeds: list[Any]        # of the dropout: what changes and is not learned
    means: list[Any]        # Adam's running mean of each weight's gradient
    squares: list[Any]      # and of its square
    steps: Any              # that Adam has taken


class Batches(NamedTuple):
    """Windows, and the batches that an epoch takes from them; padded, because a compilation is for one shape.

    Args:
        x: shape (capacity, lookback, n_features); rows that no batch names are padding.
        y: shape (capacity, horizon).
        rows: windows of each batch, shape (max_batches, batch_size); -1 where a batch holds fewer.
        n_batches: how many of them the epoch takes.
    """

    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray
    n_batches: np.int32


def make_batches(x: np.ndarray, y: np.ndarray, batch_size: int, capacity: int) -> Batches:
    """Batches in the order of the windows.

    With three windows, a capacity of five and `batch_size=2`:

        rows   0  1  |  2 -1  | -1 -1        n_batches 2

    Args:
        x: shape (n_windows, lookback, n_features).
        y: shape (n_windows, horizon).
        batch_size: windows of a batch; the last one may hold fewer.
        capacity: windows there is room for, at least n_windows.
    """
    padding = ((0, capacity - len(x)), (0, 0))
    return Batches(
        np.pad(x, (*padding, (0, 0))), np.pad(y, padding),
        _rows(np.arange(len(x)), batch_size, capacity), np.int32(-(-len(x) // batch_size)),
    )  # fmt: skip


def shuffled(batches: Batches, rng: np.random.Generator) -> Batches:
    """The same windows in another order."""
    order = rng.permutation(batches.rows[batches.rows >= 0])
    return batches._replace(rows=_rows(order, batches.rows.shape[1], len(batches.x)))


def capacity_for(n_windows: int) -> int:
    """Room for as many windows: the next power of two, so that tickers of like length share a compilation."""
    return 1 << max(n_windows - 1, 0).bit_length()


def initial_state(network: str, config: Config, n_features: int, seed: int) -> State:
    """What a network holds before its first batch: random weights from this seed, or a kept start."""
    import_keras()
    from keras.src.random import seed_generator

    from forecast.networks.builders import build_network

    # Keras takes every seed from the module `random`, which other threads draw from as well: a dask
    # worker has some. Its set_random_seed gives the same network where there are none, but also makes
    # TensorFlow forget how it planned each graph, which costs a third of a second.
    shared, seed_generator.python_random = seed_generator.python_random, random.Random(seed)
    try:
        model = build_network(network, config, n_features)
    finally:
        seed_generator.python_random = shared
    weights, seeds = map(_arrays, (model.trainable_variables, model.non_trainable_variables))
    weights = kept_start(network, config, seed) or weights
    zeros = [np.zeros_like(weight) for weight in weights]
    return State(weights, seeds, zeros, zeros, np.float32(0.0))


@lru_cache(maxsize=8)
def compile_epoch(network: str, config: Config, n_features: int) -> Callable[[State, Batches, Batches], tuple]:
    """(state, train, validation) -> (state, mean loss of the windows of train, the same of validation).

    The loss of train is that of each batch before the step it causes, as Keras reports it.
    The loss of validation is 0 / 0 where it has no batches.
    """
    keras = import_keras()
    from keras import ops

    from forecast.networks.builders import build_network
    from forecast.networks.heads import student_t_loss
    from forecast.networks.layers import is_fast

    model = build_network(network, config, n_features)
    loss_of = student_t_loss if config.is_distribution else keras.losses.mean_squared_error

    def batch_loss(weights, seeds, batches, k, training):
        """Mean loss of batch k; with what it leaves behind: its sum, its number of windows, the seeds."""
        rows = batches.rows[k]
        present = ops.cast(rows >= 0, "float32")                             # (batch_size,)
        rows = ops.maximum(rows, 0)
        outputs, seeds = model.stateless_call(weights, seeds, ops.take(batches.x, rows, 0), training=training)
        total = ops.sum(present * loss_of(ops.take(batches.y, rows, 0), outputs))
        return total / ops.sum(present), (total, ops.sum(present), seeds)

    def train_batch(batches, k, total, n, state):
        gradients, (loss, n_present, seeds) = _gradients(
            lambda weights: batch_loss(weights, state.seeds, batches, k, True), state.weights
        )
        state = adam_step(state._replace(seeds=seeds), gradients, config.learning_rate)
        return k + 1, total + loss, n + n_present, state

    def validate_batch(state, batches, k, total, n):
        _, (loss, n_present, _) = batch_loss(state.weights, state.seeds, batches, k, False)
        return k + 1, total + loss, n + n_present

    def epoch(state, train, validation):
        start = ops.convert_to_tensor(0), ops.convert_to_tensor(0.0), ops.convert_to_tensor(0.0)
        _, total, n, state = ops.while_loop(
            lambda k, *_: k < train.n_batches, lambda *now: train_batch(train, *now), (*start, state)
        )
        _, validation_total, validation_n = ops.while_loop(
            lambda k, *_: k < validation.n_batches, lambda *now: validate_batch(state, validation, *now), start
        )
        return state, total / n, validation_total / validation_n

    recurrent = [layer for layer in model.layers if hasattr(layer, "cell")]
    can_use_xla = all(is_fast(layer) and layer.supports_jit for layer in recurrent)  # cuDNN and BlockLSTM cannot
    return _compiled(epoch, can_use_xla and config.layers * config.units >= UNITS_THAT_REPAY_XLA)


def adam_step(state: State, gradients: list, learning_rate: float) -> State:
    """The state after one step of Adam, with Keras's constants; Keras's own cannot step without keeping something.

    Source: Kingma and Ba (2015), algorithm 1, in the order that the end of section 2 gives.
    """
    from keras import ops

    steps = state.steps + 1.0
    rate = learning_rate * ops.sqrt(1.0 - ops.power(0.999, steps)) / (1.0 - ops.power(0.9, steps))
    means = [mean + 0.1 * (gradient - mean) for mean, gradient in zip(state.means, gradients)]
    squares = [square + 0.001 * (gradient**2 - square) for square, gradient in zip(state.squares, gradients)]
    weights = [w - rate * m / (ops.sqrt(s) + 1e-7) for w, m, s in zip(state.weights, means, squares)]
    return State(weights, state.seeds, means, squares, steps)


def _arrays(variables: list) -> list[np.ndarray]:
    return [np.asarray(variable) for variable in variables]


def _rows(order: np.ndarray, batch_size: int, capacity: int) -> np.ndarray:
    rows = np.full((-(-capacity // batch_size), batch_size), -1, np.int32)
    rows.flat[: len(order)] = order
    return rows


def _gradients(loss: Callable, weights: list) -> tuple[list, Any]:
    """Gradients of the first thing that `loss` gives, and the second thing, on either backend."""
    if import_keras().backend.backend() == "jax":
        import jax

        return jax.grad(loss, has_aux=True)(weights)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(weights)
        value, others = loss(weights)
    return tape.gradient(value, weights), others


def _compiled(function: Callable, with_xla: bool) -> Callable:
    """The function compiled: on JAX by XLA always, on TensorFlow by XLA or as a graph."""
    if import_keras().backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, autograph=False, jit_compile=with_xla)
