"""Calibration: by eye, and whether the ranges then hold what they promise."""

import numpy as np
import pytest

from forecast.errors import DataError
from forecast.evaluation.metrics import score
from forecast.networks.calibration import (
    PROOF,
    RATE,
    UNPROVEN_SHARE,
    Calibration,
    adapt,
    calibrate,
    calibration_from_dict,
    dict_from_calibration,
    fit_factors,
    fit_location_share,
)
from forecast.networks.distribution import StudentT


def make_forecast(n, horizon=1, df=5.0, scale=0.02):
    shape = (n, horizon)
    return StudentT(np.zeros(shape), np.full(shape, scale), np.full(shape, df))


def coverage(forecast, y_true):
    overall = score(forecast, y_true, np.ones(len(y_true)), np.array([1.0, 2.0]))["overall"]
    return np.array([overall[f"coverage_{level}"] for level in (50, 80, 95)])


def test_each_level_takes_its_finite_sample_quantile():
    """Of 19 misses 1..19: the 10th, 16th and 19th smallest, by half widths of a scale of 1."""
    from scipy.stats import norm

    forecast = make_forecast(19, df=np.inf, scale=1.0)
    signs = np.tile([1.0, -1.0], 10)[:19]
    factor = fit_factors(forecast, (signs * np.arange(1.0, 20.0))[::-1, None])
    ratios = np.array([10.0, 16.0, 19.0]) / norm.ppf([0.75, 0.9, 0.975])
    assert factor == pytest.approx([np.prod(ratios) ** (1 / 3)])


def test_scales_half_too_small_are_doubled():
    rng = np.random.default_rng(0)
    y_true = 0.04 * rng.standard_t(5, (20_000, 2))
    factor = fit_factors(make_forecast(20_000, horizon=2), y_true)
    np.testing.assert_allclose(factor, [2.0, 2.0], rtol=0.03)


def test_a_calibrated_forecast_needs_no_further_calibration():
    rng = np.random.default_rng(1)
    y_true = 0.05 * rng.standard_t(3, (300, 2))
    forecast = make_forecast(300, horizon=2)
    calibrated = forecast.widened(fit_factors(forecast, y_true))
    np.testing.assert_allclose(fit_factors(calibrated, y_true), [1.0, 1.0])


@pytest.mark.parametrize("wrong_by", [0.4, 1.0, 2.5])
def test_coverage_of_exchangeable_outcomes_holds_to_within_sampling_error(wrong_by):
    """400 times: calibrated on 200 outcomes, measured on 200 others."""
    rng = np.random.default_rng(2)
    forecast = make_forecast(200)
    measured = []
    for _ in range(400):
        y_true = 0.02 * wrong_by * rng.standard_t(5, (400, 1))
        calibrated = forecast.widened(fit_factors(forecast, y_true[:200]))
        measured.append(coverage(calibrated, y_true[200:]))
    error = np.std(measured, axis=0) / np.sqrt(400)
    np.testing.assert_allclose(np.mean(measured, axis=0), [0.5, 0.8, 0.95], atol=4 * error.max())
    assert np.std(measured, axis=0)[2] < 2 * np.sqrt(0.95 * 0.05 * 2 / 200)


def test_each_step_has_its_own_factor():
    rng = np.random.default_rng(3)
    y_true = np.array([0.02, 0.06]) * rng.standard_t(5, (5000, 2))
    factor = fit_factors(make_forecast(5000, horizon=2), y_true)
    np.testing.assert_allclose(factor, [1.0, 3.0], rtol=0.06)


def test_a_point_forecast_has_nothing_to_widen():
    points = make_forecast(5, horizon=2, scale=np.nan)
    np.testing.assert_array_equal(fit_factors(points, np.ones((5, 2))), [1.0, 1.0])


def test_eighteen_sessions_are_too_few_for_a_95_percent_range():
    with pytest.raises(DataError, match="18 validation sessions.*at least 19"):
        fit_factors(make_forecast(18), np.ones((18, 1)))


def test_prices_that_stand_still_are_refused():
    y_true = np.zeros((40, 2))
    y_true[:, 0] = 0.01
    with pytest.raises(DataError, match="At step 2, half or more of 40"):
        fit_factors(make_forecast(40, horizon=2), y_true)


def forecasts_of(scale: np.ndarray) -> StudentT:
    return StudentT(np.zeros_like(scale), scale, np.full_like(scale, 6.0))


def test_adapted_ranges_hold_what_they_promise_after_volatility_doubled():
    """Without following the outcomes, the 80 % range would hold 47 %."""
    n, rng = 2000, np.random.default_rng(1)
    y = 2.0 * rng.standard_t(6, (n, 1))
    forecast = forecasts_of(np.ones((n, 1)))
    adapted = forecast.widened(adapt(forecast, y, np.ones(1)))
    for level in (0.80, 0.95):
        held = np.abs(adapted.cdf(y) - 0.5) <= level / 2
        assert abs(held.mean() - level) < 0.02
    assert abs((np.abs(forecast.cdf(y) - 0.5) <= 0.4).mean() - 0.8) > 0.2


