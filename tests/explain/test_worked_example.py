import numpy as np
import pytest

from forecast.errors import UsageError
from forecast.explain.worked_example import (
    EXAMPLE_INPUT,
    EXAMPLE_LONG_TERM,
    EXAMPLE_SHORT_TERM,
    EXAMPLE_WEIGHTS,
    format_stages,
    unit_step,
    unroll_unit,
)
from forecast.networks import cells


@pytest.fixture
def step():
    return unit_step(EXAMPLE_WEIGHTS, EXAMPLE_INPUT, EXAMPLE_LONG_TERM, EXAMPLE_SHORT_TERM)


def test_the_sums_are_those_of_pencil_and_paper():
    sums = [
        getattr(EXAMPLE_WEIGHTS, gate).sum(1.0, 1.0) for gate in ("forget", "input", "candidate", "output")
    ]
    np.testing.assert_allclose(sums, [5.95, 4.27, 2.03, 4.78], atol=1e-12)


def test_the_gates_are_those_of_pencil_and_paper(step):
    assert round(step.forget, 3) == 0.997
    assert round(step.candidate, 2) == 0.97
    assert round(step.long_term, 2) == 2.95
    assert step.long_term == pytest.approx(2 * 0.997 + 0.97 / (1 + np.exp(-4.27)), abs=0.005)
    assert step.short_term == pytest.approx(np.tanh(2.947) / (1 + np.exp(-4.78)), abs=0.001)


def test_a_gate_rounded_up_to_one_gives_the_rounded_long_term_memory():
    assert round(2 * 1.0 + 0.97 * 1.0, 2) == 2.97


def test_every_stage_shows_its_sum_and_its_value(step):
    stages = {stage.name: stage for stage in format_stages(EXAMPLE_WEIGHTS, step)}
    assert stages["forget gate"].arithmetic == "sigmoid(1 × 2.70 + 1 × 1.63 + 1.62 = 5.95)"
    assert stages["candidate"].arithmetic == "tanh(1 × 1.41 + 1 × 0.94 - 0.32 = 2.03)"
    assert stages["long-term memory"].arithmetic == "2 × 0.997 + 0.966 × 0.986"
    assert stages["output gate"].arithmetic == "sigmoid(1 × 4.38 + 1 × -0.19 + 0.59 = 4.78)"
    assert stages["short-term memory"].value == step.short_term


def test_an_unrolled_unit_equals_the_lstm_of_the_networks():
    inputs = [0.0, 0.5, 0.25, 1.0]
    gates = [EXAMPLE_WEIGHTS.input, EXAMPLE_WEIGHTS.forget, EXAMPLE_WEIGHTS.candidate, EXAMPLE_WEIGHTS.output]
    kernel, recurrent_kernel, bias = (
        np.array([[getattr(gate, name) for gate in gates]]) for name in ("input", "short_term", "bias")
    )
    expected = cells.lstm_steps(np.array(inputs)[None, :, None], kernel, recurrent_kernel, bias[0])
    steps = unroll_unit(EXAMPLE_WEIGHTS, inputs, 0.0, 0.0)
    np.testing.assert_allclose([s.long_term for s in steps], expected.cell[0, :, 0], rtol=1e-12)
    np.testing.assert_allclose([s.short_term for s in steps], expected.hidden[0, :, 0], rtol=1e-12)
    np.testing.assert_allclose([s.forget for s in steps], expected.forget[0, :, 0], rtol=1e-12)


def test_each_step_starts_from_what_the_last_one_left():
    steps = unroll_unit(EXAMPLE_WEIGHTS, [0.3, -2.0, 5.0], 2.0, 1.0)
    for earlier, later in zip(steps, steps[1:], strict=False):
        assert later.long_term_before == earlier.long_term
        assert later.short_term_before == earlier.short_term


def test_an_empty_or_infinite_example_is_refused():
    with pytest.raises(UsageError, match="at least one input"):
        unroll_unit(EXAMPLE_WEIGHTS, [], 2.0, 1.0)
    with pytest.raises(UsageError, match="finite numbers; inf is none"):
        unroll_unit(EXAMPLE_WEIGHTS, [1.0, np.inf], 2.0, 1.0)
