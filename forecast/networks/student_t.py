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
    tail = np.exp(_log_tail(np.arcsinh(np.abs(z) / np.sqrt(df)), df)[0])
    return np.where(z > 0.0, 1.0 - tail, tail)


def quantile(level: float, df: np.ndarray) -> np.ndarray:
    """What is not exceeded with a probability between 0 and 1, same shape as `df`.

    Raises:
        ValueError: a df below 2.
    """
    if (df < LOWEST_DF).any():
        raise ValueError(f"df {np.nanmin(df)} is below {LOWEST_DF}")
    first, *others = _series(min(level, 1.0 - level))
    x = 2.0 * LOWEST_DF / df - 1.0                                     # from -1, where it is a normal's, to 1
    later = latest = 0.0
    for coefficient in reversed(others):                               # the sum of c_k T_k(x), by Clenshaw (1955)
        later, latest = coefficient + 2.0 * x * later - latest, later
    return np.sign(level - 0.5) * (first + x * later - latest)


@lru_cache(maxsize=64)
def _series(tail: float) -> np.ndarray:
    """Chebyshev coefficients of the point above which lies `tail`, at most 1/2, over 1/df; shape (_DEGREE,)."""
    angles = np.pi * (np.arange(_DEGREE) + 0.5) / _DEGREE
    df = 2.0 * LOWEST_DF / (1.0 + np.cos(angles))
    u, step = np.zeros(_DEGREE), np.ones(_DEGREE)
    while np.abs(step).max() > 1e-9:                                  # Newton on a concave logarithm: it cannot miss
        log_tail, step = _log_tail(u, df)
        step *= log_tail - np.log(tail)
        u += step
    coefficients = 2.0 / _DEGREE * np.cos(np.outer(np.arange(_DEGREE), angles)) @ (np.sqrt(df) * np.sinh(u))
    coefficients[0] /= 2.0
    return coefficients


def _log_tail(u: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the tail, and M(u), which is the inverse of its slope; u is at least 0."""
    mills, at_zero = _mills(u, df), _mills(np.zeros_like(u), df)
    return np.log(0.5 * mills / at_zero) - df * _log_cosh(u), mills


def _mills(u: np.ndarray, df: np.ndarray) -> np.ndarray:
    """M(u): the tail over the density, both in u."""
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
