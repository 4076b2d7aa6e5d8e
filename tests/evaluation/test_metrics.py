"""The metrics: cases solvable by eye, then scipy, scikit-learn, scoringrules and statsmodels."""

import json

import numpy as np
import pytest

from forecast.errors import DataError
from forecast.evaluation.metrics import (
    METRICS,
    absolute_error,
    crps,
    pinball,
    pit,
    pit_histogram,
    score,
    wilson_interval,
)
from forecast.networks.distribution import QUANTILE_LEVELS, StudentT

INSAMPLE = np.array([10.0, 11.0, 10.0, 12.0])  # moves of 1, 1 and 2: a naive MAE of 4/3


def make_forecast(n=200, horizon=3, df=5.0, seed=0):
    """A forecast, and outcomes that are drawn from wider distributions."""
    rng = np.random.default_rng(seed)
    location = 0.01 * rng.normal(size=(n, horizon))
    scale = 0.02 * np.exp(0.3 * rng.normal(size=(n, horizon)))
    y_true = location + 1.3 * scale * rng.standard_t(4, (n, horizon))
    return StudentT(location, scale, np.full((n, horizon), df)), y_true


def score_made(forecast, y_true):
    return score(forecast, y_true, np.full(len(y_true), 50.0), INSAMPLE)


def point_forecast(location):
    location = np.asarray(location, dtype=float)
    return StudentT(location, np.full_like(location, np.nan), np.full_like(location, np.nan))


def test_point_errors_can_be_followed_by_eye():
    """From closes of 100: forecast 110 and 100, came 120 and 97."""
    forecast = point_forecast(np.log([[1.10], [1.00]]))
    y_true = np.log([[1.20], [0.97]])
    last_close = np.array([100.0, 100.0])
    np.testing.assert_allclose(absolute_error(forecast, y_true, last_close), [[10.0], [3.0]])
    overall = score(forecast, y_true, last_close, INSAMPLE)["overall"]
    assert overall["mae"] == pytest.approx(6.5)
    assert overall["rmse"] == pytest.approx(np.sqrt((100 + 9) / 2))
    assert overall["mase"] == pytest.approx(6.5 / (4 / 3))
    assert overall["directional_accuracy"] == 1.0  # the second predicts no change: not judged
    assert overall["n"] == 2


def test_direction_counts_only_predicted_changes_of_prices_that_moved():
    forecast = point_forecast([[0.1], [-0.1], [0.1], [0.1], [0.0]])
    y_true = np.array([[0.2], [0.2], [0.1], [0.0], [0.3]])
    overall = score(forecast, y_true, np.ones(5), INSAMPLE)["overall"]
    assert overall["directional_accuracy"] == pytest.approx(2 / 3)


def test_direction_is_none_where_no_change_is_predicted_at_all():
    overall = score(point_forecast(np.zeros((3, 1))), np.ones((3, 1)), np.ones(3), INSAMPLE)
    assert overall["overall"]["directional_accuracy"] is None
    assert overall["overall"]["directional_accuracy_interval"] is None


def test_a_point_forecast_has_null_for_every_distribution_metric():
    overall = score(point_forecast(np.ones((3, 2))), np.ones((3, 2)), np.ones(3), INSAMPLE)
    values = overall["overall"]
    for name in ("crps", "pinball", "coverage_50", "coverage_95", "width_80"):
        assert values[name] is None
    assert values["mae"] == 0.0


def test_scores_have_the_documented_names_and_survive_json():
    forecast, y_true = make_forecast()
    scores = score_made(forecast, y_true)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    assert list(scores["by_horizon"]) == ["1", "2", "3"]
    for values in (scores["overall"], *scores["by_horizon"].values()):
        assert set(values) == {*METRICS, "directional_accuracy_interval"}


