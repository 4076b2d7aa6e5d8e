"""Charts of training and of forecasts; they read results and compute none."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from forecast.config import Config
from forecast.config import NETWORK_NAMES as NAMES
from forecast.networks.distribution import StudentT
from forecast.prices.table import Listing, Prices
from forecast.store.folds import ScoredFold
from forecast.store.results import Forecasts
from forecast.store.runs import Manifest, Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENLARGED = 120      # sessions of the lower row
HISTORY = 60        # sessions before a fan

# Okabe and Ito's colours, which the colour-blind tell apart; line styles tell them apart in print.
_BLACK, _BLUE, _ORANGE, _GREY = "#000000", "#0072B2", "#D55E00", "#7F7F7F"
_GREEN, _PURPLE = "#009E73", "#CC79A7"
_LOOKS = (
    {"color": _BLUE, "marker": "o"},
    {"color": _ORANGE, "marker": "s", "linestyle": "--"},
    {"color": _GREEN, "marker": "^", "linestyle": "-."},
    {"color": _PURPLE, "marker": "D", "linestyle": ":"},
)
_BASELINE_LOOKS = ({"color": _BLACK, "marker": "_"}, {"color": _GREY, "marker": "x", "linestyle": ":"})
_DPI = 120
_STYLE = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "legend.frameon": False,
    "text.parse_math": False,
}


def plot_losses(runs: Sequence[Run]) -> Figure:
    """Training and validation loss: a row for each run, a column for each network, axes shared in a row.

    Faint lines are single seeds, strong ones their mean as far as every seed trained; a dot is a seed's best epoch.
    """
    figure, grid = _grid(runs, row_height=4.0, rows_per_run=1)
    for run, row in zip(runs, grid):
        for network, axes in zip(run.manifest.config.networks, row):
            _draw_losses(axes, run, network)
            axes.set_title(f"{_label(run.manifest, runs)}{NAMES[network]}")
        row[0].set_ylabel(loss_name(run))
        if not run.manifest.config.is_distribution:
            row[0].set_yscale("log")
    _finish(figure, grid, runs, "training and validation loss", _span(runs, "first_session", "validation_end"))
    return figure


def plot_predictions(runs: Sequence[Run]) -> Figure:
    """Next-session predictions over the test, and the last 120 sessions enlarged: a column for each network."""
    figure, grid = _grid(runs, row_height=3.4, rows_per_run=2)
    for number, run in enumerate(runs):
        for column, network in enumerate(run.manifest.config.networks):
            whole, enlarged = grid[2 * number][column], grid[2 * number + 1][column]
            _draw_predictions(whole, run.results.forecasts, network, slice(None))
            _draw_predictions(enlarged, run.results.forecasts, network, slice(-ENLARGED, None))
            whole.set_title(f"{_label(run.manifest, runs)}{NAMES[network]}, all test sessions")
            enlarged.set_title(f"{NAMES[network]}, the last {min(ENLARGED, len(run.results.forecasts.cutoffs))} sessions")
        for row in grid[2 * number : 2 * number + 2]:
            row[0].set_ylabel(f"close {_unit(run.manifest.listing)}")
    dates = f"test {_span(runs, 'test_start', 'test_end')}"
    _finish(figure, grid, runs, "next close, predicted one session before", dates)
    return figure


def plot_fan(prices: Prices, sessions: np.ndarray, forecast: StudentT, title: str) -> Figure:
    """The forecast's median and its 50, 80 and 95 % ranges, after the closes of the last sessions.

    Args:
        prices: up to the last session that the forecast has seen.
        sessions: forecast sessions, datetime64[D], shape (horizon,).
        forecast: arrays of shape (1, horizon).
        title: of the chart.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9.0, 4.8), layout="constrained")
        axes = figure.subplots()
    days = np.concatenate([prices.sessions[-1:], sessions])
    steps = np.concatenate([np.zeros((1, 7)), forecast.quantile()[0]])            # (1 + horizon, n_levels)
    levels = prices.close[-1] * np.exp(steps)
    for low, alpha, label in ((0, 0.15, "95 % range"), (1, 0.2, "80 % range"), (2, 0.3, "50 % range")):
        axes.fill_between(days, levels[:, low], levels[:, 6 - low], color=_BLUE, alpha=alpha, lw=0, label=label)
    axes.plot(prices.sessions[-HISTORY:], prices.close[-HISTORY:], color=_BLACK, linewidth=1.3, label="close")
    axes.plot(days, levels[:, 3], color=_ORANGE, linewidth=1.6, linestyle="--", label="median")
    axes.set_ylabel(f"close {_unit(prices.listing)}")
    axes.set_title(title, parse_math=False)
    axes.legend(loc="upper left", fontsize=10)
    _use_short_dates(axes)
    if prices.simulated:
        _stamp_simulated(figure)
    return figure


