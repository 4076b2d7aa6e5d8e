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
    return simulate_demo(500).prices


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


def events_of(prices):
    """The formula of an event in pandas."""
    r = np.log(pd.Series(prices.close)).diff()
    v = np.sqrt((r**2).ewm(halflife=HALF_LIFE).mean())
    volume = pd.Series(prices.volume)
    attention = (np.log(volume / volume.rolling(60, min_periods=1).mean()) + 0.3).clip(0, 2)
    return ((r.abs() / v.shift() - 1).clip(0, 5) * attention).where(r.index >= 60, 0.0)


def mean_of_anniversaries(prices, around):
    """What came after the same weekday 13, 26, ... weeks before each session, looked up in a table of dates."""
    dates, means = pd.Series(pd.to_datetime(prices.sessions)), []
    for t, date in enumerate(dates):
        found = [dates[dates > date - pd.Timedelta(weeks=13 * quarter)].index[0] for quarter in range(1, 13)]
        means.append(np.mean([around[i] for i in found if 60 < i < t - 6] or [np.nan]))
    return means


def test_features_equal_their_formulas_written_in_pandas(prices):
    table = make_table(prices)
    frame = pd.DataFrame({name: getattr(prices, name) for name in ("open", "high", "low", "close", "volume")})
    r = np.log(frame.close).diff()
    v = np.sqrt((r**2).ewm(halflife=HALF_LIFE).mean())
    events = events_of(prices)
    reference = pd.DataFrame(
        {
            "return": r / v,
            "absolute_return": np.log(r.abs() / v + 0.1),
            "range": np.log(np.log(frame.high / frame.low) / v + 0.1),
            "volume": np.log(frame.volume / frame.volume.rolling(60, min_periods=1).mean()),
            "overnight_gap": np.log(frame.open / frame.close.shift()) / v,
            "volatility": np.log(v),
            "since_event": [min([90, *(t - np.flatnonzero(events[: t + 1] > 1))]) for t in range(len(frame))],
            "anniversary": mean_of_anniversaries(prices, np.log1p((events.shift(1) + events.shift(-1)) / 2 + events)),
            "anniversary_week": mean_of_anniversaries(prices, np.log1p(sum(events.shift(-j) for j in range(-1, 6)))),
            "close": frame.close,
        }
    )
    expected = reference[list(table.names)].to_numpy()[WARM_UP:]
    np.testing.assert_allclose(table.values[WARM_UP:], expected, rtol=1e-9, atol=1e-9)


def test_features_of_the_same_prices_are_made_once_and_cannot_be_written_to(prices):
    table = make_table(prices)
    assert make_table(prices) is table
    assert make_table(replace(prices)) is not table
    with pytest.raises(ValueError, match="read-only"):
        table.values[-1] = 0.0


def test_nothing_is_known_in_the_warm_up(prices):
    table = make_table(prices)
    assert np.isnan(table.values[:WARM_UP]).all() and np.isnan(table.volatility[:WARM_UP]).all()
    first = [table.names.index(name) for name in ("anniversary", "anniversary_week")]
    others = np.delete(table.values, first, axis=1)
    assert np.isfinite(others[WARM_UP:]).all() and np.isfinite(table.volatility[WARM_UP:]).all()
    assert np.isfinite(table.values[61 + 66 :]).all()      # the first year's quarter has come round


@pytest.mark.parametrize("cutoff", [WARM_UP, 77, 200, 298, 480])
def test_no_feature_knows_what_comes_after_its_session(prices, cutoff):
    later = np.arange(len(prices)) > cutoff
    columns = ("open", "high", "low", "close", "volume")
    changed = replace(prices, **{name: np.where(later, 7.0 * getattr(prices, name), getattr(prices, name)) for name in columns})
    before, after = make_table(prices), make_table(changed)
    np.testing.assert_array_equal(before.values[: cutoff + 1], after.values[: cutoff + 1])
    np.testing.assert_array_equal(before.volatility[: cutoff + 1], after.volatility[: cutoff + 1])
    assert not np.array_equal(before.values[cutoff + 1], after.values[cutoff + 1])


def test_an_anniversary_over_a_gap_does_not_look_ahead(prices):
    sessions = prices.sessions.copy()
    sessions[400:] += np.timedelta64(88, "D")                 # a halt of a quarter: the session that came next is yet to come
    halted, changed = replace(prices, sessions=sessions), prices.close.copy()
    changed[402:] *= 1.5
    before, after = make_table(halted), make_table(replace(halted, close=changed))
    np.testing.assert_array_equal(before.values[:402], after.values[:402])


def test_reports_every_thirteenth_week_are_seen_coming(prices):
    calm = np.full(len(prices), 0.01) * np.where(np.arange(len(prices)) % 2, 1, -1)
    reports = np.zeros(len(prices), dtype=bool)
    reports[np.searchsorted(prices.sessions, np.arange(prices.sessions[0], prices.sessions[-1], np.timedelta64(13, "W")))] = True
    close = 50.0 * np.exp(np.cumsum(np.where(reports, 5 * calm, calm)))
    volume = np.where(reports, 4e6, 1e6)
    flat = replace(prices, open=close, high=close * 1.001, low=close * 0.999, close=close, volume=volume)
    since, day, week = make_table(flat, ("since_event", "anniversary", "anniversary_week")).values[300:-1].T
    tomorrow = reports[301:]
    assert day[tomorrow].min() > 3 * np.median(day) and week[tomorrow].min() > 3 * np.median(week)
    assert (since[reports[300:-1]] == 0).all() and since.max() < 66


def test_features_do_not_depend_on_the_currency(prices):
    dear = replace(prices, **{name: 10.0 * getattr(prices, name) for name in ("open", "high", "low", "close")})
    names = tuple(name for name in FEATURES if name != "close")
    np.testing.assert_allclose(make_table(dear, names).values, make_table(prices, names).values, atol=1e-9)


def test_a_source_of_closes_alone_leaves_the_other_columns_unknown(prices):
    unknown = np.full(len(prices), np.nan)
    table = make_table(replace(prices, open=unknown, high=unknown, low=unknown, volume=unknown))
    known = dict(zip(table.names, np.isfinite(table.values[130:]).all(axis=0)))
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
    assert np.isfinite(table.values[61 + 66 :]).all()
    assert abs(table.values[WARM_UP:, 0].std() - 1.0) < 0.1      # returns in units of their own volatility
