"""The Student-t distribution in NumPy: scipy.special would take longer to import than a whole forecast takes.

With t = sqrt(df) sinh(u), the probability above t is

    tail(u) = 1/2 cosh(u)^-df M(u) / M(0)        M(u) = integral from u on of (cosh(u) / cosh(v))^df dv

an integral of a smooth positive function over a finite way, which a Gauss rule takes to the last bits, and
no gamma function is left. A quantile is smooth in 1/df: from 0, where it is the normal's, to 1/2 one
polynomial gives it for every df.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

LOWEST_DF = 2.0                  # below it there is no variance, and no forecast here
_HIGHEST_DF = 1e20               # a normal distribution to the last bit
_SMALLEST = 45.0                 # the integral ends where its integrand is exp(-45) of what it began with
_N_NODES = 48                    # of the Gauss rule: 1e-14 of the tail, for every df
_DEGREE = 32                     # of the polynomial: 1e-13 of the quantile, down to a level of 1e-6


def cdf(z: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Probability at or below `z`, of one shape with `df`: 2 and above, infinity for a normal distribution."""
    df = np.minimum(df, _HIGHEST_DF)
    u = np.arcsinh(np.abs(z) / np.sqrt(df))
    tail = 0.5 * _mills(u, df) / _mills(np.zeros_like(u), df) * np.exp(-df * _log_cosh(u))
    return np.where(z > 0.0, 1.0 - tail, tail)


def quantile(levels: np.ndarray, df: np.ndarray) -> np.ndarray:
    """What is not exceeded with each probability, shape of `df` and one more axis (..., n_levels).

    Args:
        levels: between 0 and 1, shape (n_levels,).
        df: as for `cdf`.

    Raises:
        ValueError: a df below 2.
    """
    if (df < LOWEST_DF).any():
        raise ValueError(f"df {np.nanmin(df)} is below {LOWEST_DF}")
    series = [_series(min(level, 1.0 - level)) for level in levels.tolist()]
    first, *others = np.stack(series, axis=-1)                         # coefficients, shape (n_levels,) each
    x = 2.0 * LOWEST_DF / df[..., None] - 1.0                          # from -1, where it is a normal's, to 1
    later = latest = 0.0
    for coefficient in reversed(others):                               # the sum of c_k T_k(x), by Clenshaw (1955)
        later, latest = coefficient + 2.0 * x * later - latest, later
    return np.sign(levels - 0.5) * (first + x * later - latest)


@lru_cache(maxsize=64)
def _series(tail: float) -> np.ndarray:
    """Chebyshev coefficients of the point above which lies `tail`, at most 1/2, over 1/df; shape (_DEGREE,)."""
    angles = np.pi * (np.arange(_DEGREE) + 0.5) / _DEGREE
    df = 2.0 * LOWEST_DF / (1.0 + np.cos(angles))
    u, step = np.zeros(_DEGREE), np.ones(_DEGREE)
    mills = at_zero = _mills(u, df)
    while np.abs(step).max() > 1e-9:                                  # Newton on a concave logarithm: it cannot miss
        step = mills * (np.log(0.5 * mills / at_zero / tail) - df * _log_cosh(u))
        u = u + step
        mills = _mills(u, df)
    coefficients = 2.0 / _DEGREE * np.cos(np.outer(np.arange(_DEGREE), angles)) @ (np.sqrt(df) * np.sinh(u))
    coefficients[0] /= 2.0
    return coefficients


def _mills(u: np.ndarray, df: np.ndarray) -> np.ndarray:
    """M(u) for u of 0 and above: the tail over the density, so that -1 / M(u) is the slope of the tail's logarithm."""
    nodes, weights = _gauss_rule()
    start = _log_cosh(u)
    end = np.arcsinh(np.sqrt(np.expm1(2.0 * (start + _SMALLEST / df))))
    v = u[..., None] + (end - u)[..., None] * nodes
    integrand = np.exp(df[..., None] * (start[..., None] - _log_cosh(v)))
    return (end - u) * (integrand * weights).sum(axis=-1)


def _log_cosh(u: np.ndarray) -> np.ndarray:
    """log cosh(u), as accurate near 0 as elsewhere."""
    return 0.5 * np.log1p(np.sinh(u) ** 2)


@lru_cache(maxsize=1)
def _gauss_rule() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on 0..1, each of shape (_N_NODES,).

    Source: Golub and Welsch (1969), "Calculation of Gauss quadrature rules", for Legendre's polynomials.
    """
    k = np.arange(1, _N_NODES)
    beside = np.diag(k / np.sqrt(4.0 * k**2 - 1.0), 1)
    nodes, vectors = np.linalg.eigh(beside + beside.T)
    return (1.0 + nodes) / 2.0, vectors[0] ** 2