def plot_folds(folds: Sequence[ScoredFold], config: Config, title: str, listing: Listing, simulated: bool) -> Figure:
    """The error of each fold by model, and below it how much lower or higher than the baseline's it is.

    Errors are CRPS, and the baseline GARCH(1,1)-t; a recipe of points has absolute errors and yesterday's close.

    Args:
        folds: oldest first.
        config: networks and recipe.
        title: of the chart.
        listing: whose currency the absolute errors have.
        simulated: stamps it.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9.0, 6.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
    metric, baseline = ("crps", "garch") if config.is_distribution else ("mae", "naive")
    name = "CRPS [%]" if config.is_distribution else f"MAE {_unit(listing)}"
    models = {network: NAMES[network] for network in config.networks} | {"garch": "GARCH(1,1)-t", "naive": "naive"}
    errors = {model: np.array([fold.scores.models[model]["overall"][metric] for fold in folds]) for model in models}
    numbers = np.arange(1, len(folds) + 1)
    looks = (*_LOOKS[: len(config.networks)], *_BASELINE_LOOKS)
    for look, (model, label) in zip(looks, models.items()):
        upper.plot(numbers, errors[model], label=label, linewidth=1.4, markersize=7, **look)
        if model in config.networks or model == baseline:  # another baseline, far off, would press the networks together
            lower.plot(numbers, 100.0 * (errors[model] / errors[baseline] - 1.0), linewidth=1.4, markersize=7, **look)
    upper.set_ylabel(name)
    lower.set_ylabel(f"against {models[baseline]} [%]\nbelow 0 is better")
    lower.set_xticks(numbers, [_fold_label(fold, len(folds)) for fold in folds])
    lower.set_xlabel("fold, and where its test begins")
    figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=len(models), frameon=False)
    figure.suptitle(f"{title} · error by fold{' · SIMULATED' if simulated else ''}", parse_math=False, fontsize=13)
    if simulated:
        _stamp_simulated(figure)
    return figure


def import_matplotlib() -> None:
    """Import what drawing takes, 0.3 s: for who has a moment to spare before there is anything to draw."""
    import matplotlib.backends.backend_agg  # noqa: F401
    import matplotlib.figure  # noqa: F401


def png_from_figure(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG, the same bytes every time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def _grid(runs: Sequence[Run], row_height: float, rows_per_run: int) -> tuple[Figure, np.ndarray]:
    import matplotlib
    from matplotlib.figure import Figure

    columns = max(len(run.manifest.config.networks) for run in runs)
    rows = rows_per_run * len(runs)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.5 * max(columns, 2), row_height * rows + 1.0), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharex="row", sharey="row")
    for row, run in zip(grid, np.repeat(np.arange(len(runs)), rows_per_run)):
        for axes in row[len(runs[run].manifest.config.networks) :]:
            axes.set_visible(False)
    return figure, grid


def _draw_losses(axes: Axes, run: Run, network: str) -> None:
    curves = loss_curves(run, network)
    shared = min(len(seed) for seed in curves)                        # epochs that every seed trained
    for curve in curves:
        epochs = np.arange(1, len(curve) + 1)
        axes.plot(epochs, curve[:, 0], color=_BLUE, alpha=0.3, linewidth=1)
        axes.plot(epochs, curve[:, 1], color=_ORANGE, alpha=0.35, linewidth=1, linestyle="--")
        best = int(np.argmin(curve[:, 1]))
        axes.plot(best + 1, curve[best, 1], "o", color=_ORANGE, markersize=7, markeredgecolor="white")
    mean = np.mean([curve[:shared] for curve in curves], axis=0)      # (n_epochs, 2)
    epochs = np.arange(1, shared + 1)
    axes.plot(epochs, mean[:, 0], color=_BLUE, linewidth=2.2, label="training")
    axes.plot(epochs, mean[:, 1], color=_ORANGE, linewidth=2.2, linestyle="--", label="validation")
    axes.plot([], [], "o", color=_ORANGE, markeredgecolor="white", label="best epoch of a seed")
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)


def loss_curves(run: Run, network: str) -> list[np.ndarray]:
    """Training and validation loss of each seed's evaluation fit, arrays of shape (n_epochs, 2)."""
    history = [e for e in run.results.history if e.network == network and e.fit == "evaluation"]
    seeds = sorted({epoch.seed for epoch in history})
    return [np.array([(e.loss, e.validation_loss) for e in history if e.seed == seed]) for seed in seeds]


