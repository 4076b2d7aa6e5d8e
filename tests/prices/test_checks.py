"""Bad prices are left out, named or refused; real crashes pass."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.errors import DataError
from forecast.prices.checks import check_quotes, few_of, listed
from forecast.prices.jumps import split_ratio
from forecast.prices.demo import simulate_demo
from forecast.prices.files.reader import read_price_file
from forecast.prices.table import Quotes

TODAY = np.datetime64("2026-11-20")


def make_quotes(n: int = 300, **columns) -> Quotes:
    """Simulated weekdays; columns replace theirs."""
    prices = simulate_demo(n).prices
    made = {name: getattr(prices, name) for name in ("open", "high", "low", "close", "volume")}
    return Quotes.of(prices.sessions, **(made | columns))


def check(quotes: Quotes, exchange: str = "weekdays", **options):
    return check_quotes(quotes, where="ABC", exchange=exchange, today=TODAY, **options)


def changed(quotes: Quotes, **at) -> Quotes:
    """A copy in which `column=(row, value)` is set."""
    columns = {name: getattr(quotes, name).copy() for name in Quotes.__dataclass_fields__}
    for name, (row, value) in at.items():
        columns[name][row] = value
    return Quotes(**columns)


def scaled(quotes: Quotes, rows, factor: float, volume_factor: float = 1.0) -> Quotes:
    """A copy with all prices of some rows multiplied, as a split that nobody took out leaves them."""
    columns = {name: getattr(quotes, name).copy() for name in Quotes.__dataclass_fields__}
    for name in ("open", "high", "low", "close"):
        columns[name][rows] *= factor
    columns["volume"][rows] *= volume_factor
    return Quotes(**columns)


def test_good_prices_pass_unchanged():
    quotes = make_quotes()
    checked = check(quotes)
    np.testing.assert_array_equal(checked.quotes.close, quotes.close)
    assert checked.notices == () and len(checked.missing) == 0


def test_rows_in_any_order_come_out_oldest_first():
    quotes = make_quotes()
    shuffled = quotes.rows(np.random.default_rng(1).permutation(300))
    np.testing.assert_array_equal(check(shuffled).quotes.close, quotes.close)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"close": (7, -1.0)}, "not positive and finite"),
        ({"close": (7, np.inf)}, "not positive and finite"),
        ({"open": (7, np.nan)}, "a price that is missing"),
        ({"high": (7, 0.001)}, "High below Low"),
        ({"volume": (7, -5.0)}, "a volume below zero"),
        ({"low": (7, 0.001)}, "High or Low 3 times beyond"),
    ],
)
def test_a_bad_row_is_left_out_and_named_with_its_line(bad, reason):
    quotes = changed(make_quotes(), **bad)
    checked = check(quotes, lines=np.arange(2, 302))
    assert len(checked.quotes) == 299
    assert reason in checked.notices[0] and f"{quotes.sessions[7]} (line 9)" in checked.notices[0]


def test_a_close_above_the_high_counts_only_beyond_the_tolerance():
    quotes = make_quotes()
    within = changed(quotes, high=(7, max(quotes.open[7], quotes.close[7]) / 1.004))
    beyond = changed(quotes, high=(7, max(quotes.open[7], quotes.close[7]) / 1.006))
    assert len(check(within).quotes) == 300
    assert len(check(beyond).quotes) == 299


def test_many_bad_rows_are_an_error_that_counts_them():
    quotes = make_quotes()
    quotes.high[100:110] = 0.001
    with pytest.raises(DataError, match="10 bad rows among 300.*High below Low.*Up to 6 would be left out"):
        check(quotes)


def test_a_bad_beginning_is_cut_off():
    quotes = make_quotes()
    quotes.open[:40] = 0.0
    checked = check(quotes)
    assert len(checked.quotes) == 260 and "40 rows before" in checked.notices[0]


def test_empty_rows_around_the_prices_are_left_out_however_many():
    quotes = make_quotes()
    for name in ("open", "high", "low", "close"):
        getattr(quotes, name)[:100] = np.nan
    assert len(check(quotes).quotes) == 200


def test_a_date_that_comes_again_is_kept_once():
    quotes = make_quotes()
    twice = quotes.rows(np.r_[0:50, 49, 50:300])
    assert len(check(twice).quotes) == 300
    disputed = changed(twice, close=(50, quotes.close[49] * 1.01), high=(50, quotes.high[49] * 1.02))
    checked = check(disputed)
    assert len(checked.quotes) == 299 and "different closes" in checked.notices[0]


@pytest.mark.parametrize(("step", "kind"), [(5, "weekly"), (21, "monthly")])
def test_bars_of_another_length_are_refused(step, kind):
    with pytest.raises(DataError, match=f"these are {kind} bars"):
        check(make_quotes(400).rows(np.arange(0, 400, step)))


def test_intraday_bars_are_refused():
    with pytest.raises(DataError, match="intraday bars"):
        check(make_quotes(20).rows(np.repeat(np.arange(20), 7)))


def test_sessions_to_come_are_refused():
    with pytest.raises(DataError, match="rows after today"):
        check_quotes(make_quotes(), where="ABC", exchange="weekdays", today=np.datetime64("2025-12-01"))


@pytest.mark.parametrize("factor", [100.0, 0.01, 1000.0])
def test_a_change_of_unit_is_refused(factor):
    with pytest.raises(DataError, match="a change of unit"):
        check(scaled(make_quotes(), slice(150, None), factor))


def test_one_bar_in_another_unit_is_left_out():
    checked = check(scaled(make_quotes(), slice(150, 151), 100.0))
    assert len(checked.quotes) == 299 and "three times off and back at once" in checked.notices[0]


@pytest.mark.parametrize(("shares", "name"), [(2, "2:1"), (5, "5:1"), (10, "10:1"), (1.5, "3:2"), (0.1, "1:10")])
def test_a_split_that_nobody_took_out_is_refused(shares, name):
    quotes = scaled(make_quotes(), slice(150, None), 1.0 / shares, shares)
    with pytest.raises(DataError, match=f"a {name} split which was not taken out"):
        check(quotes)


def test_a_crash_of_the_same_size_passes():
    """The same prices, but the session trades ten times as much and the volume then returns."""
    quotes = scaled(make_quotes(), slice(150, None), 0.5)
    quotes.volume[150] *= 10
    assert len(check(quotes).quotes) == 300


def test_without_volume_only_large_splits_are_refused():
    without = make_quotes(volume=np.full(300, np.nan))
    assert len(check(scaled(without, slice(150, None), 0.5)).quotes) == 300
    with pytest.raises(DataError, match="4:1 split"):
        check(scaled(without, slice(150, None), 0.25))


def test_a_dividend_missing_from_the_adjusted_close_is_refused():
    quotes = make_quotes()
    dividends = np.zeros(300)
    dividends[150] = 0.02 * quotes.close[149]
    right = quotes.close * np.where(np.arange(300) < 150, 0.98, 1.0)
    assert len(check(make_quotes(adj_close=right, dividends=dividends)).quotes) == 300
    with pytest.raises(DataError, match="is not in the adjusted close"):
        check(make_quotes(adj_close=quotes.close, dividends=dividends))


def test_few_missing_sessions_are_listed_and_many_refused():
    sessions = np.arange("2024-01-02", "2025-01-01", dtype="datetime64[D]")
    sessions = sessions[np.is_busday(sessions)]
    holidays = 9  # of XNYS on weekdays in 2024
    quotes = Quotes.of(sessions, close=np.linspace(50, 60, len(sessions)))
    from forecast.prices.calendar import sessions_between

    real = quotes.rows(np.isin(sessions, sessions_between("XNYS", sessions[0], sessions[-1])))
    assert len(real) == len(sessions) - holidays
    checked = check(real.rows(np.r_[0:20, 22 : len(real)]), exchange="XNYS")
    assert checked.missing.astype(str).tolist() == real.sessions[20:22].astype(str).tolist()
    with pytest.raises(DataError, match="lacks 20 of the 252 sessions of XNYS"):
        check(real.rows(np.r_[0:20, 40 : len(real)]), exchange="XNYS")


def test_real_crashes_are_no_splits(real_prices_folder):
    for name, crash, move in (
        ("daily/NVDA.csv", "2004-08-06", "-35%"),
        ("daily/BTC-USD.csv", "2020-03-12", "-37%"),
        ("snapshots/AAPL.2020-12-11.csv", "2000-09-29", "-52%"),
    ):
        file = read_price_file(real_prices_folder / name, name[6:-4], "America/New_York")
        exchange = "24/7" if "BTC" in name else "XNYS"
        checked = check(file.quotes, exchange=exchange, lines=file.lines)
        assert f"{crash} {move}" in " ".join(checked.anomalies)


def test_teslas_split_as_it_was_traded_is_named_although_it_rose_by_an_eighth(real_prices_folder):
    path = real_prices_folder / "snapshots" / "TSLA.as-traded.2021-12-29.csv"
    quotes = read_price_file(path, "TSLA", "America/New_York").quotes
    unadjusted = Quotes.of(quotes.sessions, **{k: getattr(quotes, k) for k in ("open", "high", "low", "close", "volume")})
    with pytest.raises(DataError, match="on 2020-08-31, a factor of 0.2251. That is a 5:1 split"):
        check(unadjusted, exchange="XNYS")


def test_nearly_all_real_splits_put_back_are_found(real_prices_folder):
    """Large companies split at random dates, on quiet days and on wild ones: 97 of 100 are found."""
    rng = np.random.default_rng(3)
    found = []
    for path in sorted((real_prices_folder / "universe").glob("*.csv"))[::8]:
        quotes = read_price_file(path, path.stem, "America/New_York").quotes
        for shares in (2, 3, 5, 0.1):
            for t in rng.integers(100, len(quotes) - 100, 20):
                around = scaled(quotes, slice(t, None), 1 / shares, shares).rows(np.arange(t - 30, t + 30))
                factor = around.close[30] / around.close[29]
                found.append(split_ratio(around, 30, factor) is not None)
    assert np.mean(found) > 0.97


def test_few_is_three_or_one_in_fifty():
    assert [few_of(n) for n in (1, 150, 200, 5000)] == [3, 3, 4, 100]


def test_long_lists_are_cut_short():
    assert listed(["a", "b"]) == "a, b"
    assert listed("abcdefg") == "a, b, c, d and 3 more"