def test_a_miss_widens_and_a_hit_narrows_by_the_formula():
    y = np.array([[9.0], [0.0], [0.0]])
    factors = adapt(forecasts_of(np.ones((3, 1))), y, np.ones(1))[:, 0]
    miss = RATE * (0.80 / np.sqrt(0.16) + 0.95 / np.sqrt(0.0475))
    hit = RATE * (-0.20 / np.sqrt(0.16) - 0.05 / np.sqrt(0.0475))
    np.testing.assert_allclose(np.log(factors), [0.0, miss, miss + hit])


def test_an_outcome_is_followed_when_it_is_known_and_not_before():
    rng = np.random.default_rng(2)
    y, forecast = rng.normal(0, 2, (60, 3)), forecasts_of(np.ones((60, 3)))
    before = adapt(forecast, y, np.ones(3))
    changed = y.copy()
    for k in range(3):
        changed[40 - k :, k] = 9.0    # outcomes of step k + 1 that are known after cutoff 40
    after = adapt(forecast, changed, np.ones(3))
    np.testing.assert_array_equal(after[:41], before[:41])
    assert (after[41] != before[41]).any()


def test_a_calibration_survives_being_written():
    for since in (None, np.datetime64("2024-03-01")):
        calibration = Calibration(since, np.array([1.0, 1.1]), np.array([0.2, 0.7]))
        again = calibration_from_dict(dict_from_calibration(calibration))
        assert again.since == calibration.since
        np.testing.assert_array_equal(again.factors, calibration.factors)
        np.testing.assert_array_equal(again.location_share, calibration.location_share)


def located(location, scale=0.02):
    """Forecasts that claim a direction, shape (n_cutoffs, horizon)."""
    return StudentT(location, np.full_like(location, scale), np.full_like(location, 5.0))


def test_a_location_counts_as_the_garrote_of_its_regression_says():
    """At one step the t-statistic is the one of ordinary least squares without a constant."""
    import statsmodels.api as sm

    rng = np.random.default_rng(6)
    location = 0.01 * rng.standard_normal((300, 1))
    y_true = 0.4 * location + 0.02 * rng.standard_normal((300, 1))
    regression = sm.OLS(y_true[:, 0], location[:, 0]).fit()
    expected = regression.params[0] * (1.0 - PROOF**2 / regression.tvalues[0] ** 2)
    assert UNPROVEN_SHARE < expected < 1.0
    assert fit_location_share(located(location), y_true) == pytest.approx([expected])


def test_a_direction_that_comes_true_counts_whole_and_an_overstated_one_as_much_as_comes_true():
    rng = np.random.default_rng(7)
    location = 0.02 * rng.standard_normal((20_000, 2))
    y_true = location * [1.0, 0.5] + 0.02 * rng.standard_t(5, (20_000, 2))
    np.testing.assert_allclose(fit_location_share(located(location), y_true), [1.0, 0.5], atol=0.02)


@pytest.mark.parametrize("strength", [0.0, -0.5])
def test_a_direction_out_of_nowhere_or_against_the_outcomes_keeps_the_least_share(strength):
    rng = np.random.default_rng(8)
    shares = []
    for _ in range(200):
        location = 0.02 * rng.standard_normal((300, 2))
        y_true = strength * location + 0.02 * rng.standard_t(5, (300, 2))
        shares.append(fit_location_share(located(location), y_true))
    assert np.mean(np.array(shares) > UNPROVEN_SHARE) <= 0.05
    assert np.min(shares) == UNPROVEN_SHARE


def test_overlapping_steps_prove_less():
    """The same pairs as one step ahead and as five: five times the variance of the error."""
    rng = np.random.default_rng(9)
    location = np.tile(0.02 * rng.standard_normal((300, 1)), 5)
    y_true = 0.7 * location + np.tile(0.02 * rng.standard_normal((300, 1)), 5)
    shares = fit_location_share(located(location), y_true)
    assert (np.diff(shares) < 0.0).all()


def test_without_a_direction_there_is_nothing_to_believe():
    np.testing.assert_array_equal(fit_location_share(make_forecast(40, horizon=2), np.ones((40, 2))), [UNPROVEN_SHARE] * 2)
    points = StudentT(np.ones((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), np.nan))
    np.testing.assert_array_equal(fit_location_share(points, np.ones((5, 2))), [1.0, 1.0])


def test_the_ranges_are_those_of_the_location_that_counts():
    rng = np.random.default_rng(10)
    forecast, y_true = located(0.01 * rng.standard_normal((200, 2))), 0.03 * rng.standard_t(5, (200, 2))
    calibration = calibrate(forecast, y_true, np.datetime64("2024-03-01"))
    np.testing.assert_array_equal(calibration.factors, fit_factors(forecast.shrunk(calibration.location_share), y_true))
