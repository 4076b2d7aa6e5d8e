"""Sessions cut in order into train, validation and test, and the cutoffs that belong to each part."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np

from forecast.windows.features import WARM_UP

MIN_TRAIN_WINDOWS = 30
MIN_INSAMPLE = 120           # sessions and a horizon: fewer tell the baselines nothing of volatility's own changes
MIN_OUTSAMPLE_WINDOWS = 20   # below it, or twice the horizon, no difference between models can be tested (`evaluation.significance`)


@dataclass(frozen=True)
class Split:
    """Where the sessions are cut; a cutoff is the last session that its forecast may see, inclusive.

    Args:
        n_insample: sessions [0, n_insample) are insample: the train part.
        train, validation, test: cutoffs of each part, int indices of sessions, ascending.
    """

    n_insample: int
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_sessions(
    n_sessions: int, lookback: int, horizon: int, validation_fraction: float, test_fraction: float
) -> Split:
    """Cut sessions into train, validation and test with a gap of `horizon` between the parts.

    A cutoff belongs to the part that holds all the sessions it forecasts. With `horizon=2`:

        session     0 1 2 3 4 5 6 7 8 9 ...              n-1
        part        |--- train ---|gap|- validation -|gap|- test -|
        cutoff        w w c . .                                       c forecasts the two sessions after it,
                                  c . .                               and sees the `lookback` up to itself (w),
                                                     c . .            whichever part they lie in

    Args:
        n_sessions: sessions with prices.
        lookback: sessions that a window sees.
        horizon: sessions that it forecasts.
        validation_fraction: share of all sessions.
        test_fraction: share of all sessions.

    Returns:
        The cut; with too few sessions its train part comes out short or empty (`smallest_n_sessions`).
    """
    smallest = horizon - 1 + max(MIN_OUTSAMPLE_WINDOWS, 2 * horizon)
    n_validation = max(round(n_sessions * validation_fraction), smallest)
    n_test = max(round(n_sessions * test_fraction), smallest)
    return split_at(n_sessions, n_sessions - n_test, n_validation, lookback, horizon)


def split_at(n_sessions: int, first_test: int, n_validation: int, lookback: int, horizon: int) -> Split:
    """The same cut with the first test session given as an index."""
    end_validation = first_test - horizon
    first_validation = end_validation - n_validation
    n_insample = first_validation - horizon
    first_train = first_cutoff(lookback) + 1
    return Split(
        n_insample,
        train=cutoffs_of(first_train, n_insample, horizon),
        validation=cutoffs_of(first_validation, end_validation, horizon),
        test=cutoffs_of(first_test, n_sessions, horizon),
    )


def split_by_dates(
    sessions: np.ndarray, validation_start: np.datetime64, test_start: np.datetime64, lookback: int, horizon: int
) -> Split:
    """The same cut at the dates of another ticker: what is test to one is never training to the other.

    Args:
        sessions: of the ticker to cut, datetime64[D], ascending.
        validation_start: first date of validation.
        test_start: first date of the test.
        lookback: sessions that a window sees.
        horizon: sessions that it forecasts.
    """
    first_validation, first_test = np.searchsorted(sessions, [validation_start, test_start])
    return split_at(len(sessions), first_test, first_test - horizon - first_validation, lookback, horizon)


def cutoffs_of(first: int, end: int, horizon: int) -> np.ndarray:
    """Cutoffs whose forecast sessions all lie in [first, end), ascending.

    With `first=3, end=7, horizon=2`: the forecasts of sessions (3, 4), (4, 5) and (5, 6), made at 2, 3 and 4.
    """
    return np.arange(first - 1, end - horizon)


def first_cutoff(lookback: int) -> int:
    """The earliest session whose window lies behind the warm-up."""
    return WARM_UP + lookback - 1


def least_train_windows(lookback: int) -> int:
    """Windows without which nothing is trained: enough for a network, and for baselines on the same sessions."""
    return max(MIN_TRAIN_WINDOWS, MIN_INSAMPLE - first_cutoff(lookback))


def smallest_n_sessions(lookback: int, horizon: int, validation_fraction: float, test_fraction: float) -> int:
    """Sessions below which `split_sessions` leaves fewer than `least_train_windows` windows to train on."""
    fractions, least = (validation_fraction, test_fraction), least_train_windows(lookback)
    sizes = count(first_cutoff(lookback) + horizon + least)
    return next(n for n in sizes if len(split_sessions(n, lookback, horizon, *fractions).train) >= least)
