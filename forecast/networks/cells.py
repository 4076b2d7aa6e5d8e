"""The equations of the recurrent cells, executable: what Keras computes, in NumPy and in the open.

A window enters as `x` of shape (n_windows, lookback, n_features), every cell starts from a memory
of zero, and each function gives back what the cell held at every session of the window. Weights
have the layout of `model.get_weights()`; their dtype decides the precision. `*` is elementwise,
`@` is a matrix product, and W [h, x] in the textbooks is `h @ recurrent_kernel + x @ kernel` here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.errors import RunError

Array = np.ndarray
Weights = list[Array]

# Windows that travel through the network together: few enough that a step stays in the cache.
BLOCK = 256


@dataclass(frozen=True)
class SimpleRNNSteps:
    """What a SimpleRNN held at each session: one short-term memory, no gate.

    Args:
        hidden: h_t, shape (n_windows, lookback, units), within (-1, 1).
    """

    hidden: Array


@dataclass(frozen=True)
class LSTMSteps:
    """What an LSTM held at each session, all arrays (n_windows, lookback, units).

    Args:
        forget: f_t, share of the long-term memory that stays, within (0, 1).
        input: i_t, share of the candidate that goes in, within (0, 1).
        candidate: C~_t, what could be remembered, within (-1, 1).
        cell: C_t, the long-term memory.
        output: o_t, share of the long-term memory that is shown, within (0, 1).
        hidden: h_t, the short-term memory, within (-1, 1).
    """

    forget: Array
    input: Array
    candidate: Array
    cell: Array
    output: Array
    hidden: Array


@dataclass(frozen=True)
class GRUSteps:
    """What a GRU held at each session, all arrays (n_windows, lookback, units).

    Args:
        update: z_t, share of the old memory that stays, within (0, 1).
        reset: r_t, share of the old memory that the candidate may see, within (0, 1).
        candidate: h~_t, what could be remembered, within (-1, 1).
        hidden: h_t, the memory, within (-1, 1).
    """

    update: Array
    reset: Array
    candidate: Array
    hidden: Array


@dataclass(frozen=True)
class AttentionSteps:
    """What each session took from the sessions up to it.

    Args:
        weights: share of session s in the answer of session t, shape (n_windows, lookback t,
            lookback s); rows sum to 1 and are 0 for s > t.
        context: the answers, shape (n_windows, lookback, units).
    """

    weights: Array
    context: Array


RecurrentSteps = SimpleRNNSteps | LSTMSteps | GRUSteps


@dataclass(frozen=True)
class ForwardPass:
    """Everything a network held on its way from a window to its outputs.

    Args:
        layers: the recurrent layers' steps, first layer first.
        attention: the attention's steps, or None for a network without it.
        summary: what the last layer reads, shape (n_windows, units).
        outputs: the network's answer, shape (n_windows, n_outputs).
    """

    layers: tuple[RecurrentSteps, ...]
    attention: AttentionSteps | None
    summary: Array
    outputs: Array


@dataclass(frozen=True)
class NetworkWeights:
    """The weights of one network, told apart.

    Args:
        layers: (kernel, recurrent_kernel, bias) of each recurrent layer.
        attention: kernel and bias of query, key, value and output; empty where there is none.
        head: (kernel (units, n_outputs), bias (n_outputs,)) of the last, dense layer.
    """

    layers: tuple[Weights, ...]
    attention: Weights
    head: Weights


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), between 0 and 1: what makes a gate a gate."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)  # the same function, and tanh never overflows


def simple_rnn_steps(x: Array, kernel: Array, recurrent_kernel: Array, bias: Array) -> SimpleRNNSteps:
    """Run a SimpleRNN over windows.

        h_t = tanh(W [h_{t-1}, x_t] + b)

    Args:
        x: shape (n_windows, lookback, n_features).
        kernel: shape (n_features, units).
        recurrent_kernel: shape (units, units).
        bias: shape (units,).

    Returns:
        The hidden state at every session.

    Source: Elman (1990), "Finding structure in time"; `keras.layers.SimpleRNN`.
    """
    hidden = _project(x, kernel, bias)  # (lookback, n_windows, units)
    h = np.zeros_like(hidden[0])
    for step in hidden:
        step += h @ recurrent_kernel
        h = np.tanh(step, out=step)
    return SimpleRNNSteps(_batch_first(hidden))


def lstm_steps(x: Array, kernel: Array, recurrent_kernel: Array, bias: Array) -> LSTMSteps:
    """Run an LSTM over windows and keep every gate.

        f_t  = sigmoid(W_f [h_{t-1}, x_t] + b_f)     forget gate
        i_t  = sigmoid(W_i [h_{t-1}, x_t] + b_i)     input gate
        C~_t = tanh(W_C [h_{t-1}, x_t] + b_C)        candidate
        C_t  = f_t * C_{t-1} + i_t * C~_t            cell state: a conveyor belt without weights
        o_t  = sigmoid(W_o [h_{t-1}, x_t] + b_o)     output gate
        h_t  = o_t * tanh(C_t)                       hidden state

    Args:
        x: shape (n_windows, lookback, n_features).
        kernel: shape (n_features, 4 * units), columns in Keras's order i, f, C~, o.
        recurrent_kernel: shape (units, 4 * units), same order.
        bias: shape (4 * units,), same order.

    Returns:
        Gates, cell state and hidden state at every session.

    Source: Hochreiter and Schmidhuber (1997); Gers et al. (2000) for the forget gate;
        `keras.layers.LSTM`.
    """
    gates = _project(x, kernel, bias)  # (lookback, n_windows, 4 * units)
    i, f, candidate, o = np.split(gates, 4, axis=-1)  # views: each step turns sums into gates
    cell, hidden = np.empty_like(i), np.empty_like(i)
    c = h = np.zeros_like(i[0])
    for t in range(len(gates)):
        gates[t] += h @ recurrent_kernel
        f[t] = sigmoid(f[t])
        i[t] = sigmoid(i[t])
        candidate[t] = np.tanh(candidate[t])
        c = cell[t] = f[t] * c + i[t] * candidate[t]
        o[t] = sigmoid(o[t])
        h = hidden[t] = o[t] * np.tanh(c)
    return LSTMSteps(*map(_batch_first, (f, i, candidate, cell, o, hidden)))


def gru_steps(x: Array, kernel: Array, recurrent_kernel: Array, bias: Array) -> GRUSteps:
    """Run a GRU over windows and keep every gate.

        z_t  = sigmoid(W_z [h_{t-1}, x_t] + b_z)     update gate
        r_t  = sigmoid(W_r [h_{t-1}, x_t] + b_r)     reset gate
        h~_t = tanh(W x_t + b + r_t * (U h_{t-1} + b'))
        h_t  = z_t * h_{t-1} + (1 - z_t) * h~_t

    Args:
        x: shape (n_windows, lookback, n_features).
        kernel: shape (n_features, 3 * units), columns in Keras's order z, r, h~.
        recurrent_kernel: shape (units, 3 * units), same order.
        bias: shape (2, 3 * units): of the input, then of the recurrent product.

    Returns:
        Gates and hidden state at every session.

    Source: Cho et al. (2014), in the variant of `keras.layers.GRU(reset_after=True)`.
    """
    input_bias, recurrent_bias = bias
    gates = _project(x, kernel, input_bias)  # (lookback, n_windows, 3 * units)
    z, r, candidate = np.split(gates, 3, axis=-1)  # views: each step turns sums into gates
    units = z.shape[-1]
    hidden = np.empty_like(z)
    h = np.zeros_like(z[0])
    for t in range(len(gates)):
        recurrent = h @ recurrent_kernel + recurrent_bias
        gates[t, :, : 2 * units] = sigmoid(gates[t, :, : 2 * units] + recurrent[:, : 2 * units])
        candidate[t] = np.tanh(candidate[t] + r[t] * recurrent[:, 2 * units :])
        h = hidden[t] = z[t] * h + (1.0 - z[t]) * candidate[t]
    return GRUSteps(*map(_batch_first, (z, r, candidate, hidden)))


def attention_steps(
    states: Array,
    query_kernel: Array,
    query_bias: Array,
    key_kernel: Array,
    key_bias: Array,
    value_kernel: Array,
    value_bias: Array,
    output_kernel: Array,
    output_bias: Array,
) -> AttentionSteps:
    """Let every session pick which of the sessions up to it to look at.

        weights = softmax(Q K' / sqrt(key_dim)), zero for later sessions
        context = (weights V) W_output + b_output

    Args:
        states: shape (n_windows, lookback, units): queries, keys and values alike come from them.
        query_kernel, key_kernel, value_kernel: shape (units, 1, key_dim).
        query_bias, key_bias, value_bias: shape (1, key_dim).
        output_kernel: shape (1, key_dim, units).
        output_bias: shape (units,).

    Returns:
        The weights and the answers.

    Source: Vaswani et al. (2017), equation 1; `keras.layers.MultiHeadAttention(num_heads=1)` called
        with `use_causal_mask=True`.
    """
    query = states @ query_kernel[:, 0] + query_bias
    key = states @ key_kernel[:, 0] + key_bias
    value = states @ value_kernel[:, 0] + value_bias
    scores = query @ np.swapaxes(key, 1, 2) / np.sqrt(query.dtype.type(query.shape[-1]))
    later = np.triu(np.ones(scores.shape[1:], dtype=bool), k=1)
    weights = softmax(np.where(later, -np.inf, scores))
    return AttentionSteps(weights, weights @ value @ output_kernel[0] + output_bias)


def softmax(scores: Array) -> Array:
    """Shares of the last axis that sum to 1; a score of minus infinity gets none."""
    odds = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def simple_rnn(x: Array, kernel: Array, recurrent_kernel: Array, bias: Array) -> Array:
    """Hidden states of a SimpleRNN, shape (n_windows, lookback, units)."""
    return simple_rnn_steps(x, kernel, recurrent_kernel, bias).hidden


def lstm(x: Array, kernel: Array, recurrent_kernel: Array, bias: Array) -> Array:
    """Hidden states of an LSTM, shape (n_windows, lookback, units)."""
    return lstm_steps(x, kernel, recurrent_kernel, bias).hidden


def gru(x: Array, kernel: Array, recurrent_kernel: Array, bias: Array) -> Array:
    """Hidden states of a GRU, shape (n_windows, lookback, units)."""
    return gru_steps(x, kernel, recurrent_kernel, bias).hidden


def attention(states: Array, *weights: Array) -> Array:
    """Answers of the attention over `states`, shape (n_windows, lookback, units)."""
    return attention_steps(states, *weights).context


RECURRENT = {
    "simple_rnn": simple_rnn_steps,
    "lstm": lstm_steps,
    "gru": gru_steps,
    "attention_lstm": lstm_steps,
}


def split_weights(network: str, n_layers: int, weights: Weights) -> NetworkWeights:
    """Tell apart what `model.get_weights()` gives in one list.

    Args:
        network: a key of `RECURRENT`.
        n_layers: recurrent layers, at least 1.
        weights: three arrays a recurrent layer, eight for the attention, two for the head.

    Raises:
        RunError: when the network is unknown or the number of arrays is not its own.
    """
    if network not in RECURRENT:
        raise RunError(f"Unknown network {network!r}; the known ones are {', '.join(RECURRENT)}.")
    recurrent_end = 3 * n_layers
    head_start = recurrent_end + (8 if network == "attention_lstm" else 0)
    if len(weights) != head_start + 2:
        raise RunError(
            f"{network} with {n_layers} layers has {head_start + 2} arrays of weights, "
            f"and {len(weights)} were stored. Train it again."
        )
    return NetworkWeights(
        layers=tuple(weights[start : start + 3] for start in range(0, recurrent_end, 3)),
        attention=weights[recurrent_end:head_start],
        head=weights[head_start:],
    )


def forward_pass(network: str, n_layers: int, weights: Weights, x: Array) -> ForwardPass:
    """Run a whole network over windows and keep every step of every layer.

        x -> recurrent layers -> [+ attention over their states] -> last session -> dense head

    Args:
        network: "simple_rnn", "lstm", "gru" or "attention_lstm".
        n_layers: recurrent layers, at least 1.
        weights: `model.get_weights()`, in its order.
        x: scaled windows, shape (n_windows, lookback, n_features).

    Raises:
        RunError: when the weights are not those of such a network.
    """
    parts = split_weights(network, n_layers, weights)
    states = np.asarray(x, dtype=weights[0].dtype)
    layers = []
    for layer_weights in parts.layers:
        layers.append(RECURRENT[network](states, *layer_weights))
        states = layers[-1].hidden
    summary = states[:, -1]
    steps = attention_steps(states, *parts.attention) if parts.attention else None
    if steps is not None:
        summary = summary + steps.context[:, -1]
    kernel, bias = parts.head
    return ForwardPass(tuple(layers), steps, summary, summary @ kernel + bias)


def forward(network: str, n_layers: int, weights: Weights, x: Array) -> Array:
    """The outputs of a stored network, shape (n_windows, n_outputs): what every forecast is made of.

    Args and Raises as for `forward_pass`; nothing but the outputs is kept.
    """
    starts = range(0, max(len(x), 1), BLOCK)
    blocks = [forward_pass(network, n_layers, weights, x[s : s + BLOCK]).outputs for s in starts]
    return np.concatenate(blocks)


def _project(x: Array, kernel: Array, bias: Array) -> Array:
    """The share of the inputs in every step's sum, computed at once, time first."""
    return np.swapaxes(x, 0, 1) @ kernel + bias  # (lookback, n_windows, columns of the kernel)


def _batch_first(steps: Array) -> Array:
    """A view of (lookback, n_windows, units) as (n_windows, lookback, units)."""
    return np.swapaxes(steps, 0, 1)
