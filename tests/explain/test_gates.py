import numpy as np
import pytest

from forecast.explain.gates import record_window
from forecast.networks import cells

LOOKBACK, FEATURES, UNITS = 20, 4, 8


@pytest.fixture
def window():
    return np.random.default_rng(2).normal(size=(LOOKBACK, FEATURES)).astype("float32")


def test_an_lstm_record_holds_its_own_steps_in_another_order_of_units(window, make_weights):
    weights = make_weights("lstm")
    record = record_window("lstm", 1, weights, window)
    steps = cells.lstm_steps(window[None], *weights[:3])
    assert list(record.panels) == [
        "forget gate", "input gate", "candidate", "cell state", "output gate", "hidden state"
    ]  # fmt: skip
    np.testing.assert_array_equal(record.panels["cell state"], steps.cell[0][:, record.units])
    np.testing.assert_array_equal(np.sort(record.units), np.arange(UNITS))


def test_lstm_units_stand_from_the_shortest_memory_to_the_longest(window, make_weights):
    kept = record_window("lstm", 1, make_weights("lstm"), window).panels["forget gate"].mean(axis=0)
    assert np.all(np.diff(kept) >= 0.0)


def test_simple_rnn_units_that_move_together_stand_together(make_weights):
    weights = make_weights("simple_rnn")
    weights[0], weights[1] = np.zeros((FEATURES, UNITS)), np.zeros((UNITS, UNITS))
    weights[0][0] = [1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0]  # units 1 and 4 against the others
    window = np.random.default_rng(3).normal(size=(LOOKBACK, FEATURES))
    units = record_window("simple_rnn", 1, weights, window).units.tolist()
    assert {1, 4} in (set(units[:2]), set(units[-2:]))


def test_the_widest_opening_of_the_input_gate_is_found(window, make_weights):
    weights = make_weights("lstm")
    weights[1][:] = 0.0
    weights[0][:, :UNITS] = 0.0
    weights[0][0, :UNITS] = 1.0  # feature 0 opens every unit's input gate
    window[13, 0] = 50.0
    assert record_window("lstm", 1, weights, window).widest_input == 13


@pytest.mark.parametrize("network", ["simple_rnn", "gru"])
def test_a_cell_without_an_input_gate_has_no_widest_opening(window, network, make_weights):
    assert record_window(network, 1, make_weights(network), window).widest_input is None


def test_attention_shares_sum_to_one(window, make_weights):
    record = record_window("attention_lstm", 1, make_weights("attention_lstm"), window)
    assert record.attention.shape == (LOOKBACK,)
    assert record.attention.sum() == pytest.approx(1.0, abs=1e-6)
    assert record_window("lstm", 1, make_weights("lstm"), window).attention is None


def test_the_last_of_several_layers_is_shown(window, make_weights):
    lower, upper = make_weights("lstm"), make_weights("lstm")
    upper[0] = np.random.default_rng(4).normal(size=(UNITS, 4 * UNITS)).astype("float32")
    record = record_window("lstm", 2, lower[:3] + upper, window)
    below = cells.lstm(window[None], *lower[:3])
    above = cells.lstm(below, *upper[:3])
    np.testing.assert_array_equal(record.panels["hidden state"], above[0][:, record.units])
