"""Stored folds of a backtest: `models/TICKER/backtests/BACKTEST_ID/`, each fold whole or not there.

    fold-1.csv      every model's forecasts, as in a run
    fold-1.json     its scores, and the sha256 of the CSV file; written last, so that it says the fold is there
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from forecast.errors import RunError
from forecast.prices.snapshots import write_whole
from forecast.store.results import Forecasts, csv_from_forecasts, forecasts_from_csv


@dataclass(frozen=True)
class FoldScores:
    """What a fold found out besides its forecasts.

    Args:
        number: from 1, oldest first.
        cutoffs: ISO dates of the first and the last session, and of those that each part begins and ends with.
        models: by name: its kind, its scores overall and by horizon, as the JSON output has them.
        seed_losses: by network, the mean loss of each seed's network alone.
        share_outside: share of the test closes outside the range of the insample closes.
        best_epochs: by network, the epoch that validation chose for each seed.
        seconds: of all its fits, one after the other.
    """

    number: int
    cutoffs: dict[str, str]
    models: dict[str, dict]
    seed_losses: dict[str, list[float]]
    share_outside: float
    best_epochs: dict[str, list[int]]
    seconds: float


@dataclass(frozen=True)
class ScoredFold:
    """A fold's scores beside the forecasts that they were taken of."""

    scores: FoldScores
    forecasts: Forecasts


def save_fold(folder: Path, fold: ScoredFold) -> None:
    """Write a fold so that at any moment it is there as a whole or not at all.

    Raises:
        RunError: the folder cannot be written.
    """
    path = folder / f"fold-{fold.scores.number}.csv"
    content = csv_from_forecasts(fold.forecasts).encode()
    document = {"sha256": hashlib.sha256(content).hexdigest(), **asdict(fold.scores)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
        write_whole(path.with_suffix(".json"), (json.dumps(document, indent=2) + "\n").encode())
    except OSError as error:
        raise RunError(f"The fold cannot be written to {path}: {error.strerror}.") from error


def load_fold(folder: Path, number: int) -> ScoredFold | None:
    """A stored fold; None where it is not there as it was written, and has to be made again."""
    path = folder / f"fold-{number}.csv"
    try:
        document = json.loads(path.with_suffix(".json").read_bytes())
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != document.pop("sha256"):
            return None
        return ScoredFold(FoldScores(**document), forecasts_from_csv(content.decode()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
