import numpy as np
import pytest

UNITS, STEPS, FEATURES = 7, 20, 3
NAMES = ("SimpleRNN", "LSTM", "GRU")


@pytest.fixture(scope="module")
def layers():
    from forecast.networks import layers

    return layers


@pytest.fixture
def x():
    return np.random.default_rng(3).normal(size=(5, STEPS, FEATURES)).astype("float32")


def pair(layers, name, **options):
    """A fast layer and Keras's own with the same weights, none of them zero."""
    rng = np.random.default_rng(8)
    fast = getattr(layers, name)(UNITS, **options)
    stock = getattr(layers.keras.layers, name)(UNITS, **options)
    for layer in (fast, stock):
        layer.build((None, STEPS, FEATURES))
    weights = [rng.normal(0, 0.5, w.shape).astype("float32") for w in stock.get_weights()]
    fast.set_weights(weights)
    stock.set_weights(weights)
    return fast, stock


def outputs_and_gradients(layer, x, **states):
    """Every output, and the gradient of a sum that weighs every output differently."""
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = tf.nest.flatten(layer(x, **states))
        loss = sum(tf.reduce_mean(tf.sin((k + 1.0) * output)) for k, output in enumerate(outputs))
    return outputs, tape.gradient(loss, [x, *layer.trainable_variables])


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_gradients_are_those_of_keras(layers, x, name, sequences):
    fast, stock = pair(layers, name, return_sequences=sequences, return_state=True)
    assert layers.is_fast(fast)
    (mine, my_slopes), (theirs, their_slopes) = outputs_and_gradients(fast, x), outputs_and_gradients(stock, x)
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    for one, other in zip(my_slopes, their_slopes, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_given_first_state_and_its_gradient_are_those_of_keras(layers, x, name):
    import tensorflow as tf

    slopes = []
    for layer in pair(layers, name):
        start = [tf.fill((5, UNITS), 0.3 * (k + 1)) for k in range(len(layer.state_size))]
        with tf.GradientTape() as tape:
            tape.watch(start)
            loss = tf.reduce_mean(layer(tf.constant(x), initial_state=start) ** 2)
        slopes.append(tape.gradient(loss, start))
    for one, other in zip(*slopes, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_of_the_weights_are_those_of_keras(layers, name):
    fast, stock = pair(layers, name)
    assert [w.name for w in fast.weights] == [w.name for w in stock.weights]
    assert [w.shape for w in fast.weights] == [w.shape for w in stock.weights]
    assert fast.name.rstrip("_0123456789") == stock.name.rstrip("_0123456789")


@pytest.mark.parametrize("option", [{"dropout": 0.1}, {"recurrent_dropout": 0.1}, {"activation": "relu"}, {"use_bias": False}])
@pytest.mark.parametrize("name", NAMES)
def test_what_the_fast_loop_does_not_do_the_stock_loop_does(layers, x, name, option):
    fast, stock = pair(layers, name, **option)
    assert not layers.is_fast(fast)
    np.testing.assert_array_equal(fast(x), stock(x))


@pytest.mark.parametrize("name", NAMES)
def test_masked_steps_are_skipped_as_in_keras(layers, x, name):
    fast, stock = pair(layers, name)
    mask = np.arange(STEPS) < np.array([[20], [15], [9], [1], [20]])
    np.testing.assert_allclose(fast(x, mask=mask), stock(x, mask=mask), rtol=0, atol=1e-6)
    assert np.abs(fast(x, mask=mask) - fast(x))[1].max() > 1e-3


def test_a_word_in_the_environment_brings_the_stock_loop_back(layers, monkeypatch):
    fast, _ = pair(layers, "LSTM")
    assert layers.is_fast(fast)
    monkeypatch.setenv("FORECAST_STOCK_LAYERS", "1")
    assert not layers.is_fast(fast)


@pytest.mark.parametrize("network", ["simple_rnn", "lstm", "gru", "attention_lstm"])
def test_networks_are_built_of_fast_layers_without_being_asked(layers, network):
    from forecast.config import Config
    from forecast.networks.builders import build_network

    recurrent = [each for each in build_network(network, Config(lookback=6), 5).layers if hasattr(each, "cell")]
    assert recurrent and all(layers.is_fast(layer) for layer in recurrent)


def test_the_fused_kernel_is_in_the_graph_of_an_lstm_and_no_loop(layers):
    import tensorflow as tf

    fast, stock = pair(layers, "LSTM")
    signature = tf.TensorSpec((None, STEPS, FEATURES))
    kinds, stock_kinds = (
        {op.type for op in tf.function(layer).get_concrete_function(signature).graph.get_operations()} for layer in (fast, stock)
    )
    assert "BlockLSTMV2" in kinds and "While" not in kinds
    assert "BlockLSTMV2" not in stock_kinds
