import textwrap
from pathlib import Path

import numpy as np
import pytest

from forecast.errors import DataError, UsageError
from forecast.windows.folds import format_folds, make_folds

SHAPES = [  # n_sessions, n_folds, step_size, n_validation, lookback, horizon
    (288, 3, 24, 64, 4, 8),
    (400, 4, 14, 60, 10, 1),
    (4057, 4, 151, 609, 60, 5),
    (300, 1, 40, 30, 20, 3),
]
both_walks = pytest.mark.parametrize("sliding", [False, True], ids=["expanding", "sliding"])
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@both_walks
def test_the_picture_in_the_docstring_is_the_one_that_is_printed(sliding):
    picture = format_folds(make_folds(288, 3, 24, 64, 4, 8, sliding), horizon=8, width=72)
    assert textwrap.indent(picture, 8 * " ") in make_folds.__doc__


def test_every_session_has_its_letter():
    (fold,) = make_folds(163, 1, 8, 24, 2, 3)
    assert format_folds([fold], horizon=3) == "fold 1  " + 123 * "t" + "..." + 24 * "v" + "..." + 8 * "T" + 2 * "+"


@every_shape
@both_walks
def test_test_cutoffs_follow_on_each_other_up_to_the_last_that_can_be_graded(shape, sliding):
    n_sessions, n_folds, step_size, *_, horizon = shape
    folds = make_folds(*shape, sliding)
    cutoffs = np.concatenate([fold.first + fold.split.test for fold in folds])
    last = n_sessions - 1 - horizon
    np.testing.assert_array_equal(cutoffs, np.arange(last - n_folds * step_size + 1, last + 1))
    assert {len(fold.split.test) for fold in folds} == {step_size}


@every_shape
@both_walks
def test_parts_lie_apart_by_the_horizon_and_within_the_fold(shape, sliding):
    *_, n_validation, lookback, horizon = shape
    for fold in make_folds(*shape, sliding):
        train, validation, test = fold.split.train, fold.split.validation, fold.split.test
        assert train[-1] + horizon == fold.split.n_insample - 1
        assert fold.split.n_insample + horizon == validation[0] + 1
        assert validation[-1] + horizon - validation[0] == n_validation
        assert test[0] + 1 - (validation[-1] + horizon + 1) == horizon
        assert test[-1] + horizon == fold.end - fold.first - 1


@every_shape
def test_expanding_folds_keep_everything_and_sliding_ones_their_length(shape):
    step_size = shape[2]
    expanding, sliding = make_folds(*shape), make_folds(*shape, sliding=True)
    assert {fold.first for fold in expanding} == {0}
    assert {fold.split.n_insample for fold in sliding} == {expanding[0].split.n_insample}
    assert [fold.first for fold in sliding] == [i * step_size for i in range(len(sliding))]
    assert [fold.end for fold in expanding] == [fold.end for fold in sliding]


def test_too_few_sessions_are_told_with_all_numbers():
    with pytest.raises(DataError, match=r"160 sessions in 3 folds of 16, 32 .* lookback 4 and horizon 4 .* 42 windows .* 97"):
        make_folds(160, 3, 16, 32, 4, 4)


@pytest.mark.parametrize(("n_folds", "step_size"), [(0, 10), (3, 0), (-2, -30)])
def test_folds_and_steps_are_at_least_one(n_folds, step_size):
    with pytest.raises(UsageError, match=f"{n_folds} folds of {step_size} sessions"):
        make_folds(400, n_folds, step_size, 60, 10, 1)


@both_walks
def test_the_picture_in_the_documentation_is_the_one_that_is_printed(sliding):
    picture = format_folds(make_folds(288, 3, 24, 64, 4, 8, sliding), horizon=8, width=72)
    text = (Path(__file__).parents[2] / "docs" / "backtest.md").read_text(encoding="utf-8")
    assert f"\n\n{textwrap.indent(picture, 4 * ' ')}\n\n" in text
