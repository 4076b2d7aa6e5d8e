"""The chain rule through the cells: how much each session of a window moves what comes out at its end.

Every function walks the window backwards. It takes the steps that the cell held on its way forward
and `d_hidden`, the derivative of some number with respect to each hidden state, and gives back the
derivative of that number with respect to each input. Steps of one window broadcast against many
rows of `d_hidden`, so that a whole Jacobian is one walk.

Source: Werbos (1990), "Backpropagation through time"; each formula is the derivative of the line of
the same name in `forecast.networks.cells`.
"""

from __future__ import annotations

import numpy as np

from forecast.networks.cells import (
    Array,
    ForwardPass,
    GRUSteps,
    LSTMSteps,
    SimpleRNNSteps,
    Weights,
    forward_pass,
    split_weights,
)


def output_gradients(
    network: str, n_layers: int, weights: Weights, x: Array, output: int
) -> tuple[Array, Array]:
    """One output of a network, and its derivative with respect to every number of the window.

    Args:
        network, n_layers, weights: as for `forecast.networks.cells.forward`.
        x: scaled windows, shape (n_windows, lookback, n_features).
        output: which of the network's outputs.

    Returns:
        The output, shape (n_windows,), and its gradients, shape (n_windows, lookback, n_features).

    Raises:
        RunError: when the weights are not those of such a network.
    """
    passed = forward_pass(network, n_layers, weights, x)
    kernel, _ = split_weights(network, n_layers, weights).head
    d_summary = np.broadcast_to(kernel[:, output], passed.summary.shape)
    return passed.outputs[:, output], _inputs_from_summary(network, n_layers, weights, passed, d_summary)


def summary_jacobian(network: str, n_layers: int, weights: Weights, window: Array) -> Array:
    """d h_T / d x_t for every session t of one window: what the end still feels of each day.

    Args:
        network, n_layers, weights: as for `forecast.networks.cells.forward`.
        window: one scaled window, shape (lookback, n_features).

    Returns:
        Shape (lookback, units, n_features). h_T is what the head reads: the last hidden state, to
        which the attention network has added its answer.

    Raises:
        RunError: when the weights are not those of such a network.
    """
    passed = forward_pass(network, n_layers, weights, window[None])
    units = passed.summary.shape[1]
    d_summary = np.eye(units, dtype=passed.summary.dtype)  # one row a unit of h_T
    gradients = _inputs_from_summary(network, n_layers, weights, passed, d_summary)
    return np.swapaxes(gradients, 0, 1)  # (units, lookback, n_features) -> (lookback, units, ...)


def simple_rnn_backward(steps: SimpleRNNSteps, weights: Weights, d_hidden: Array) -> Array:
    """Derivatives with respect to the inputs of `simple_rnn_steps`, shape (n, lookback, n_features).

    Going back one session multiplies by the same matrix and a slope below 1, again and again:

        d h_t / d h_{t-1} = diag(1 - h_t^2) U        where the gradient vanishes
    """
    kernel, recurrent_kernel, _ = weights
    d_sums = np.empty(d_hidden.shape[:2] + kernel.shape[1:], d_hidden.dtype)
    d_h = np.zeros_like(d_hidden[:, 0])
    for t in reversed(range(d_hidden.shape[1])):
        d_sums[:, t] = (d_h + d_hidden[:, t]) * (1.0 - steps.hidden[:, t] ** 2)
        d_h = d_sums[:, t] @ recurrent_kernel.T
    return d_sums @ kernel.T


def lstm_backward(steps: LSTMSteps, weights: Weights, d_hidden: Array) -> Array:
    """Derivatives with respect to the inputs of `lstm_steps`, shape (n, lookback, n_features).

    Along the conveyor belt, going back one session multiplies by the forget gate and nothing else:

        d C_t / d C_{t-1} = diag(f_t) + what goes round through h_{t-1}
    """
    kernel, recurrent_kernel, _ = weights
    f, i, candidate, o = steps.forget, steps.input, steps.candidate, steps.output
    shown = np.tanh(steps.cell)
    before = _one_session_earlier(steps.cell)  # C_{t-1}
    d_sums = np.empty(d_hidden.shape[:2] + kernel.shape[1:], d_hidden.dtype)
    d_h = d_c = np.zeros_like(d_hidden[:, 0])
    for t in reversed(range(d_hidden.shape[1])):
        d_h = d_h + d_hidden[:, t]
        d_c = d_c + d_h * o[:, t] * (1.0 - shown[:, t] ** 2)
        d_i = d_c * candidate[:, t] * _slope(i[:, t])
        d_f = d_c * before[:, t] * _slope(f[:, t])
        d_candidate = d_c * i[:, t] * (1.0 - candidate[:, t] ** 2)
        d_o = d_h * shown[:, t] * _slope(o[:, t])
        d_sums[:, t] = np.concatenate([d_i, d_f, d_candidate, d_o], axis=-1)
        d_h = d_sums[:, t] @ recurrent_kernel.T
        d_c = d_c * f[:, t]
    return d_sums @ kernel.T