def test_overall_is_the_mean_of_the_steps():
    forecast, y_true = make_forecast()
    scores = score_made(forecast, y_true)
    for name in ("mae", "mase", "crps", "pinball", "coverage_80", "width_95"):
        steps = [values[name] for values in scores["by_horizon"].values()]
        assert scores["overall"][name] == pytest.approx(np.mean(steps))
    assert scores["overall"]["n"] == sum(v["n"] for v in scores["by_horizon"].values()) == 600


@pytest.mark.parametrize("df", [1.5, 2.1, 4.0, 30.0, 400.0])
def test_crps_of_a_student_t_equals_scoringrules(df):
    import scoringrules

    forecast, y_true = make_forecast(df=df)
    twin = scoringrules.crps_t(y_true, df, forecast.location, forecast.scale)
    np.testing.assert_allclose(crps(forecast, y_true), 100.0 * twin, rtol=1e-8)


def test_crps_of_a_normal_equals_scoringrules():
    import scoringrules

    forecast, y_true = make_forecast(df=np.inf)
    twin = scoringrules.crps_normal(y_true, forecast.location, forecast.scale)
    np.testing.assert_allclose(crps(forecast, y_true), 100.0 * twin, rtol=1e-9)


@pytest.mark.parametrize("df", [3.0, np.inf])
def test_crps_is_the_integral_of_the_squared_difference_of_distributions(df):
    forecast = StudentT(*(np.full((1, 1), value) for value in (0.01, 0.02, df)))
    grid = np.linspace(-4.0, 4.0, 800_001)
    y = 0.030005  # between two points of the grid
    wide = StudentT(*(np.full_like(grid, value) for value in (0.01, 0.02, df)))
    integrand = (wide.cdf(grid) - (grid >= y)) ** 2
    expected = 100.0 * np.trapezoid(integrand, grid)
    assert crps(forecast, np.array([[y]]))[0, 0] == pytest.approx(expected, rel=1e-4)


def test_crps_of_mixed_rows_takes_each_by_its_own_df():
    forecast, y_true = make_forecast(n=2, horizon=1)
    mixed = StudentT(forecast.location, forecast.scale, np.array([[np.inf], [5.0]]))
    normal = StudentT(forecast.location, forecast.scale, np.full((2, 1), np.inf))
    expected = [crps(normal, y_true)[0], crps(forecast, y_true)[1]]
    np.testing.assert_array_equal(crps(mixed, y_true), expected)


def test_pinball_equals_scikit_learn():
    from sklearn.metrics import mean_pinball_loss

    forecast, y_true = make_forecast()
    quantiles = 100.0 * forecast.quantile()
    twin = [
        mean_pinball_loss(100.0 * y_true.ravel(), quantiles[..., i].ravel(), alpha=level)
        for i, level in enumerate(QUANTILE_LEVELS)
    ]
    assert pinball(forecast, y_true).mean() == pytest.approx(np.mean(twin))


def test_coverage_and_width_equal_those_of_scipy_intervals():
    from scipy.stats import t

    forecast, y_true = make_forecast()
    overall = score_made(forecast, y_true)["overall"]
    for level in (0.5, 0.8, 0.95):
        low, high = t.interval(level, forecast.df, forecast.location, forecast.scale)
        inside = np.mean((low <= y_true) & (y_true <= high))
        assert overall[f"coverage_{level:.0%}"[:-1]] == pytest.approx(inside)
        assert overall[f"width_{level:.0%}"[:-1]] == pytest.approx(100.0 * np.mean(high - low))


def test_mae_and_rmse_equal_scikit_learn():
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error

    forecast, y_true = make_forecast()
    came, drawn = 50.0 * np.exp(y_true), 50.0 * np.exp(forecast.location)
    overall = score_made(forecast, y_true)["overall"]
    assert overall["mae"] == pytest.approx(mean_absolute_error(came, drawn))
    assert overall["rmse"] == pytest.approx(root_mean_squared_error(came.ravel(), drawn.ravel()))


