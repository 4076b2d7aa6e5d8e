import numpy as np
import pytest
from scipy import stats

from forecast.networks.distribution import QUANTILE_LEVELS, RANGE_LEVELS, StudentT


@pytest.fixture
def forecast():
    rng = np.random.default_rng(2)
    return StudentT(rng.normal(0, 0.01, (6, 2)), rng.uniform(0.01, 0.05, (6, 2)), rng.uniform(2.5, 30, (6, 2)))


def twin(forecast):
    return stats.t(forecast.df, forecast.location, forecast.scale)


def test_quantiles_are_those_of_scipy(forecast):
    expected = np.stack([twin(forecast).ppf(level) for level in QUANTILE_LEVELS], axis=-1)
    np.testing.assert_allclose(forecast.quantile(), expected, rtol=1e-9)


def test_the_cdf_and_the_standard_deviation_are_those_of_scipy(forecast):
    np.testing.assert_allclose(forecast.cdf(np.full((6, 2), 0.02)), twin(forecast).cdf(0.02), rtol=1e-9)
    np.testing.assert_allclose(forecast.standard_deviation(), twin(forecast).std(), rtol=1e-9)


def test_infinite_degrees_of_freedom_make_a_normal_distribution():
    forecast = StudentT(np.array([[0.01]]), np.array([[0.02]]), np.array([[np.inf]]))
    normal = stats.norm(0.01, 0.02)
    np.testing.assert_allclose(forecast.quantile()[0, 0], normal.ppf(QUANTILE_LEVELS), rtol=1e-9)
    np.testing.assert_allclose(forecast.cdf(np.array([[0.03]])), normal.cdf(0.03))
    np.testing.assert_allclose(forecast.standard_deviation(), 0.02)


def test_the_cdf_undoes_the_quantile(forecast):
    for i, level in enumerate(QUANTILE_LEVELS):
        np.testing.assert_allclose(forecast.cdf(forecast.quantile()[..., i]), level, rtol=1e-9)


def test_every_range_lies_between_two_of_the_quantiles():
    for level in RANGE_LEVELS:
        assert {round((1 - level) / 2, 6), round((1 + level) / 2, 6)} <= set(QUANTILE_LEVELS)


def test_widening_keeps_the_median_and_stretches_what_is_around_it(forecast):
    wide = forecast.widened(np.array([2.0, 0.5]))
    np.testing.assert_array_equal(wide.location, forecast.location)
    around, before = (f.quantile() - f.location[..., None] for f in (wide, forecast))
    np.testing.assert_allclose(around, before * np.array([2.0, 0.5])[:, None], rtol=1e-9)


def test_the_first_steps_are_those_of_the_whole(forecast):
    np.testing.assert_array_equal(forecast.first(1).quantile(), forecast.quantile()[:, :1])


def test_a_forecast_without_scale_is_a_point():
    unknown = np.array([[np.nan]])
    assert StudentT(np.zeros((1, 1)), unknown, unknown).is_point
    assert not StudentT(np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1))).is_point
