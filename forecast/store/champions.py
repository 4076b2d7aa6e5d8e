"""Which run of a ticker serves its forecasts: `models/TICKER/champion.json`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from forecast.errors import RunError
from forecast.prices.snapshots import write_whole
from forecast.prices.tickers import folder_from_ticker
from forecast.store.runs import find_run

CHAMPION = "champion.json"


def load_champion(models_folder: Path, ticker: str) -> Path | None:
    """The folder of the run that serves the ticker; None while it has none.

    Raises:
        RunError: the file is damaged, or names a run that is not there.
    """
    path = models_folder / folder_from_ticker(ticker) / CHAMPION
    try:
        run_id = json.loads(path.read_bytes())["run_id"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged: {error!r}. Name a run: forecast runs promote {ticker} RUN_ID") from error
    return find_run(models_folder, ticker, run_id)


def promote(run: Path, reason: str) -> None:
    """Make a run its ticker's champion; the former one is remembered, for a rollback.

    Args:
        run: folder of a stored run.
        reason: why, in words.
    """
    path = run.parent / CHAMPION
    try:
        former = json.loads(path.read_bytes())["run_id"]
    except (OSError, ValueError, KeyError, TypeError):
        former = None
    document = {
        "run_id": run.name,
        "former": former,
        "promoted_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "reason": reason,
    }
    write_whole(path, (json.dumps(document, indent=2) + "\n").encode())
