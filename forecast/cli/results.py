"""Runs as tables and as JSON: the same figures, with yesterday's close in the same rows and units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from forecast.charts import NAMES
from forecast.cli.tables import print_json, print_path, print_table, print_text
from forecast.config import Config
from forecast.library import Failure
from forecast.prices.table import Listing
from forecast.store.results import Results
from forecast.store.runs import SCHEMA, load_run

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


def print_run(path: Path, charts: Sequence[Path]) -> None:
    """A run's scores, its verdict in words, and where the charts are."""
    run = load_run(path)
    manifest = run.manifest
    title = format_title(manifest.ticker, manifest.config, manifest.simulated)
    print_results(run.results, title, manifest.config.horizon, manifest.listing)
    for chart in charts:
        print_path(chart)


def print_results(results: Results, title: str, horizon: int, listing: Listing) -> None:
    """Scores of the next session and of all steps, and the verdict in words."""
    print_scores(results.metrics, "1", f"{title}: next session", listing)
    if horizon > 1:
        print_scores(results.metrics, None, f"{title}: 1 to {horizon} sessions ahead", listing)
    print_text(results.verdict)
    print_text("")


def print_scores(metrics: Mapping[str, dict], step: str | None, title: str, listing: Listing) -> None:
    """One row for each model; `step` names one of `by_horizon`, None the overall scores."""
    scores = {name: model["overall"] if step is None else model["by_horizon"][step] for name, model in metrics.items()}
    rows = [
        [NAMES.get(name) or BASELINE_NAMES[name], *(_figure(scores, name, column) for column in _COLUMNS)]
        for name in scores
    ]
    unit = f"\n[{listing.currency}]" if listing.currency else ""
    headers = ["", f"MAE{unit}", f"RMSE{unit}", "MASE", "dir.\n[%]", "CRPS\n[%]", "in 80%\n[%]", "in 95%\n[%]"]
    n = next(iter(scores.values()))["n"]
    print_table(f"{title}, {n} forecasts", headers, rows, "* best of its column")


def print_document(paths: Sequence[tuple[Path, Sequence[Path]]], failures: Sequence[Failure]) -> None:
    """The JSON document of `train`, `compare` and `backtest`."""
    runs = [dict_from_run(path, charts) for path, charts in paths]
    failed = [{"ticker": f.ticker, "error": str(f.error), "exit_code": f.error.exit_code} for f in failures]
    print_json({"schema": SCHEMA, "runs": runs, "failures": failed})


def dict_from_run(path: Path, charts: Sequence[Path]) -> dict[str, object]:
    """One run of the JSON document."""
    run = load_run(path)
    manifest = run.manifest
    return {
        "ticker": manifest.ticker,
        "run_id": manifest.run_id,
        "path": str(path),
        "recipe": manifest.config.recipe,
        "horizon": manifest.config.horizon,
        "simulated": manifest.simulated,
        "currency": manifest.listing.currency,
        "snapshot": manifest.snapshot,
        "cutoffs": manifest.cutoffs,
        "models": run.results.metrics,
        "charts": [str(chart) for chart in charts],
        "verdict": run.results.verdict,
        "findings": run.results.findings,
    }


def format_title(ticker: str, config: Config, simulated: bool) -> str:
    """Whose results these are: "TSLA returns", or "DEMO SIMULATED returns"."""
    return f"{ticker}{' SIMULATED' if simulated else ''} {config.recipe}"


def _figure(scores: dict[str, dict], name: str, column: str) -> str:
    """A figure with its unit's digits, marked when it is the best of its column."""
    value = scores[name][column]
    if value is None:
        return "- "
    text = _digits(value, column)
    is_best = text == _digits(_best(scores, column), column)  # what reads the same is starred the same
    return f"**{text}**" if is_best else f"{text} "           # digits below digits, the star beside


def _digits(value: float, column: str) -> str:
    return f"{100 * value:.1f}" if column in _NOMINAL or column in _HIGHEST_IS_BEST else f"{value:#.4g}"


def _best(scores: dict[str, dict], column: str) -> float | None:
    values = [score[column] for score in scores.values() if score[column] is not None]
    if column in _HIGHEST_IS_BEST:
        return max(values, default=None)
    return min(values, key=lambda value: abs(value - _NOMINAL.get(column, 0.0)), default=None)
