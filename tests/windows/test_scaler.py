import json

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from forecast.windows.scaler import Scaler, dict_from_scaler, fit_scaler, scaler_from_dict

TWINS = {"standard": StandardScaler, "minmax": MinMaxScaler}


@pytest.fixture
def insample():
    rng = np.random.default_rng(3)
    return rng.normal([5.0, -2.0, 100.0], [1.0, 3.0, 40.0], (200, 3))


@pytest.mark.parametrize("kind", TWINS)
def test_scaler_equals_that_of_scikit_learn(insample, kind):
    outsample = 3.0 * insample + 1.0
    expected = TWINS[kind]().fit(insample).transform(outsample)
    np.testing.assert_allclose(fit_scaler(insample, kind).transform(outsample), expected, rtol=1e-6, atol=1e-6)


def test_standard_scaler_gives_insample_mean_0_and_spread_1(insample):
    scaled = fit_scaler(insample, "standard").transform(insample)
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, atol=1e-5)


def test_minmax_scaler_makes_insample_0_to_1(insample):
    scaled = fit_scaler(insample, "minmax").transform(insample)
    np.testing.assert_allclose([scaled.min(axis=0), scaled.max(axis=0)], [[0.0] * 3, [1.0] * 3], atol=1e-6)


@pytest.mark.parametrize("kind", TWINS)
def test_inverse_undoes_transform(insample, kind):
    scaler = fit_scaler(insample, kind)
    scaled = scaler.transform(insample)
    for column in range(3):
        np.testing.assert_allclose(scaler.inverse(scaled[:, column].astype(float), column), insample[:, column], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", TWINS)
def test_unknown_values_are_passed_over_and_become_the_middle(insample, kind):
    insample[:50, 0] = np.nan
    insample[:, 1] = np.nan
    scaler = fit_scaler(insample, kind)
    np.testing.assert_allclose(scaler.center[0], fit_scaler(insample[50:, :1], kind).center[0])
    scaled = scaler.transform(insample)
    assert np.isfinite(scaled).all() and (scaled[:, 1] == 0.0).all() and (scaled[:50, 0] == 0.0).all()


@pytest.mark.parametrize("kind", TWINS)
def test_a_constant_feature_does_not_divide_by_zero(kind):
    scaled = fit_scaler(np.full((20, 1), 4.0), kind).transform(np.array([[4.0], [5.0]]))
    np.testing.assert_array_equal(scaled, [[0.0], [1.0]])


def test_scaled_values_are_what_networks_eat(insample):
    assert fit_scaler(insample, "standard").transform(insample).dtype == np.float32


def test_a_scaler_survives_json_to_the_last_bit(insample):
    scaler = fit_scaler(insample, "standard")
    again = scaler_from_dict(json.loads(json.dumps(dict_from_scaler(scaler))))
    assert isinstance(again, Scaler)
    np.testing.assert_array_equal([again.center, again.spread], [scaler.center, scaler.spread])
