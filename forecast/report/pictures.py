"""The page's charts as plain data for plotly.js, each with words for those who do not see it.

A colour is a word such as "@ink": the page's script puts in what the reader's light or dark theme calls for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.charts import HISTORY, NAMES, loss_curves, loss_name
from forecast.evaluation.metrics import pit
from forecast.prices.table import Prices
from forecast.report.scores import name_of
from forecast.store.folds import ScoredFold
from forecast.store.ledger import LedgerRow
from forecast.store.results import Forecasts
from forecast.store.runs import Run

ROLLING = 60        # sessions that the coverage over time is the mean of
N_BINS = 10         # of the PIT
DIGITS = 6          # significant, of what a reader can hover over
_LOOKS = (("@blue", "solid"), ("@orange", "dash"), ("@green", "dashdot"), ("@purple", "dot"))


@dataclass(frozen=True)
class Chart:
    """One chart.

    Args:
        id: unique on its page.
        title: above it.
        words: what it shows, with its main figures, for those who do not see it.
        data: plotly's traces.
        layout: plotly's layout, but for colours and margins.
        zooms: numbers of last points that a button zooms to.
        height: [rem].
    """

    id: str
    title: str
    words: str
    data: list[dict]
    layout: dict
    zooms: tuple[int, ...] = ()
    height: float = 24.0


def picture_losses(run: Run) -> list[Chart]:
    """Training and validation loss of each network, on one scale: faint seeds, strong means."""
    networks = run.manifest.config.networks
    curves = {network: loss_curves(run, network) for network in networks}
    values = np.concatenate([curve.ravel() for own in curves.values() for curve in own])
    is_log = not run.manifest.config.is_distribution
    low, high = np.log10([values.min(), values.max()]) if is_log else (values.min(), values.max())
    pad = 0.05 * (high - low) or 0.1
    axis = {"title": {"text": loss_name(run)}, "range": [low - pad, high + pad], "type": "log" if is_log else "linear"}
    layout = {"xaxis": {"title": {"text": "epoch"}}, "yaxis": axis}
    return [_picture_loss(network, curves[network], layout) for network in networks]


def picture_predictions(run: Run) -> list[Chart]:
    """Next-session predictions of each network over the test, with actual, yesterday's close and ranges."""
    return [_picture_prediction(run, network) for network in run.manifest.config.networks]


def picture_outlook(rows: Sequence[LedgerRow], prices: Prices, unit: str) -> Chart:
    """The newest forecast on record after the closes of the last sessions."""
    known = prices.until(rows[0].cutoff)
    days = [rows[0].cutoff, *(row.target for row in rows)]
    quantiles = np.array([row.quantiles for row in rows], dtype=float)                     # (horizon, 7)
    levels = rows[0].last_close * np.exp(np.vstack([np.zeros(7), quantiles]))              # (1 + horizon, 7)
    ranges = [] if rows[0].scale is None else [
        trace
        for low, colour, name in ((0, "@blue95", "95 % range"), (1, "@blue80", "80 % range"), (2, "@blue50", "50 % range"))
        for trace in _band(days, levels[:, low], levels[:, 6 - low], colour, name)
    ]
    traces = [
        *ranges,
        _line(days, levels[:, 3], "median", "@orange", "dash", mode="lines+markers"),
        _line(_days(known.sessions[-HISTORY:]), known.close[-HISTORY:], "close", "@ink"),
    ]
    words = f"From a close of {rows[0].last_close:.2f} on {rows[0].cutoff} to a median of {levels[-1, 3]:.2f} on {days[-1]}."
    return Chart("outlook", "Median and ranges", words, traces, {"xaxis": {"type": "date"}, "yaxis": _titled(f"close {unit}")})


def picture_calibration(run: Run) -> list[Chart]:
    """For networks with ranges: coverage by level, the PIT, and coverage over time; else nothing."""
    if not run.manifest.config.is_distribution:
        return []
    forecasts, networks = run.results.forecasts, run.manifest.config.networks
    positions = {network: pit(forecasts.models[network], forecasts.y_true) for network in networks}
    return [_picture_levels(positions), _picture_pit(positions), _picture_over_time(forecasts, positions)]


