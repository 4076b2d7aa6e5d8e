"""Pictures of what networks held, how far back they feel and what moved a forecast.

One colour map for everything: its lightness runs one way only, so that it survives a black and
white printer and every kind of colour blindness.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from forecast.charts import NAMES
from forecast.explain.attribution import Attribution
from forecast.explain.gates import GATES, WindowRecord
from forecast.explain.memory import Memory
from forecast.explain.worked_example import UnitStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAP = "cividis"
_FAINTEST = 1e-8  # share of the strongest gradient below which nothing is drawn: rounding
_STYLES = {  # colours of Okabe and Ito; the line styles and markers suffice without them
    "simple_rnn": {"color": "#D55E00", "linestyle": "--", "marker": "s"},
    "lstm": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "gru": {"color": "#009E73", "linestyle": "-.", "marker": "^"},
    "attention_lstm": {"color": "#CC79A7", "linestyle": ":", "marker": "D"},
}


def plot_gates(
    records: Sequence[WindowRecord], sessions: np.ndarray, close: np.ndarray, title: str, currency: str | None
) -> Figure:
    """What networks held over one window, session by session, with the price above on the same axis.

    Args:
        records: first the one to show in full; of the others, their hidden state.
        sessions: dates of the window, shape (lookback,).
        close: [currency], shape (lookback,).
        title: of the picture.
        currency: of the price, where it is known.
    """
    main, *others = records
    maps = main.panels | {f"{NAMES[other.network]}\nhidden state": other.panels["hidden state"] for other in others}
    attends = main.attention is not None
    figure, (price, *panels) = _stack([1.7, *([0.8] if attends else []), *(1.05 for _ in maps)], title)
    _draw_price(price, close, currency)
    if attends:
        _draw_attention(panels[0], main.attention)
    for axes, (name, values) in zip(panels[attends:], maps.items(), strict=True):
        _draw_units(figure, axes, values, name in GATES)
        axes.set_ylabel(name, fontsize=11)
    if main.widest_input is not None:
        _mark_widest_input(price, panels, main.widest_input, sessions)
    _label_sessions(panels[-1], sessions)
    order = "" if main.network == "simple_rnn" else ", the one that keeps its memory longest on top"
    panels[-1].set_xlabel(f"each row is a unit of the network{order}", fontsize=11)
    return figure


def plot_memory(memories: Sequence[Memory], title: str) -> Figure:
    """How much of each earlier session the last one still feels, all networks on the same axes."""
    attending = [memory for memory in memories if memory.attention is not None]
    figure, axes = _stack([4.2, *([2.0] if attending else [])], title)
    for memory in memories:
        lags = np.arange(len(memory.norms))
        label = f"{NAMES[memory.network]}: {_half_life_in_words(memory, len(lags))}"
        style = {"lw": 2, "markevery": 5, "ms": 6, **_STYLES[memory.network]}
        axes[0].plot(lags, memory.norms, label=label, **style)
    axes[0].set_yscale("log")
    strongest = max(memory.norms.max() for memory in memories)
    axes[0].set_ylim(bottom=max(_FAINTEST * strongest, axes[0].get_ylim()[0]))
    axes[0].set_ylabel(r"norm of $\partial h_T \,/\, \partial x_{T-k}$", fontsize=12)
    axes[0].legend(fontsize=12, frameon=False)
    for memory in attending:
        axes[1].bar(np.arange(len(memory.attention)), 100 * memory.attention, color="#777777", width=0.8)
        axes[1].set_ylabel("attention [%]", fontsize=12)
    axes[-1].set_xlabel("lag k [steps back from the last; a step is a session]", fontsize=12)
    for each in axes:
        each.grid(alpha=0.3)
    return figure


def plot_attribution(
    parts: dict[str, Attribution],
    features: Sequence[str],
    sessions: np.ndarray,
    close: np.ndarray,
    title: str,
    currency: str | None,
) -> Figure:
    """Which feature of which session moved a forecast, and how far.

    Args:
        parts: what was shared out, by its name with its unit.
        features: names of the window's columns.
        sessions: dates of the window, shape (lookback,).
        close: [currency], shape (lookback,).
        title: of the picture.
        currency: of the price, where it is known.
    """
    heights = [1.6, *(height for _ in parts for height in (1.1, 0.36 * len(features) + 0.5))]
    figure, (price, *panels) = _stack(heights, title)
    _draw_price(price, close, currency)
    for number, (name, attribution) in enumerate(parts.items()):
        bars, units = panels[2 * number : 2 * number + 2]
        _draw_session_shares(bars, attribution, name)
        _draw_feature_shares(figure, units, attribution, features)
    _label_sessions(panels[-1], sessions)
    return figure


def plot_unrolled(steps: Sequence[UnitStep]) -> Figure:
    """The worked example over a sequence: inputs, gates and both memories, step by step."""
    figure, (inputs, gates, memories) = _stack([1.2, 2.2, 2.6], "One LSTM unit, unrolled over a sequence of inputs")
    numbers = np.arange(1, len(steps) + 1)
    inputs.bar(numbers, [step.x for step in steps], width=0.12, color="black")
    inputs.axhline(0.0, color="black", lw=0.8)
    inputs.set_ylabel("input", fontsize=12)
    lines = {"forget": ("#D55E00", "-", "o"), "input": ("#0072B2", "--", "s"), "output": ("#CC79A7", ":", "D")}
    for name, (colour, style, marker) in lines.items():
        values = [getattr(step, name) for step in steps]
        gates.plot(numbers, values, color=colour, ls=style, marker=marker, lw=2, label=f"{name} gate")
    gates.set(ylim=(-0.05, 1.05))
    gates.set_ylabel("share let through", fontsize=12)
    for name, style, marker in (("long_term", "-", "o"), ("short_term", "--", "s")):
        before = getattr(steps[0], f"{name}_before")
        values = [before, *(getattr(step, name) for step in steps)]
        label = f"{name.replace('_', '-')} memory"
        memories.plot([0, *numbers], values, color="black", ls=style, marker=marker, lw=2, label=label)
    memories.axhline(0.0, color="black", lw=0.8)
    memories.set_ylabel("memory", fontsize=12)
    memories.set_xlabel("step (0: before the first input)", fontsize=12)
    memories.set_xticks([0, *numbers])
    for axes in (gates, memories):
        axes.legend(fontsize=11, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        axes.grid(alpha=0.3)
    return figure


def _stack(heights: Sequence[float], title: str) -> tuple[Figure, list[Axes]]:
    """Panels of these heights [inches] on top of one another, with one axis of sessions."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, sum(heights) + 1.1), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    figure.suptitle(title, fontsize=15, parse_math=False)
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def _draw_price(axes: Axes, close: np.ndarray, currency: str | None) -> None:
    """The close of every session of the window."""
    axes.plot(np.arange(len(close)), close, color="black", lw=1.8)
    axes.set_ylabel(f"close [{currency}]" if currency else "close", fontsize=11, parse_math=False)
    axes.grid(alpha=0.3)


