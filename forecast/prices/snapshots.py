"""How downloads are kept: each one whole, under the sha256 of its content, never changed again.

    data/TSLA/
      3f2a....csv     the prices, as the source gave them
      3f2a....json    what is known of them: source, exchange, currency, time zone, fetch time
      current.json    for each source, the newest snapshot and when to ask again
      .lock           held while somebody asks the source or writes

A snapshot is there when its JSON file is: it is written last. Nothing here imports pandas,
so that a command that only looks answers at once.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from pathlib import Path

from forecast.errors import DataError, ForecastError, TryAgainLater, UsageError
from forecast.prices.snapshot_format import (
    Snapshot,
    bytes_from_json,
    csv_from_quotes,
    json_from_snapshot,
    quotes_from_csv,
    sha256_of,
    snapshot_from_json,
)
from forecast.prices.table import Prices, Quotes, prices_from_quotes
from forecast.prices.tickers import folder_from_ticker

LOCK_TIMEOUT = 120.0  # [s] longer than a slow download with its retries


def snapshot_folder(folder: Path, ticker: str) -> Path:
    """The folder that keeps a ticker's snapshots, inside `folder` whatever the ticker is."""
    path = Path(folder) / folder_from_ticker(ticker)
    if path.parent != Path(folder):
        raise DataError(f"{ticker} would be kept outside {folder}.")
    return path


