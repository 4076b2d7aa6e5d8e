"""Stored runs: `models/TICKER/RUN_ID/`, whole or not there, every file under its sha256."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecast.config import Config, config_from_dict, dict_from_config
from forecast.errors import ConfigError, RunError
from forecast.networks.calibration import calibration_from_dict, dict_from_calibration
from forecast.networks.forecaster import Forecaster
from forecast.prices.table import Listing
from forecast.prices.tickers import folder_from_ticker, ticker_from_folder
from forecast.store.locks import writing_lock
from forecast.windows.scaler import dict_from_scaler, scaler_from_dict

if TYPE_CHECKING:
    from forecast.store.results import Results

SCHEMA = 1
MANIFEST = "manifest.json"
_UNFINISHED = ".unfinished-"  # a temporary folder's prefix; never listed


@dataclass(frozen=True)
class Manifest:
    """What identifies a run, and all that is needed to make it again.

    Args:
        ticker, run_id: its place in the store.
        created_at: UTC, ISO.
        config: of both fits.
        source: where the prices came from, as `Prices.source`.
        snapshot: sha256 of the prices.
        listing: exchange, currency and time zone of the ticker.
        simulated: True for DEMO.
        cutoffs: ISO dates: first and last session, and those that each part begins and ends with.
        best_epochs: by network: the epoch that validation chose, of each seed.
        serving: the network that validation liked best; the one whose forecast is shown first.
        versions: of Python and the libraries that decide the bits.
        seconds: wall time by what it was spent on.
        notices: what a person was told about the prices.
        files: sha256 by the file's name.
    """

    ticker: str
    run_id: str
    created_at: str
    config: Config
    source: str
    snapshot: str
    listing: Listing
    simulated: bool
    cutoffs: dict[str, str]
    best_epochs: dict[str, list[int]]
    serving: str
    versions: dict[str, str]
    seconds: dict[str, float]
    notices: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True)
class Run:
    """A run as tables, charts and reports read it."""

    manifest: Manifest
    results: Results


def make_run_id(now: datetime) -> str:
    """Sorts by time, by microseconds even; the last letter is drawn."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{now.microsecond:05x}{os.urandom(1).hex()[0]}"


def save_run(
    models_folder: Path,
    manifest: Manifest,
    results: Results,
    fits: dict[str, dict[str, Forecaster]],
    charts: dict[str, bytes],
) -> Path:
    """Write a run into a temporary folder and rename it when it is complete.

    Args:
        models_folder: the workspace's.
        manifest: without `files`, which are filled in here.
        results: history, forecasts, metrics.
        fits: forecasters by fit ("evaluation", "deployed") and network.
        charts: PNG by file name.

    Returns:
        The run's folder.

    Raises:
        RunError: the folder cannot be written.
        TryAgainLater: others write runs of the ticker for a minute.
    """
    folder = models_folder / folder_from_ticker(manifest.ticker)
    temporary, final = folder / f"{_UNFINISHED}{manifest.run_id}", folder / manifest.run_id
    contents = {**_bytes_from_results(results), **_bytes_from_fits(fits), **charts}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    contents[MANIFEST] = _bytes_from_json(dict_from_manifest(manifest) | {"files": sums})
    with writing_lock(models_folder, manifest.ticker):
        try:
            _remove_leftovers(folder)
            for name, content in contents.items():
                write_synced(temporary / name, content)
            os.replace(temporary, final)
            sync_folder(folder)
        except OSError as error:
            raise RunError(f"The run cannot be written to {folder}: {error.strerror}.") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return final


def remove_leftovers(models_folder: Path, ticker: str) -> None:
    """Delete what writers that were killed left of the ticker's runs.

    Raises:
        TryAgainLater: others write.
    """
    with writing_lock(models_folder, ticker):
        _remove_leftovers(models_folder / folder_from_ticker(ticker))


def delete_run(run: Path) -> None:
    """Delete a stored run: gone at once as a whole, whatever happens while its files are removed.

    Raises:
        RunError: the folder cannot be changed.
    """
    with writing_lock(run.parent.parent, ticker_from_folder(run.parent.name)):
        try:
            os.replace(run, run.with_name(f"{_UNFINISHED}{run.name}"))
            _remove_leftovers(run.parent)
        except OSError as error:
            raise RunError(f"{run} cannot be deleted: {error.strerror}.") from error


def list_runs(models_folder: Path, tickers: Iterable[str] | None = None) -> list[Path]:
    """Folders of complete runs, by ticker, oldest first; of these tickers only, in their order, where given."""
    if tickers is None:
        folders = sorted(path for path in models_folder.glob("*") if path.is_dir())
    else:
        folders = [models_folder / folder_from_ticker(ticker) for ticker in tickers]
    return [path.parent for folder in folders for path in sorted(folder.glob(f"[!.]*/{MANIFEST}"))]


def find_run(models_folder: Path, ticker: str, run_id: str) -> Path:
    """The folder of one run.

    Raises:
        RunError: there is none of that name.
    """
    known = [path.name for path in list_runs(models_folder, [ticker])]
    if run_id not in known:
        raise RunError(f"{ticker} has no run {run_id}; it has {', '.join(known) or 'none'}. Type: forecast runs list")
    return models_folder / folder_from_ticker(ticker) / run_id


