"""What retrainings leave behind: `models/journal.jsonl`, one line for each that asked for prices, and a log.

The journal is also what the next retraining starts from: a ticker's newest line says which session
was dealt with and when the next one can be had. A line that a dying machine cut short is passed over.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from forecast.errors import RunError

JOURNAL = "journal.jsonl"   # in the workspace's models folder
LOG = "retrain.log"
SCHEMA = 1
OUTCOMES = ("nothing_due", "predicted", "promoted", "kept", "failed")
_BLOCK = 65_536             # bytes read at a time, from the end
_LOG_BYTES, _LOG_FILES = 1_000_000, 5


@dataclass(frozen=True)
class Entry:
    """One retraining of one ticker.

    Args:
        ticker: checked symbol.
        started, ended: UTC, ISO.
        outcome: one of OUTCOMES.
        reason: why, in words.
        exit_code: 0, or that of the error which made it fail.
        source: where the prices come from, as `Prices.source`.
        file: size and time of a person's own price file, to see it change.
        session: newest session dealt with.
        challenged: last session that the newest challenger has seen.
        due_at: when the source may have more, UTC, ISO.
        champion: run that serves afterwards.
        challenger: run that was trained.
        losses: what champion and challenger were compared by.
        forecast: last session that the recorded forecast has seen.
        seconds: wall time: "total", and of the fits together "fits".
    """

    ticker: str
    started: str
    ended: str
    outcome: str
    reason: str
    exit_code: int = 0
    source: str | None = None
    file: str | None = None
    session: str | None = None
    challenged: str | None = None
    due_at: str | None = None
    champion: str | None = None
    challenger: str | None = None
    losses: dict[str, object] | None = None
    forecast: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    schema: int = SCHEMA


def append_entry(models_folder: Path, entry: Entry) -> None:
    """Add a line to the journal, whole or not at all; it is on the disk when this returns.

    Raises:
        RunError: it cannot be written.
    """
    path = models_folder / JOURNAL
    line = (json.dumps(asdict(entry), allow_nan=False) + "\n").encode()
    try:
        with open(path, "a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = file.seek(0, os.SEEK_END)
            if size and os.pread(file.fileno(), 1, size - 1) != b"\n":  # cut short when a machine died
                line = b"\n" + line
            if file.write(line) < len(line):
                file.truncate(size)
                raise OSError(28, "No space left on device")
            os.fsync(file.fileno())
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from error


def load_last_entries(models_folder: Path, tickers: Sequence[str]) -> dict[str, Entry]:
    """The newest entry of each of these tickers that has one."""
    missing, found = set(tickers), {}
    for line in _lines_backwards(models_folder / JOURNAL):
        entry = _entry_from_line(line)
        if entry is not None and entry.ticker in missing:
            found[entry.ticker] = entry
            missing.remove(entry.ticker)
            if not missing:
                break
    return found


def load_entries(models_folder: Path) -> list[Entry]:
    """Every entry, oldest first."""
    entries = map(_entry_from_line, _lines_backwards(models_folder / JOURNAL))
    return [entry for entry in entries if entry is not None][::-1]


def open_log(models_folder: Path) -> logging.Logger:
    """The log, which begins a new file at a megabyte and keeps the last five.

    Raises:
        RunError: it cannot be written.
    """
    from logging.handlers import RotatingFileHandler

    path = models_folder / LOG
    logger = logging.getLogger(f"forecast.retrain.{path}")
    logger.propagate = False
    if logger.handlers:
        return logger
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES - 1, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return logger


def _entry_from_line(line: bytes) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Lines of a file from the last to the first, read in blocks."""
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return
    with file:
        end, rest = file.seek(0, os.SEEK_END), b""
        while end:
            start = max(0, end - _BLOCK)
            file.seek(start)
            rest, *lines = (file.read(end - start) + rest).split(b"\n")
            yield from reversed(lines)
            end = start
        yield rest
