"""Which stored runs and price snapshots nobody needs any more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from forecast.prices.snapshots import prune_snapshots
from forecast.store.champions import former_champions, load_champion
from forecast.store.ledger import LEDGER, load_forecasts
from forecast.store.locks import retraining_lock
from forecast.store.runs import delete_run, list_runs, load_manifest


@dataclass(frozen=True)
class Pruned:
    """What was deleted of a ticker: run ids, oldest first, and sha256 of snapshots."""

    ticker: str
    runs: list[str]
    snapshots: list[str]


def find_prunable(models_folder: Path, ticker: str, keep: int) -> list[Path]:
    """Runs that neither serve, nor served last, nor are among the newest, oldest first.

    Args:
        keep: how many of the newest stay.

    Raises:
        RunError: the champion is unknown.
    """
    runs = list_runs(models_folder, [ticker])
    champion = load_champion(models_folder, ticker)
    needed = [champion.name] if champion else []
    needed += former_champions(models_folder, ticker)[:1]
    return [run for run in runs[: max(0, len(runs) - keep)] if run.name not in needed]


def prune(workspace: Path, ticker: str, keep: int) -> Pruned:
    """Delete a ticker's prunable runs, then the snapshots that no kept run and no forecast on record names.

    Raises:
        TryAgainLater: the ticker is being retrained.
        RunError: the champion is unknown, or a folder cannot be changed.
    """
    models = workspace / "models"
    with retraining_lock(models, ticker):
        runs = find_prunable(models, ticker, keep)
        for run in runs:
            delete_run(run)
        named = {load_manifest(run).snapshot for run in list_runs(models, [ticker])}
        named |= {row.snapshot for row in load_forecasts(models / LEDGER, ticker)}
        return Pruned(ticker, [run.name for run in runs], prune_snapshots(workspace / "data", ticker, named))
