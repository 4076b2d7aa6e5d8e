"""Diebold-Mariano against a published example and statsmodels; echoes made on purpose."""

import numpy as np
import pytest

from forecast.errors import DataError
from forecast.evaluation.significance import detect_echo, diebold_mariano, seed_spread

# Users logged on to an Internet server, each minute (Makridakis, Wheelwright and Hyndman, 1998):
# the series that R's documentation of forecast::dm.test takes for its example.
WWWUSAGE = np.array(
    [88, 84, 85, 85, 84, 85, 83, 85, 88, 89, 91, 99, 104, 112, 126, 138, 146, 151, 150, 148, 147,
     149, 143, 132, 131, 139, 147, 150, 148, 145, 140, 134, 131, 131, 129, 126, 126, 132, 137, 140,
     142, 150, 159, 167, 170, 171, 172, 172, 174, 175, 172, 172, 174, 174, 169, 165, 156, 142, 131,
     121, 112, 104, 102, 99, 99, 95, 88, 84, 84, 87, 89, 88, 85, 86, 89, 91, 91, 94, 101, 110, 121,
     135, 145, 149, 156, 165, 171, 175, 177, 182, 193, 204, 208, 210, 215, 222, 228, 226, 222, 220],
    dtype=float,
)  # fmt: skip


def damped_trend_errors(series, alpha, beta, phi, level, trend):
    """One-step errors of ETS(A,Ad,N) with the parameters that R printed."""
    errors = []
    for value in series:
        errors.append(value - level - phi * trend)
        level, trend = level + phi * trend + alpha * errors[-1], phi * trend + beta * errors[-1]
    return np.array(errors)


