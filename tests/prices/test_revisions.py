"""What changed between two downloads is named: split, dividend, revision, lost dates, or rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.prices.demo import simulate_demo
from forecast.prices.files.reader import read_price_file
from forecast.prices.revisions import compare_quotes, ratio_in_words
from forecast.prices.table import Quotes


def make_quotes(n: int = 200) -> Quotes:
    prices = simulate_demo(n).prices
    return Quotes.of(prices.sessions, **{k: getattr(prices, k) for k in ("open", "high", "low", "close", "volume")})


def adjusted(quotes: Quotes, factor: np.ndarray | float) -> Quotes:
    """All four prices times a factor."""
    return replace(quotes, **{k: getattr(quotes, k) * factor for k in ("open", "high", "low", "close")})


def test_equal_downloads_are_identical():
    found = compare_quotes(make_quotes(), make_quotes())
    assert (found.adjustments, found.revisions, found.lost, found.noise) == ((), (), (), 0.0)
    assert found.sentences() == ["0 sessions added; all common closes are identical."]


def test_a_split_after_the_last_common_session_is_named_with_its_factor():
    new = make_quotes()
    old = adjusted(new, 5.0).rows(np.arange(190))
    found = compare_quotes(old, new)
    [split] = found.adjustments
    assert (split.kind, split.factor) == ("split", pytest.approx(0.2, rel=1e-9))
    assert (split.after, split.by) == (str(old.sessions[-1]), str(new.sessions[-1]))
    assert str(split).startswith("5:1 split after")


def test_a_split_that_the_new_download_names_has_its_date():
    splits = np.zeros(200)
    splits[195] = 5.0
    new = replace(make_quotes(), splits=splits)
    [split] = compare_quotes(adjusted(make_quotes(), 5.0).rows(np.arange(190)), new).adjustments
    assert split.known == (str(new.sessions[195]),)


def test_a_dividend_inside_the_common_sessions_has_its_date():
    old = make_quotes()
    new = adjusted(old, np.where(np.arange(200) < 120, 0.991, 1.0))
    [dividend] = compare_quotes(old, new).adjustments
    assert (dividend.kind, dividend.factor) == ("dividend", pytest.approx(0.991, rel=1e-9))
    assert (dividend.after, dividend.by) == tuple(old.sessions[[119, 120]].astype(str))


def test_a_split_and_a_dividend_are_told_apart_by_raw_and_adjusted_closes():
    quotes = make_quotes()
    old = replace(quotes, adj_close=quotes.close * np.where(np.arange(200) < 50, 0.97, 1.0))
    new = replace(adjusted(quotes, 0.5), adj_close=old.adj_close * 0.5 * np.where(np.arange(200) < 180, 0.99, 1.0))
    found = compare_quotes(old, new).adjustments
    assert [(a.kind, round(a.factor, 9)) for a in found] == [("dividend", 0.99), ("split", 0.5)]


def test_a_revised_close_is_named_and_is_no_adjustment():
    old = make_quotes()
    close = old.close.copy()
    close[[7, 199]] *= [1.01, 0.98]
    found = compare_quotes(old, replace(old, close=close))
    assert found.adjustments == ()
    assert [revision.session for revision in found.revisions] == old.sessions[[7, 199]].astype(str).tolist()
    assert found.revisions[0].new / found.revisions[0].old == pytest.approx(1.01, rel=1e-9)


def test_a_changed_high_is_named_without_its_close():
    old = make_quotes()
    high = old.high.copy()
    high[7] *= 1.001
    found = compare_quotes(old, replace(old, high=high))
    assert found.reshaped == (str(old.sessions[7]),) and found.revisions == ()


def test_lost_and_added_sessions_are_counted():
    quotes = make_quotes()
    found = compare_quotes(quotes.rows(np.arange(150)), quotes.rows(np.r_[10:200]))
    assert (len(found.lost), found.n_added, found.n_common) == (10, 50, 140)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_rounding_is_never_taken_for_a_change(seed, decimals):
    quotes = make_quotes(60)
    noise = 1 + np.random.default_rng(seed).uniform(-1e-7, 1e-7, 60)
    rounded = replace(quotes, **{k: np.round(getattr(quotes, k), decimals) for k in ("open", "high", "low", "close")})
    found = compare_quotes(rounded, adjusted(quotes, noise))
    assert (found.adjustments, found.revisions, found.reshaped) == ((), (), ())


def test_ratios_are_written_as_people_say_them():
    factors = {0.2: "5:1", 1 / 3: "3:1", 2 / 3: "3:2", 10.0: "1:10", 0.05: "20:1", 0.8: "5:4"}
    assert {factor: ratio_in_words(factor) for factor in factors} == factors


def test_no_common_session_is_no_crash():
    quotes = make_quotes()
    found = compare_quotes(quotes.rows(np.arange(50)), quotes.rows(np.arange(50, 200)))
    assert found.n_common == 0 and len(found.lost) == 50


def read_real(folder, name: str) -> Quotes:
    quotes = read_price_file(folder / name, name[6:10], "America/New_York").quotes
    return quotes.rows(np.argsort(quotes.sessions))


def test_real_downloads_of_tesla_differ_by_two_splits_and_nothing_else(real_prices_folder):
    names = ("snapshots/TSLA.x15.2020-08-25.csv", "snapshots/TSLA.x3.2020-12-11.csv", "daily/TSLA.csv")
    first, second, third = (read_real(real_prices_folder, name) for name in names)
    for old, new, ratio in ((first, second, "5:1"), (second, third, "3:1")):
        found = compare_quotes(old, new)
        assert [ratio_in_words(a.factor) for a in found.adjustments] == [ratio]
        assert found.revisions == () and found.noise < 1e-6


def test_real_downloads_of_duke_differ_by_one_dividend(real_prices_folder):
    old, new = (read_real(real_prices_folder, name) for name in ("snapshots/DUK.2026-08-12.csv", "daily/DUK.csv"))
    found = compare_quotes(old, new)
    [dividend] = found.adjustments
    assert dividend.kind == "dividend" and dividend.factor == pytest.approx(0.991285, abs=2e-6)
    assert (found.n_common, found.revisions) == (5688, ())


def test_an_unfinished_last_bar_is_a_bar_with_another_high(real_prices_folder):
    old = read_real(real_prices_folder, "snapshots/TSLA.partial-last-row.2025-07-24.csv")
    assert compare_quotes(old, read_real(real_prices_folder, "daily/TSLA.csv")).reshaped == ("2025-07-24",)
