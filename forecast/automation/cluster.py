"""A dask cluster that does the fits in place of this machine's processes; it only computes, and writes nothing.

The scheduler runs whatever is sent to it: it belongs on loopback, or behind TLS.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from forecast.automation.executors import heard_by
from forecast.errors import ConfigError, ForecastError, TryAgainLater, UsageError

SECONDS_TO_CONNECT = 10


class Cluster:
    """The workers of a dask scheduler, used as a `Supervisor` is.

    A worker that dies is dask's business: its tasks run again on another one.

    Args:
        address: of the scheduler, "tcp://HOST:PORT" or "tls://HOST:PORT".
        time_limit: seconds for each task, which ends at the first epoch after them; None for no limit.

    Raises:
        UsageError: dask is not installed, or `address` is no address.
        TryAgainLater: nobody answers there, or no worker is there.
        ConfigError: a worker has other versions of what decides the bits.
    """

    def __init__(self, address: str, time_limit: float | None = None):
        if not address.startswith(("tcp://", "tls://")):
            raise UsageError(f"--dask is {address!r}; it begins with tcp:// or tls://, as in tcp://127.0.0.1:8786.")
        try:
            from distributed import Client
        except ImportError as error:
            raise UsageError("--dask needs the extra packages: pip install 'forecast[dask]'") from error
        try:
            self._client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise TryAgainLater(f"No dask scheduler answers at {address}: {error}.") from error
        try:
            self.n_workers = sum(self._client.nthreads().values())
            self._check_workers(address)
        except BaseException:
            self._client.close()
            raise
        self._time_limit = time_limit
        self._executor = self._client.get_executor(pure=False)  # a task is its own key: nothing to hash

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(wait=False)
        self._client.close()

    def submit(self, function: Callable, *arguments: Any, ticker: str) -> Future:
        """A future of `function(*arguments)`, which is run by a worker of the cluster."""
        return self._executor.submit(_within, self._time_limit, ticker, function, *arguments)

    def _check_workers(self, address: str) -> None:
        from forecast.library import library_versions

        if not self.n_workers:
            raise TryAgainLater(f"The dask scheduler at {address} has no workers. Type: dask worker {address} --nthreads 1")
        ours = library_versions()
        for worker, theirs in self._client.run(library_versions).items():
            different = [f"{name} {theirs.get(name)}, here {ours[name]}" for name in ours if theirs.get(name) != ours[name]]
            if different:
                raise ConfigError(
                    f"The dask worker {worker} has {'; '.join(different)}: other versions give other bits. Install the same."
                )


def _within(seconds: float | None, ticker: str, function: Callable, *arguments: Any) -> Any:
    """The function's result, unless it tells of something after its time."""
    deadline = float("inf") if seconds is None else time.monotonic() + seconds

    def listen(note: Any) -> None:
        if time.monotonic() > deadline:
            raise ForecastError(
                f"{ticker} was given up after {seconds:g} s in one fit, its time limit. Use a longer --time-limit."
            )

    with heard_by(listen):
        return function(*arguments)
