import numpy as np
import pytest

from forecast.errors import RunError
from forecast.networks import cells

LOOKBACK, FEATURES, UNITS, OUTPUTS = 60, 5, 16, 3
NETWORKS = list(cells.RECURRENT)


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(7, LOOKBACK, FEATURES)).astype("float32")


def randomised(layer, seed=2):
    """Weights of a built layer, none of them zero, so that every bias counts."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, 0.3, w.shape).astype("float32") for w in layer.get_weights()]
    layer.set_weights(weights)
    return weights


def build_keras(keras, network, n_layers):
    """The four networks as Keras models, written out independently of the project's builder."""
    layers = keras.layers
    kind = {"simple_rnn": layers.SimpleRNN, "gru": layers.GRU}.get(network, layers.LSTM)
    attends = network == "attention_lstm"
    states = inputs = keras.Input((LOOKBACK, FEATURES))
    for layer in range(n_layers):
        states = kind(UNITS, return_sequences=attends or layer < n_layers - 1)(states)
    if attends:
        attention = layers.MultiHeadAttention(num_heads=1, key_dim=UNITS)
        states = (states + attention(states, states, use_causal_mask=True))[:, -1]
    return keras.Model(inputs, layers.Dense(OUTPUTS)(states))


@pytest.mark.parametrize("layer", ["SimpleRNN", "LSTM", "GRU"])
def test_hidden_states_equal_those_of_the_keras_layer(keras, x, layer):
    reference = getattr(keras.layers, layer)(UNITS, return_sequences=True)
    reference.build(x.shape)
    cell = {"SimpleRNN": cells.simple_rnn, "LSTM": cells.lstm, "GRU": cells.gru}[layer]
    states = cell(x, *randomised(reference))
    np.testing.assert_allclose(states, np.asarray(reference(x)), atol=1e-5, rtol=0)