def _draw_predictions(axes: Axes, forecasts: Forecasts, network: str, part: slice) -> None:
    sessions = forecasts.sessions[part, 0]
    model, naive = forecasts.models[network], forecasts.last_close[part]
    if not model.is_point:
        ranges = forecasts.prices(model.quantile((0.025, 0.1, 0.9, 0.975)))[part, 0]    # (n_cutoffs, 4)
        axes.fill_between(sessions, ranges[:, 0], ranges[:, 3], color=_BLUE, alpha=0.18, lw=0, label="95 % range")
        axes.fill_between(sessions, ranges[:, 1], ranges[:, 2], color=_BLUE, alpha=0.30, lw=0, label="80 % range")
    axes.plot(sessions, naive, color=_GREY, linewidth=3.4, label="naive: yesterday's close")
    axes.plot(sessions, forecasts.prices(model.location)[part, 0], color=_ORANGE, lw=1.2, ls="--", label="predicted")
    axes.plot(sessions, forecasts.prices(forecasts.y_true)[part, 0], color=_BLACK, linewidth=1.1, label="actual")
    _use_short_dates(axes)


def _use_short_dates(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _finish(figure: Figure, grid: np.ndarray, runs: Sequence[Run], what: str, dates: str) -> None:
    """Title and legend of the whole figure, and SIMULATED across it where it is."""
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=11)
    manifest = runs[0].manifest
    recipes = " and ".join(dict.fromkeys(run.manifest.config.recipe for run in runs))
    simulated = " · SIMULATED" if manifest.simulated else ""
    figure.suptitle(f"{manifest.ticker} · {recipes} · {what} · {dates}{simulated}", parse_math=False, fontsize=13)
    if manifest.simulated:
        _stamp_simulated(figure)


def _span(runs: Sequence[Run], first: str, last: str) -> str:
    """From the earliest of one date to the latest of another."""
    cutoffs = [run.manifest.cutoffs for run in runs]
    return f"{min(each[first] for each in cutoffs)} to {max(each[last] for each in cutoffs)}"


def _fold_label(fold: ScoredFold, n_folds: int) -> str:
    """Number and month where the test begins; the number alone where many folds leave no room."""
    number = str(fold.scores.number)
    return number if n_folds > 10 else f"{number}\n{fold.scores.cutoffs['test_start'][:7]}"


def _stamp_simulated(figure: Figure) -> None:
    figure.text(0.5, 0.5, "SIMULATED", fontsize=70, color=_GREY, alpha=0.13, rotation=20, ha="center", va="center")


def _label(manifest: Manifest, runs: Sequence[Run]) -> str:
    return f"{manifest.config.recipe}: " if len(runs) > 1 else ""


def loss_name(run: Run) -> str:
    """What a run's losses are."""
    if run.manifest.config.is_distribution:
        return "negative log likelihood"
    return "mean squared error [scaled close²]"


def _unit(listing: Listing) -> str:
    return f"[{listing.currency}]" if listing.currency else ""