def _draw_attention(axes: Axes, attention: np.ndarray) -> None:
    """The share that the last session took from each."""
    axes.bar(np.arange(len(attention)), 100 * attention, color="#777777", width=0.8)
    axes.set_ylabel("attention\n[%]", fontsize=11)


def _draw_units(figure: Figure, axes: Axes, values: np.ndarray, is_gate: bool) -> None:
    """A heat map, units upwards: a gate from shut to open, a memory from its negative to its positive."""
    largest = 1.0 if is_gate else float(np.abs(values).max()) or 1.0
    _draw_map(figure, axes, values, 0.0 if is_gate else -largest, largest)
    axes.set_yticks([])


def _draw_map(figure: Figure, axes: Axes, values: np.ndarray, lowest: float, highest: float) -> None:
    """Values (lookback, n_rows) as a map with the first row at the bottom, and a scale beside it."""
    style = {"cmap": _MAP, "aspect": "auto", "origin": "lower", "interpolation": "none"}
    image = axes.imshow(values.T, vmin=lowest, vmax=highest, **style)
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03, aspect=9)
    ticks = [lowest, (lowest + highest) / 2, highest]
    bar.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks], fontsize=10)


def _mark_widest_input(price: Axes, panels: Sequence[Axes], session: int, sessions: np.ndarray) -> None:
    """A line through the price at that session, and one on each side of its column in the maps."""
    price.axvline(session, color="black", lw=1.0, ls="--")
    for axes in panels:
        for edge in (session - 0.5, session + 0.5):
            axes.axvline(edge, color="black", lw=1.2)
    right = session > len(sessions) / 2
    text = f"input gate opens widest: {sessions[session]}"
    where = {"transform": price.get_xaxis_transform(), "ha": "right" if right else "left", "va": "bottom"}
    price.text(session + (-0.5 if right else 0.5), 1.0, text, fontsize=11, **where)


def _draw_session_shares(axes: Axes, attribution: Attribution, name: str) -> None:
    """Sum over features: upwards what raised the output, downwards what lowered it."""
    totals = attribution.shares.sum(axis=1)
    axes.bar(np.arange(len(totals)), totals, color=np.where(totals >= 0, "#0072B2", "#D55E00"), width=0.8)
    axes.axhline(0.0, color="black", lw=0.8)
    axes.set_title(name, fontsize=12, loc="left", parse_math=False)
    axes.set_ylabel("all features", fontsize=11)


def _draw_feature_shares(figure: Figure, axes: Axes, attribution: Attribution, features: Sequence[str]) -> None:
    """A row for each feature, the first on top, with its total beside its name."""
    largest = float(np.abs(attribution.shares).max()) or 1.0
    _draw_map(figure, axes, attribution.shares[:, ::-1], -largest, largest)
    totals = attribution.shares.sum(axis=0)
    labels = [f"{feature.replace('_', ' ')}  {total:+.2g}" for feature, total in zip(features, totals, strict=True)]
    axes.set_yticks(np.arange(len(features)), labels[::-1], fontsize=10)


def _label_sessions(axes: Axes, sessions: np.ndarray) -> None:
    """Dates under about seven of the sessions, the last among them."""
    ticks = np.arange(len(sessions) - 1, -1, -max(len(sessions) // 6, 1))[::-1]
    axes.set_xticks(ticks, [str(sessions[tick]) for tick in ticks], fontsize=10)


def _half_life_in_words(memory: Memory, lookback: int) -> str:
    """What the legend says of a memory."""
    if memory.half_life is None:
        return f"not halved within {lookback - 1}"
    return f"half gone after {memory.half_life:.1f}"
