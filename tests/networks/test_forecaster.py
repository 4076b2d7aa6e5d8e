from dataclasses import replace

import numpy as np
import pytest

from forecast.networks.calibration import Calibration
from forecast.networks.forecaster import Forecaster
from forecast.prices.table import Prices

CUTOFFS = np.array([60, 200, 350])


def scaled_prices(prices: Prices, factor: float) -> Prices:
    return replace(prices, **{name: factor * getattr(prices, name) for name in ("open", "high", "low", "close")})


def with_future(prices: Prices, cutoff: int, factor: float) -> Prices:
    later = np.arange(len(prices)) > cutoff
    columns = ("open", "high", "low", "close", "volume")
    return replace(prices, **{n: np.where(later, factor * getattr(prices, n), getattr(prices, n)) for n in columns})


@pytest.fixture(params=["simple_rnn", "lstm", "gru", "attention_lstm"])
def forecaster(request, trained) -> Forecaster:
    """A trained network of each kind."""
    return trained["returns"].deployed[request.param]


def test_a_last_layer_of_zero_gives_the_naive_forecast_with_the_recent_volatility(forecaster, trained):
    study = trained["returns"].study
    silent = [[*weights[:-2], 0 * weights[-2], 0 * weights[-1]] for weights in forecaster.weights]
    calm = replace(forecaster, weights=tuple(silent), calibration=fixed(1.0, 1.0))
    forecast = calm.predict(study.prices, CUTOFFS)
    assert (forecast.location == 0.0).all()
    expected = study.features.volatility[CUTOFFS, None] * np.sqrt([1.0, 2.0])
    np.testing.assert_allclose(forecast.standard_deviation(), expected)


def test_prices_ten_times_as_high_have_the_same_returns(forecaster, tiny_prices):
    cheap = forecaster.predict(tiny_prices, CUTOFFS)
    dear = forecaster.predict(scaled_prices(tiny_prices, 10.0), CUTOFFS)
    np.testing.assert_allclose(dear.location, cheap.location, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(dear.scale, cheap.scale, rtol=1e-4)


def test_a_forecast_does_not_know_what_comes_after_its_cutoff(forecaster, tiny_prices):
    before = forecaster.predict(tiny_prices, CUTOFFS)
    after = forecaster.predict(with_future(tiny_prices, CUTOFFS[1], 3.0), CUTOFFS)
    for name in ("location", "scale", "df"):
        np.testing.assert_array_equal(getattr(before, name)[:2], getattr(after, name)[:2])
    assert not np.array_equal(before.scale[2], after.scale[2])


def test_a_forecast_is_the_same_when_the_prices_end_at_its_cutoff(forecaster, tiny_prices):
    whole = forecaster.predict(tiny_prices, CUTOFFS[:2])
    cut = forecaster.predict(tiny_prices.until(tiny_prices.sessions[CUTOFFS[1]]), CUTOFFS[:2])
    np.testing.assert_array_equal(whole.quantile(), cut.quantile())


def fixed(*factors: float) -> Calibration:
    """Factors that follow nothing."""
    return replace(Calibration.none(len(factors)), factors=np.array(factors))


def test_calibration_stretches_the_ranges_and_leaves_the_median(forecaster, tiny_prices):
    narrow = replace(forecaster, calibration=fixed(1.0, 1.0)).predict(tiny_prices, CUTOFFS)
    wide = replace(forecaster, calibration=fixed(1.5, 2.0)).predict(tiny_prices, CUTOFFS)
    np.testing.assert_array_equal(wide.location, narrow.location)
    np.testing.assert_allclose(wide.scale / narrow.scale, [[1.5, 2.0]] * 3)


def test_calibration_takes_its_share_of_the_median_and_leaves_the_ranges_as_wide(forecaster, tiny_prices):
    whole = replace(forecaster, calibration=Calibration.none(2)).predict(tiny_prices, CUTOFFS)
    believed = replace(Calibration.none(2), location_share=np.array([0.5, 0.25]))
    shrunk = replace(forecaster, calibration=believed).predict(tiny_prices, CUTOFFS)
    np.testing.assert_array_equal(shrunk.location, whole.location * [0.5, 0.25])
    np.testing.assert_array_equal(shrunk.scale, whole.scale)


def test_calibration_follows_the_outcomes_from_its_first_cutoff_on(forecaster, tiny_prices):
    since, cutoffs = 340, np.arange(330, 380)
    following = replace(forecaster, calibration=replace(fixed(1.5, 2.0), since=tiny_prices.sessions[since]))
    factors = following.predict(tiny_prices, cutoffs).scale / following.answer(tiny_prices, cutoffs).scale
    np.testing.assert_allclose(factors[: since - 330 + 1], [[1.5, 2.0]] * 11)
    assert (np.diff(factors[since - 330 :, 0]) != 0.0).all()
    np.testing.assert_allclose(following.factors_at(tiny_prices, cutoffs[-1]), factors[-1])


def test_seeds_are_averaged_in_the_network_s_own_answer(forecaster, tiny_prices):
    (weights,) = forecaster.weights
    doubled = [*weights[:-2], 3 * weights[-2], 3 * weights[-1]]
    pair = replace(forecaster, weights=(weights, doubled))
    middle = replace(forecaster, weights=([*weights[:-2], 2 * weights[-2], 2 * weights[-1]],))
    np.testing.assert_allclose(
        pair.predict(tiny_prices, CUTOFFS).quantile(), middle.predict(tiny_prices, CUTOFFS).quantile(), rtol=1e-4, atol=1e-7
    )
    assert [each.weights for each in pair.each_seed()] == [(weights,), (doubled,)]


def test_a_classic_forecast_is_a_point_in_currency(trained, tiny_prices):
    for forecaster in trained["classic"].evaluation.values():
        assert forecaster.predict(tiny_prices, CUTOFFS).is_point