def test_attention_equals_that_of_the_keras_layer(keras, x):
    states = np.tanh(x)
    reference = keras.layers.MultiHeadAttention(num_heads=1, key_dim=8)
    reference.build(states.shape, states.shape)
    weights = randomised(reference)
    steps = cells.attention_steps(states, *weights)
    context, shares = reference(
        states, states, use_causal_mask=True, return_attention_scores=True
    )
    np.testing.assert_allclose(steps.context, np.asarray(context), atol=1e-5, rtol=0)
    np.testing.assert_allclose(steps.weights, np.asarray(shares)[:, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("network", NETWORKS)
def test_forward_equals_the_keras_model(keras, x, network, n_layers):
    model = build_keras(keras, network, n_layers)
    outputs = cells.forward(network, n_layers, randomised(model), x)
    assert outputs.shape == (len(x), OUTPUTS)
    np.testing.assert_allclose(outputs, np.asarray(model(x)), atol=1e-5, rtol=0)


def test_every_lstm_gate_equals_a_keras_cell_stopped_at_each_session(keras, x):
    cell = keras.layers.LSTMCell(UNITS)
    cell.build(x[:, 0].shape)
    kernel, recurrent_kernel, bias = randomised(cell)
    steps = cells.lstm_steps(x, kernel, recurrent_kernel, bias)
    h = c = np.zeros((len(x), UNITS), "float32")
    for t in range(LOOKBACK):
        sums = keras.ops.matmul(x[:, t], kernel) + keras.ops.matmul(h, recurrent_kernel) + bias
        i, f, candidate, o = keras.ops.split(sums, 4, axis=1)
        _, (h, c) = cell(x[:, t], [h, c])
        expected = {
            "input": keras.activations.sigmoid(i),
            "forget": keras.activations.sigmoid(f),
            "candidate": keras.activations.tanh(candidate),
            "output": keras.activations.sigmoid(o),
            "hidden": h,
            "cell": c,
        }
        for name, value in expected.items():
            np.testing.assert_allclose(getattr(steps, name)[:, t], np.asarray(value), atol=1e-5)


def test_one_simple_rnn_step_by_hand():
    states = cells.simple_rnn(
        np.array([[[1.0], [0.5]]]), np.array([[2.0]]), np.array([[-1.0]]), np.array([0.1])
    )
    first = np.tanh(1.0 * 2.0 + 0.1)
    second = np.tanh(0.5 * 2.0 - first + 0.1)
    np.testing.assert_allclose(states[0, :, 0], [first, second], rtol=1e-12)


def test_an_open_forget_gate_and_a_closed_input_gate_carry_the_cell_state_unchanged():
    units, wide = 1, 30.0  # sigmoid(30) is 1 within rounding
    kernel = np.zeros((1, 4))
    kernel[0] = [2 * wide, 0.0, 5.0, 0.0]  # the first session alone opens the input gate
    bias = np.array([-wide, wide, 0.0, wide])
    x = np.zeros((1, 40, 1))
    x[0, 0, 0] = 1.0
    cell = cells.lstm_steps(x, kernel, np.zeros((units, 4)), bias).cell[0, :, 0]
    np.testing.assert_allclose(cell, np.tanh(5.0), rtol=1e-10)


@pytest.mark.parametrize("name", ["simple_rnn_steps", "lstm_steps", "gru_steps"])
def test_a_later_session_changes_nothing_before_it(x, name):
    columns = {"simple_rnn_steps": 1, "lstm_steps": 4, "gru_steps": 3}[name] * UNITS
    rng = np.random.default_rng(3)
    bias = rng.normal(size=(2, columns) if name == "gru_steps" else columns)
    weights = rng.normal(size=(FEATURES, columns)), rng.normal(size=(UNITS, columns)), bias
    altered = x.copy()
    altered[:, 40:] += 1.0
    before = getattr(cells, name)(x, *weights).hidden
    after = getattr(cells, name)(altered, *weights).hidden
    np.testing.assert_array_equal(before[:, :40], after[:, :40])
    assert not np.array_equal(before[:, 40:], after[:, 40:])


def test_a_network_with_a_zero_head_answers_its_bias(x):
    rng = np.random.default_rng(4)
    recurrent = [rng.normal(size=s) for s in [(FEATURES, UNITS), (UNITS, UNITS), (UNITS,)]]
    head = [np.zeros((UNITS, OUTPUTS)), np.array([0.0, -1.0, 2.0])]
    outputs = cells.forward("simple_rnn", 1, recurrent + head, x)
    np.testing.assert_array_equal(outputs, np.tile([0.0, -1.0, 2.0], (len(x), 1)))


def test_windows_in_many_blocks_give_what_each_gives_alone():
    rng = np.random.default_rng(5)
    shapes = [(FEATURES, 64), (UNITS, 64), (64,), (UNITS, OUTPUTS), (OUTPUTS,)]
    weights = [rng.normal(0, 0.3, s) for s in shapes]
    x = rng.normal(size=(2 * cells.BLOCK + 3, 10, FEATURES))
    alone = [cells.forward("lstm", 1, weights, x[n : n + 1])[0] for n in (0, 256, len(x) - 1)]
    together = cells.forward("lstm", 1, weights, x)
    np.testing.assert_allclose(together[[0, 256, -1]], alone, rtol=1e-12)


def test_no_windows_give_no_outputs():
    weights = [np.zeros(s) for s in [(2, 4), (4, 4), (4,), (4, 3), (3,)]]
    assert cells.forward("simple_rnn", 1, weights, np.zeros((0, 6, 2))).shape == (0, 3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_precision_is_that_of_the_weights(keras, x, network, dtype):
    weights = [w.astype(dtype) for w in randomised(build_keras(keras, network, 1))]
    assert cells.forward(network, 1, weights, x).dtype == dtype


def test_extreme_inputs_saturate_the_gates_without_a_warning():
    x = np.full((1, 3, 1), 1e4, "float32")
    weights = np.ones((1, 4), "float32"), np.ones((1, 4), "float32"), np.zeros(4, "float32")
    steps = cells.lstm_steps(-x, *weights)
    np.testing.assert_array_equal(steps.forget, 0.0)
    np.testing.assert_array_equal(cells.lstm_steps(x, *weights).forget, 1.0)


def test_weights_of_another_network_are_refused_with_both_counts(x):
    with pytest.raises(RunError, match="lstm with 2 layers has 8 arrays of weights, and 5"):
        cells.forward("lstm", 2, [np.zeros(1)] * 5, x)
    with pytest.raises(RunError, match="Unknown network 'transformer'"):
        cells.forward("transformer", 1, [], x)