def arma_errors(series, ar, ma):
    """One-step errors of ARMA(1,1), in units of their limiting standard deviation."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    found = SARIMAX(series, order=(1, 0, 1)).filter([ar, ma, 1.0])
    return found.forecasts_error[0] / np.sqrt(found.forecasts_error_cov[0, 0])


def test_diebold_mariano_equals_the_published_example_of_r():
    """ETS(A,Ad,N) against ARIMA(1,1,1) on WWWusage, squared errors: DM = 2.1293, p = 0.03571.

    R prints the training RMSE of both fits, 3.461057 and 3.113754, so that the errors can be
    checked before the test; the first error of its ARIMA is a thousandth of the first value.
    """
    ets = damped_trend_errors(WWWUSAGE, 0.9999, 0.9999, 0.8028, 84.6792, 1.7806)
    arima = np.concatenate([[0.088], arma_errors(np.diff(WWWUSAGE), 0.6504, 0.5256)])
    assert np.sqrt(np.mean(ets**2)) == pytest.approx(3.461057, abs=1e-5)
    assert np.sqrt(np.mean(arima**2)) == pytest.approx(3.113754, abs=1e-5)
    statistic, p_value = diebold_mariano(ets**2, arima**2, horizon=1)
    assert statistic == pytest.approx(2.1293, abs=1e-4)
    assert p_value == pytest.approx(0.03571, abs=1e-5)


@pytest.mark.parametrize("horizon", [1, 2, 5, 10])
def test_diebold_mariano_equals_a_regression_with_hac_errors(horizon):
    """statsmodels: the t-value of a constant, rectangular kernel, times the HLN factor."""
    import statsmodels.api as sm
    from scipy.stats import t
    from statsmodels.stats.sandwich_covariance import weights_uniform

    rng = np.random.default_rng(horizon)
    noise = np.convolve(rng.normal(size=300 + horizon), np.ones(horizon), "valid")[:300]
    loss_a, loss_b = 1.0 + noise, np.full(300, 0.8)
    options = {"maxlags": horizon - 1, "weights_func": weights_uniform}
    fit = sm.OLS(loss_a - loss_b, np.ones(300)).fit(cov_type="HAC", cov_kwds=options)
    factor = np.sqrt((301 - 2 * horizon + horizon * (horizon - 1) / 300) / 300)
    statistic, p_value = diebold_mariano(loss_a, loss_b, horizon)
    assert statistic == pytest.approx(factor * fit.tvalues[0])
    assert p_value == pytest.approx(2 * t.sf(abs(statistic), 299))


def test_a_positive_statistic_says_that_the_first_losses_are_higher():
    rng = np.random.default_rng(0)
    low, high = rng.random(100), rng.random(100) + 1.0
    assert diebold_mariano(high, low, 1).statistic > 5.0
    assert diebold_mariano(low, high, 1).statistic < -5.0
    assert diebold_mariano(low, high, 1).p_value == diebold_mariano(high, low, 1).p_value


def test_a_rectangular_variance_below_zero_gives_way_to_bartletts():
    """A difference that swings every time: gamma[1] is about -gamma[0]."""
    d = np.tile([1.0, -1.0], 50) + 0.3
    centred = d - 0.3
    gamma = [centred[k:] @ centred[: 100 - k] / 100 for k in range(2)]
    assert gamma[0] + 2 * gamma[1] < 0
    expected = 0.3 / np.sqrt((gamma[0] + gamma[1]) / 100) * np.sqrt((101 - 4 + 2 / 100) / 100)
    assert diebold_mariano(d, np.zeros(100), 2).statistic == pytest.approx(expected)


def test_equal_losses_are_no_evidence_and_a_constant_difference_is_certain():
    loss = np.random.default_rng(1).random(50)
    assert diebold_mariano(loss, loss, 3) == (0.0, 1.0)
    assert diebold_mariano(np.full(50, 2.0), np.full(50, 1.0), 3) == (np.inf, 0.0)


def test_too_few_outcomes_are_refused():
    with pytest.raises(DataError, match="at horizon 1 needs at least 20 outcomes, got 19"):
        diebold_mariano(np.ones(19), np.zeros(19), 1)
    with pytest.raises(DataError, match="at horizon 15 needs at least 30 outcomes, got 29"):
        diebold_mariano(np.ones(29), np.zeros(29), 15)


@pytest.mark.parametrize("horizon", [1, 5])
def test_diebold_mariano_rejects_equal_forecasts_in_about_five_percent(horizon):
    rng = np.random.default_rng(horizon)
    rejected = []
    for _ in range(2000):
        a, b = (np.convolve(rng.normal(size=304), np.ones(horizon))[4:304] for _ in range(2))
        rejected.append(diebold_mariano(a**2, b**2, horizon).p_value < 0.05)
    assert 0.03 < np.mean(rejected) < 0.08


def make_changes(n=500, seed=0):
    return 0.02 * np.random.default_rng(seed).standard_t(4, n)


def echoes(seed):
    """What a forecaster says who only looks back: by name, the predicted changes."""
    rng = np.random.default_rng(1000 + seed)
    actual = make_changes(seed=seed)
    before = np.concatenate([[0.0], actual[:-1]])
    path = np.cumsum(actual) - actual  # log close at each cutoff
    return actual, {
        "the close before the last": -before,
        "the same, noisy": -before + 0.005 * rng.normal(size=500),
        "today's move again": before,
        "today's move again, noisy": before + 0.01 * rng.normal(size=500),
        "the last close, noisy": 0.006 * rng.normal(size=500),
        "the last close, shifted": np.full(500, -0.2),
        "the last close, shifted and noisy": -0.2 + 0.006 * rng.normal(size=500),
        "the mean of the last two closes": -0.5 * before,
        "the last close, flattened": -0.2 * (path - path.mean()),
    }


@pytest.mark.parametrize("name", echoes(0)[1])
def test_an_echo_is_heard(name):
    heard = []
    for seed in range(20):
        actual, predicted = echoes(seed)
        echo = detect_echo(predicted[name], actual)
        heard.append(echo.is_echo and not echo.predicts_no_change and echo.best_lag >= 1)
    assert sum(heard) >= 19  # one in a hundred looks like skill


@pytest.mark.parametrize("size", [1.0, 2.0])
def test_white_noise_is_no_echo(size):
    for seed in range(50):
        actual = make_changes(seed=seed)
        echo = detect_echo(size * make_changes(seed=2000 + seed), actual)
        assert not echo.is_echo and not echo.predicts_no_change
        assert abs(echo.correlation_with_yesterday) < 0.25


def test_the_naive_forecast_predicts_no_change_and_is_named_so():
    echo = detect_echo(np.zeros(500), make_changes())
    assert echo.predicts_no_change and not echo.is_echo
    assert echo.correlation_with_yesterday is None and echo.foresight is None
    assert echo.best_lag == 1 and echo.fit == pytest.approx(1.0)


def test_a_forecast_that_foresees_is_no_echo():
    actual = make_changes()
    perfect = detect_echo(actual, actual)
    assert perfect.best_lag == 0 and perfect.fit == pytest.approx(1.0) and not perfect.is_echo
    partly = detect_echo(0.3 * actual + 0.3 * make_changes(seed=9), actual)
    assert partly.best_lag == 1 and not partly.is_echo


def test_repeating_yesterday_is_no_echo_where_the_moves_do_repeat():
    from scipy.signal import lfilter

    actual = lfilter([1.0], [1.0, -0.4], make_changes(2000))
    echo = detect_echo(0.4 * np.concatenate([[0.0], actual[:-1]]), actual)
    assert echo.correlation_with_yesterday == pytest.approx(1.0)
    assert not echo.is_echo


def test_the_lag_is_counted_in_sessions():
    """A line that shows the close of k sessions before the target has its best lag at k."""
    actual = make_changes()
    path = np.concatenate([[0.0], np.cumsum(actual)])
    for lag in (1, 2, 3, 4):
        drawn = np.concatenate([np.zeros(lag - 1), path[: 501 - lag]])
        echo = detect_echo(drawn - path[:-1] + 0.002 * make_changes(seed=3), actual)
        assert echo.best_lag == lag


def test_seed_spread_is_the_distance_of_the_best_from_the_worst():
    assert seed_spread([1.2, 1.0, 1.1]) == pytest.approx(0.2)
    assert seed_spread([1.2]) is None
