import numpy as np
import pytest

from forecast.explain.attribution import integrated_gradients
from forecast.networks import cells

LOOKBACK, FEATURES = 40, 4


@pytest.fixture
def window():
    return np.random.default_rng(2).normal(size=(LOOKBACK, FEATURES)).astype("float32")


@pytest.mark.parametrize("network", cells.RECURRENT)
def test_shares_sum_to_the_difference_of_the_outputs(network, window, make_weights):
    weights, baseline = make_weights(network), np.zeros_like(window)
    attribution = integrated_gradients(network, 1, [weights], window, baseline, output=1)
    here, there = cells.forward(network, 1, weights, np.stack([window, baseline]))[:, 1]
    assert attribution.shares.sum() == pytest.approx(here - there, rel=0.01)
    assert attribution.output == pytest.approx(here, abs=1e-5)
    assert attribution.is_complete


def test_shares_of_seeds_are_those_of_their_mean_forecast(window, make_weights):
    seeds = [make_weights("lstm", seed) for seed in (1, 2, 3)]
    outputs = [cells.forward("lstm", 1, weights, window[None])[0, 0] for weights in seeds]
    together = integrated_gradients("lstm", 1, seeds, window, np.zeros_like(window), output=0)
    each = [integrated_gradients("lstm", 1, [w], window, np.zeros_like(window), output=0).shares for w in seeds]
    assert together.output == pytest.approx(np.mean(outputs), abs=1e-5)
    np.testing.assert_allclose(together.shares, np.mean(each, axis=0), atol=1e-6)


def test_a_feature_that_no_weight_reads_gets_nothing(window, make_weights):
    weights = make_weights("gru")
    weights[0][2] = 0.0
    shares = integrated_gradients("gru", 1, [weights], window, np.zeros_like(window), output=0).shares
    assert np.abs(shares[:, 2]).max() == 0.0
    assert np.abs(shares[:, 1]).max() > 0.0


def test_a_session_equal_to_the_baseline_gets_nothing(window, make_weights):
    baseline = np.zeros_like(window)
    baseline[7] = window[7]
    shares = integrated_gradients("simple_rnn", 1, [make_weights("simple_rnn")], window, baseline, output=0).shares
    assert np.abs(shares[7]).max() == 0.0


def test_a_network_that_is_nearly_linear_shares_out_by_its_weights():
    small = 1e-3
    weights = [np.array([[small], [-2 * small]]), np.zeros((1, 1)), np.zeros(1), np.array([[5.0]]), np.zeros(1)]
    window = np.array([[9.0, 9.0], [3.0, 4.0]])
    shares = integrated_gradients("simple_rnn", 1, [weights], window, np.zeros((2, 2)), output=0).shares
    np.testing.assert_allclose(shares, [[0.0, 0.0], [15 * small, -40 * small]], rtol=1e-4)


def test_a_network_without_an_answer_has_nothing_to_share_out(window, make_weights):
    weights = make_weights("lstm")
    weights[-2][:] = 0.0
    attribution = integrated_gradients("lstm", 1, [weights], window, np.zeros_like(window), output=0)
    assert attribution.is_complete
    assert np.abs(attribution.shares).max() == 0.0


def test_another_unit_multiplies_everything_but_the_gap(window, make_weights):
    attribution = integrated_gradients("lstm", 1, [make_weights("lstm")], window, np.zeros_like(window), output=0)
    percent = attribution.scaled(100.0)
    np.testing.assert_allclose(percent.shares, attribution.shares * 100.0)
    assert percent.output - percent.baseline_output == pytest.approx(percent.shares.sum(), rel=0.01)
    assert percent.gap == attribution.gap
