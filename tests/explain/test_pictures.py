import numpy as np
import pytest

from forecast.explain.attribution import Attribution
from forecast.explain.gates import WindowRecord
from forecast.explain.memory import Memory
from forecast.explain.pictures import plot_attribution, plot_gates, plot_memory, plot_unrolled
from forecast.explain.worked_example import EXAMPLE_WEIGHTS, unroll_unit

LOOKBACK, UNITS = 12, 4
SESSIONS = np.arange("2026-01-01", "2026-01-13", dtype="M8[D]")
CLOSE = np.linspace(100.0, 111.0, LOOKBACK)
RNG = np.random.default_rng(1)


def make_record(network, panels, widest_input=None, attention=None):
    arrays = {name: RNG.uniform(0.0, 1.0, (LOOKBACK, UNITS)) for name in panels}
    return WindowRecord(network, arrays, np.arange(UNITS), widest_input, attention)


def maps_of(figure):
    return {axes.get_ylabel(): axes.images[0] for axes in figure.axes if axes.images and axes.get_ylabel()}


def test_gates_run_from_shut_to_open_and_memories_around_zero():
    record = make_record("lstm", ["forget gate", "cell state"], widest_input=7)
    record.panels["cell state"][3, 2] = -5.0
    maps = maps_of(plot_gates([record], SESSIONS, CLOSE, "TSLA", "USD"))
    assert maps["forget gate"].get_clim() == (0.0, 1.0)
    assert maps["cell state"].get_clim() == (-5.0, 5.0)
    np.testing.assert_array_equal(maps["forget gate"].get_array(), record.panels["forget gate"].T)


def test_the_session_with_the_widest_input_gate_is_marked_by_its_date():
    figure = plot_gates([make_record("lstm", ["input gate"], widest_input=7)], SESSIONS, CLOSE, "TSLA", "USD")
    price = figure.axes[0]
    assert "input gate opens widest: 2026-01-08" in [text.get_text() for text in price.texts]
    assert [7, 7] in [list(line.get_xdata()) for line in price.lines]


def test_the_simple_rnn_stands_beside_and_prices_above_on_one_axis():
    records = [make_record("lstm", ["input gate"], widest_input=1), make_record("simple_rnn", ["hidden state"])]
    figure = plot_gates(records, SESSIONS, CLOSE, "TSLA", "USD")
    assert list(maps_of(figure)) == ["input gate", "SimpleRNN\nhidden state"]
    assert figure.axes[0].get_ylabel() == "close [USD]"
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), CLOSE)
    assert len({axes.get_xlim() for axes in figure.axes[:3]}) == 1


def test_attention_has_a_panel_of_its_own():
    record = make_record("attention_lstm", ["input gate"], 2, np.full(LOOKBACK, 1.0 / LOOKBACK))
    bars = plot_gates([record], SESSIONS, CLOSE, "TSLA", "USD").axes[1].patches
    assert [bar.get_height() for bar in bars] == pytest.approx([100.0 / LOOKBACK] * LOOKBACK)


def test_memories_share_logarithmic_axes_and_say_their_half_life():
    rnn = Memory("simple_rnn", 0.5 ** np.arange(10.0), 1.0, None, None)
    lstm = Memory("lstm", np.full(10, 0.3), None, 0.99, None)
    axes = plot_memory([rnn, lstm], "TSLA").axes[0]
    assert axes.get_yscale() == "log"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), rnn.norms)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["SimpleRNN: half gone after 1.0", "LSTM: not halved within 9"]
    assert len({(line.get_linestyle(), line.get_marker()) for line in axes.lines}) == 2  # told apart in print


def test_attribution_bars_point_up_where_the_answer_was_raised():
    shares = np.zeros((LOOKBACK, 2))
    shares[3], shares[9] = [0.5, 0.25], [-1.0, 0.0]
    attribution = Attribution(shares, output=0.75, baseline_output=1.0, gap=0.0)
    figure = plot_attribution({"close [USD]": attribution}, ["return", "volume"], SESSIONS, CLOSE, "TSLA", "USD")
    bars, units = figure.axes[1], figure.axes[2]
    assert [bar.get_height() for bar in bars.patches][3] == 0.75
    assert [bar.get_height() for bar in bars.patches][9] == -1.0
    assert [label.get_text() for label in units.get_yticklabels()] == ["volume  +0.25", "return  -0.5"]
    assert units.images[0].get_clim() == (-1.0, 1.0)


def test_an_unrolled_unit_starts_from_the_memories_before():
    steps = unroll_unit(EXAMPLE_WEIGHTS, [0.0, 1.0], 2.0, 1.0)
    memories = plot_unrolled(steps).axes[2]
    assert list(memories.lines[0].get_ydata()) == [2.0, steps[0].long_term, steps[1].long_term]
    assert list(memories.lines[1].get_ydata()) == [1.0, steps[0].short_term, steps[1].short_term]
