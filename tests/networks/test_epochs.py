from dataclasses import replace

import numpy as np
import pytest

from forecast.config import NETWORKS, RECIPES, Config
from forecast.networks.epochs import adam_step, capacity_for, compile_epoch, initial_state, make_batches, shuffled

CONFIG = replace(Config(), lookback=6, units=4, horizon=2, dropout=0.0, batch_size=8, learning_rate=0.01)
CLASSIC = replace(RECIPES["classic"], lookback=6, units=4, dropout=0.0, batch_size=8, learning_rate=0.01)
FEATURES = 5
rng = np.random.default_rng(5)
X, Y = rng.normal(size=(21, 6, FEATURES)).astype("float32"), rng.normal(size=(21, 2)).astype("float32")


@pytest.fixture(scope="module")
def keras():
    from forecast.networks.backend import import_keras

    return import_keras()


def run(network, config, state, x, y, capacity=32):
    train = make_batches(x, y[:, : config.horizon], config.batch_size, capacity)
    return compile_epoch(network, config, FEATURES)(state, train, make_batches(x, y[:, : config.horizon], 16, capacity))


def same_bits(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))


@pytest.mark.parametrize("config", [CONFIG, CLASSIC], ids=["student t", "two layers"])
@pytest.mark.parametrize("network", NETWORKS)
def test_an_epoch_is_what_fit_does_with_the_stock_layers(keras, monkeypatch, network, config):
    """The reference: Keras's own layers, Adam and `fit`, over the same batches, the last of which is not full."""
    from forecast.networks.builders import build_network
    from forecast.networks.heads import student_t_loss

    start = initial_state(network, config, FEATURES, seed=1)
    state, loss, validation_loss = run(network, config, start, X, Y)
    monkeypatch.setenv("FORECAST_STOCK_LAYERS", "1")
    model = build_network(network, config, FEATURES)
    model.set_weights(start.weights)
    losses = student_t_loss if config.is_distribution else "mse"
    model.compile(keras.optimizers.Adam(config.learning_rate), losses, jit_compile=False)
    x, y = X, Y[:, : config.horizon]
    history = model.fit(x, y, batch_size=config.batch_size, shuffle=False, validation_data=(x, y), verbose=0).history
    assert float(loss) == pytest.approx(history["loss"][0], rel=1e-4)
    assert float(validation_loss) == pytest.approx(history["val_loss"][0], rel=1e-4)
    for mine, theirs in zip(state.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=3e-5)


def test_a_state_is_what_keras_builds_from_the_seed(keras):
    from forecast.networks.builders import build_network

    keras.utils.set_random_seed(7)
    expected = build_network("lstm", CLASSIC, FEATURES).get_weights()
    for mine, theirs in zip(initial_state("lstm", CLASSIC, FEATURES, 7).weights, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_what_ran_before_leaves_no_trace():
    config = replace(CLASSIC, dropout=0.4)
    first = run("simple_rnn", config, initial_state("simple_rnn", config, FEATURES, 1), X, Y)[0]
    run("simple_rnn", config, first, X, Y)
    again = run("simple_rnn", config, initial_state("simple_rnn", config, FEATURES, 1), X, Y)[0]
    assert same_bits(first, again)
    assert not same_bits(first, run("simple_rnn", config, initial_state("simple_rnn", config, FEATURES, 2), X, Y)[0])


def test_seeds_and_tickers_of_like_length_share_one_compilation():
    epoch = compile_epoch("lstm", CONFIG, FEATURES)
    run("lstm", CONFIG, initial_state("lstm", CONFIG, FEATURES, 1), X, Y)
    n_traces = epoch.experimental_get_tracing_count()
    for seed, n_windows in ((2, 21), (3, 17), (4, 8)):
        run("lstm", CONFIG, initial_state("lstm", CONFIG, FEATURES, seed), X[:n_windows], Y[:n_windows])
    assert epoch.experimental_get_tracing_count() == n_traces


@pytest.mark.parametrize("network", ["simple_rnn", "lstm"])
def test_padding_changes_nothing(network):
    start = initial_state(network, CONFIG, FEATURES, 1)
    tight, roomy = (run(network, CONFIG, start, X, Y, capacity)[0] for capacity in (21, 64))
    assert same_bits(tight, roomy)


@pytest.mark.parametrize("network", ["simple_rnn", "gru"])
def test_xla_gives_the_epoch_that_the_graph_gives(monkeypatch, network):
    start = initial_state(network, CLASSIC, FEATURES, 1)
    graph = run(network, CLASSIC, start, X, Y)
    monkeypatch.setattr("forecast.networks.epochs.UNITS_THAT_REPAY_XLA", 1)
    compile_epoch.cache_clear()
    compiled = run(network, CLASSIC, start, X, Y)
    compile_epoch.cache_clear()
    assert float(compiled[1]) == pytest.approx(float(graph[1]), rel=1e-5)
    for one, other in zip(compiled[0].weights, graph[0].weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-5)


def test_adam_steps_as_keras_does(keras):
    weights, slopes = [X[0], X[1]], [[Y[:6], Y[6:11]], [3 * Y[1:7], Y[5:10] ** 2]]
    weights = [slope.copy() for slope in slopes[0]]
    variables, adam = [keras.Variable(w) for w in weights], keras.optimizers.Adam(0.02)
    state = initial_state("lstm", CONFIG, FEATURES, 1)._replace(weights=weights, means=[0.0, 0.0], squares=[0.0, 0.0])
    for gradients in slopes:
        state = adam_step(state, gradients, 0.02)
        adam.apply(gradients, variables)
    for mine, theirs in zip(state.weights, variables, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_every_window_is_in_one_batch_of_an_epoch():
    batches = make_batches(X, Y, 8, capacity_for(21))
    mixed = shuffled(batches, np.random.default_rng(0))
    assert batches.n_batches == mixed.n_batches == 3 and mixed.rows.shape == (4, 8)
    assert sorted(mixed.rows[:3][mixed.rows[:3] >= 0]) == list(range(21)) and (mixed.rows[3] == -1).all()
    assert not np.array_equal(mixed.rows, batches.rows)


@pytest.mark.parametrize("n_windows, capacity", [(1, 1), (2, 2), (3, 4), (21, 32), (32, 32), (33, 64)])
def test_there_is_room_for_the_next_power_of_two(n_windows, capacity):
    assert capacity_for(n_windows) == capacity
