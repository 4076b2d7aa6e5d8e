"""Progress of training on stderr: epochs, losses, time left; silent where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from forecast.config import Config
from forecast.networks.training import Epoch


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
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    n_fits = n_tickers * len(config.networks) * config.n_seeds
    columns = (BarColumn(20), TextColumn("{task.description}"), TimeRemainingColumn(compact=True), TextColumn("left"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("starting TensorFlow", total=n_fits)
        done: dict[tuple[str, str, int], float] = {}

        def on_epoch(epoch: Epoch) -> None:
            done[epoch.ticker, epoch.network, epoch.seed] = _share(epoch)
            progress.update(bar, completed=sum(done.values()), description=format_epoch(epoch))

        yield on_epoch


def format_epoch(epoch: Epoch) -> str:
    """One line: whose epoch it was, and its losses."""
    validation = "" if epoch.validation_loss is None else f", validation {epoch.validation_loss:.4f}"
    name = f"{epoch.ticker} {epoch.network} seed {epoch.seed}"
    return f"{name}: epoch {epoch.epoch}/{epoch.n_epochs}, loss {epoch.loss:.4f}{validation}"


def _share(epoch: Epoch) -> float:
    """How much of a fit is behind it: the evaluation is counted as one half, the deployed fit as the other."""
    half = 0.5 * epoch.epoch / epoch.n_epochs
    return half if epoch.fit == "evaluation" else 0.5 + half