def gru_backward(steps: GRUSteps, weights: Weights, d_hidden: Array) -> Array:
    """Derivatives with respect to the inputs of `gru_steps`, shape (n, lookback, n_features)."""
    kernel, recurrent_kernel, (_, recurrent_bias) = weights
    z, r, candidate = steps.update, steps.reset, steps.candidate
    before = _one_session_earlier(steps.hidden)  # h_{t-1}
    recalled = np.split(before @ recurrent_kernel + recurrent_bias, 3, axis=-1)[2]
    d_sums = np.empty(d_hidden.shape[:2] + kernel.shape[1:], d_hidden.dtype)
    d_h = np.zeros_like(d_hidden[:, 0])
    for t in reversed(range(d_hidden.shape[1])):
        d_h = d_h + d_hidden[:, t]
        d_candidate = d_h * (1.0 - z[:, t]) * (1.0 - candidate[:, t] ** 2)
        d_z = d_h * (before[:, t] - candidate[:, t]) * _slope(z[:, t])
        d_r = d_candidate * recalled[:, t] * _slope(r[:, t])
        d_sums[:, t] = np.concatenate([d_z, d_r, d_candidate], axis=-1)
        d_recurrent = np.concatenate([d_z, d_r, d_candidate * r[:, t]], axis=-1)
        d_h = d_h * z[:, t] + d_recurrent @ recurrent_kernel.T
    return d_sums @ kernel.T


def last_attention_backward(states: Array, shares: Array, weights: Weights, d_context: Array) -> Array:
    """Derivatives of the last session's answer with respect to every state.

    Args:
        states: what `attention_steps` looked at, shape (n, lookback, units).
        shares: the last session's attention weights, shape (n, lookback).
        weights: the eight arrays of `attention_steps`.
        d_context: with respect to the last session's answer, shape (n, units).

    Returns:
        Shape (n, lookback, units).
    """
    query_kernel, query_bias, key_kernel, key_bias, value_kernel, value_bias, output_kernel, _ = weights
    root = np.sqrt(states.dtype.type(query_kernel.shape[-1]))
    query = states[:, -1:] @ query_kernel[:, 0] + query_bias  # (n, 1, key_dim)
    key = states @ key_kernel[:, 0] + key_bias
    value = states @ value_kernel[:, 0] + value_bias
    d_mixture = (d_context @ output_kernel[0].T)[:, None]  # (n, 1, key_dim)
    d_shares = (value * d_mixture).sum(axis=-1)  # (n, lookback)
    d_scores = (shares * (d_shares - (shares * d_shares).sum(axis=-1, keepdims=True)))[..., None] / root
    d_states = (shares[..., None] * d_mixture) @ value_kernel[:, 0].T + (d_scores * query) @ key_kernel[:, 0].T
    d_states[:, -1] += (d_scores * key).sum(axis=1) @ query_kernel[:, 0].T
    return d_states


_BACKWARD = {
    SimpleRNNSteps: simple_rnn_backward,
    LSTMSteps: lstm_backward,
    GRUSteps: gru_backward,
}


def _inputs_from_summary(
    network: str, n_layers: int, weights: Weights, passed: ForwardPass, d_summary: Array
) -> Array:
    """Walk back from what the head reads to the window, through attention and layers."""
    parts = split_weights(network, n_layers, weights)
    states = passed.layers[-1].hidden
    d_hidden = np.zeros((len(d_summary), *states.shape[1:]), d_summary.dtype)
    if passed.attention is not None:
        shares = passed.attention.weights[:, -1]
        d_hidden += last_attention_backward(states, shares, parts.attention, d_summary)
    d_hidden[:, -1] += d_summary
    for steps, layer in zip(reversed(passed.layers), reversed(parts.layers), strict=True):
        d_hidden = _BACKWARD[type(steps)](steps, layer, d_hidden)
    return d_hidden


def _slope(gate: Array) -> Array:
    """The derivative of a sigmoid where it has the value `gate`."""
    return gate * (1.0 - gate)


def _one_session_earlier(steps: Array) -> Array:
    """The same memory one session before, zero before the first; (n, lookback, units)."""
    return np.pad(steps, ((0, 0), (1, 0), (0, 0)))[:, :-1]
