from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.config import FEATURES
from forecast.prices.demo import simulate_demo
from forecast.windows.features import WARM_UP, log_returns, make_features, trailing_volatility

HALF_LIFE = 60


@pytest.fixture(scope="module")
def prices():
    return simulate_demo(300).prices


def make_table(prices, names=FEATURES):
    return make_features(prices, tuple(names), HALF_LIFE)


def test_log_returns_start_unknown_and_are_positive_on_a_rise():
    np.testing.assert_allclose(log_returns(np.array([100.0, 110.0, 99.0])), [np.nan, np.log(1.1), np.log(0.9)])


def test_volatility_is_the_ewm_of_pandas(prices):
    returns = log_returns(prices.close)
    reference = np.sqrt(pd.Series(returns**2).ewm(halflife=HALF_LIFE).mean())
    np.testing.assert_allclose(trailing_volatility(returns, HALF_LIFE), reference, rtol=1e-12)


def test_volatility_of_equal_moves_is_the_move():
    returns = np.array([np.nan, 0.01, -0.01, 0.01, -0.01])
    np.testing.assert_allclose(trailing_volatility(returns, 5)[1:], 0.01)


def test_volatility_is_unknown_until_the_first_move():
    volatility = trailing_volatility(np.array([np.nan, 0.0, 0.0, 0.02, 0.0]), 5)
    assert np.isnan(volatility[:3]).all() and (volatility[3:] > 0).all()


def test_features_equal_their_formulas_written_in_pandas(prices):
    table = make_table(prices)
    frame = pd.DataFrame({name: getattr(prices, name) for name in ("open", "high", "low", "close", "volume")})
    r = np.log(frame.close).diff()
    v = np.sqrt((r**2).ewm(halflife=HALF_LIFE).mean())
    reference = pd.DataFrame(
        {
            "return": r / v,
            "absolute_return": np.log(r.abs() / v + 0.1),
            "range": np.log(np.log(frame.high / frame.low) / v + 0.1),
            "volume": np.log(frame.volume / frame.volume.rolling(60, min_periods=1).mean()),
            "overnight_gap": np.log(frame.open / frame.close.shift()) / v,
            "volatility": np.log(v),
            "close": frame.close,
        }
    )
    expected = reference[list(table.names)].to_numpy()[WARM_UP:]
    np.testing.assert_allclose(table.values[WARM_UP:], expected, rtol=1e-9, atol=1e-9)


def test_nothing_is_known_in_the_warm_up(prices):
    table = make_table(prices)
    assert np.isnan(table.values[:WARM_UP]).all() and np.isnan(table.volatility[:WARM_UP]).all()
    assert np.isfinite(table.values[WARM_UP:]).all() and np.isfinite(table.volatility[WARM_UP:]).all()


@pytest.mark.parametrize("cutoff", [WARM_UP, 77, 200, 298])
def test_no_feature_knows_what_comes_after_its_session(prices, cutoff):
    later = np.arange(len(prices)) > cutoff
    columns = ("open", "high", "low", "close", "volume")
    changed = replace(prices, **{name: np.where(later, 7.0 * getattr(prices, name), getattr(prices, name)) for name in columns})
    before, after = make_table(prices), make_table(changed)
    np.testing.assert_array_equal(before.values[: cutoff + 1], after.values[: cutoff + 1])
    np.testing.assert_array_equal(before.volatility[: cutoff + 1], after.volatility[: cutoff + 1])
    assert not np.array_equal(before.values[cutoff + 1], after.values[cutoff + 1])


def test_features_do_not_depend_on_the_currency(prices):
    dear = replace(prices, **{name: 10.0 * getattr(prices, name) for name in ("open", "high", "low", "close")})
    names = tuple(name for name in FEATURES if name != "close")
    np.testing.assert_allclose(make_table(dear, names).values, make_table(prices, names).values, atol=1e-9)


def test_a_source_of_closes_alone_leaves_the_other_columns_unknown(prices):
    unknown = np.full(len(prices), np.nan)
    table = make_table(replace(prices, open=unknown, high=unknown, low=unknown, volume=unknown))
    known = dict(zip(table.names, np.isfinite(table.values[WARM_UP:]).all(axis=0)))
    assert {name for name, is_known in known.items() if not is_known} == {"range", "volume", "overnight_gap"}


def test_a_session_without_trade_has_no_volume_and_does_not_lower_the_mean(prices):
    volume = np.full(len(prices), 5_000.0)
    volume[100] = 0.0
    values = make_table(replace(prices, volume=volume), ("volume",)).values[WARM_UP:, 0]
    assert np.isnan(values[100 - WARM_UP])
    np.testing.assert_allclose(np.delete(values, 100 - WARM_UP), 0.0, atol=1e-12)


def test_real_prices_have_every_feature(real_prices_folder):
    frame = pd.read_csv(real_prices_folder / "daily" / "TSLA.csv")
    columns = {name.lower(): frame[name].to_numpy(float) for name in ("Open", "High", "Low", "Close", "Volume")}
    sessions = frame.Date.to_numpy().astype("datetime64[D]")
    table = make_table(replace(simulate_demo(2).prices, sessions=sessions, **columns))
    assert np.isfinite(table.values[WARM_UP:]).all()
    assert abs(table.values[WARM_UP:, 0].std() - 1.0) < 0.1      # returns in units of their own volatility
