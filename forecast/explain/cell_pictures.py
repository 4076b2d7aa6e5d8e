"""Pictures of the cells, drawn from their plans, with the equations below and numbers where there are any."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from forecast.explain.diagrams import BELT, BUS_JOINT, LSTM_DIAGRAM, Diagram, Node, Point, compute_diagram
from forecast.explain.worked_example import UnitStep, UnitWeights

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours; every gate also carries its name, so that none is needed to read the picture.
_COLOURS = {"forget": "#D55E00", "input": "#0072B2", "candidate": "#009E73", "output": "#CC79A7"}
_STATES = {
    "C before": ("$C_{t-1}$", "long-term\nmemory"),
    "C after": ("$C_t$", "long-term\nmemory"),
    "h before": ("$h_{t-1}$", "short-term\nmemory"),
    "h after": ("$h_t$", "short-term\nmemory"),
    "x": ("$x_t$", "input"),
}
_GATE_WIDTH, _GATE_HEIGHT, _RADIUS = 1.25, 0.8, 0.34
_INCHES = 0.74  # a drawing unit on paper


def plot_cell(diagram: Diagram, values: Mapping[str, float] | None = None, title: str | None = None) -> Figure:
    """A picture of a cell above its equations.

    Args:
        diagram: which cell.
        values: numbers to write beside states and nodes, by name.
        title: instead of the diagram's own.
    """
    from matplotlib.figure import Figure

    width, height = diagram.size
    plan_height, text_height = _INCHES * (height + 2.0), 0.36 * (len(diagram.equations) + 1)
    figure = Figure(figsize=(_INCHES * (width + 3.6), plan_height + text_height), layout="constrained")
    plan, text = figure.subplots(2, 1, height_ratios=[plan_height, text_height])
    plan.set(xlim=(-1.8, width + 1.8), ylim=(-1.2, height + 0.8), aspect="equal")
    plan.set_title(title or diagram.title, fontsize=16)
    _draw_body(plan, diagram)
    _draw_wires(plan, diagram)
    for name, node in diagram.nodes.items():
        _draw_node(plan, node, _COLOURS.get(name, "black"))
    _write_states(plan, diagram, values)
    if values is not None:
        _write_values(plan, diagram, values)
    _write_equations(text, diagram)
    for axes in (plan, text):
        axes.axis("off")
    return figure


def plot_worked_example(weights: UnitWeights, step: UnitStep) -> Figure:
    """The LSTM's picture with the numbers of one step of one unit written in."""
    states = {"C before": step.long_term_before, "h before": step.short_term_before, "x": step.x}
    values = compute_diagram(LSTM_DIAGRAM, vars(weights), states)
    return plot_cell(LSTM_DIAGRAM, values, "One LSTM unit: the numbers of the worked example")


def _draw_body(axes: Axes, diagram: Diagram) -> None:
    """What belongs to the cell itself, in grey; the memories pass through, the input comes from below."""
    from matplotlib.patches import FancyBboxPatch

    width, height = diagram.size
    style = {"boxstyle": "round,pad=0,rounding_size=0.3", "fc": "#F0F0F0", "ec": "#B5B5B5", "zorder": 0}
    axes.add_patch(FancyBboxPatch((0.45, 0.3), width - 0.9, height - 0.3, **style))


def _draw_wires(axes: Axes, diagram: Diagram) -> None:
    """Every wire with an arrow at its end; the long-term memory's belt is thick."""
    places = {
        **diagram.states,
        **{name: node.place for name, node in diagram.nodes.items()},
        **{name: place for name, (_, place) in diagram.outcomes.items()},
        "bus": BUS_JOINT,
    }
    for start, end, corners in diagram.wires:
        points = [places[start], *corners, places[end]]
        points[-1] = _edge(points[-2], points[-1], diagram.nodes.get(end))
        on_belt = all(y == BELT for _, y in points)
        if end == "bus":
            axes.plot(*zip(*points, strict=True), color="black", lw=1.7, zorder=1)
        else:
            _draw_arrow(axes, points, 4.5 if on_belt else 1.7)


def _draw_arrow(axes: Axes, points: list[Point], line_width: float) -> None:
    """A line through the points that ends in an arrowhead, which hides the line's own end."""
    length, half_width = 0.16 + 0.04 * line_width, 0.06 + 0.03 * line_width
    (from_x, from_y), (x, y) = points[-2:]
    distance = math.hypot(x - from_x, y - from_y)
    along_x, along_y = (x - from_x) / distance, (y - from_y) / distance
    neck = (x - length * along_x, y - length * along_y)
    sides = [(neck[0] - s * half_width * along_y, neck[1] + s * half_width * along_x) for s in (1, -1)]
    axes.plot(*zip(*points[:-1], neck, strict=True), color="black", lw=line_width, zorder=1, solid_capstyle="butt")
    axes.fill(*zip((x, y), *sides, strict=True), color="black", lw=0, zorder=1)


