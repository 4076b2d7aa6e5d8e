"""The simulated share has the volatility that it says, and can be made again to the bit."""

import numpy as np
import pytest

from forecast.prices.demo import DAILY_VOLATILITY, LAST_SESSION, PERSISTENCE, simulate_demo


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, again, other = simulate_demo(200), simulate_demo(200), simulate_demo(200, seed=9)
    assert first.prices.close.tobytes() == again.prices.close.tobytes()
    assert (first.prices.close != other.prices.close).all()


def test_sessions_are_weekdays_up_to_a_fixed_day():
    sessions = simulate_demo(500).prices.sessions
    assert sessions[-1] == LAST_SESSION and len(sessions) == 500
    assert np.is_busday(sessions).all() and (np.busday_count(sessions[:-1], sessions[1:]) == 1).all()


def test_returns_over_their_true_volatility_have_unit_variance():
    made = simulate_demo(200_000)
    shocks = np.diff(np.log(made.prices.close)) / made.volatility[1:]
    assert np.std(shocks) == pytest.approx(1.0, abs=0.01)
    assert made.volatility.std() > 0.2 * DAILY_VOLATILITY  # there is something to forecast


def test_volatility_reverts_at_the_stated_pace_and_to_the_stated_level():
    variance = simulate_demo(200_000).volatility ** 2
    deviation = variance - DAILY_VOLATILITY**2
    slope = (deviation[:-1] @ deviation[1:]) / (deviation[:-1] @ deviation[:-1])
    assert slope == pytest.approx(PERSISTENCE, abs=0.01)
    assert np.sqrt(variance.mean()) == pytest.approx(DAILY_VOLATILITY, rel=0.05)


def test_a_fall_raises_volatility_more_than_a_rise():
    made = simulate_demo(50_000)
    returns = np.diff(np.log(made.prices.close))[:-1]
    growth = made.volatility[2:] / made.volatility[1:-1]
    large = np.abs(returns) > 2 * DAILY_VOLATILITY
    assert growth[large & (returns < 0)].mean() > 1.1 * growth[large & (returns > 0)].mean()


def test_highs_and_lows_enclose_and_follow_the_volatility():
    made = simulate_demo()
    prices = made.prices
    assert (prices.high >= np.maximum(prices.open, prices.close)).all()
    assert (prices.low <= np.minimum(prices.open, prices.close)).all()
    ranges = np.log(prices.high / prices.low)
    assert np.corrcoef(ranges, made.volatility)[0, 1] > 0.5
    assert np.corrcoef(np.log(prices.volume), made.volatility)[0, 1] > 0.3


def test_a_quarter_of_the_variance_comes_overnight():
    made = simulate_demo(100_000)
    overnight = np.log(made.prices.open[1:] / made.prices.close[:-1]) / made.volatility[1:]
    assert np.var(overnight) == pytest.approx(0.25, abs=0.01)


def test_it_says_that_it_is_simulated():
    prices = simulate_demo(10).prices
    assert prices.simulated and prices.listing.currency == "USD" and prices.source == "demo"
