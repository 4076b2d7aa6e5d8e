"""Makes the weights that the networks start from: trained on shares that do not exist.

    python benchmarks/pretrain.py [--shares 160] [--workers N]

Each share has a volatility of its own, the exponential of a slow and a fast autoregression that a fall raises, days
that are calmer or wilder than their neighbours, and reports every thirteenth week that move the price overnight on
a large volume. The ranges of the parameters were chosen on sessions before 2024-02 (see docs/LOG.md).

Source of the process: Taylor (1982), "Financial returns modelled by the product of two stochastic processes", with
two autoregressions as in Chernov, Gallant, Ghysels and Tauchen (2003), "Alternative models for stock price dynamics".
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from scipy.signal import lfilter

from forecast import pipeline
from forecast.config import NETWORKS, make_config
from forecast.networks.heads import n_outputs
from forecast.networks.parallel import fit_networks
from forecast.networks.starts import KEPT_HORIZON, N_KEPT, save_start
from forecast.networks.training import FitTask
from forecast.prices.table import Listing, Prices

N_SESSIONS = 3_000
BURN_IN = 500               # sessions until volatility has forgotten where it began
LAST_SESSION = np.datetime64("2025-12-31", "D")
N_TRADES = 39               # steps within a session
QUARTER = np.timedelta64(13, "W")
EPOCHS = 4
LAST_EPOCHS, LAST_RATE = 2, 1e-4    # to settle


def main() -> None:
    """Make the shares, train on them all, keep what was learned."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shares", type=int, default=160)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    shares = [simulate_share(seed) for seed in range(options.shares)]
    tasks = make_tasks(shares)
    fits = fit_networks(tasks, options.workers, print)
    settled = [settle(task, fit.evaluation_weights) for task, fit in zip(tasks, fits)]
    fits = fit_networks(settled, options.workers, print)
    for network in NETWORKS:
        save_start(network, [without_location(fit.evaluation_weights) for fit in fits if fit.network == network])


def make_tasks(shares: list[Prices]) -> list[FitTask]:
    """One fit on all shares for each network and seed."""
    config = replace(
        make_config({"recipe": "pooled", "start": "random"}),
        networks=NETWORKS, epochs=EPOCHS, horizon=KEPT_HORIZON, seed=0, n_seeds=N_KEPT,
    )  # fmt: skip
    cut = pipeline.cutter(shares, config)
    return [replace(task, ticker="simulated", everything=()) for task in pipeline.make_tasks(*map(cut, shares))]


def settle(task: FitTask, weights: list[np.ndarray]) -> FitTask:
    """The same fit, carried on at a smaller rate."""
    config = replace(task.config, epochs=LAST_EPOCHS, learning_rate=LAST_RATE)
    return replace(task, config=config, start={"evaluation": weights})


def without_location(weights: list[np.ndarray]) -> list[np.ndarray]:
    """The shares have no drift, so that what was learned of it is noise: the start says yesterday's close."""
    keeps = np.arange(n_outputs(True, KEPT_HORIZON)) >= KEPT_HORIZON
    return [*weights[:-2], weights[-2] * keeps, weights[-1] * keeps]


def simulate_share(seed: int) -> Prices:
    """A share whose parameters are drawn from the seed as well."""
    rng = np.random.default_rng(seed)
    sessions = np.busday_offset(LAST_SESSION, np.arange(1 - N_SESSIONS, 1), roll="backward")
    level = np.exp(rng.uniform(np.log(0.008), np.log(0.03)))            # log return per session
    shock, log_volatility = simulate_volatility(rng)
    reports = draw_reports(sessions, rng)
    volatility = level * np.exp(log_volatility) * np.where(reports, 1.5, 1.0)
    jump_size = level * rng.uniform(1.0, 5.0) * (rng.random() < 0.85)   # funds have no reports
    jumps = np.where(reports, 0.75 * jump_size * rng.standard_t(4, N_SESSIONS), 0.0)

    share = rng.uniform(0.15, 0.4)                                      # of the variance that comes overnight
    diffusion = volatility * shock
    overnight = share * diffusion + np.sqrt(share * (1.0 - share)) * volatility * rng.standard_normal(N_SESSIONS)
    close = 20.0 * np.exp(np.cumsum(diffusion + jumps))
    open_ = np.concatenate([[20.0], close[:-1]]) * np.exp(overnight + jumps)
    high, low = simulate_extremes(open_, close, np.sqrt(1.0 - share) * volatility, rng)
    surprise = 0.1 * np.abs(diffusion + jumps) / volatility
    noise = rng.uniform(0.15, 0.3) * rng.standard_normal(N_SESSIONS)
    log_volume = 0.5 * log_volatility + surprise + np.where(reports, 0.23 * jump_size / level, 0.0) + noise
    listing = Listing("weekdays", "USD", "America/New_York", "Simulated share")
    volume = np.round(1e6 * np.exp(log_volume))
    return Prices(f"SIM{seed}", sessions, open_, high, low, close, volume, "simulated", listing, simulated=True)


def simulate_volatility(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Shocks of unit variance, and the logarithm of volatility over its level, each of shape (N_SESSIONS,)."""
    n = N_SESSIONS + BURN_IN
    leverage = rng.uniform(0.15, 0.7)
    shock = rng.standard_normal(n)
    total = np.zeros(n)
    for persistence, spread, share in (((0.993, 0.9985), (0.15, 0.35), 0.5), ((0.65, 0.93), (0.15, 0.35), 1.0)):
        rho, sigma = rng.uniform(*persistence), rng.uniform(*spread)
        correlation = -share * leverage
        drive = correlation * shock + np.sqrt(1.0 - correlation**2) * rng.standard_normal(n)
        total[1:] += lfilter([sigma * np.sqrt(1.0 - rho**2)], [1.0, -rho], drive)[:-1]
        total -= 0.5 * sigma**2
    sigma = rng.uniform(0.1, 0.3)
    total += sigma * rng.standard_normal(n) - 0.5 * sigma**2
    return shock[BURN_IN:], total[BURN_IN:]


def draw_reports(sessions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which sessions follow news: every thirteenth week, some a week or a day off, and a few more at random."""
    first = sessions[0] + np.timedelta64(int(rng.integers(0, 91)), "D")
    days = np.arange(first, sessions[-1], QUARTER)
    restless = rng.uniform(0.0, 0.5)
    for size in (7, 1):
        moved = rng.random(len(days)) < restless
        days = days + np.where(moved, size * rng.choice([-1, 1], len(days)), 0).astype("timedelta64[D]")
    reports = rng.random(len(sessions)) < rng.uniform(0.0, 0.006)
    reports[np.searchsorted(sessions, days[(days >= sessions[0]) & (days <= sessions[-1])])] = True
    return reports


def simulate_extremes(open_, close, volatility, rng) -> tuple[np.ndarray, np.ndarray]:
    """Highest and lowest of the prices on a random walk from each open to each close."""
    steps = rng.standard_normal((len(open_), N_TRADES)) * (volatility / np.sqrt(N_TRADES))[:, None]
    missing = np.log(close / open_) - steps.sum(axis=1)
    path = open_[:, None] * np.exp(np.cumsum(steps + missing[:, None] / N_TRADES, axis=1))
    high = np.maximum(np.maximum(open_, close), path.max(axis=1))
    low = np.minimum(np.minimum(open_, close), path.min(axis=1))
    return high, low


if __name__ == "__main__":
    main()