def _edge(start: Point, end: Point, node: Node | None) -> Point:
    """Where a straight wire from `start` meets the node at `end`."""
    if node is None:
        return end
    half_width, half_height = _half_size(node)
    (x, y), (from_x, from_y) = end, start
    if from_y == y:
        return (x - math.copysign(half_width, x - from_x), y)
    return (x, y - math.copysign(half_height, y - from_y))


def _half_size(node: Node) -> Point:
    """Half the width and half the height of a node."""
    if node.is_gate:
        return _GATE_WIDTH / 2, _GATE_HEIGHT / 2
    return (0.55 if node.sign == "tanh" else _RADIUS, _RADIUS)


def _draw_node(axes: Axes, node: Node, colour: str) -> None:
    """A box for a layer with weights, an ellipse for plain arithmetic."""
    from matplotlib.patches import Ellipse, FancyBboxPatch

    (x, y), (half_width, half_height) = node.place, _half_size(node)
    if node.is_gate:
        corner = (x - half_width, y - half_height)
        box = "round,pad=0,rounding_size=0.12"
        patch = FancyBboxPatch(corner, 2 * half_width, 2 * half_height, boxstyle=box, fc="white", ec=colour, lw=3.0)
        axes.text(x, y + 0.08, node.sign, ha="center", va="center", fontsize=17)
        axes.text(x, y - 0.25, node.words, ha="center", va="center", fontsize=9.5)
    else:
        patch = Ellipse(node.place, 2 * half_width, 2 * half_height, fc="white", ec="black", lw=1.7)
        axes.text(x, y - 0.02, node.sign, ha="center", va="center", fontsize=13 if node.sign == "tanh" else 17)
    patch.set_zorder(2)
    axes.add_patch(patch)


def _write_states(axes: Axes, diagram: Diagram, values: Mapping[str, float] | None) -> None:
    """The memories' names, and their numbers, left of where they enter and right of where they leave."""
    for name, place in {**diagram.states, **{n: p for n, (_, p) in diagram.outcomes.items()}}.items():
        symbol, words = _STATES[name]
        source = diagram.outcomes.get(name, (name,))[0]
        number = "" if values is None else f" = {round(values[source], 3):g}"
        (x, y), side = place, {"C after": 1, "h after": 1, "x": 0}.get(name, -1)
        align = {-1: "right", 0: "left", 1: "left"}[side]
        x, y = (x + 0.15, y) if name == "x" else (x + 0.12 * side, y)
        axes.text(x, y + 0.02, f"{symbol}{number}", ha=align, va="bottom", fontsize=15)
        axes.text(x, y - 0.05, words, ha=align, va="top", fontsize=10.5)


def _write_values(axes: Axes, diagram: Diagram, values: Mapping[str, float]) -> None:
    """What came out of each node, beside it."""
    for name, node in diagram.nodes.items():
        (x, y), (half_width, half_height) = node.place, _half_size(node)
        place = (x + 0.12, y + half_height + 0.12) if node.is_gate else (x + 0.8 * half_width, y + 0.8 * half_height)
        box = {"boxstyle": "round,pad=0.15", "fc": "#FFF3B0", "ec": "none"}
        style = {"ha": "left", "va": "bottom", "fontsize": 12, "fontweight": "bold", "bbox": box, "zorder": 3}
        axes.text(*place, f"{values[name]:.3f}", **style)


def _write_equations(axes: Axes, diagram: Diagram) -> None:
    """Every equation with its sentence, in the order of computation."""
    axes.set(xlim=(0, 1), ylim=(-len(diagram.equations) - 1, 0))
    for line, (equation, words) in enumerate(diagram.equations):
        axes.text(0.03, -line - 0.5, equation, ha="left", va="center", fontsize=13)
        axes.text(0.40, -line - 0.5, words, ha="left", va="center", fontsize=12)
    if not all(node.is_gate for node in diagram.nodes.values()):
        boxes = "Boxes are layers with weights of their own (W, b); circles are plain arithmetic, without any."
        axes.text(0.03, -len(diagram.equations) - 0.5, boxes, ha="left", va="center", fontsize=11, color="#555555")
