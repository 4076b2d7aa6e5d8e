"""What counts as evidence: differences, coverage, seeds; the size and power of the whole."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy.signal import lfilter

from forecast.errors import DataError
from forecast.evaluation.evidence import Evidence, make_losses, share_outside, weigh
from forecast.evaluation.metrics import crps
from forecast.evaluation.significance import diebold_mariano
from forecast.networks.distribution import StudentT

N_INSAMPLE, N_TEST = 1000, 500


def forecast_of(location, scale=0.01, df=np.inf):
    location = np.asarray(location, dtype=float).reshape(len(location), -1)
    full = np.ones_like(location)
    return StudentT(location, full * scale, full * df)


def learn_from_lags(returns, n_lags):
    """A stand-in network: least squares of the next return on the last ones, insample."""
    lagged = np.lib.stride_tricks.sliding_window_view(returns[:-1], n_lags)
    target = returns[n_lags:]
    n_fit = N_INSAMPLE - n_lags
    weights, *_ = np.linalg.lstsq(lagged[:n_fit], target[:n_fit], rcond=None)
    scale = np.std(target[:n_fit] - lagged[:n_fit] @ weights)
    return forecast_of(lagged[-N_TEST:] @ weights, scale)


def weigh_lagged_networks(returns):
    """Findings on two stand-in networks; for GARCH stands the volatility of the last 500."""
    y_true = returns[-N_TEST:, None]
    last_close = 100.0 * np.exp(np.cumsum(returns) - returns)[-N_TEST:]

    def losses(forecast):
        return make_losses(forecast, y_true, last_close)

    still = np.zeros(N_TEST)
    return weigh(
        Evidence(
            networks={"lstm": losses(learn_from_lags(returns, 5)),
                      "simple_rnn": losses(learn_from_lags(returns, 3))},
            naive=losses(forecast_of(still, returns[:N_INSAMPLE].std())),
            garch=losses(forecast_of(still, returns[500:N_INSAMPLE].std())),
            actual_change=y_true[:, 0],
            horizon=1,
            share_outside=0.0,
        )
    )  # fmt: skip


def test_skill_is_claimed_on_at_most_five_percent_of_random_walks():
    claims = []
    for seed in range(400):
        returns = 0.02 * np.random.default_rng(seed).standard_t(5, N_INSAMPLE + N_TEST)
        found = weigh_lagged_networks(returns).networks.values()
        claims.append(any(network.price.better for network in found))
    assert np.mean(claims) <= 0.05


def test_skill_is_found_where_returns_are_predictable():
    found = []
    for seed in range(100):
        shocks = 0.02 * np.random.default_rng(seed).standard_t(5, N_INSAMPLE + N_TEST)
        returns = lfilter([1.0], [1.0, -0.4], shocks)
        networks = weigh_lagged_networks(returns).networks.values()
        found.append(all(network.price.better for network in networks))
    assert np.mean(found) > 0.9


def weigh_ranges(forecasts, garch, y_true):
    """Findings on networks that have nothing but their ranges."""
    close = np.full(len(y_true), 100.0)
    losses = {name: make_losses(each, y_true, close) for name, each in forecasts.items()}
    naive = make_losses(forecast_of(np.zeros(len(y_true)), 0.02), y_true, close)
    rival = make_losses(garch, y_true, close)
    return weigh(Evidence(losses, naive, rival, y_true[:, 0], 1, 0.0)).networks


def test_better_ranges_are_claimed_of_equally_wrong_ones_in_at_most_five_percent():
    rng = np.random.default_rng(0)
    still, claims = np.zeros(N_TEST), []
    for _ in range(400):
        y_true = 0.02 * rng.normal(size=(N_TEST, 1))
        wrong = [0.02 * np.exp(0.3 * rng.normal(size=(N_TEST, 1))) for _ in range(3)]
        forecasts = {"lstm": forecast_of(still, wrong[0]), "gru": forecast_of(still, wrong[1])}
        found = weigh_ranges(forecasts, forecast_of(still, wrong[2]), y_true)
        claims.append(any(network.ranges.better for network in found.values()))
    assert np.mean(claims) <= 0.05


def test_better_ranges_are_found_and_their_coverage_is_measured():
    rng = np.random.default_rng(1)
    volatility = 0.02 * np.exp(0.5 * np.sin(np.arange(2000) / 100.0))[:, None]
    y_true = volatility * rng.normal(size=(2000, 1))
    right, still = forecast_of(np.zeros(2000), volatility), forecast_of(np.zeros(2000), 0.021)
    found = weigh_ranges({"lstm": right}, still, y_true)["lstm"]
    expected = crps(right, y_true).mean() / crps(still, y_true).mean() - 1.0
    assert found.ranges.better and found.ranges.change == pytest.approx(expected)
    inside = np.abs(y_true / volatility)
    expected = {"0.8": np.mean(inside < 1.2815516), "0.95": np.mean(inside < 1.959964)}
    assert found.coverage == pytest.approx(expected)


def test_losses_are_means_over_the_steps():
    y_true = np.log([[1.1, 1.2], [0.9, 1.0]])
    losses = make_losses(forecast_of(np.zeros((2, 2))), y_true, np.array([100.0, 10.0]))
    np.testing.assert_allclose(losses.absolute_error, [15.0, 0.5])
    np.testing.assert_allclose(losses.squared_error, [250.0, 0.5])
    assert losses.crps.shape == (2,)


def test_a_network_of_points_is_judged_by_its_points():
    rng = np.random.default_rng(2)
    y_true, close = 0.02 * rng.normal(size=(200, 1)), np.full(200, 100.0)
    points = make_losses(forecast_of(np.full(200, 0.1), np.nan), y_true, close)
    still = make_losses(forecast_of(np.zeros(200), 0.02), y_true, close)
    found = weigh(Evidence({"lstm": points}, still, still, y_true[:, 0], 1, 0.5)).networks["lstm"]
    assert found.ranges is None and found.coverage is None
    assert found.price.worse and found.price.change > 1.0
    came = 100.0 * np.exp(y_true)
    ratio = np.sqrt(np.mean((came - 100.0 * np.exp(0.1)) ** 2) / np.mean((came - 100.0) ** 2))
    assert found.rmse_ratio == pytest.approx(ratio)


def test_p_values_are_those_of_diebold_and_mariano_and_must_be_shared_among_networks():
    rng = np.random.default_rng(3)
    returns = 0.02 * rng.normal(size=N_INSAMPLE + N_TEST)
    findings = weigh_lagged_networks(returns)
    assert findings.claim_level == pytest.approx(0.025)
    close = 100.0 * np.exp(np.cumsum(returns) - returns)[-N_TEST:]
    came = close * np.exp(returns[-N_TEST:])
    drawn = close * np.exp(learn_from_lags(returns, 5).location[:, 0])
    expected = diebold_mariano(np.abs(came - drawn), np.abs(came - close), 1)
    assert findings.networks["lstm"].price.p_value == pytest.approx(expected.p_value)


def test_the_spread_of_the_seeds_is_relative_to_their_mean_loss():
    y_true, close = np.zeros((50, 1)), np.full(50, 100.0)
    y_true[::2] = 0.01
    seeds = [forecast_of(np.zeros(50), scale) for scale in (0.01, 0.02, 0.04)]
    losses = make_losses(seeds[0], y_true, close, seeds)
    alone = [make_losses(seed, y_true, close).crps.mean() for seed in seeds]
    assert losses.seed_losses == pytest.approx(alone)
    found = weigh(Evidence({"lstm": losses}, losses, losses, y_true[:, 0], 1, 0.0))
    expected = (max(alone) - min(alone)) / np.mean(alone)
    assert found.networks["lstm"].seed_spread == pytest.approx(expected)


def test_findings_are_json():
    returns = 0.02 * np.random.default_rng(4).normal(size=N_INSAMPLE + N_TEST)
    found = asdict(weigh_lagged_networks(returns))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_share_outside_counts_closes_above_and_below_the_insample_range():
    assert share_outside(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 3.0])) == 0.5


def test_a_garch_without_ranges_is_refused():
    y_true, close = np.full((30, 1), 0.01), np.ones(30)
    points = make_losses(forecast_of(np.zeros(30), np.nan), y_true, close)
    with pytest.raises(DataError, match="GARCH have no CRPS"):
        weigh(Evidence({}, points, points, y_true[:, 0], 1, 0.0))
