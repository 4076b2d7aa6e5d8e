"""The baselines: by eye, against arch and statsmodels, and blind to what comes after a cutoff."""

import logging

import numpy as np
import pytest

from forecast.errors import DataError
from forecast.evaluation.baselines import BASELINES, TRAILING

HORIZON = 5


def make_close(n_sessions=900, seed=0):
    """Closes whose volatility comes in clusters, as GARCH has it, with Student-t shocks."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(6, n_sessions - 1) * np.sqrt(4 / 6)
    returns, variance = np.empty(n_sessions - 1), 2e-4
    for t, shock in enumerate(shocks):
        returns[t] = np.sqrt(variance) * shock
        variance = 8e-6 + 0.09 * returns[t] ** 2 + 0.87 * variance
    return 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))


CLOSE = make_close()
N_INSAMPLE = 700
CUTOFFS = np.arange(720, 890)


def predict(name, close=CLOSE, cutoffs=CUTOFFS, horizon=HORIZON):
    return BASELINES[name](close, N_INSAMPLE, cutoffs, horizon)


def test_baselines_stand_in_the_order_of_the_table():
    expected = ["naive", "drift", "historical_normal", "historical_student_t", "garch", "ets"]
    assert list(BASELINES) == expected


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_gives_one_row_per_cutoff_and_one_column_per_step(name):
    forecast = predict(name)
    for part in (forecast.location, forecast.scale, forecast.df):
        assert part.shape == (len(CUTOFFS), HORIZON)
    assert np.isfinite(forecast.location).all() and (forecast.scale > 0).all()
    assert (np.diff(forecast.standard_deviation(), axis=1) > 0).all()


@pytest.mark.parametrize("name", BASELINES)
def test_nothing_after_a_cutoff_changes_its_row(name):
    cutoffs = np.array([720, 760, 800])
    corrupted = CLOSE.copy()
    corrupted[761:] = 7.0 + np.random.default_rng(1).random(len(CLOSE) - 761)
    before, after = predict(name, cutoffs=cutoffs), predict(name, corrupted, cutoffs)
    for part in ("location", "scale", "df"):
        np.testing.assert_array_equal(getattr(before, part)[:2], getattr(after, part)[:2])


@pytest.mark.parametrize("name", BASELINES)
def test_parameters_are_fitted_on_the_insample_sessions_alone(name):
    corrupted = CLOSE.copy()
    corrupted[N_INSAMPLE:] = 7.0 + np.random.default_rng(1).random(len(CLOSE) - N_INSAMPLE)
    cutoffs = np.array([600, N_INSAMPLE - 1])
    before, after = predict(name, cutoffs=cutoffs), predict(name, corrupted, cutoffs)
    for part in ("location", "scale", "df"):
        np.testing.assert_array_equal(getattr(before, part), getattr(after, part))


@pytest.mark.parametrize("name", BASELINES)
def test_prices_ten_times_as_high_give_the_same_returns(name):
    one, ten = predict(name), predict(name, 10.0 * CLOSE)
    np.testing.assert_allclose(ten.location, one.location, atol=1e-6)
    np.testing.assert_allclose(ten.scale, one.scale, rtol=1e-4)


def test_naive_is_the_random_walk_with_insample_volatility():
    forecast = predict("naive")
    deviation = np.std(np.diff(np.log(CLOSE[:N_INSAMPLE])), ddof=1)
    assert (forecast.location == 0.0).all() and np.isinf(forecast.df).all()
    np.testing.assert_allclose(forecast.scale[3], deviation * np.sqrt([1, 2, 3, 4, 5]))


def test_drift_grows_by_the_mean_insample_return():
    mean = np.log(CLOSE[N_INSAMPLE - 1] / CLOSE[0]) / (N_INSAMPLE - 1)
    forecast = predict("drift")
    np.testing.assert_allclose(forecast.location[0], mean * np.array([1, 2, 3, 4, 5]))
    np.testing.assert_allclose(forecast.scale, predict("naive").scale)


@pytest.mark.parametrize("name", ["historical_normal", "historical_student_t"])
def test_historical_volatility_is_that_of_the_last_sixty_returns(name):
    cutoff = CUTOFFS[7]
    last = np.diff(np.log(CLOSE[cutoff - TRAILING : cutoff + 1]))
    deviation = predict(name).standard_deviation()[7]
    np.testing.assert_allclose(deviation, np.sqrt(np.mean(last**2) * np.arange(1, 6)))


def test_tails_are_fitted_where_scipy_finds_them():
    from scipy.stats import t

    forecast = predict("historical_student_t", horizon=1)
    returns = np.diff(np.log(CLOSE[:N_INSAMPLE]))
    deviation = [np.sqrt(np.mean(returns[i - 60 : i] ** 2)) for i in range(60, len(returns))]
    z = returns[60:] / deviation

    def likelihood(df):
        return t.logpdf(z, df, 0.0, np.sqrt((df - 2) / df)).sum()

    best = max(np.linspace(2.1, 30.0, 2791), key=likelihood)
    assert forecast.df[0, 0] == pytest.approx(best, abs=0.02)


def test_garch_is_the_one_that_arch_fits_and_forecasts():
    from arch import arch_model

    percent = 100.0 * np.diff(np.log(CLOSE[: CUTOFFS[-1] + 1]))
    model = arch_model(percent, mean="Zero", vol="GARCH", p=1, q=1, dist="t", rescale=False)
    fit = model.fit(last_obs=N_INSAMPLE - 1, disp="off")
    start = CUTOFFS[0] - 1  # the forecast after the return that ends at the first cutoff
    steps = fit.forecast(horizon=HORIZON, start=start).variance.to_numpy()
    forecast = predict("garch")
    expected = np.sqrt(np.cumsum(steps, axis=1)) / 100.0
    np.testing.assert_allclose(forecast.standard_deviation(), expected, rtol=5e-3)
    assert forecast.df[0, 0] == pytest.approx(fit.params["nu"], rel=0.02)


def test_garch_that_does_not_converge_is_replaced_by_riskmetrics_and_says_so(caplog):
    returns = np.zeros(400)
    returns[10::4] = 0.01  # three sessions in four stand still: the likelihood has no maximum
    close = np.exp(np.concatenate([[0.0], np.cumsum(returns)]))
    with caplog.at_level(logging.WARNING):
        forecast = BASELINES["garch"](close, 300, np.array([350]), 2)
    assert "GARCH(1,1) did not converge on 299 insample returns" in caplog.text
    variance = np.var(returns[:299])
    for square in returns[:350] ** 2:
        variance = 0.06 * square + 0.94 * variance
    expected = np.sqrt(variance * np.array([1.0, 2.0]))
    np.testing.assert_allclose(forecast.standard_deviation()[0], expected)


def test_ets_forecasts_what_statsmodels_forecasts():
    import pandas as pd
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    log_price = pd.Series(np.log(CLOSE[:N_INSAMPLE]))
    model = ETSModel(log_price, error="add", initialization_method="heuristic")
    fit = model.fit(disp=False)
    forecast = predict("ets", cutoffs=np.array([N_INSAMPLE - 1]))
    expected = fit.get_prediction(start=N_INSAMPLE, end=N_INSAMPLE + HORIZON - 1)
    location = log_price.iloc[-1] + forecast.location[0]
    np.testing.assert_allclose(location, expected.predicted_mean, atol=1e-4)
    np.testing.assert_allclose(forecast.scale[0] ** 2, expected.forecast_variance, rtol=1e-2)


def test_ets_moves_back_towards_its_level_after_a_jump():
    rng = np.random.default_rng(2)
    close = 100.0 * np.exp(0.05 * rng.normal(size=400))  # noise about a level: alpha is small
    close[-1] = 130.0
    forecast = BASELINES["ets"](close, 300, np.array([399]), 3)
    np.testing.assert_allclose(100.0 / 130.0, np.exp(forecast.location[0]), rtol=0.05)


@pytest.mark.parametrize("name", BASELINES)
def test_too_short_an_insample_is_refused_with_its_numbers(name):
    with pytest.raises(DataError, match="100 insample sessions of 900.*at least 125"):
        BASELINES[name](CLOSE, 100, CUTOFFS, HORIZON)


def test_a_cutoff_without_sixty_sessions_behind_it_is_refused():
    with pytest.raises(DataError, match="Cutoffs 59 to 800"):
        predict("naive", cutoffs=np.array([59, 800]))


def test_a_price_that_stands_still_is_refused():
    with pytest.raises(DataError, match="is 5 on all 700 insample sessions"):
        predict("naive", np.full(900, 5.0))
    halted = CLOSE.copy()
    halted[720:800] = halted[720]
    with pytest.raises(DataError, match="for the 60 sessions up to session 780"):
        predict("historical_normal", halted)


def test_garch_beats_the_random_walk_where_volatility_comes_in_clusters():
    from forecast.evaluation.metrics import crps

    close = make_close(4000, seed=3)
    cutoffs = np.arange(3010, 3990)
    y_true = np.log(close[cutoffs + 1] / close[cutoffs])[:, None]
    garch, naive = (BASELINES[name](close, 3000, cutoffs, 1) for name in ("garch", "naive"))
    assert crps(garch, y_true).mean() < crps(naive, y_true).mean()


def test_every_baseline_takes_real_prices_as_they_are(real_prices_folder):
    rows = np.genfromtxt(real_prices_folder / "daily" / "TSLA.csv", delimiter=",", skip_header=1)
    close = rows[:, 4]
    cutoffs = np.arange(3500, len(close))
    for predict_baseline in BASELINES.values():
        forecast = predict_baseline(close, 3400, cutoffs, HORIZON)
        daily = forecast.standard_deviation()[:, 0]
        assert 0.005 < daily.min() <= daily.max() < 0.2