def picture_folds(folds: Sequence[ScoredFold]) -> Chart:
    """The error of each fold of the newest backtest, of networks, GARCH and yesterday's close."""
    models = folds[0].scores.models
    networks = [name for name, model in models.items() if model["kind"] == "network"]
    has_ranges = all(models[network]["overall"]["crps"] is not None for network in networks)
    metric, title = ("crps", "CRPS [%]") if has_ranges else ("mae", "MAE")
    shown = [*networks, *(name for name in ("garch", "naive") if models[name]["overall"][metric] is not None)]
    looks = (*_LOOKS[: len(networks)], ("@ink", "dot"), ("@grey", "solid"))
    starts = [fold.scores.cutoffs["test_start"] for fold in folds]
    traces = [
        _line(starts, [fold.scores.models[name]["overall"][metric] for fold in folds], name_of(name), *look, mode="lines+markers")
        for name, look in zip(shown, looks)
    ]
    words = f"{title} of {len(folds)} folds, whose tests begin on {', '.join(starts)}."
    layout = {"xaxis": {"title": {"text": "the fold's test begins"}, "type": "date"}, "yaxis": _titled(title)}
    return Chart("folds", "Error by fold", words, traces, layout)


def _picture_loss(network: str, curves: list[np.ndarray], layout: dict) -> Chart:
    shared = min(len(curve) for curve in curves)                          # epochs that every seed trained
    mean = np.mean([curve[:shared] for curve in curves], axis=0)          # (n_epochs, 2)
    traces = []
    for seed in curves:
        epochs = list(range(1, len(seed) + 1))
        for column, colour in ((0, "@blue50"), (1, "@orange50")):
            traces.append(_line(epochs, seed[:, column], "a seed", colour, width=1, showlegend=False, hoverinfo="skip"))
    epochs = list(range(1, shared + 1))
    traces.append(_line(epochs, mean[:, 0], "training", "@blue", width=2.5))
    traces.append(_line(epochs, mean[:, 1], "validation", "@orange", "dash", width=2.5))
    best = int(np.argmin(mean[:, 1]))
    words = (
        f"{len(curves)} seeds; mean validation loss begins at {mean[0, 1]:.4g}, is lowest in epoch {best + 1} with"
        f" {mean[best, 1]:.4g}; training loss ends at {mean[-1, 0]:.4g}."
    )
    return Chart(f"loss-{network}", NAMES[network], words, traces, layout)


def _picture_prediction(run: Run, network: str) -> Chart:
    forecasts, listing = run.results.forecasts, run.manifest.listing
    model, days = forecasts.models[network], _days(forecasts.sessions[:, 0])
    predicted, actual = (forecasts.prices(each)[:, 0] for each in (model.location, forecasts.y_true))
    traces = []
    if not model.is_point:
        levels = forecasts.prices(model.quantile((0.025, 0.1, 0.9, 0.975)))[:, 0]         # (n_cutoffs, 4)
        traces += _band(days, levels[:, 0], levels[:, 3], "@blue95", "95 % range")
        traces += _band(days, levels[:, 1], levels[:, 2], "@blue80", "80 % range")
    traces += [
        _line(days, forecasts.last_close, "yesterday's close", "@grey", width=3),
        _line(days, predicted, "predicted", "@orange", "dash"),
        _line(days, actual, "actual", "@ink"),
    ]
    error, naive = (np.abs(each - actual).mean() for each in (predicted, forecasts.last_close))
    words = (
        f"{len(days)} sessions from {days[0]} to {days[-1]}; on average the prediction misses the close by {error:.4g},"
        f" yesterday's close by {naive:.4g}."
    )
    unit = f" [{listing.currency}]" if listing.currency else ""
    layout = {"xaxis": {"type": "date"}, "yaxis": _titled(f"close{unit}")}
    return Chart(f"prediction-{network}", NAMES[network], words, traces, layout, zooms=(120, 20))


