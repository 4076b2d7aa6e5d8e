import numpy as np
import pandas as pd

from forecast.windows.windows import Samples, make_targets, make_windows, return_unit

VALUES = np.arange(20.0).reshape(10, 2)     # session t holds 2t and 2t + 1


def test_a_window_ends_with_its_cutoff():
    windows = make_windows(VALUES, [2, 3], lookback=3)
    assert windows.shape == (2, 3, 2)
    assert windows[0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert windows[1].tolist() == [[2, 3], [4, 5], [6, 7]]


def test_windows_equal_slices_in_any_order_of_cutoffs():
    cutoffs = np.array([9, 4, 4, 6])
    expected = np.stack([VALUES[cutoff - 3 : cutoff + 1] for cutoff in cutoffs])
    np.testing.assert_array_equal(make_windows(VALUES, cutoffs, lookback=4), expected)


def test_a_target_is_the_log_return_from_the_session_to_each_step_ahead():
    targets = make_targets(np.array([100.0, 110.0, 99.0]), horizon=2)
    np.testing.assert_allclose(targets, [[np.log(1.1), np.log(0.99)], [np.log(0.9), np.nan], [np.nan, np.nan]])


def test_targets_equal_shifted_columns_of_pandas():
    close = pd.Series(np.exp(np.random.default_rng(1).normal(size=50).cumsum()))
    expected = pd.concat([np.log(close.shift(-k) / close) for k in (1, 2, 3)], axis=1)
    np.testing.assert_allclose(make_targets(close.to_numpy(), 3), expected, atol=1e-12)


def test_targets_do_not_depend_on_the_currency():
    close = np.exp(np.random.default_rng(1).normal(size=50).cumsum())
    np.testing.assert_allclose(make_targets(10 * close, 3), make_targets(close, 3), atol=1e-12)


def test_the_unit_of_a_return_grows_with_the_root_of_time():
    np.testing.assert_allclose(return_unit(np.array([0.01, 0.02]), 4), [[0.01, 0.01 * 2**0.5, 0.01 * 3**0.5, 0.02], [0.02, 0.02 * 2**0.5, 0.02 * 3**0.5, 0.04]])


def test_samples_put_each_window_beside_the_target_of_its_cutoff():
    samples = Samples(VALUES, targets=np.arange(10.0)[:, None], cutoffs=np.array([5, 7]), lookback=2)
    x, y = samples.arrays()
    assert x[:, -1, 0].tolist() == [10.0, 14.0] and y[:, 0].tolist() == [5.0, 7.0]
