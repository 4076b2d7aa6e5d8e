import numpy as np
import pytest

from forecast.explain.cell_pictures import plot_cell, plot_worked_example
from forecast.explain.diagrams import LSTM_DIAGRAM, SIMPLE_RNN_DIAGRAM, compute_diagram
from forecast.explain.worked_example import EXAMPLE_WEIGHTS, GateWeights, unit_step
from forecast.networks import cells

DIAGRAMS = [SIMPLE_RNN_DIAGRAM, LSTM_DIAGRAM]


def test_the_lstm_picture_computes_what_the_unit_computes():
    step = unit_step(EXAMPLE_WEIGHTS, x=-0.7, long_term=1.3, short_term=-0.4)
    values = compute_diagram(LSTM_DIAGRAM, vars(EXAMPLE_WEIGHTS), {"C before": 1.3, "h before": -0.4, "x": -0.7})
    computed = {name: values[name] for name in ("forget", "input", "candidate", "output")}
    assert computed == pytest.approx({name: getattr(step, name) for name in computed}, rel=1e-12)
    assert values["cell"] == pytest.approx(step.long_term, rel=1e-12)
    assert values["hidden"] == pytest.approx(step.short_term, rel=1e-12)


def test_the_simple_rnn_picture_computes_what_the_cell_computes():
    x = np.array([[[0.3], [-0.8]]])
    states = cells.simple_rnn(x, np.array([[1.5]]), np.array([[-0.6]]), np.array([0.2]))[0, :, 0]
    weights = {"hidden": GateWeights(short_term=-0.6, input=1.5, bias=0.2)}
    values = compute_diagram(SIMPLE_RNN_DIAGRAM, weights, {"h before": states[0], "x": -0.8})
    assert values["hidden"] == pytest.approx(states[1], rel=1e-12)


@pytest.mark.parametrize("diagram", DIAGRAMS)
def test_every_input_of_a_node_has_a_wire_and_every_wire_an_input(diagram):
    needed = {(source, name) for name, node in diagram.nodes.items() for source in node.inputs if source != "x"}
    needed |= {(source, end) for end, (source, _) in diagram.outcomes.items()} | {("x", "bus")}
    drawn = {(start, end) for start, end, _ in diagram.wires}
    through = {("kept", "cell"), ("cell", "C after")} & drawn
    assert drawn - through == needed - through


@pytest.mark.parametrize("diagram", DIAGRAMS)
def test_wires_run_straight_up_down_left_or_right(diagram):
    places = {**diagram.states, **{name: node.place for name, node in diagram.nodes.items()}}
    places |= {name: place for name, (_, place) in diagram.outcomes.items()} | {"bus": (0.9, 0.9)}
    for start, end, corners in diagram.wires:
        points = [places[start], *corners, places[end]]
        for (x, y), (next_x, next_y) in zip(points, points[1:], strict=False):
            assert (x == next_x) != (y == next_y), (start, end)


def texts_of(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_picture_names_every_gate_and_shows_every_equation():
    texts = texts_of(plot_cell(LSTM_DIAGRAM))
    assert {"forget gate", "input gate", "candidate", "output gate"} <= set(texts)
    for equation, words in LSTM_DIAGRAM.equations:
        assert equation in texts and words in texts


def test_the_worked_example_is_written_into_its_picture():
    texts = texts_of(plot_worked_example(EXAMPLE_WEIGHTS, unit_step(EXAMPLE_WEIGHTS, 1.0, 2.0, 1.0)))
    assert {"0.997", "0.986", "0.966", "2.948", "0.992"} <= set(texts)
    assert "$C_{t-1}$ = 2" in texts and "$C_t$ = 2.948" in texts and "$h_t$ = 0.986" in texts


@pytest.mark.parametrize("diagram", DIAGRAMS)
def test_no_two_texts_of_a_picture_overlap(diagram):
    figure = plot_cell(diagram)
    figure.canvas.draw()
    texts = [text for axes in figure.axes for text in [*axes.texts, axes.title] if text.get_text()]
    boxes = [text.get_window_extent().padded(-3) for text in texts]  # without the empty rim around letters
    for box in boxes:
        assert [t.get_text() for t, other in zip(texts, boxes) if box is not other and box.overlaps(other)] == []
