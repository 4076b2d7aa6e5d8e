"""The table of scores as text: a row for each model, the best of each column marked; terminal and page show the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forecast.charts import NAMES
from forecast.prices.table import Listing

BASELINE_NAMES = {
    "naive": "naive (last close)",
    "drift": "drift",
    "historical_normal": "volatility, normal",
    "historical_student_t": "volatility, t",
    "garch": "GARCH(1,1)-t",
    "ets": "ETS",
}
_HIGHEST_IS_BEST = {"directional_accuracy"}
_NOMINAL = {"coverage_80": 0.80, "coverage_95": 0.95}
_COLUMNS = ("mae", "rmse", "mase", "directional_accuracy", "crps", "coverage_80", "coverage_95")


@dataclass(frozen=True)
class Cell:
    """A figure with its column's digits, and whether it reads as the best of its column."""

    text: str
    is_best: bool


def name_of(model: str) -> str:
    """A network's or a baseline's name for people."""
    return NAMES.get(model) or BASELINE_NAMES[model]


def headers(listing: Listing) -> list[tuple[str, str]]:
    """Word and unit of each column of figures."""
    unit = f"[{listing.currency}]" if listing.currency else ""
    shares = [("dir.", "[%]"), ("CRPS", "[%]"), ("in 80%", "[%]"), ("in 95%", "[%]")]
    return [("MAE", unit), ("RMSE", unit), ("MASE", ""), *shares]


def scores_at(metrics: Mapping[str, dict], step: str | None) -> dict[str, dict]:
    """Scores by model, of one of `by_horizon`, or over all steps where `step` is None."""
    return {name: model["overall"] if step is None else model["by_horizon"][step] for name, model in metrics.items()}


def rows_of(scores: Mapping[str, dict]) -> list[tuple[str, list[Cell]]]:
    """A name and its figures for each model; what reads the same is marked alike."""
    best = {column: _best(scores, column) for column in _COLUMNS}
    return [(name_of(model), [_cell(score[column], column, best[column]) for column in _COLUMNS]) for model, score in scores.items()]


def _cell(value: float | None, column: str, best: float | None) -> Cell:
    if value is None:
        return Cell("-", False)
    text = _digits(value, column)
    return Cell(text, text == _digits(best, column))


def _digits(value: float, column: str) -> str:
    return f"{100 * value:.1f}" if column in _NOMINAL or column in _HIGHEST_IS_BEST else f"{value:#.4g}"


def _best(scores: Mapping[str, dict], column: str) -> float | None:
    values = [score[column] for score in scores.values() if score[column] is not None]
    if column in _HIGHEST_IS_BEST:
        return max(values, default=None)
    return min(values, key=lambda value: abs(value - _NOMINAL.get(column, 0.0)), default=None)
