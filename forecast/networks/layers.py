"""SimpleRNN, LSTM and GRU that run a whole sequence fast on a processor: Keras's layers with another inner loop.

    LSTM              TensorFlow's fused kernel for a block of steps, with its own gradient
    SimpleRNN, GRU    inputs of all steps projected in one product before the loop, weight gradients
                      as one product after it; XLA compiles what is left inside

Weights, names and results are those of the stock layers. Whatever the fast loop does not do (a mask,
dropout inside the cell, another activation, a GPU, a backend other than TensorFlow) the stock loop
does, and so it does everything when FORECAST_STOCK_LAYERS=1 is set.
"""

from __future__ import annotations

from forecast.networks.backend import import_keras, stock_layers_wanted

keras = import_keras()  # the one module of layer classes; builders import it when a network is built


class SimpleRNN(keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, faster."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Last output, outputs and states of the loop over the steps, as Keras's `RNN.call` wants them."""
        if not is_fast(self, mask):
            return super().inner_loop(sequences, initial_state, mask, training)
        weights = self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias
        return _as_keras(_simple_rnn_states(_time_first(sequences), initial_state[0], *map(_tensor, weights)))


class GRU(keras.layers.GRU):
    """`keras.layers.GRU`, faster."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Last output, outputs and states of the loop over the steps, as Keras's `RNN.call` wants them."""
        if not (is_fast(self, mask) and self.reset_after):
            return super().inner_loop(sequences, initial_state, mask, training)
        weights = self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias
        return _as_keras(_gru_states(_time_first(sequences), initial_state[0], *map(_tensor, weights)))


class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM`, faster."""

    def __init__(self, units, **options):
        super().__init__(units, **options)
        self.supports_jit = not is_fast(self)  # XLA does not know the fused kernel

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Last output, outputs and states of the loop over the steps, as Keras's `RNN.call` wants them."""
        if not is_fast(self, mask):
            return super().inner_loop(sequences, initial_state, mask, training)
        weights = self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias
        hidden, cell = _lstm_states(_time_first(sequences), *initial_state, *map(_tensor, weights))
        return _as_keras(hidden, cell)


FAST_LAYERS = {"simple_rnn": SimpleRNN, "lstm": LSTM, "gru": GRU, "attention_lstm": LSTM}


def is_fast(layer, mask=None) -> bool:
    """Whether the fast loop does what this layer was asked for, here and now."""
    if stock_layers_wanted() or keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    cell = layer.cell
    return (
        mask is None
        and cell.use_bias
        and cell.activation is keras.activations.tanh
        and getattr(cell, "recurrent_activation", keras.activations.sigmoid) is keras.activations.sigmoid
        and cell.dropout == cell.recurrent_dropout == 0.0
        and not (layer.go_backwards or layer.unroll)
        and layer.compute_dtype == "float32"
        and not tf.config.list_logical_devices("GPU")
    )


def _simple_rnn_states(x, h0, kernel, recurrent_kernel, bias):
    """Every hidden state, shape (lookback, batch, units).

        h_t = tanh(x_t K + h_{t-1} R + b)        dz_t = (dh_t + dz_{t+1} R^T) (1 - h_t^2)

    Args:
        x: shape (lookback, batch, n_features).
        h0: state before the first step, shape (batch, units).

    Source:
        Werbos (1990), "Backpropagation through time", eq. 11-13, with the sums over steps taken as one product.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def states(x, h0, kernel, recurrent_kernel, bias):
        projected = _product(x, kernel) + bias                               # (lookback, batch, units)
        hidden = tf.scan(lambda h, z: tf.tanh(z + h @ recurrent_kernel), projected, h0)

        def gradient(upstream):
            back = tf.transpose(recurrent_kernel)
            later = tf.zeros_like(h0)
            dz = tf.scan(lambda dz, now: (now[0] + dz @ back) * (1.0 - now[1] ** 2), (upstream, hidden), later, reverse=True)
            return _gradients(dz, dz, dz[0] @ back, x, h0, hidden, kernel)

        return hidden, gradient

    return states(x, h0, kernel, recurrent_kernel, bias)


def _gru_states(x, h0, kernel, recurrent_kernel, bias):
    """Every hidden state, shape (lookback, batch, units); gates in Keras's order: update, reset, candidate.

        z = sigmoid(x K_z + h R_z + b_z)    r = sigmoid(x K_r + h R_r + b_r)    c = tanh(x K_c + b_c + r (h R_c + b'_c))
        h_t = z h_{t-1} + (1 - z) c

    Args:
        x: shape (lookback, batch, n_features).
        h0: state before the first step, shape (batch, units).
        bias: shape (2, 3 * units): of the inputs and of the states.

    Source:
        Cho et al. (2014), eq. 5-8, with the reset gate after the product, as cuDNN and Keras have it.
    """
    import tensorflow as tf

    def gates(projected, recalled):
        """Update, reset and candidate, from the products of the inputs and of the states."""
        update, reset, candidate = tf.split(projected, 3, -1)
        of_update, of_reset, of_candidate = tf.split(recalled, 3, -1)
        reset = tf.sigmoid(reset + of_reset)
        return tf.sigmoid(update + of_update), reset, tf.tanh(candidate + reset * of_candidate)

    @tf.custom_gradient
    def states(x, h0, kernel, recurrent_kernel, bias):
        projected = _product(x, kernel) + bias[0]                            # (lookback, batch, 3 * units)

        def step(h, now):
            update, _, candidate = gates(now, h @ recurrent_kernel + bias[1])
            return update * h + (1.0 - update) * candidate

        hidden = tf.scan(step, projected, h0)

        def gradient(upstream):
            before = _before(h0, hidden)
            recalled = _product(before, recurrent_kernel) + bias[1]
            update, reset, candidate = gates(projected, recalled)            # again, all steps at once
            of_candidate = tf.split(recalled, 3, -1)[2]
            to_update = (before - candidate) * update * (1.0 - update)       # dh_t / d(what each gate adds up)
            to_candidate = (1.0 - update) * (1.0 - candidate**2)
            to_reset = to_candidate * of_candidate * reset * (1.0 - reset)
            to_recalled = tf.concat([to_update, to_reset, to_candidate * reset], -1)
            back = tf.transpose(recurrent_kernel)

            def step_back(later, now):
                upstream, update, to_recalled = now
                dh = upstream + later[1]
                return dh, dh * update + (tf.tile(dh, [1, 3]) * to_recalled) @ back

            start = tf.zeros_like(h0)
            dh, dh_before = tf.scan(step_back, (upstream, update, to_recalled), (start, start), reverse=True)
            thrice = tf.tile(dh, [1, 1, 3])
            dprojected = thrice * tf.concat([to_update, to_reset, to_candidate], -1)
            return _gradients(dprojected, thrice * to_recalled, dh_before[0], x, h0, hidden, kernel)

        return hidden, gradient

    return states(x, h0, kernel, recurrent_kernel, bias)


def _lstm_states(x, h0, c0, kernel, recurrent_kernel, bias):
    """Every hidden state and every cell state, both (lookback, batch, units), by the kernel BlockLSTMV2.

    The kernel has Keras's order of the gates: input, forget, candidate, output. The gradient that
    TensorFlow registers for it has another, and is wrong (2.21); the right one is called here.
    """
    import tensorflow as tf

    n_features = x.shape[-1]

    @tf.custom_gradient
    def states(x, h0, c0, kernel, recurrent_kernel, bias):
        unused = tf.zeros_like(bias[: h0.shape[-1]])                         # peephole weights
        sequence = dict(
            seq_len_max=tf.shape(x, tf.int64)[0], x=x, cs_prev=c0, h_prev=h0, b=bias,
            w=tf.concat([kernel, recurrent_kernel], 0), wci=unused, wcf=unused, wco=unused, use_peephole=False,
        )  # fmt: skip
        block = tf.raw_ops.BlockLSTMV2(**sequence, cell_clip=0.0)

        def gradient(dh, dc):
            dx, dc0, dh0, dw, _, _, _, db = tf.raw_ops.BlockLSTMGradV2(**sequence, **block._asdict(), h_grad=dh, cs_grad=dc)
            return dx, dh0, dc0, dw[:n_features], dw[n_features:], db

        return (block.h, block.cs), gradient

    return states(x, h0, c0, kernel, recurrent_kernel, bias)


def _gradients(dprojected, drecalled, dh0, x, h0, hidden, kernel):
    """Gradients of x, h0, kernel, recurrent kernel and bias, from those of the two products at every step.

    Args:
        dprojected: of `x_t @ kernel + bias`, shape (lookback, batch, gates * units).
        drecalled: of `h_{t-1} @ recurrent_kernel` (and its bias, where there is one), same shape.
    """
    import tensorflow as tf

    def over_steps(inputs, outputs):
        return tf.tensordot(inputs, outputs, [[0, 1], [0, 1]])

    bias = tf.reduce_sum(dprojected, [0, 1])
    if drecalled is not dprojected:                                          # a GRU has two biases
        bias = tf.stack([bias, tf.reduce_sum(drecalled, [0, 1])])
    dx = _product(dprojected, tf.transpose(kernel))
    return dx, dh0, over_steps(x, dprojected), over_steps(_before(h0, hidden), drecalled), bias


def _before(h0, hidden):
    """The state that each step starts from, shape of `hidden`."""
    import tensorflow as tf

    return tf.concat([h0[None], hidden[:-1]], 0)


def _product(sequence, weight):
    """`sequence @ weight` at all steps at once: one tall product instead of many small ones."""
    import tensorflow as tf

    return tf.tensordot(sequence, weight, 1)


def _time_first(sequences):
    """(batch, lookback, n) to (lookback, batch, n), and back."""
    return keras.ops.transpose(sequences, (1, 0, 2))


def _tensor(variable):
    """The variable's value, so that a custom gradient sees no variable."""
    import tensorflow as tf

    return tf.identity(tf.convert_to_tensor(variable))


def _as_keras(hidden, *others):
    """Last output, all outputs and last states, from all states with the steps first."""
    return hidden[-1], _time_first(hidden), [states[-1] for states in (hidden, *others)]
