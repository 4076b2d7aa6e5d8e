"""Progress of training on stderr: epochs, losses, time left; silent where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from forecast.config import Config
from forecast.networks.training import Epoch

if TYPE_CHECKING:
    from rich.progress import Progress

BAR = 8     # columns of the terminal: with the rest of the line, 80


@contextmanager
def training_progress(n_tickers: int, config: Config, quiet: bool) -> Iterator[Callable[[Epoch], None]]:
    """A function to be called with every epoch, which draws a bar while the block runs.

    Args:
        n_tickers: tickers to train; with networks and seeds it gives the number of fits.
        config: networks, seeds, epochs.
        quiet: draw nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda epoch: None
        return
    n_fits = n_tickers * len(config.networks) * config.n_seeds
    with _progress() as progress:
        bar = progress.add_task("starting TensorFlow", total=n_fits)
        done: dict[tuple[str, str, int], float] = {}

        def on_epoch(epoch: Epoch) -> None:
            fit = epoch.ticker, epoch.network, epoch.seed
            done[fit] = max(done.get(fit, 0.0), _share(epoch))  # the deployed fit may run beside the other
            progress.update(bar, completed=sum(done.values()), description=format_epoch(epoch))

        yield on_epoch


@contextmanager
def fit_progress(quiet: bool) -> Iterator[tuple[Callable[[Epoch], None], Callable[[int, int], None]]]:
    """Functions to be called with every epoch, and with how many of how many fits are done; they draw a bar."""
    if quiet or not sys.stderr.isatty():
        yield lambda epoch: None, lambda n_done, n_fits: None
        return
    with _progress() as progress:
        bar = progress.add_task("starting TensorFlow", total=None)

        def on_epoch(epoch: Epoch) -> None:
            progress.update(bar, description=format_epoch(epoch))

        def on_fit(n_done: int, n_fits: int) -> None:
            progress.update(bar, completed=n_done, total=n_fits)

        yield on_epoch, on_fit


def format_epoch(epoch: Epoch) -> str:
    """One line: whose epoch it was, and its losses."""
    validation = "" if epoch.validation_loss is None else f", val. {epoch.validation_loss:.3f}"
    name = f"{epoch.ticker} {epoch.network} seed {epoch.seed}"
    return f"{name}, epoch {epoch.epoch}/{epoch.n_epochs}, loss {epoch.loss:.3f}{validation}"


def _progress() -> Progress:
    """An empty bar on stderr, gone when its block ends."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    bar = BarColumn(BAR, table_column=Column(no_wrap=True, min_width=BAR))
    time_left = TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True, min_width=5))
    words = TextColumn("left  {task.description}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    columns = (bar, time_left, words)
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _share(epoch: Epoch) -> float:
    """How much of a fit is behind it: the evaluation is counted as one half, the deployed fit as the other."""
    half = 0.5 * epoch.epoch / epoch.n_epochs
    return half if epoch.fit == "evaluation" else 0.5 + half