def load_manifest(run: Path) -> Manifest:
    """What identifies the run.

    Raises:
        RunError: missing, damaged, or written by a newer version.
    """
    path = run / MANIFEST
    try:
        values = json.loads(path.read_bytes())
        if values["schema"] > SCHEMA:
            raise RunError(f"{path} has schema {values['schema']}; this version reads {SCHEMA}. Upgrade forecast.")
        return _manifest_from_dict(values)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise RunError(f"{path} is damaged: {error!r}. Train again.") from error


def load_run(run: Path) -> Run:
    """A run without its weights; raises as `load_results` does."""
    manifest = load_manifest(run)
    return Run(manifest, load_results(run, manifest))


def load_results(run: Path, manifest: Manifest) -> Results:
    """What the run found out; every file is checked against the manifest.

    Raises:
        RunError: a file is missing or was changed.
    """
    from forecast.store.results import Results, forecasts_from_csv, history_from_csv

    metrics = json.loads(load_file(run, manifest, "metrics.json"))
    return Results(
        history=history_from_csv(load_file(run, manifest, "history.csv").decode()),
        forecasts=forecasts_from_csv(load_file(run, manifest, "forecasts.csv").decode()),
        metrics=metrics["models"],
        verdict=metrics["verdict"],
        findings=metrics["findings"],
    )


def load_forecasters(run: Path, manifest: Manifest, fit: str) -> dict[str, Forecaster]:
    """The networks of one fit ("evaluation" or "deployed") by name, checked against the manifest.

    Raises:
        RunError: a file is missing or was changed, or an earlier version stored it.
    """
    scaler = scaler_from_dict(json.loads(load_file(run, manifest, "scaler.json"))[fit])
    calibrations = json.loads(load_file(run, manifest, "calibration.json"))[fit]
    config = manifest.config
    try:
        calibration = {network: calibration_from_dict(values) for network, values in calibrations.items()}
    except KeyError as error:
        raise RunError(f"{run} has no {error} in its calibration: an earlier version stored it. Train again.") from error
    return {
        network: Forecaster(
            network,
            config,
            scaler,
            tuple(_weights(load_file(run, manifest, _weights_name(network, fit, seed))) for seed in config.seeds),
            calibration[network],
        )
        for network in config.networks
    }


def load_file(run: Path, manifest: Manifest, name: str) -> bytes:
    """The bytes of a run's file, which the manifest must name with their sha256.

    Raises:
        RunError: missing, or not the bytes that were written.
    """
    try:
        content = (run / name).read_bytes()
    except OSError as error:
        raise RunError(f"{run / name} cannot be read: {error.strerror}. Train again.") from error
    if hashlib.sha256(content).hexdigest() != manifest.files.get(name):
        raise RunError(f"{run / name} was changed after the run was stored. Train again.")
    return content


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it; its folder is made where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows the folder's names."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftovers(folder: Path) -> None:
    """Delete what is unfinished; the caller holds the lock, so that nobody writes to it."""
    for leftover in folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover)
    for leftover in folder.glob(".champion.json.*.tmp"):
        leftover.unlink()


def _bytes_from_results(results: Results) -> dict[str, bytes]:
    from forecast.store.results import csv_from_forecasts, csv_from_history

    return {
        "history.csv": csv_from_history(results.history).encode(),
        "forecasts.csv": csv_from_forecasts(results.forecasts).encode(),
        "metrics.json": _bytes_from_json(
            {"models": results.metrics, "verdict": results.verdict, "findings": results.findings}
        ),
    }


def _bytes_from_fits(fits: dict[str, dict[str, Forecaster]]) -> dict[str, bytes]:
    """Weights, scalers and calibrations; both scalers are shared by the networks of their fit."""
    contents, scalers, calibrations = {}, {}, {}
    for fit, forecasters in fits.items():
        scalers[fit] = dict_from_scaler(next(iter(forecasters.values())).scaler)
        calibrations[fit] = {
            network: dict_from_calibration(each.calibration) for network, each in forecasters.items()
        }
        for network, each in forecasters.items():
            for seed, weights in zip(each.config.seeds, each.weights):
                contents[_weights_name(network, fit, seed)] = _bytes_from_weights(weights)
    return contents | {"scaler.json": _bytes_from_json(scalers), "calibration.json": _bytes_from_json(calibrations)}


def _weights_name(network: str, fit: str, seed: int) -> str:
    return f"weights/{network}.{fit}.seed{seed}.npz"


def _bytes_from_weights(weights: list[np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{f"{i:02d}": array for i, array in enumerate(weights)})
    return buffer.getvalue()


def _weights(content: bytes) -> list[np.ndarray]:
    """The inverse of `_bytes_from_weights`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return [arrays[name] for name in sorted(arrays.files)]


def dict_from_manifest(manifest: Manifest) -> dict[str, object]:
    """Plain values, ready for JSON."""
    return asdict(manifest) | {"config": dict_from_config(manifest.config)}


def _manifest_from_dict(values: dict) -> Manifest:
    return Manifest(
        **values
        | {
            "config": config_from_dict(values["config"]),
            "listing": Listing(**values["listing"]),
            "notices": tuple(values["notices"]),
        }
    )


def _bytes_from_json(values: dict[str, object]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()
