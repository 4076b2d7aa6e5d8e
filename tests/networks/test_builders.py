from dataclasses import replace

import numpy as np
import pytest

from forecast.config import NETWORKS, RECIPES, Config
from forecast.networks.cells import forward

CONFIG = replace(Config(), lookback=6, units=4, horizon=2)
CLASSIC = replace(RECIPES["classic"], lookback=6, units=4)
FEATURES = 5


@pytest.fixture(scope="module")
def build():
    from forecast.networks.backend import import_keras

    keras = import_keras()
    from forecast.networks.builders import build_network

    def seeded(network, config):
        keras.utils.set_random_seed(1)
        return build_network(network, config, FEATURES)

    return seeded


@pytest.fixture
def x():
    return np.random.default_rng(4).normal(size=(8, 6, FEATURES)).astype("float32")


@pytest.mark.parametrize("network", NETWORKS)
def test_an_untrained_network_answers_zero_to_everything(build, x, network):
    answers = np.asarray(build(network, CONFIG)(x))
    assert answers.shape == (8, 3 * CONFIG.horizon) and (answers == 0.0).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_an_untrained_classic_network_answers_something_for_each_step(build, x, network):
    answers = np.asarray(build(network, CLASSIC)(x))
    assert answers.shape == (8, 1) and np.ptp(answers) > 0.0


@pytest.mark.parametrize("config", [CONFIG, CLASSIC], ids=["one layer", "two layers"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_cell_equations_give_what_the_built_network_gives(build, x, network, config):
    model = build(network, config)
    rng = np.random.default_rng(9)
    weights = [rng.normal(0, 0.4, w.shape).astype("float32") for w in model.get_weights()]
    model.set_weights(weights)
    np.testing.assert_allclose(forward(network, config.layers, weights, x), np.asarray(model(x)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_same_seed_builds_the_same_weights(build, network):
    for one, other in zip(build(network, CLASSIC).get_weights(), build(network, CLASSIC).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("network", NETWORKS)
def test_dropout_hides_units_only_while_training(build, x, network):
    model = build(network, replace(CLASSIC, dropout=0.5))
    calm = np.asarray(model(x))
    np.testing.assert_array_equal(calm, np.asarray(model(x)))
    assert not np.array_equal(calm, np.asarray(model(x, training=True)))


def test_attention_looks_back_and_never_ahead(build):
    """With the last step's own state fixed, only earlier steps can change its answer, and they do."""
    model = build("attention_lstm", CLASSIC)
    layer = next(layer for layer in model.layers if "attention" in layer.name)
    states = np.random.default_rng(2).normal(size=(1, 6, CLASSIC.units)).astype("float32")
    later = states.copy()
    later[:, 4:] += 1.0
    picked, changed = (np.asarray(layer(s, s, use_causal_mask=True)) for s in (states, later))
    np.testing.assert_array_equal(picked[:, :4], changed[:, :4])
    assert not np.array_equal(picked[:, 4:], changed[:, 4:])
