from dataclasses import replace

import numpy as np
import pytest

from forecast import pipeline
from forecast.config import NETWORKS, RECIPES, Config
from forecast.networks.epochs import initial_state
from forecast.networks.forecaster import Calibration, Forecaster
from forecast.networks.heads import n_outputs
from forecast.networks.starts import KEPT_HORIZON, N_KEPT, kept_start
from forecast.prices.demo import simulate_demo

N_FEATURES = len(Config().features)
CONFIGS = (RECIPES["returns"], RECIPES["pooled"])


@pytest.fixture(scope="module")
def pretrain(load_benchmark):
    return load_benchmark("pretrain")


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.recipe)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_start_has_the_shapes_that_keras_builds(network, config):
    built = initial_state(network, replace(config, start="random"), N_FEATURES, seed=1).weights
    for seed in range(N_KEPT):
        kept = kept_start(network, config, seed)
        assert [array.shape for array in kept] == [array.shape for array in built]
        assert all(np.isfinite(array).all() and array.dtype == np.float32 for array in kept)
    np.testing.assert_array_equal(initial_state(network, config, N_FEATURES, 7).weights[0], kept_start(network, config, 7)[0])


@pytest.mark.parametrize("horizon", [1, 5, KEPT_HORIZON, 14])
def test_a_start_says_the_same_of_a_step_whatever_the_horizon(horizon):
    longest = kept_start("lstm", replace(Config(), horizon=KEPT_HORIZON), 1)[-1].reshape(3, -1)
    bias = kept_start("lstm", replace(Config(), horizon=horizon), 1)[-1].reshape(3, -1)
    assert bias.size == n_outputs(True, horizon)
    for step in range(horizon):
        np.testing.assert_array_equal(bias[:, step], longest[:, min(step, KEPT_HORIZON - 1)])


def test_seeds_take_the_kept_starts_in_turn():
    first, second, again = (kept_start("lstm", Config(), seed)[0] for seed in (1, 2, 1 + N_KEPT))
    assert not np.array_equal(first, second) and np.array_equal(first, again)


@pytest.mark.parametrize("changed", [{"start": "random"}, {"units": 24}, {"layers": 2}, {"features": ("return",)}])
def test_other_shapes_start_from_random_weights(changed):
    assert kept_start("lstm", replace(Config(), **changed), 1) is None


@pytest.mark.parametrize("network", NETWORKS)
def test_untrained_the_start_knows_the_volatility_of_a_share_it_has_never_seen(network):
    simulation = simulate_demo()
    study = pipeline.make_study(simulation.prices, Config())
    insample, _ = pipeline.fit_scalers(study)
    weights = tuple(kept_start(network, Config(), seed) for seed in range(N_KEPT))
    forecaster = Forecaster(network, Config(), insample, weights, Calibration.none(Config().horizon))
    told = forecaster.answer(simulation.prices, study.split.test)
    true, carried = simulation.volatility[study.split.test + 1], study.features.volatility[study.split.test]
    assert np.corrcoef(told.scale[:, 0], true)[0, 1] > max(0.7, np.corrcoef(carried, true)[0, 1] + 0.2)
    assert (told.location == 0.0).all()          # simulated shares have no drift: what is left is yesterday's close


def test_the_shares_are_prices_whose_reports_come_every_quarter(pretrain):
    for seed in range(4):
        share = pretrain.simulate_share(seed)
        assert len(share) == pretrain.N_SESSIONS and share.simulated
        assert (share.high >= np.maximum(share.open, share.close)).all() and (share.volume > 0).all()
        assert (share.low <= np.minimum(share.open, share.close)).all() and (share.low > 0).all()
        reports = pretrain.draw_reports(share.sessions, np.random.default_rng(seed))
        assert 40 <= reports.sum() <= 75


def test_the_same_seed_gives_the_same_share(pretrain):
    first, second, other = map(pretrain.simulate_share, (5, 5, 6))
    np.testing.assert_array_equal(first.close, second.close)
    assert not np.array_equal(first.close, other.close)


def test_each_network_learns_from_all_shares_and_from_nothing_before(pretrain):
    tasks = pretrain.make_tasks([pretrain.simulate_share(0), pretrain.simulate_share(1)])
    assert [(task.network, task.seed) for task in tasks] == [(name, seed) for name in NETWORKS for seed in range(N_KEPT)]
    for task in tasks:
        assert len(task.train) == len(task.validation) == 2 and not task.everything
        assert kept_start(task.network, task.config, task.seed) is None and task.config.horizon == KEPT_HORIZON


def test_what_is_kept_of_the_location_is_yesterdays_close(pretrain):
    rng = np.random.default_rng(2)
    learned = [rng.normal(size=shape) for shape in ((8, 4), (4, 3 * KEPT_HORIZON), (3 * KEPT_HORIZON,))]
    *_, kernel, bias = pretrain.without_location(learned)
    assert not kernel[:, :KEPT_HORIZON].any() and not bias[:KEPT_HORIZON].any()
    np.testing.assert_array_equal(kernel[:, KEPT_HORIZON:], learned[1][:, KEPT_HORIZON:])
