"""Runs as tables and as JSON: the same figures, with yesterday's close in the same rows and units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from forecast.charts import NAMES
from forecast.cli.tables import print_json, print_path, print_table, print_text
from forecast.library import Failure
from forecast.store.runs import SCHEMA, Manifest, Run, load_run

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
    """Scores of the next session and of all steps, the verdict in words, and where the charts are."""
    run = load_run(path)
    horizon = run.manifest.config.horizon
    print_scores(run, "1", "next session")
    if horizon > 1:
        print_scores(run, None, f"1 to {horizon} sessions ahead")
    print_text(run.results.verdict)
    print_text("")
    for chart in charts:
        print_path(chart)


def print_scores(run: Run, step: str | None, what: str) -> None:
    """One row for each model; `step` names one of `by_horizon`, None the overall scores."""
    scores = {
        name: model["overall"] if step is None else model["by_horizon"][step]
        for name, model in run.results.metrics.items()
    }
    rows = [
        [NAMES.get(name) or BASELINE_NAMES[name], *(_figure(scores, name, column) for column in _COLUMNS)]
        for name in scores
    ]
    unit = f"\n[{run.manifest.listing.currency or 'price'}]"
    headers = ["", f"MAE{unit}", f"RMSE{unit}", "MASE", "dir.\n[%]", "CRPS\n[%]", "in 80%\n[%]", "in 95%\n[%]"]
    n = next(iter(scores.values()))["n"]
    print_table(f"{_title(run.manifest)}: {what}, {n} forecasts", headers, rows, "* best of its column")


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


def _title(manifest: Manifest) -> str:
    simulated = " SIMULATED" if manifest.simulated else ""
    return f"{manifest.ticker}{simulated} {manifest.config.recipe}"


def _figure(scores: dict[str, dict], name: str, column: str) -> str:
    """A figure with its unit's digits, marked when it is the best of its column."""
    value = scores[name][column]
    if value is None:
        return "- "
    text = f"{100 * value:.1f}" if column in _NOMINAL or column in _HIGHEST_IS_BEST else f"{value:#.4g}"
    return f"**{text}**" if value == _best(scores, column) else f"{text} "  # digits below digits, the star beside


def _best(scores: dict[str, dict], column: str) -> float | None:
    values = [score[column] for score in scores.values() if score[column] is not None]
    if column in _HIGHEST_IS_BEST:
        return max(values, default=None)
    return min(values, key=lambda value: abs(value - _NOMINAL.get(column, 0.0)), default=None)
