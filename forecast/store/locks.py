"""Who may work on a ticker's models: one retraining at a time, one writer at a time.

A process that dies, however it dies, lets go of both at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forecast.errors import RunError, TryAgainLater
from forecast.prices.tickers import folder_from_ticker

SECONDS_TO_WRITE = 60.0  # a run is written in one or two


@contextmanager
def retraining_lock(models_folder: Path, ticker: str) -> Iterator[None]:
    """Keep every other retraining of the ticker away, from the first look to the last line.

    Raises:
        TryAgainLater: at once, where another process holds it.
        RunError: the folder cannot be written.
    """
    with _held(models_folder, ticker, ".retraining.lock", 0.0, f"Another process is retraining {ticker}"):
        yield


@contextmanager
def writing_lock(models_folder: Path, ticker: str) -> Iterator[None]:
    """Be the only one who writes a run of the ticker or names its champion; others wait their turn.

    Raises:
        TryAgainLater: others wrote for `SECONDS_TO_WRITE`.
        RunError: the folder cannot be written.
    """
    others = f"Another process has been writing runs of {ticker} for {SECONDS_TO_WRITE:g} s"
    with _held(models_folder, ticker, ".writing.lock", SECONDS_TO_WRITE, others):
        yield


@contextmanager
def _held(models_folder: Path, ticker: str, name: str, timeout: float, others: str) -> Iterator[None]:
    from filelock import FileLock, Timeout

    path = models_folder / folder_from_ticker(ticker) / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=timeout)
        lock.acquire()
    except Timeout:
        raise TryAgainLater(f"{others} ({path}). Try again when it has finished.") from None
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()
