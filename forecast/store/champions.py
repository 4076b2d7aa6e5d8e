"""Which run of a ticker serves its forecasts, and which ones did before: `models/TICKER/champion.json`.

    {"run_id": "20261120...", "promoted_at": ..., "reason": ...,
     "former": [{"run_id": "20261113...", "promoted_at": ..., "reason": ...}, ...]}     newest first

A rollback is the inverse of the last promotion: it leaves the file as it was before, bit for bit.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from forecast.errors import RunError
from forecast.prices.snapshots import write_whole
from forecast.prices.tickers import folder_from_ticker, ticker_from_folder
from forecast.store.locks import writing_lock
from forecast.store.runs import find_run, load_file, load_manifest

CHAMPION = "champion.json"


def load_champion(models_folder: Path, ticker: str) -> Path | None:
    """The folder of the run that serves the ticker; None while it has none.

    Raises:
        RunError: the file is damaged, or names a run that is not there.
    """
    document = _read(models_folder, ticker)
    return None if document is None else find_run(models_folder, ticker, document["run_id"])


def former_champions(models_folder: Path, ticker: str) -> list[str]:
    """Run ids of those that served before, the last one first.

    Raises:
        RunError: the file is damaged.
    """
    document = _read(models_folder, ticker)
    return [] if document is None else [reign["run_id"] for reign in document["former"]]


def promote(run: Path, reason: str) -> None:
    """Make a run its ticker's champion; the former one is remembered, for a rollback.

    Args:
        run: folder of a stored run; nothing changes where it serves already.
        reason: why, in words.

    Raises:
        RunError: a file of the run is missing or was changed; the former champion goes on serving.
    """
    models_folder, ticker = run.parent.parent, ticker_from_folder(run.parent.name)
    _check_whole(run)
    with writing_lock(models_folder, ticker):
        try:
            former = _read(models_folder, ticker)
        except RunError:  # a damaged file is what naming a champion is the cure for
            former = None
        if former is not None and former["run_id"] == run.name:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        reigns = [] if former is None else [_reign(former), *former["former"]]
        _write(run.parent, {"run_id": run.name, "promoted_at": now, "reason": reason, "former": reigns})


def rollback(models_folder: Path, ticker: str) -> Path:
    """Let the former champion serve again, and give back its folder; repeated, the one before it.

    Raises:
        RunError: there was none before, or its run is not there any more or was changed.
    """
    if _read(models_folder, ticker) is None:     # a lock would make the folder of a ticker that has none
        raise RunError(f"{ticker} has no champion; there is nothing to go back to. Type: forecast train {ticker}")
    with writing_lock(models_folder, ticker):
        document = _read(models_folder, ticker)
        if not document["former"]:
            raise RunError(f"{ticker} had no champion before {document['run_id']}; there is nothing to go back to.")
        last, *earlier = document["former"]
        run = find_run(models_folder, ticker, last["run_id"])
        _check_whole(run)
        _write(run.parent, last | {"former": earlier})
        return run


def _read(models_folder: Path, ticker: str) -> dict | None:
    path = models_folder / folder_from_ticker(ticker) / CHAMPION
    try:
        document = json.loads(path.read_bytes())
        return _reign(document) | {"former": [_reign(former) for former in document["former"]]}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged: {error!r}. Name a run: forecast runs promote {ticker} RUN_ID") from error


def _reign(document: dict) -> dict[str, str]:
    return {name: document[name] for name in ("run_id", "promoted_at", "reason")}


def _write(folder: Path, document: dict) -> None:
    try:
        write_whole(folder / CHAMPION, (json.dumps(document, indent=2) + "\n").encode())
    except OSError as error:
        raise RunError(f"{folder / CHAMPION} cannot be written: {error.strerror}.") from error


def _check_whole(run: Path) -> None:
    manifest = load_manifest(run)
    for name in manifest.files:
        load_file(run, manifest, name)
