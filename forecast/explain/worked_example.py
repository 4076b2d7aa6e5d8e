"""One LSTM unit with weights small enough to follow with pencil and paper."""

from __future__ import annotations

import math
from dataclasses import dataclass

from forecast.errors import UsageError
from forecast.networks.cells import sigmoid


@dataclass(frozen=True)
class GateWeights:
    """What one gate multiplies the short-term memory and the input with, and what it adds."""

    short_term: float
    input: float
    bias: float

    def sum(self, short_term: float, x: float) -> float:
        """W [h_{t-1}, x_t] + b, for one unit."""
        return short_term * self.short_term + x * self.input + self.bias


@dataclass(frozen=True)
class UnitWeights:
    """The twelve numbers of one LSTM unit with one input."""

    forget: GateWeights
    input: GateWeights
    candidate: GateWeights
    output: GateWeights


EXAMPLE_WEIGHTS = UnitWeights(
    forget=GateWeights(2.70, 1.63, 1.62),
    input=GateWeights(2.00, 1.65, 0.62),
    candidate=GateWeights(1.41, 0.94, -0.32),
    output=GateWeights(4.38, -0.19, 0.59),
)
EXAMPLE_LONG_TERM, EXAMPLE_SHORT_TERM, EXAMPLE_INPUT = 2.0, 1.0, 1.0


@dataclass(frozen=True)
class UnitStep:
    """One step of one unit: what came in, what each gate said, what went out.

    Args:
        x: the input.
        long_term_before, short_term_before: C_{t-1} and h_{t-1}.
        forget, input, output: gates, within (0, 1).
        candidate: within (-1, 1).
        long_term, short_term: C_t and h_t.
    """

    x: float
    long_term_before: float
    short_term_before: float
    forget: float
    input: float
    candidate: float
    long_term: float
    output: float
    short_term: float


@dataclass(frozen=True)
class Stage:
    """One line of the worked example: its name, the arithmetic in full, the outcome."""

    name: str
    arithmetic: str
    value: float


def unit_step(weights: UnitWeights, x: float, long_term: float, short_term: float) -> UnitStep:
    """What one LSTM unit makes of one input; the equations of `lstm_steps`, for numbers."""
    forget = sigmoid(weights.forget.sum(short_term, x))
    input_gate = sigmoid(weights.input.sum(short_term, x))
    candidate = math.tanh(weights.candidate.sum(short_term, x))
    long_term_after = forget * long_term + input_gate * candidate
    output = sigmoid(weights.output.sum(short_term, x))
    return UnitStep(
        x=x,
        long_term_before=long_term,
        short_term_before=short_term,
        forget=float(forget),
        input=float(input_gate),
        candidate=candidate,
        long_term=float(long_term_after),
        output=float(output),
        short_term=float(output * math.tanh(long_term_after)),
    )


def unroll_unit(
    weights: UnitWeights, inputs: list[float], long_term: float, short_term: float
) -> list[UnitStep]:
    """The same unit over a sequence: each step starts from the memories that the last one left.

        x_1       x_2       x_3
         |         |         |
        unit -C-> unit -C-> unit -C->
             -h->      -h->      -h->

    Args:
        weights: the same ones at every step.
        inputs: at least one.
        long_term, short_term: the memories before the first step.

    Raises:
        UsageError: no inputs, or a number that is not finite.
    """
    if not inputs:
        raise UsageError("The worked example needs at least one input, such as --inputs 0,0.5,0.25,1.")
    for number in (*inputs, long_term, short_term):
        if not math.isfinite(number):
            raise UsageError(f"The worked example computes with finite numbers; {number} is none.")
    steps: list[UnitStep] = []
    for x in inputs:
        steps.append(unit_step(weights, x, long_term, short_term))
        long_term, short_term = steps[-1].long_term, steps[-1].short_term
    return steps


def format_stages(weights: UnitWeights, step: UnitStep) -> list[Stage]:
    """The six stages of a step in the order of the equations, with all their arithmetic."""

    def gate(name: str, curve: str, own: GateWeights, value: float) -> Stage:
        total = own.sum(step.short_term_before, step.x)
        terms = (
            f"{step.short_term_before:.3g} × {own.short_term:.2f} + {step.x:.3g} × {own.input:.2f} "
            f"{'+' if own.bias >= 0 else '-'} {abs(own.bias):.2f}"
        )
        return Stage(name, f"{curve}({terms} = {total:.2f})", value)

    kept = f"{step.long_term_before:.3g} × {step.forget:.3f} + {step.candidate:.3f} × {step.input:.3f}"
    return [
        gate("forget gate", "sigmoid", weights.forget, step.forget),
        gate("input gate", "sigmoid", weights.input, step.input),
        gate("candidate", "tanh", weights.candidate, step.candidate),
        Stage("long-term memory", kept, step.long_term),
        gate("output gate", "sigmoid", weights.output, step.output),
        Stage("short-term memory", f"{step.output:.3f} × tanh({step.long_term:.3f})", step.short_term),
    ]
