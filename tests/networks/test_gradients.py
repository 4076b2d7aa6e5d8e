import numpy as np
import pytest

from forecast.networks import cells, gradients

LOOKBACK, FEATURES, UNITS, OUTPUTS = 30, 4, 6, 3
NETWORKS = list(cells.RECURRENT)
COLUMNS = {"simple_rnn": 1, "lstm": 4, "gru": 3, "attention_lstm": 4}


def make_weights(network, n_layers=2, dtype="float64"):
    """Random weights in Keras's order, none of them zero."""
    shapes, inputs, columns = [], FEATURES, COLUMNS[network] * UNITS
    for _ in range(n_layers):
        bias = (2, columns) if network == "gru" else (columns,)
        shapes += [(inputs, columns), (UNITS, columns), bias]
        inputs = UNITS
    if network == "attention_lstm":
        shapes += [(UNITS, 1, UNITS), (1, UNITS)] * 3 + [(1, UNITS, UNITS), (UNITS,)]
    shapes += [(UNITS, OUTPUTS), (OUTPUTS,)]
    rng = np.random.default_rng(6)
    return [rng.normal(0, 0.5, shape).astype(dtype) for shape in shapes]


def make_window(dtype="float64"):
    return np.random.default_rng(7).normal(size=(LOOKBACK, FEATURES)).astype(dtype)


def build_keras(network, n_layers=2):
    """The network as two Keras models: up to what the head reads, and with the head."""
    from keras import Input, Model, layers

    kind = {"simple_rnn": layers.SimpleRNN, "gru": layers.GRU}.get(network, layers.LSTM)
    attends = network == "attention_lstm"
    states = inputs = Input((LOOKBACK, FEATURES))
    for layer in range(n_layers):
        states = kind(UNITS, return_sequences=attends or layer < n_layers - 1)(states)
    if attends:
        attention = layers.MultiHeadAttention(num_heads=1, key_dim=UNITS)
        states = (states + attention(states, states, use_causal_mask=True))[:, -1]
    return Model(inputs, states), Model(inputs, layers.Dense(OUTPUTS)(states))


@pytest.mark.parametrize("network", NETWORKS)
def test_jacobian_equals_that_of_gradient_tape(network):
    tf = pytest.importorskip("tensorflow")
    summary, model = build_keras(network)
    weights, window = make_weights(network, dtype="float32"), make_window("float32")
    model.set_weights(weights)
    x = tf.constant(window[None])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        h = summary(x)
    expected = tape.jacobian(h, x, experimental_use_pfor=False).numpy()[0, :, 0]  # (units, lookback, features)
    jacobian = gradients.summary_jacobian(network, 2, weights, window)
    np.testing.assert_allclose(jacobian, np.swapaxes(expected, 0, 1), atol=1e-5, rtol=0)
    norms, expected_norms = (np.linalg.norm(j, axis=(1, 2)) for j in (jacobian, np.swapaxes(expected, 0, 1)))
    np.testing.assert_allclose(norms, expected_norms, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("network", NETWORKS)
def test_output_gradients_equal_differences_of_outputs(network):
    weights, window, step = make_weights(network), make_window(), 1e-5
    _, gradient = gradients.output_gradients(network, 2, weights, window[None], output=1)
    for t, feature in [(0, 0), (LOOKBACK // 2, 3), (LOOKBACK - 2, 1), (LOOKBACK - 1, 2)]:
        moved = np.stack([window, window])
        moved[:, t, feature] += [step, -step]
        high, low = cells.forward(network, 2, weights, moved)[:, 1]
        assert gradient[0, t, feature] == pytest.approx((high - low) / (2 * step), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("network", NETWORKS)
def test_each_window_has_its_own_gradients(network):
    weights = make_weights(network)
    windows = np.stack([make_window(), -make_window(), np.zeros((LOOKBACK, FEATURES))])
    outputs, together = gradients.output_gradients(network, 2, weights, windows, output=0)
    for n, window in enumerate(windows):
        output, alone = gradients.output_gradients(network, 2, weights, window[None], output=0)
        np.testing.assert_allclose(together[n], alone[0], rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(outputs[n], output[0], rtol=1e-12)


def test_simple_rnn_gradient_shrinks_by_the_recurrent_weight_where_its_slope_is_one():
    weights = [np.array([[1.0]]), np.array([[0.5]]), np.zeros(1), np.ones((1, 1)), np.zeros(1)]
    jacobian = gradients.summary_jacobian("simple_rnn", 1, weights, np.zeros((10, 1)))
    np.testing.assert_allclose(jacobian[::-1, 0, 0], 0.5 ** np.arange(10), rtol=1e-12)


def test_lstm_gradient_shrinks_by_the_forget_gate_where_nothing_goes_round():
    forget = 0.9
    kernel = np.array([[0.0, 0.0, 1.0, 0.0]])  # the input reaches the candidate alone
    bias = np.array([0.0, np.log(forget / (1 - forget)), 0.0, 0.0])
    weights = [kernel, np.zeros((1, 4)), bias, np.ones((1, 1)), np.zeros(1)]
    jacobian = gradients.summary_jacobian("lstm", 1, weights, np.zeros((40, 1)))
    np.testing.assert_allclose(jacobian[::-1, 0, 0], 0.5 * 0.5 * forget ** np.arange(40), rtol=1e-10)