def _picture_levels(positions: dict[str, np.ndarray]) -> Chart:
    """Share of the outcomes inside the central range of each level, all steps together."""
    levels = np.arange(5, 100, 5)
    traces = [_line([0, 100], [0, 100], "as it should be", "@grey")]
    said = []
    for (network, position), look in zip(positions.items(), _LOOKS):
        inside = 100.0 * np.abs(2.0 * position - 1.0)                     # the level whose range just holds the outcome
        held = [100.0 * np.mean(inside <= level) for level in levels]
        traces.append(_line(levels.tolist(), held, NAMES[network], *look, mode="lines+markers"))
        said.append(f"{NAMES[network]}: {held[9]:.1f} % in 50 %, {held[15]:.1f} % in 80 %, {held[18]:.1f} % in 95 %")
    layout = {"xaxis": _titled("range [%]"), "yaxis": _titled("outcomes inside [%]")}
    return Chart("levels", "Coverage by level", "; ".join(said) + ".", traces, layout)


def _picture_pit(positions: dict[str, np.ndarray]) -> Chart:
    """Where in its distribution each outcome fell: flat where the forecast is calibrated."""
    centres = ((np.arange(N_BINS) + 0.5) / N_BINS).round(3).tolist()
    traces, said = [], []
    for (network, position), (colour, _) in zip(positions.items(), _LOOKS):
        shares = 100.0 * np.histogram(position, bins=N_BINS, range=(0.0, 1.0))[0] / position.size
        traces.append({"type": "bar", "x": centres, "y": _rounded(shares), "name": NAMES[network], "marker": {"color": colour}})
        said.append(f"{NAMES[network]}: {shares.min():.1f} to {shares.max():.1f} % of the outcomes in a tenth, 10 % would be even")
    traces.append(_line([0, 1], [100.0 / N_BINS] * 2, "as it should be", "@grey"))
    layout = {"xaxis": _titled("place in the predicted distribution"), "yaxis": _titled("outcomes [%]"), "barmode": "group"}
    return Chart("pit", "PIT", "; ".join(said) + ".", traces, layout)


def _picture_over_time(forecasts: Forecasts, positions: dict[str, np.ndarray]) -> Chart:
    """Share of the next closes inside their 80 % range, over the last 60 sessions."""
    width = min(ROLLING, len(forecasts.cutoffs))
    days = _days(forecasts.sessions[width - 1 :, 0])
    traces, said = [_line([days[0], days[-1]], [80, 80], "as it should be", "@grey")], []
    for (network, position), look in zip(positions.items(), _LOOKS):
        hits = np.abs(2.0 * position[:, 0] - 1.0) <= 0.8
        held = 100.0 * np.convolve(hits, np.ones(width) / width, mode="valid")
        traces.append(_line(days, held, NAMES[network], *look))
        said.append(f"{NAMES[network]}: between {held.min():.1f} and {held.max():.1f} %")
    layout = {"xaxis": {"type": "date"}, "yaxis": _titled(f"in 80 % of the last {width} [%]")}
    return Chart("over-time", "Coverage over time", "; ".join(said) + ".", traces, layout)


def _band(x: list, low: np.ndarray, high: np.ndarray, colour: str, name: str) -> list[dict]:
    """An area between two lines; values under the cursor are those of its edges."""
    edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "legendgroup": name}
    return [
        {**edge, "y": _rounded(low), "name": name, "showlegend": False, "hovertemplate": f"{name} from %{{y}}<extra></extra>"},
        {
            **edge, "y": _rounded(high), "name": name, "fill": "tonexty", "fillcolor": colour,
            "hovertemplate": f"{name} to %{{y}}<extra></extra>",
        },  # fmt: skip
    ]


def _line(x: list, y: Sequence[float], name: str, colour: str, dash: str = "solid", width: float = 1.5, **more: object) -> dict:
    style = {"color": colour, "dash": dash, "width": width}
    return {"type": "scatter", "mode": "lines", "x": x, "y": _rounded(y), "name": name, "line": style, **more}


def _titled(text: str) -> dict:
    return {"title": {"text": text}}


def _days(sessions: np.ndarray) -> list[str]:
    return sessions.astype(str).tolist()


def _rounded(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values]
