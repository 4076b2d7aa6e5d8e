"""The gates as charts of the page: heat maps of what a network held over one window, with the price above."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.charts import NAMES
from forecast.explain.explanation import OpenedWindow
from forecast.explain.gates import GATES, WindowRecord
from forecast.report.pictures import Chart

LINE, MAP, GAP = 7.0, 5.5, 1.8      # heights [rem] of the price, of a map, and of the room above each for its name
BELOW = 5.0                         # [rem] for the dates
COLOURS = "Cividis"                 # its lightness runs one way only: for print, and for every kind of colour blindness
DIGITS = 3                          # after the point: gates lie between 0 and 1, memories seldom far outside -1 to 1


def picture_gates(opened: OpenedWindow) -> list[Chart]:
    """A chart for each network with the SimpleRNN's hidden state below; the SimpleRNN's own only where it is alone."""
    simple = opened.records.get("simple_rnn")
    gated = [record for record in opened.records.values() if record is not simple]
    beside = [] if simple is None else [simple]
    return [_picture([record, *beside], opened) for record in gated] or [_picture(beside, opened)]


def _picture(records: Sequence[WindowRecord], opened: OpenedWindow) -> Chart:
    """Price, attention where there is any, and maps, from top to bottom on one axis of sessions.

    Args:
        records: first the one to show in full; of the others, their hidden state.
        opened: whose they are.
    """
    main, *others = records
    currency = opened.manifest.listing.currency
    lines = {f"close [{currency}]" if currency else "close": opened.close}
    if main.attention is not None:
        lines["attention [%]"] = 100.0 * main.attention
    maps = main.panels | {f"{NAMES[other.network]}: hidden state": other.panels["hidden state"] for other in others}
    heights = np.array([LINE] * len(lines) + [MAP] * len(maps))
    domains, days = _domains(heights), opened.sessions.astype(str).tolist()
    traces, layout = [], {"hovermode": "closest", "showlegend": False, "annotations": []}
    for number, (name, values, (top, bottom)) in enumerate(zip([*lines, *maps], [*lines.values(), *maps.values()], domains), 1):
        axis = str(number) if number > 1 else ""
        trace = _line(name, values) if name in lines else _map(name, values, top, bottom)
        traces.append({"x": days, "yaxis": f"y{axis}", **trace})
        layout[f"yaxis{axis}"] = {"domain": [bottom, top], "nticks": 4, **({} if name in lines else {"tickvals": []})}
        layout["annotations"].append(_heading(name, top))
    layout["xaxis"] = {"type": "category", "anchor": f"y{len(heights)}", "nticks": 8, "showgrid": False}
    if main.widest_input is not None:
        layout["shapes"] = [_mark(main.widest_input, top, bottom) for top, bottom in domains]
    height = float((heights + GAP).sum() + BELOW)
    return Chart(f"gates-{main.network}", NAMES[main.network], _words(main, opened), traces, layout, height=height)


def _domains(heights: np.ndarray) -> list[list[float]]:
    """Top and bottom of each panel, as shares of the chart from below."""
    edges = 1.0 - np.cumsum(np.column_stack([np.full(len(heights), GAP), heights])) / (heights + GAP).sum()
    return np.clip(edges.reshape(-1, 2), 0.0, 1.0).round(4).tolist()


def _words(record: WindowRecord, opened: OpenedWindow) -> str:
    """Mean of every gate, and the session that opened the input gate widest."""
    means = [f"{name} {values.mean():.2f} on average" for name, values in record.panels.items() if name in GATES]
    hidden = record.panels["hidden state"]
    said = [*means, f"hidden state between {hidden.min():.2f} and {hidden.max():.2f}"]
    if record.widest_input is not None:
        said.append(f"the input gate opens widest on {opened.sessions[record.widest_input]}, which is framed")
    return f"{len(record.units)} units over {len(opened.sessions)} sessions; {'; '.join(said)}."


def _line(name: str, values: np.ndarray) -> dict:
    """The price, or the share of attention."""
    style = {"color": "@ink", "width": 1.5}
    hover = f"%{{x}}<br>{name} %{{y}}<extra></extra>"
    return {"type": "scatter", "mode": "lines", "y": _rounded(values), "line": style, "hovertemplate": hover}


def _map(name: str, values: np.ndarray, top: float, bottom: float) -> dict:
    """A row for each unit, upwards; a gate from shut to open, a memory from its negative to its positive."""
    high = 1.0 if name in GATES else float(f"{np.abs(values).max():.2g}") or 1.0
    low = 0.0 if name in GATES else -high
    ticks = [low, (low + high) / 2, high]
    scale = {"y": (top + bottom) / 2, "len": top - bottom, "thickness": 10, "outlinewidth": 0, "tickvals": ticks}
    return {
        "type": "heatmap", "y": list(range(1, values.shape[1] + 1)), "z": [_rounded(row) for row in values.T],
        "zmin": low, "zmax": high, "colorscale": COLOURS, "colorbar": scale,
        "hovertemplate": f"%{{x}}<br>row %{{y}}, {name} %{{z}}<extra></extra>",
    }  # fmt: skip


def _heading(name: str, top: float) -> dict:
    """A panel's name above its left edge."""
    return {
        "text": name, "x": 0.0, "y": top, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
        "showarrow": False,
    }  # fmt: skip


def _mark(session: int, top: float, bottom: float) -> dict:
    """A frame around a session's column of a panel."""
    place = {"xref": "x", "yref": "paper", "x0": session - 0.5, "x1": session + 0.5, "y0": bottom, "y1": top}
    return {"type": "rect", **place, "line": {"color": "@ink", "width": 1}}


def _rounded(values: np.ndarray) -> list[float]:
    return values.astype(float).round(DIGITS).tolist()