def test_naive_forecasts_of_the_insample_closes_have_a_mase_of_one():
    forecast = point_forecast(np.zeros((3, 1)))
    y_true = np.diff(np.log(INSAMPLE))[:, None]
    overall = score(forecast, y_true, INSAMPLE[:-1], INSAMPLE)["overall"]
    assert overall["mase"] == pytest.approx(1.0)


@pytest.mark.parametrize("hits, n", [(0, 10), (7, 10), (260, 500), (500, 500)])
def test_wilson_interval_equals_statsmodels(hits, n):
    from statsmodels.stats.proportion import proportion_confint

    np.testing.assert_allclose(
        wilson_interval(hits, n), proportion_confint(hits, n, method="wilson"), atol=1e-12
    )


def test_direction_of_overlapping_steps_has_the_interval_of_the_independent_ones():
    forecast, y_true = make_forecast(n=300)
    values = score_made(forecast, y_true)["by_horizon"]["3"]
    share = values["directional_accuracy"]
    expected = wilson_interval(share * 100, 100)
    assert values["directional_accuracy_interval"] == pytest.approx(list(expected))


def test_interval_of_a_coin_thrower_holds_one_half_as_often_as_it_promises():
    """Persistent guesses of overlapping five-step moves of a random walk, 400 times."""
    rng = np.random.default_rng(4)
    held = []
    for _ in range(400):
        path = np.cumsum(rng.normal(size=206))
        y_true = np.stack([path[k : k + 200] - path[:200] for k in range(1, 6)], axis=1)
        guess = np.repeat(rng.choice([-0.01, 0.01], 20), 10)[:, None] * np.ones(5)
        overall = score(point_forecast(guess), 0.01 * y_true, np.ones(200), INSAMPLE)["overall"]
        low, high = overall["directional_accuracy_interval"]
        held.append(low <= 0.5 <= high)
    assert np.mean(held) > 0.93  # 0.95 less two standard errors


def test_pit_of_a_true_forecast_is_uniform_and_of_a_narrow_one_heaps_at_the_ends():
    from scipy.stats import kstest

    rng = np.random.default_rng(5)
    one = np.ones((4000, 1))
    y_true = rng.standard_t(5, (4000, 1))
    right, narrow = StudentT(0 * one, one, 5 * one), StudentT(0 * one, 0.5 * one, 5 * one)
    assert kstest(pit(right, y_true).ravel(), "uniform").pvalue > 0.01
    shares = pit_histogram(narrow, y_true)
    assert shares.sum() == pytest.approx(1.0) and shares.shape == (10,)
    assert min(shares[0], shares[-1]) > 1.5 * max(shares[1:-1])


def test_prices_ten_times_as_high_change_the_currency_metrics_alone():
    forecast, y_true = make_forecast()
    one = score(forecast, y_true, np.full(200, 50.0), INSAMPLE)["overall"]
    ten = score(forecast, y_true, np.full(200, 500.0), 10.0 * INSAMPLE)["overall"]
    for name in METRICS:
        factor = 10.0 if name in ("mae", "rmse") else 1.0
        assert ten[name] == pytest.approx(factor * one[name])


def test_a_diverged_forecast_is_refused_and_not_taken_for_a_point_forecast():
    forecast, y_true = make_forecast()
    forecast.scale[3, 1] = np.nan
    with pytest.raises(DataError, match="1 of the numbers to score .200, 3. forecasts"):
        score_made(forecast, y_true)


def test_outcomes_of_another_shape_are_refused():
    forecast, y_true = make_forecast()
    with pytest.raises(DataError, match="shapes"):
        score_made(forecast, y_true[:, :2])


def test_mase_without_any_insample_change_is_refused():
    forecast, y_true = make_forecast()
    with pytest.raises(DataError, match="never changes on 4 insample sessions"):
        score(forecast, y_true, np.ones(200), np.ones(4))
