"""A made-up share whose true volatility is known, so that everything works without a network.

The process, per session t with z_t a Student-t of 6 degrees of freedom and unit variance:

    log return        r_t = mu + sigma_t z_t
    variance          sigma_t^2 = omega + (alpha + gamma [z_{t-1} < 0]) (sigma_{t-1} z_{t-1})^2
                                        + beta sigma_{t-1}^2
    overnight         a quarter of the session's variance, drawn given r_t (a Brownian bridge)
    high, low         extremes of a Brownian bridge from open to close
    volume            rises with sigma_t and |z_t|

Source: Glosten, Jagannathan and Runkle (1993), "On the relation between the expected value and
the volatility of the nominal excess return on stocks", eq. 3 (the leverage term gamma); the law
of a bridge's maximum from Borodin and Salminen (2002), "Handbook of Brownian Motion", IV.26.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.prices.table import Listing, Prices

DEMO = "DEMO"
N_SESSIONS = 3_000
SEED = 8
LAST_SESSION = np.datetime64("2025-12-31", "D")

FIRST_CLOSE = 40.0  # [USD]
DAILY_VOLATILITY = 0.02  # unconditional standard deviation of a log return
DRIFT = 0.0003  # mean log return per session
ALPHA, GAMMA, BETA = 0.04, 0.10, 0.88
PERSISTENCE = ALPHA + GAMMA / 2 + BETA  # 0.97: a shock to the variance halves in 23 sessions
DEGREES_OF_FREEDOM = 6.0
OVERNIGHT_SHARE = 0.25  # of a session's variance


@dataclass(frozen=True)
class Simulation:
    """Simulated prices with the volatility that made them.

    Args:
        prices: the share, `simulated` and in USD.
        volatility: standard deviation of the log return of session t given all sessions before
            t, shape (n_sessions,), the same index as `prices.sessions`.
    """

    prices: Prices
    volatility: np.ndarray


def simulate_demo(n_sessions: int = N_SESSIONS, seed: int = SEED) -> Simulation:
    """Prices of a share that does not exist, together with their true volatility.

    Args:
        n_sessions: number of weekdays, the last one 2025-12-31.
        seed: the same seed gives the same bits.
    """
    rng = np.random.default_rng(seed)
    df = DEGREES_OF_FREEDOM
    shock = rng.standard_t(df, n_sessions) * np.sqrt((df - 2.0) / df)  # unit variance
    volatility = _volatility_from_shocks(shock)
    returns = DRIFT + volatility * shock
    close = FIRST_CLOSE * np.exp(np.cumsum(returns))
    open_ = _make_opens(close, shock, volatility, rng)
    high, low = _make_extremes(open_, close, volatility, rng)
    prices = Prices(
        ticker=DEMO,
        sessions=np.busday_offset(LAST_SESSION, np.arange(1 - n_sessions, 1), roll="backward"),
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=_make_volume(shock, volatility, rng),
        source="demo",
        listing=Listing("weekdays", "USD", "America/New_York", "Simulated share"),
        simulated=True,
    )
    return Simulation(prices, volatility)


def _volatility_from_shocks(shock: np.ndarray) -> np.ndarray:
    """Conditional standard deviations of the GJR-GARCH recursion, shape (n_sessions,)."""
    mean_variance = DAILY_VOLATILITY**2
    omega = mean_variance * (1.0 - PERSISTENCE)
    variance = np.empty(len(shock))
    variance[0] = mean_variance
    for t in range(1, len(shock)):
        arch = ALPHA + GAMMA * (shock[t - 1] < 0.0)
        variance[t] = omega + (arch * shock[t - 1] ** 2 + BETA) * variance[t - 1]
    return np.sqrt(variance)


def _make_opens(close, shock, volatility, rng) -> np.ndarray:
    """Opening prices: the part of the session's log return that happens overnight."""
    share = OVERNIGHT_SHARE
    spread = np.sqrt(share * (1.0 - share)) * rng.standard_normal(len(close))
    overnight = share * DRIFT + volatility * (share * shock + spread)
    return np.concatenate([[FIRST_CLOSE], close[:-1]]) * np.exp(overnight)


def _make_extremes(open_, close, volatility, rng) -> tuple[np.ndarray, np.ndarray]:
    """Highs and lows of a Brownian bridge from each open to each close.

    For a bridge from a to b of variance s^2, P(max > m) = exp(-2 (m - a) (m - b) / s^2), so that
    max = (a + b + sqrt((b - a)^2 - 2 s^2 log u)) / 2 with u uniform.
    """
    start, end = np.log(open_), np.log(close)
    variance = (1.0 - OVERNIGHT_SHARE) * volatility**2
    up, down = 1.0 - rng.random((2, len(close)))  # in (0, 1]: its logarithm is finite
    rise = np.sqrt((end - start) ** 2 - 2.0 * variance * np.log(up))
    fall = np.sqrt((end - start) ** 2 - 2.0 * variance * np.log(down))
    high = np.exp((start + end + rise) / 2.0)
    low = np.exp((start + end - fall) / 2.0)
    # Rounding alone may leave an extreme an ulp inside open and close.
    return np.maximum(high, np.maximum(open_, close)), np.minimum(low, np.minimum(open_, close))


def _make_volume(shock, volatility, rng) -> np.ndarray:
    """Whole shares traded: more in nervous sessions and on large moves."""
    noise = 0.2 * rng.standard_normal(len(shock))
    log_volume = 0.6 * np.log(volatility / DAILY_VOLATILITY) + 0.25 * np.abs(shock) + noise
    return np.round(8e6 * np.exp(log_volume))
