"""The words: each sentence from the findings that call for it."""

from dataclasses import replace

import numpy as np
import pytest

from forecast.evaluation.evidence import (
    Comparison,
    Evidence,
    Findings,
    NetworkFindings,
    make_losses,
    share_outside,
    weigh,
)
from forecast.evaluation.significance import Echo
from forecast.evaluation.verdict import verdict
from forecast.networks.distribution import StudentT

SILENT = Echo(0.01, 0.02, best_lag=1, fit=0.6, predicts_no_change=False, is_echo=False)
ECHO = replace(SILENT, fit=0.97, is_echo=True)
NONE = Comparison(change=0.002, p_value=0.43, better=False, worse=False)
BETTER = Comparison(change=-0.008, p_value=0.01, better=True, worse=False)
WORSE = Comparison(change=0.031, p_value=0.0004, better=False, worse=True)
HONEST = NetworkFindings(
    price=NONE,
    rmse_ratio=1.001,
    ranges=BETTER,
    coverage={"0.8": 0.79, "0.95": 0.946},
    echo=SILENT,
    seed_spread=0.004,
)
POINTS = replace(HONEST, price=WORSE, rmse_ratio=3.4, ranges=None, coverage=None)


def say(found=HONEST, rivals=None, outside=0.0, **changes):
    networks = {"lstm": replace(found, **changes)}
    if rivals is not None:
        networks["simple_rnn"] = HONEST
    return verdict(Findings(networks, rivals, 0.025, outside))


def test_an_honest_network_gets_the_whole_paragraph():
    rivals = replace(NONE, change=-0.003)
    lstm, simple_rnn = (
        f"{name}: no evidence that it predicts the price better than yesterday's close"
        " (MAE +0.2 %, p = 0.43). Its ranges are better than GARCH's (CRPS -0.8 %, p = 0.010) and"
        " cover 94.6 % of 95 %."
        for name in ("LSTM", "SimpleRNN")
    )
    last = "LSTM against SimpleRNN: the difference lies within the spread of the seeds."
    assert say(rivals=rivals) == f"{lstm} {simple_rnn} {last}"


@pytest.mark.parametrize(
    "price, words",
    [
        (BETTER, "LSTM: predicts the price better than yesterday's close (MAE -0.8 %, p = 0.010)."),
        (WORSE, "LSTM: predicts the price worse than yesterday's close (MAE +3.1 %, p < 0.001)."),
        (NONE, "LSTM: no evidence that it predicts the price better than yesterday's close (MAE"),
    ],
)
def test_the_price_is_better_worse_or_without_evidence(price, words):
    assert say(price=price).startswith(words)


@pytest.mark.parametrize(
    "ranges, words",
    [(BETTER, "better than"), (WORSE, "worse than"), (NONE, "no better than")],
)
def test_ranges_are_better_worse_or_no_better(ranges, words):
    assert f"Its ranges are {words} GARCH's (CRPS" in say(ranges=ranges)


def test_a_p_value_that_just_fails_says_what_was_needed():
    near = replace(NONE, change=-0.01, p_value=0.03)
    assert "(MAE -1.0 %, p = 0.030, significant below 0.025)" in say(price=near)


def test_coverage_out_of_tolerance_carries_a_warning():
    narrow = say(coverage={"0.8": 0.72, "0.95": 0.93})
    assert "Warning: its 80 % ranges are too narrow, they hold 72.0 % of the outcomes." in narrow
    wide = say(coverage={"0.8": 0.8, "0.95": 0.99})
    assert "Warning: its 95 % ranges are too wide, they hold 99.0 % of the outcomes." in wide
    assert "Warning" not in say(coverage={"0.8": 0.766, "0.95": 0.984})


def test_an_echo_is_called_one_unless_it_was_better_than_yesterdays_close():
    assert "It is an echo: its line is yesterday's close drawn again" in say(echo=ECHO)
    assert "echo" not in say() and "echo" not in say(echo=ECHO, price=BETTER)
    assert "the close 2 sessions old" in say(echo=replace(ECHO, best_lag=2))
    still = replace(SILENT, predicts_no_change=True)
    assert "It predicts next to no change." in say(echo=still)


def test_points_that_fail_outside_the_insample_range_are_told_why():
    told = say(POINTS, outside=0.873)
    assert "Its RMSE is 3.40 times that of yesterday's close: 87 % of the test prices lie" in told
    assert "ranges" not in told
    assert "lie outside" not in say(POINTS, outside=0.05)
    assert "lie outside" not in say(POINTS, outside=0.873, price=NONE)


@pytest.mark.parametrize(
    "rivals, words",
    [
        (replace(BETTER, change=-0.02), "better, beyond the spread of the seeds (loss -2.0 %"),
        (WORSE, "worse, beyond the spread of the seeds (loss +3.1 %, p < 0.001)"),
        (replace(NONE, change=0.02), "no significant difference, yet beyond the spread"),
        (replace(BETTER, change=-0.0039), "the difference lies within the spread of the seeds"),
    ],
)
def test_lstm_beats_simple_rnn_only_beyond_the_spread_of_the_seeds(rivals, words):
    assert f"LSTM against SimpleRNN: {words}" in say(rivals=rivals)


def test_one_seed_cannot_tell_better_from_luckier():
    assert "with one seed a better network cannot be told" in say(rivals=BETTER, seed_spread=None)


def test_a_line_that_cannot_leave_the_insample_range_is_told_so_on_tesla(real_prices_folder):
    """The tutorial's failure, without the network: forecasts that saturate at the insample high."""
    rows = np.genfromtxt(real_prices_folder / "daily" / "TSLA.csv", delimiter=",", skip_header=1)
    close, n_insample = rows[:, 4], 2450  # up to March 2020
    cutoffs = np.arange(n_insample, len(close) - 1)
    y_true = np.log(close[cutoffs + 1] / close[cutoffs])[:, None]
    stuck = np.log(np.minimum(close[cutoffs], close[:n_insample].max()) / close[cutoffs])[:, None]
    nothing = np.full_like(stuck, np.nan)
    still = StudentT(0.0 * stuck, np.full_like(stuck, 0.035), np.full_like(stuck, np.inf))
    naive = make_losses(still, y_true, close[cutoffs])
    points = make_losses(StudentT(stuck, nothing, nothing), y_true, close[cutoffs])
    outside = share_outside(close[cutoffs + 1], close[:n_insample])
    told = verdict(weigh(Evidence({"lstm": points}, naive, naive, y_true[:, 0], 1, outside)))
    assert "LSTM: predicts the price worse than yesterday's close" in told
    assert "of the test prices lie outside the range of the prices it was fitted on" in told
