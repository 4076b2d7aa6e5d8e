"""The folds of a walk-forward: where the sessions are cut again and again, each test right after the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.errors import DataError, UsageError
from forecast.windows.splits import MIN_OUTSAMPLE_WINDOWS, Split, least_train_windows, split_at


@dataclass(frozen=True)
class Fold:
    """One refit, and the forecasts that test it.

    Args:
        number: from 1, oldest first.
        first, end: indices of sessions; the fold is given [first, end) of them, and no other.
        split: where these are cut, as indices that count from `first`.
    """

    number: int
    first: int
    end: int
    split: Split


def make_folds(
    n_sessions: int,
    n_folds: int,
    step_size: int,
    n_validation: int,
    lookback: int,
    horizon: int,
    sliding: bool = False,
) -> list[Fold]:
    """Cut sessions into folds whose test cutoffs are consecutive and reach to the end, oldest fold first.

    Expanding, with `n_sessions=288, n_folds=3, step_size=24, n_validation=64, lookback=4, horizon=8`, a letter for
    every fourth session:

        fold 1  ttttttttttttttttttttttttttttttttt..vvvvvvvvvvvvvvvv..TTTTTT+
        fold 2  ttttttttttttttttttttttttttttttttttttttt..vvvvvvvvvvvvvvvv..TTTTTT+
        fold 3  ttttttttttttttttttttttttttttttttttttttttttttt..vvvvvvvvvvvvvvvv..TTTTTT+

    Sliding, the same:

        fold 1  ttttttttttttttttttttttttttttttttt..vvvvvvvvvvvvvvvv..TTTTTT+
        fold 2        ttttttttttttttttttttttttttttttttt..vvvvvvvvvvvvvvvv..TTTTTT+
        fold 3              ttttttttttttttttttttttttttttttttt..vvvvvvvvvvvvvvvv..TTTTTT+

        t train   v validation   . gap of `horizon`, so that no forecast reaches into the next part
        T test: one forecast starts right before each, and they follow on those of the fold before
        + what only the later steps of the last of these forecasts reach

    Args:
        n_sessions: sessions with prices.
        n_folds: refits.
        step_size: forecasts, and so sessions, between one refit and the next.
        n_validation: validation sessions of every fold.
        lookback: sessions that a window sees.
        horizon: sessions that it forecasts.
        sliding: forget the oldest `step_size` sessions at every refit, instead of keeping all.

    Raises:
        UsageError: no fold, or one without a forecast.
        DataError: the first fold has too few windows to train on, or to validate.
    """
    if n_folds < 1 or step_size < 1:
        raise UsageError(f"{n_folds} folds of {step_size} sessions: both must be at least 1.")
    folds = []
    for number in range(1, n_folds + 1):
        first = (number - 1) * step_size if sliding else 0
        end = n_sessions - (n_folds - number) * step_size
        first_test = end - step_size - horizon + 1
        split = split_at(end - first, first_test - first, n_validation, lookback, horizon)
        folds.append(Fold(number, first, end, split))
    n_train, n_validated, least = len(folds[0].split.train), len(folds[0].split.validation), least_train_windows(lookback)
    if n_train < least or n_validated < MIN_OUTSAMPLE_WINDOWS:
        raise DataError(
            f"{n_sessions} sessions in {n_folds} folds of {step_size}, {n_validation} validation sessions before each,"
            f" lookback {lookback} and horizon {horizon} leave the first fold {n_train} windows to train on and"
            f" {n_validated} to validate; it needs {least} and {MIN_OUTSAMPLE_WINDOWS}."
            " Use an earlier start, a smaller --step-size, --lookback or --horizon."
        )
    return folds


def format_folds(folds: Sequence[Fold], horizon: int, width: int | None = None) -> str:
    """The picture of folds that `make_folds` has in its docstring, a line each.

    Args:
        folds: oldest first.
        horizon: sessions ahead.
        width: characters for all sessions; as many as there are sessions when None.
    """
    n_sessions = folds[-1].end
    columns = np.arange(width or n_sessions) * n_sessions // (width or n_sessions)      # the session of each character
    return "\n".join(
        f"fold {fold.number:<2} {''.join(_letters(fold, horizon, n_sessions)[columns])}".rstrip() for fold in folds
    )


def _letters(fold: Fold, horizon: int, n_sessions: int) -> np.ndarray:
    """What each session is to a fold, one letter each, shape (n_sessions,)."""
    split, letters = fold.split, np.full(n_sessions, " ")
    own = letters[fold.first : fold.end]
    own[:] = "."
    own[: split.n_insample] = "t"
    own[split.validation[0] + 1 : split.validation[-1] + horizon + 1] = "v"
    own[split.test[0] + 1 :] = "+"
    own[split.test + 1] = "T"
    return letters
