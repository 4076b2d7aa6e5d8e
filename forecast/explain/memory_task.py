"""A task that only memory solves: say at the end what was shown once, 40 steps of noise ago."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.networks.backend import import_keras
from forecast.networks.cells import Array, Weights, forward

LAG = 40
UNITS = 16
NOISE_INPUTS = 4
_NOISE_SPREAD = 2.0
_N_TRAIN, _N_TEST = 2048, 512
_EPOCHS = 16
_LEARNING_RATES = {"simple_rnn": 1e-3, "lstm": 1e-2}


@dataclass(frozen=True)
class MemoryTaskFit:
    """A network that has tried the task.

    Args:
        network: "simple_rnn" or "lstm".
        weights: in Keras's order.
        error: mean squared error on sequences it has not seen; 1 is what answering 0 gives.
        windows: some of those sequences, shape (n_windows, LAG + 1, NOISE_INPUTS + 1).
    """

    network: str
    weights: Weights
    error: float
    windows: Array


def make_memory_task(n: int, seed: int) -> tuple[Array, Array]:
    """Sequences whose answer was given in their first step.

        step           0        1 ... LAG
        input 0        answer   noise          answer ~ N(0, 1)
        other inputs   noise    noise          noise ~ N(0, 4)
        marker         1        0

    Args:
        n: how many.
        seed: of the random numbers.

    Returns:
        Sequences (n, LAG + 1, NOISE_INPUTS + 1) and answers (n,), float32.
    """
    rng = np.random.default_rng(seed)
    x = np.zeros((n, LAG + 1, NOISE_INPUTS + 1), np.float32)
    x[..., :-1] = rng.normal(0.0, _NOISE_SPREAD, (n, LAG + 1, NOISE_INPUTS))
    x[:, 0, 0] = rng.normal(0.0, 1.0, n)
    x[:, 0, -1] = 1.0
    return x, x[:, 0, 0].copy()


def fit_memory_task(network: str, seed: int) -> MemoryTaskFit:
    """Train one layer of `UNITS` units on the task; takes about 3 s.

    The LSTM starts with gates that suit the lag: the forget gate's bias is log(LAG), which keeps
    a share of LAG / (LAG + 1) from step to step, and the input gate's is its negative. From
    Keras's own start (bias 1, which halves the memory in 2 steps) it does no better than the
    SimpleRNN in these few epochs; a SimpleRNN has no such number to set.

    Args:
        network: "simple_rnn" or "lstm".
        seed: of the weights and of the order of the batches.

    Source: Hochreiter and Schmidhuber (1997), section 5.4, for the kind of task; Tallec and Ollivier
        (2018), equation 16, for the biases.
    """
    keras = import_keras()
    keras.utils.set_random_seed(seed)
    layer = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM}[network](UNITS)
    model = keras.Sequential([keras.Input((LAG + 1, NOISE_INPUTS + 1)), layer, keras.layers.Dense(1)])
    if network == "lstm":
        kernel, recurrent_kernel, bias = layer.get_weights()
        bias[:UNITS], bias[UNITS : 2 * UNITS] = -np.log(LAG), np.log(LAG)  # input, forget
        layer.set_weights([kernel, recurrent_kernel, bias])
    model.compile(keras.optimizers.Adam(_LEARNING_RATES[network], clipnorm=1.0), "mse")
    model.fit(*make_memory_task(_N_TRAIN, seed=1), batch_size=64, epochs=_EPOCHS, verbose=0)
    x, y = make_memory_task(_N_TEST, seed=2)
    weights = model.get_weights()
    error = float(np.mean((forward(network, 1, weights, x)[:, 0] - y) ** 2))
    return MemoryTaskFit(network, weights, error, x[:32])