@contextmanager
def ticker_lock(folder: Path, ticker: str):
    """Hold the ticker's folder, so that one process at a time asks its source or writes.

    Whoever holds it may take it again.

    Raises:
        TryAgainLater: if another process holds it for longer than `LOCK_TIMEOUT`.
        ForecastError: if the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    path = snapshot_folder(folder, ticker)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / ".lock", is_singleton=True)
        lock.acquire(timeout=LOCK_TIMEOUT)
    except Timeout:
        raise TryAgainLater(
            f"Another process has held the prices of {ticker} for {LOCK_TIMEOUT:.0f} s "
            f"({path / '.lock'}). Try again when it has finished."
        ) from None
    except OSError as error:
        raise ForecastError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


def save_snapshot(folder: Path, snapshot: Snapshot, quotes: Quotes) -> Snapshot:
    """Store a download, or find it stored already; the caller holds `ticker_lock`.

    Args:
        folder: the workspace's data folder.
        snapshot: its description; `sha256` is filled in here.
        quotes: its rows, accepted by `checks`.

    Returns:
        The stored snapshot, with its hash. The same content keeps its first fetch time.
    """
    path = snapshot_folder(folder, snapshot.ticker)
    _remove_leftovers(path)
    content = csv_from_quotes(quotes)
    document = json_from_snapshot(snapshot)
    sha256 = sha256_of(content, document)
    try:
        return read_snapshot(folder, snapshot.ticker, sha256)[0]
    except DataError:  # not there, or damaged: write it
        pass
    document |= {"sha256": sha256, "fetched_at": snapshot.fetched_at.isoformat()}
    write_whole(path / f"{sha256}.csv", content)
    write_whole(path / f"{sha256}.json", bytes_from_json(document))
    return snapshot_from_json(document)


def read_snapshot(folder: Path, ticker: str, sha256: str) -> tuple[Snapshot, bytes]:
    """A snapshot's description and the bytes of its prices, both verified.

    Raises:
        DataError: if it is not there, or if either file is not what was written.
    """
    path = snapshot_folder(folder, ticker) / f"{sha256}.json"
    if not sha256.isalnum():
        raise DataError(f"{sha256[:80]!r} is not the sha256 of a snapshot.")
    try:
        document = json.loads(path.read_bytes())
        content = path.with_suffix(".csv").read_bytes()
        intact = sha256_of(content, document) == document["sha256"] == sha256
        intact = intact and document["ticker"] == ticker
        snapshot = snapshot_from_json(document)
    except FileNotFoundError as missing:
        raise DataError(
            f"{ticker} has no snapshot {sha256[:12]}: {missing.filename} is not there. "
            f"`forecast data fetch {ticker}` takes a new one."
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        intact = False
    if not intact:
        raise DataError(
            f"The snapshot {path.with_suffix('')}.csv and .json of {ticker} were changed or damaged "
            f"after they were written: their content no longer has the sha256 of their name. "
            f"Delete both; `forecast data fetch {ticker}` takes a new one."
        )
    return snapshot, content


def load_snapshot(folder: Path, ticker: str, sha256: str) -> Prices:
    """The prices of one stored download.

    Args:
        folder: the workspace's data folder.
        sha256: as in `Prices.snapshot`.

    Raises:
        DataError: if it is not there, or if it was changed or damaged.
    """
    snapshot, content = read_snapshot(folder, ticker, sha256)
    return prices_from_quotes(
        quotes_from_csv(content),
        ticker=snapshot.ticker,
        source=snapshot.source,
        listing=snapshot.listing,
        snapshot=snapshot.sha256,
        simulated=snapshot.simulated,
        notices=snapshot.notices,
    )


def load_quotes(folder: Path, ticker: str, sha256: str) -> Quotes:
    """The rows of one stored download as the source gave them; raises as `load_snapshot`."""
    return quotes_from_csv(read_snapshot(folder, ticker, sha256)[1])


def list_snapshots(folder: Path, ticker: str, source: str | None = None) -> list[Snapshot]:
    """A ticker's intact snapshots, oldest first by fetch time.

    Args:
        source: only those of this source; None for all.
    """
    snapshots = []
    for sha256 in _stored_hashes(folder, ticker):
        try:
            snapshot = read_snapshot(folder, ticker, sha256)[0]
        except DataError:
            continue
        if source in (None, snapshot.source):
            snapshots.append(snapshot)
    return sorted(snapshots, key=lambda snapshot: (snapshot.fetched_at, snapshot.sha256))


def list_damages(folder: Path, ticker: str) -> list[str]:
    """A sentence for each snapshot that was changed or damaged since it was written."""
    damages = []
    for sha256 in _stored_hashes(folder, ticker):
        try:
            read_snapshot(folder, ticker, sha256)
        except DataError as damage:
            damages.append(str(damage))
    return damages


def _stored_hashes(folder: Path, ticker: str) -> list[str]:
    paths = snapshot_folder(folder, ticker).glob("*.json")
    return sorted(path.stem for path in paths if path.name != "current.json")


def prune_snapshots(folder: Path, ticker: str, named: set[str]) -> list[str]:
    """Delete the snapshots that nothing names; the newest two of each source always stay.

    The second newest serves if the newest is damaged, and `data diff` compares the two.

    Args:
        named: hashes that a run or the ledger names.

    Returns:
        The hashes of the deleted snapshots.
    """
    if not snapshot_folder(folder, ticker).is_dir():
        return []
    with ticker_lock(folder, ticker):
        snapshots = list_snapshots(folder, ticker)
        kept = named | {entry["sha256"] for entry in read_current(folder, ticker).values()}
        for source in {snapshot.source for snapshot in snapshots}:
            kept |= {s.sha256 for s in [s for s in snapshots if s.source == source][-2:]}
        deleted = [snapshot.sha256 for snapshot in snapshots if snapshot.sha256 not in kept]
        for sha256 in deleted:
            path = snapshot_folder(folder, ticker) / f"{sha256}.json"
            path.unlink()  # the side file first: without it there is no snapshot
            path.with_suffix(".csv").unlink()
    return deleted


def find_snapshot(folder: Path, ticker: str, beginning: str) -> Snapshot:
    """The intact snapshot whose sha256 begins in a given way.

    Raises:
        UsageError: if none or several do.
    """
    snapshots = list_snapshots(folder, ticker)
    found = [snapshot for snapshot in snapshots if snapshot.sha256.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"{len(found)} of the {len(snapshots)} snapshots of {ticker} begin with {beginning[:64]!r}. "
        f"`forecast data show {ticker}` lists them."
    )


def read_current(folder: Path, ticker: str) -> dict[str, dict]:
    """For each source its current snapshot; empty where nothing readable says so.

    Returns:
        {source: {"sha256", ...}}: of Yahoo "asked_at" and "ask_again_at", times in ISO format; of a person's file
        "file", its fingerprint.
    """
    try:
        document = json.loads((snapshot_folder(folder, ticker) / "current.json").read_bytes())
        return {source: dict(entry) for source, entry in document.items() if entry["sha256"]}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}  # a lost pointer costs one more request, nothing else


def write_current(folder: Path, ticker: str, source: str, **entry: str) -> None:
    """Make a snapshot the current one of its source; the caller holds `ticker_lock`."""
    current = read_current(folder, ticker)
    if current.get(source) != entry:
        path = snapshot_folder(folder, ticker) / "current.json"
        write_whole(path, bytes_from_json(current | {source: entry}))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that at any moment it is there as a whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the new name itself survives a power cut
    finally:
        os.close(directory)


def _remove_leftovers(path: Path) -> None:
    """Delete what a killed writer left behind; nobody else writes while the lock is held."""
    for temporary in path.glob(".*.tmp"):
        temporary.unlink(missing_ok=True)
    for orphan in path.glob("*.csv"):
        if not orphan.with_suffix(".json").exists():
            orphan.unlink(missing_ok=True)
