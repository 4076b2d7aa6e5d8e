"""Runs as tables and as JSON: the same figures, with yesterday's close in the same rows and units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from forecast.cli.tables import print_json, print_path, print_table, print_text
from forecast.config import Config
from forecast.library import Failure
from forecast.prices.table import Listing
from forecast.report.scores import Cell, headers, rows_of, scores_at
from forecast.store.results import Results
from forecast.store.runs import SCHEMA, load_run


NARROW = (3, 2, 7, 4, 1)     # what a narrow terminal leaves out first: MASE, RMSE, 95 %, direction, MAE


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
    scores = scores_at(metrics, step)
    rows = [[name, *(_starred(cell) for cell in cells)] for name, cells in rows_of(scores)]
    columns = ["", *("\n".join(filter(None, header)) for header in headers(listing))]
    n = next(iter(scores.values()))["n"]
    print_table(f"{title}, {n} forecasts", columns, rows, "* best of its column", dropped=NARROW)


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


def _starred(cell: Cell) -> str:
    """Digits below digits, the star beside."""
    return f"**{cell.text}**" if cell.is_best else f"{cell.text} "
