import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.windows import splits
from forecast.windows.features import WARM_UP
from forecast.windows.splits import (
    MIN_INSAMPLE,
    MIN_OUTSAMPLE_WINDOWS,
    MIN_TRAIN_WINDOWS,
    cutoffs_of,
    first_cutoff,
    smallest_n_sessions,
    split_at,
    split_sessions,
)


def draw(split, n_sessions, lookback, horizon) -> list[str]:
    """The cut as a picture: which sessions each part's forecasts lie in."""
    row = ["."] * n_sessions
    for letter, cutoffs in (("t", split.train), ("v", split.validation), ("s", split.test)):
        for cutoff in cutoffs:
            row[cutoff + 1 : cutoff + 1 + horizon] = letter * horizon
    return "".join(row)


def test_the_picture_of_a_split():
    split = split_at(n_sessions=40, first_test=35, n_validation=5, lookback=3, horizon=2)
    assert draw(split, 40, 3, 2) == "." * 23 + "ttt" + ".." + "vvvvv" + ".." + "sssss"
    assert split.n_insample == 26
    assert split.train.tolist() == [22, 23]
    assert split.validation.tolist() == [27, 28, 29, 30]
    assert split.test.tolist() == [34, 35, 36, 37]


def test_cutoffs_of_forecast_only_the_sessions_asked_for():
    assert cutoffs_of(first=3, end=7, horizon=2).tolist() == [2, 3, 4]
    assert cutoffs_of(first=3, end=4, horizon=2).tolist() == []


def test_default_fractions_of_a_thousand_sessions():
    split = split_sessions(1000, lookback=60, horizon=5, validation_fraction=0.15, test_fraction=0.15)
    assert split.test[0] + 1 == 850 and split.test[-1] + 5 == 999
    assert split.validation[0] + 1 == 695 and split.validation[-1] + 5 == 844
    assert split.n_insample == 690 and split.train[-1] + 5 == 689


cuts = st.tuples(
    st.integers(150, 3000), st.integers(2, 60), st.integers(1, 20), st.floats(0.01, 0.4), st.floats(0.01, 0.4)
)


@given(cuts)
def test_parts_never_share_a_session_and_lie_a_horizon_apart(cut):
    n_sessions, lookback, horizon, *fractions = cut
    split = split_sessions(n_sessions, lookback, horizon, *fractions)
    assert split.test[0] + 1 - (split.validation[-1] + horizon) == horizon + 1
    assert split.test[-1] + horizon == n_sessions - 1
    if len(split.train):
        assert split.train[-1] + horizon == split.n_insample - 1
        assert split.validation[0] + 1 - (split.train[-1] + horizon) == horizon + 1
        assert split.train[0] - lookback + 1 >= WARM_UP


@given(cuts)
def test_outsample_parts_are_never_too_small_to_judge_by(cut):
    split = split_sessions(*cut)
    assert len(split.validation) >= MIN_OUTSAMPLE_WINDOWS and len(split.test) >= MIN_OUTSAMPLE_WINDOWS


@given(cuts)
def test_the_smallest_number_of_sessions_is_just_enough(cut):
    _, lookback, horizon, *fractions = cut
    smallest = smallest_n_sessions(lookback, horizon, *fractions)
    enough, short = (split_sessions(n, lookback, horizon, *fractions) for n in (smallest, smallest - 1))
    assert len(enough.train) >= MIN_TRAIN_WINDOWS and enough.n_insample >= MIN_INSAMPLE + horizon
    assert len(short.train) < MIN_TRAIN_WINDOWS or short.n_insample < MIN_INSAMPLE + horizon


def test_the_first_cutoff_leaves_the_warm_up_out_of_its_window():
    assert first_cutoff(lookback=3) - 3 + 1 == WARM_UP


@pytest.mark.parametrize("function", [split_sessions, cutoffs_of])
def test_functions_that_cut_show_a_picture_or_an_example(function):
    assert "With `" in inspect.getdoc(function)


def test_validation_is_large_enough_to_calibrate_on():
    from forecast.networks.calibration import MIN_SESSIONS

    assert splits.MIN_OUTSAMPLE_WINDOWS >= MIN_SESSIONS


def test_cutoffs_ascend():
    split = split_sessions(500, 10, 3, 0.15, 0.15)
    for part in (split.train, split.validation, split.test):
        np.testing.assert_array_equal(np.diff(part), 1)
