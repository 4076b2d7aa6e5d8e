"""The wiring of a SimpleRNN and of an LSTM: one plan that can be drawn, and computes what it shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forecast.explain.worked_example import GateWeights
from forecast.networks.cells import sigmoid

Point = tuple[float, float]


@dataclass(frozen=True)
class Node:
    """A place where something is computed.

    Args:
        place: of its middle [drawing units].
        sign: what is written in it: σ, tanh, × or +.
        inputs: names of the nodes or states whose values it takes.
        compute: from those values to its own; for a gate, from W [h, x] + b.
        is_gate: True for a layer with weights of its own, False for plain arithmetic.
        words: what a person should call it.
    """

    place: Point
    sign: str
    inputs: tuple[str, ...]
    compute: Callable[..., float]
    is_gate: bool = False
    words: str = ""


@dataclass(frozen=True)
class Diagram:
    """A cell as a plan of wires.

    Args:
        title: of the picture.
        states: what comes in from outside, and where it enters.
        nodes: by name, in the order of computation.
        outcomes: what goes out to the next session: the node it comes from, and where it leaves.
        wires: from, to, and the corners in between; "bus" is where the input joins the short-term memory.
        equations: in the order of computation, as mathtext, each with a sentence.
        size: width and height [drawing units].
    """

    title: str
    states: Mapping[str, Point]
    nodes: Mapping[str, Node]
    outcomes: Mapping[str, tuple[str, Point]]
    wires: tuple[tuple[str, str, tuple[Point, ...]], ...]
    equations: tuple[tuple[str, str], ...]
    size: Point


def compute_diagram(
    diagram: Diagram, weights: Mapping[str, GateWeights], states: Mapping[str, float]
) -> dict[str, float]:
    """The value at every node of a cell of one unit, computed along the wires of its picture.

    Args:
        diagram: a plan.
        weights: of each gate, by the gate's name.
        states: value of each of the diagram's states.

    Returns:
        Values by name, states included.
    """
    values = dict(states)
    for name, node in diagram.nodes.items():
        arguments = [values[source] for source in node.inputs]
        values[name] = node.compute(weights[name].sum(*arguments) if node.is_gate else arguments)
    return values


BELT, BUS, _GATES = 5.3, 0.9, 2.4  # heights of the long-term memory, of [h, x] and of the gates
_X, BUS_JOINT = (0.9, -0.3), (0.9, BUS)
_IN = ("h before", "x")

SIMPLE_RNN_DIAGRAM = Diagram(
    title="SimpleRNN: one short-term memory, written anew at every step",
    states={"h before": (0.0, BUS), "x": _X},
    nodes={"hidden": Node((4.0, _GATES), "tanh", _IN, math.tanh, True, "memory")},
    outcomes={"h after": ("hidden", (8.0, BUS))},
    wires=(
        ("h before", "hidden", ((4.0, BUS),)),
        ("x", "bus", ()),
        ("hidden", "h after", ((4.0, 3.6), (6.2, 3.6), (6.2, BUS))),
    ),
    equations=((r"$h_t = \tanh(W\,[h_{t-1}, x_t] + b)$", "hidden state: all that it knows of the past"),),
    size=(8.0, 4.1),
)

LSTM_DIAGRAM = Diagram(
    title="LSTM: a long-term memory, and three gates that guard it",
    states={"C before": (0.0, BELT), "h before": (0.0, BUS), "x": _X},
    nodes={
        "forget": Node((2.0, _GATES), "σ", _IN, sigmoid, True, "forget gate"),
        "input": Node((4.0, _GATES), "σ", _IN, sigmoid, True, "input gate"),
        "candidate": Node((6.2, _GATES), "tanh", _IN, math.tanh, True, "candidate"),
        "kept": Node((2.0, BELT), "×", ("C before", "forget"), math.prod),
        "added": Node((5.1, 3.9), "×", ("input", "candidate"), math.prod),
        "cell": Node((5.1, BELT), "+", ("kept", "added"), sum),
        "output": Node((8.2, _GATES), "σ", _IN, sigmoid, True, "output gate"),
        "squashed": Node((9.9, 4.4), "tanh", ("cell",), lambda inputs: math.tanh(*inputs)),
        "hidden": Node((9.9, 3.3), "×", ("output", "squashed"), math.prod),
    },
    outcomes={"C after": ("cell", (12.0, BELT)), "h after": ("hidden", (12.0, BUS))},
    wires=(
        ("C before", "kept", ()),
        ("kept", "cell", ()),
        ("cell", "C after", ()),
        ("h before", "forget", ((2.0, BUS),)),
        ("h before", "input", ((4.0, BUS),)),
        ("h before", "candidate", ((6.2, BUS),)),
        ("h before", "output", ((8.2, BUS),)),
        ("x", "bus", ()),
        ("forget", "kept", ()),
        ("input", "added", ((4.0, 3.9),)),
        ("candidate", "added", ((6.2, 3.9),)),
        ("added", "cell", ()),
        ("output", "hidden", ((8.2, 3.3),)),
        ("cell", "squashed", ((9.9, BELT),)),
        ("squashed", "hidden", ()),
        ("hidden", "h after", ((9.9, BUS),)),
    ),
    equations=(
        (r"$f_t = \sigma(W_f\,[h_{t-1}, x_t] + b_f)$", "forget gate: what share of the long-term memory stays"),
        (r"$i_t = \sigma(W_i\,[h_{t-1}, x_t] + b_i)$", "input gate: what share of the new goes in"),
        (r"$\tilde{C}_t = \tanh(W_C\,[h_{t-1}, x_t] + b_C)$", "candidate: what could be remembered"),
        (r"$C_t = f_t * C_{t-1} + i_t * \tilde{C}_t$", "cell state: the long-term memory, a belt without weights"),
        (r"$o_t = \sigma(W_o\,[h_{t-1}, x_t] + b_o)$", "output gate: what share of it is shown"),
        (r"$h_t = o_t * \tanh(C_t)$", "hidden state: the short-term memory"),
    ),
    size=(12.0, 6.0),
)

