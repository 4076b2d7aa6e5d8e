import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from forecast.networks.student_t import cdf, quantile

dfs = st.floats(2.1, 1e4)
levels = st.floats(1e-6, 1.0 - 1e-6)


def at(number):
    return np.array([number])


def at_level(level, df):
    return quantile(at(level), at(df))[:, 0]


@given(dfs, levels)
def test_quantiles_are_those_of_scipy(df, level):
    # Near the median scipy itself is only good to some 1e-16 of the level.
    np.testing.assert_allclose(at_level(level, df), stdtrit(df, level), rtol=1e-12, atol=1e-14)


@given(dfs, levels)
def test_probabilities_are_those_of_scipy_in_both_tails(df, level):
    z = stdtrit(df, level)
    np.testing.assert_allclose(cdf(at(z), at(df)), stdtr(df, z), rtol=1e-12)
    np.testing.assert_allclose(cdf(at(-abs(z)), at(df)), stdtr(df, -abs(z)), rtol=1e-12)


@given(levels)
def test_infinite_degrees_of_freedom_are_a_normal_distribution(level):
    z = at_level(level, np.inf)
    np.testing.assert_allclose(z, ndtri(level), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(cdf(z, at(np.inf)), ndtr(z), rtol=1e-12)


@given(levels)
def test_two_degrees_of_freedom_are_solved_by_hand(level):
    by_hand = (2.0 * level - 1.0) / np.sqrt(2.0 * level * (1.0 - level))
    np.testing.assert_allclose(at_level(level, 2.0), by_hand, rtol=1e-11, atol=1e-14)


@given(dfs, st.floats(0.001, 0.999))
def test_the_distribution_is_symmetric_and_the_cdf_undoes_the_quantile(df, level):
    np.testing.assert_allclose(at_level(level, df), -at_level(1.0 - level, df), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(cdf(at_level(level, df), at(df)), level, rtol=1e-11)


def test_the_median_is_zero_to_the_last_bit():
    assert not quantile(np.array([0.5]), np.array([2.1, 6.0, np.inf])).any()
    np.testing.assert_allclose(cdf(np.zeros(2), np.array([2.1, np.inf])), 0.5, rtol=1e-15)


def test_each_answer_is_its_own_whatever_stands_beside_it():
    rng = np.random.default_rng(1)
    z, df = rng.normal(size=(50, 4)), rng.uniform(2.1, 40, (50, 4))
    np.testing.assert_array_equal(cdf(z, df)[7:8, 1], cdf(z[7:8, 1], df[7:8, 1]))
    levels = np.array([0.1, 0.9])
    np.testing.assert_array_equal(quantile(levels, df)[7:8, 1, 1:], quantile(levels[1:], df[7:8, 1]))


def test_what_is_unknown_stays_unknown():
    assert np.isnan(at_level(0.9, np.nan)) and np.isnan(cdf(at(np.nan), at(np.nan)))


def test_a_df_without_a_variance_is_refused():
    with pytest.raises(ValueError, match=r"df 1\.9 is below 2"):
        quantile(at(0.9), np.array([6.0, 1.9]))
