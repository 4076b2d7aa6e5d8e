"""What doing nothing clever would have given: the forecasts that a network has to beat.

Every baseline learns its parameters on the insample closes alone, then walks on with them:

    close      [ insample .............. ][ gap ][ outsample ........... ]
    parameters  fitted here, once
    forecast                                      ^cutoff: filtered up to here, steps 1..horizon

All take `close, n_insample, cutoffs, horizon` and give back a `StudentT`:

    close: closes [currency], shape (n_sessions,), finite and positive.
    n_insample: number of closes, from the first, on which parameters may be fitted.
    cutoffs: indices into `close`, shape (n_cutoffs,): the last session each forecast may see.
    horizon: steps ahead, in sessions.
    Returns: cumulative log returns 1..horizon sessions after each cutoff,
        shape (n_cutoffs, horizon). A row depends on nothing after its cutoff.
    Raises: DataError, when the insample closes are too few or never change, or a cutoff has too
        little before it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from forecast.errors import DataError
from forecast.networks.distribution import StudentT
from forecast.windows.splits import MIN_INSAMPLE

TRAILING = 60  # sessions (a quarter of a year) of the historical volatility
COLLAPSED = 0.01  # a fitted variance below this share of the sample's has run into a spike at zero

_log = logging.getLogger(__name__)


def predict_naive(
    close: np.ndarray, n_insample: int, cutoffs: np.ndarray, horizon: int
) -> StudentT:
    """The last close, in normal ranges of the insample volatility: the random walk."""
    returns = _checked_returns(close, n_insample, cutoffs, horizon)
    return _normal(0.0, _random_walk_scale(returns[: n_insample - 1], horizon), cutoffs)


def predict_drift(
    close: np.ndarray, n_insample: int, cutoffs: np.ndarray, horizon: int
) -> StudentT:
    """The last close moving on by the mean insample return, in the ranges of the random walk."""
    insample = _checked_returns(close, n_insample, cutoffs, horizon)[: n_insample - 1]
    location = insample.mean() * np.arange(1, horizon + 1)  # (horizon,)
    return _normal(location, _random_walk_scale(insample, horizon), cutoffs)


def predict_historical_normal(
    close: np.ndarray, n_insample: int, cutoffs: np.ndarray, horizon: int
) -> StudentT:
    """The last close, in normal ranges of the volatility of the last 60 sessions."""
    returns = _checked_returns(close, n_insample, cutoffs, horizon)
    return _normal(0.0, _trailing_deviation(returns, horizon)[cutoffs], cutoffs)


def predict_historical_student_t(
    close: np.ndarray, n_insample: int, cutoffs: np.ndarray, horizon: int
) -> StudentT:
    """The last close, in Student-t ranges with the standard deviation of the last 60 sessions."""
    returns = _checked_returns(close, n_insample, cutoffs, horizon)
    deviation = _trailing_deviation(returns, horizon)
    return _with_insample_tails(returns, n_insample, deviation, cutoffs)


def predict_garch(
    close: np.ndarray, n_insample: int, cutoffs: np.ndarray, horizon: int
) -> StudentT:
    """The last close, in the ranges of a GARCH(1,1) with Student-t innovations, fitted by arch.

        variance[t + 1] = omega + alpha * return[t]^2 + beta * variance[t]

    The mean is zero: on every fourth ticker of a universe of 64 a fitted mean cost 0.1 % of CRPS at
    5 steps and gained nothing at 1. The variance of a cumulative return is the analytic sum of the
    expected variances. A sum of Student-t innovations is no Student-t: its df is the one that fits
    the insample sums of each step best (at one step that is arch's own df).

    Where the fit does not converge, or collapses onto days without any change, a warning is logged
    and RiskMetrics' constants stand in (omega 0, alpha 0.06, beta 0.94).

    Source: Bollerslev (1987), "A conditionally heteroskedastic time series model for speculative
    prices and rates of return"; J.P. Morgan/Reuters (1996), "RiskMetrics", table 5.9.
    """
    returns = _checked_returns(close, n_insample, cutoffs, horizon)
    garch = _fit_garch(returns[: n_insample - 1])
    deviation = np.sqrt(garch.cumulative_variance(returns, horizon))
    return _with_insample_tails(returns, n_insample, deviation, cutoffs)


def predict_ets(
    close: np.ndarray, n_insample: int, cutoffs: np.ndarray, horizon: int
) -> StudentT:
    """Simple exponential smoothing of the log price, ETS(A,N,N), fitted by statsmodels.

        level[t] = level[t - 1] + alpha * (log close[t] - level[t - 1])
        variance of step k = sigma^2 * (1 + (k - 1) * alpha^2)

    No trend: on every sixth ticker of a universe of 64 a trend raised the CRPS at 5 steps by 0.3 %
    and a damped one by 0.1 %, and neither earned its parameters by the AICc.

    Source: Hyndman, Koehler, Ord and Snyder (2008), "Forecasting with exponential smoothing",
    table 6.1 (class 1, ETS(A,N,N)).
    """
    returns = _checked_returns(close, n_insample, cutoffs, horizon)
    log_price = np.concatenate([[0.0], np.cumsum(returns)])  # (n_sessions,), from the first close
    alpha, first_level = _fit_ets(log_price[:n_insample])
    level = _recursion(alpha * log_price, 1.0 - alpha, first_level)[1:]  # (n_sessions,)
    errors = log_price[1:n_insample] - level[: n_insample - 1]
    growth = np.sqrt(1.0 + np.arange(horizon) * alpha**2)  # (horizon,)
    location = (level - log_price)[cutoffs, None]  # (n_cutoffs, 1): one level, whatever the step
    return _normal(location, np.sqrt(np.mean(errors**2)) * growth, cutoffs)


BASELINES: dict[str, Callable[[np.ndarray, int, np.ndarray, int], StudentT]] = {
    "naive": predict_naive,
    "drift": predict_drift,
    "historical_normal": predict_historical_normal,
    "historical_student_t": predict_historical_student_t,
    "garch": predict_garch,
    "ets": predict_ets,
}


@dataclass(frozen=True)
class _Garch:
    """Parameters of a GARCH(1,1) without a mean; `first` is the variance before any return."""

    omega: float
    alpha: float
    beta: float
    first: float

    def cumulative_variance(self, returns: np.ndarray, horizon: int) -> np.ndarray:
        """Variance of the return 1..horizon steps after each session, (n_sessions, horizon)."""
        shocks = self.omega + self.alpha * returns**2
        step = _recursion(shocks, self.beta, self.first)  # (n_sessions,): variance one step ahead
        steps = [step]
        for _ in range(horizon - 1):
            steps.append(self.omega + (self.alpha + self.beta) * steps[-1])
        return np.cumsum(np.stack(steps, axis=1), axis=1)


def _fit_garch(insample: np.ndarray) -> _Garch:
    """Parameters by maximum likelihood; RiskMetrics' constants where that does not converge."""
    from arch import arch_model
    from threadpoolctl import threadpool_limits

    unit = insample.std()  # returns of spread 1 suit the optimiser whatever is traded
    model = arch_model(insample / unit, mean="Zero", vol="GARCH", p=1, q=1, dist="t", rescale=False)
    with threadpool_limits(1):  # two threads add up in another order: the last bits would tell how many cores there are
        fit = model.fit(disp="off", show_warning=False)
    variance = np.asarray(fit.conditional_volatility) ** 2  # (n_insample - 1,), about 1
    if fit.convergence_flag != 0 or variance.mean() < COLLAPSED:
        _log.warning(
            "GARCH(1,1) did not converge on %d insample returns (flag %d, %.2g of their variance);"
            " RiskMetrics' constants (alpha 0.06, beta 0.94) stand in.",
            len(insample),
            fit.convergence_flag,
            variance.mean(),
        )
        return _Garch(omega=0.0, alpha=0.06, beta=0.94, first=unit**2)
    omega, alpha, beta = (float(fit.params[name]) for name in ("omega", "alpha[1]", "beta[1]"))
    return _Garch(omega * unit**2, alpha, beta, first=variance[0] * unit**2)


def _fit_ets(insample: np.ndarray) -> tuple[float, float]:
    """Smoothing parameter and first level of ETS(A,N,N) on log prices, shape (n_insample,)."""
    from statsmodels.tools.sm_exceptions import ConvergenceWarning
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    unit = np.diff(insample).std()
    model = ETSModel(insample / unit, error="add", initialization_method="heuristic")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # told below, with the numbers
        fit = model.fit(disp=False)
    if not fit.mle_retvals["converged"]:
        _log.warning(
            "ETS did not converge on %d insample closes; its last alpha %.3f stands.",
            len(insample),
            fit.smoothing_level,
        )
    return float(fit.smoothing_level), float(fit.initial_level) * unit


def _recursion(shocks: np.ndarray, keep: float, first: float) -> np.ndarray:
    """x[0] = first, x[t + 1] = shocks[t] + keep * x[t]; shape (n_shocks + 1,)."""
    from scipy.signal import lfilter

    later, _ = lfilter([1.0], [1.0, -keep], shocks, zi=[keep * first])
    return np.concatenate([[first], later])


def _random_walk_scale(insample: np.ndarray, horizon: int) -> np.ndarray:
    """Insample standard deviation of the return, growing with the root of the step, (horizon,)."""
    return insample.std(ddof=1) * np.sqrt(np.arange(1, horizon + 1))


def _trailing_deviation(returns: np.ndarray, horizon: int) -> np.ndarray:
    """Root mean square of the last 60 returns times the root of the step, (n_sessions, horizon)."""
    squares = np.lib.stride_tricks.sliding_window_view(returns**2, TRAILING)
    unknown = np.full(TRAILING, np.nan)  # sessions with fewer than 60 returns behind them
    deviation = np.concatenate([unknown, np.sqrt(squares.mean(axis=1))])
    return deviation[:, None] * np.sqrt(np.arange(1, horizon + 1))


def _with_insample_tails(
    returns: np.ndarray, n_insample: int, deviation: np.ndarray, cutoffs: np.ndarray
) -> StudentT:
    """Student-t of the given standard deviation, with the df that fits each step insample best.

    Args:
        returns: log returns, shape (n_sessions - 1,).
        deviation: standard deviation of the cumulative return after each session,
            shape (n_sessions, horizon).
    """
    horizon = deviation.shape[1]
    path = np.concatenate([[0.0], np.cumsum(returns[: n_insample - 1])])  # (n_insample,)
    df = np.empty(horizon)
    for step in range(1, horizon + 1):
        spread = deviation[: n_insample - step, step - 1]
        known = spread > 0.0  # False for the first 60 sessions, which are NaN, and for dead calm
        df[step - 1] = _fit_df((path[step:] - path[:-step])[known] / spread[known])
    scale = deviation[cutoffs] * np.sqrt((df - 2.0) / df)
    return _of_one_shape(0.0, scale, df, cutoffs)


def _fit_df(z: np.ndarray) -> float:
    """Degrees of freedom of the Student-t with variance 1 under which `z` is most likely."""
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    squares = z**2

    def cost(log_excess: float) -> float:
        excess = np.exp(log_excess)  # df - 2, which is positive
        df = excess + 2.0
        constant = gammaln((df + 1.0) / 2.0) - gammaln(df / 2.0) - 0.5 * np.log(excess)
        return 0.5 * (df + 1.0) * np.mean(np.log1p(squares / excess)) - constant

    bounds = np.log([0.05, 500.0])  # from arch's own lower bound to as good as normal
    return 2.0 + float(np.exp(minimize_scalar(cost, bounds=bounds, method="bounded").x))


def _normal(location: np.ndarray | float, scale: np.ndarray, cutoffs: np.ndarray) -> StudentT:
    """Normal distributions of one row per cutoff."""
    return _of_one_shape(location, scale, np.inf, cutoffs)


def _of_one_shape(
    location: np.ndarray | float, scale: np.ndarray, df: np.ndarray | float, cutoffs: np.ndarray
) -> StudentT:
    """Parameters spread to shape (n_cutoffs, horizon)."""
    shape = (len(cutoffs), np.shape(scale)[-1])
    return StudentT(*(np.array(np.broadcast_to(part, shape)) for part in (location, scale, df)))


def _checked_returns(
    close: np.ndarray, n_insample: int, cutoffs: np.ndarray, horizon: int
) -> np.ndarray:
    """Log returns, shape (n_sessions - 1,), of closes from which a baseline can be fitted."""
    _check_sessions(len(close), n_insample, cutoffs, horizon)
    returns = np.diff(np.log(close))
    if not returns[: n_insample - 1].any():
        raise DataError(
            f"The close is {close[0]:g} on all {n_insample} insample sessions: prices that never"
            " change have no volatility to forecast. Use another ticker or an earlier --start."
        )
    still = [int(c) for c in cutoffs if not returns[c - TRAILING : c].any()]
    if still:
        raise DataError(
            f"The close stood at {close[still[0]]:g} for the {TRAILING} sessions up to session"
            f" {still[0]} (and {len(still) - 1} more): a price that stands still has no volatility"
            " to forecast. Use another ticker or period."
        )
    return returns


def _check_sessions(n_sessions: int, n_insample: int, cutoffs: np.ndarray, horizon: int) -> None:
    """Refuse an insample too short to fit, and cutoffs outside the sessions."""
    needed = MIN_INSAMPLE + horizon
    if not needed <= n_insample <= n_sessions:
        raise DataError(
            f"{n_insample} insample sessions of {n_sessions}: the baselines need at least {needed}"
            f" ({MIN_INSAMPLE} and the horizon of {horizon}). Use an earlier --start or a smaller"
            " --horizon."
        )
    if len(cutoffs) and not TRAILING <= np.min(cutoffs) <= np.max(cutoffs) < n_sessions:
        raise DataError(
            f"Cutoffs {np.min(cutoffs)} to {np.max(cutoffs)}: a baseline forecasts from session"
            f" {TRAILING} (it looks {TRAILING} back) to session {n_sessions - 1} (the last)."
        )
