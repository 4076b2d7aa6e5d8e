"""`forecast retrain`: what cron runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.options import Csv, Tickers, Training, Workers
from forecast.cli.shared import INTERRUPTED, Shared, command, finish
from forecast.cli.tables import print_json, print_text

if TYPE_CHECKING:
    from forecast.automation.journal import Entry
    from forecast.automation.order import Order
    from forecast.automation.retraining import Executor
    from forecast.library import Failure

SCHEMA = 1
Force = Annotated[bool, typer.Option("--force", help="Fetch and train a challenger although nothing is due.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
TimeLimit = Annotated[
    float | None, typer.Option("--time-limit", min=1.0, help="Seconds of training after which a ticker is given up.")
]
Dask = Annotated[
    str | None, typer.Option("--dask", metavar="tcp://HOST:PORT", help="Train on the workers of this dask scheduler.")
]


@command
def retrain(
    shared: Shared,
    tickers: Tickers = None,
    force: Force = False,
    dry_run: DryRun = False,
    csv: Csv = None,
    training: Training = Training(),
    workers: Workers = None,
    time_limit: TimeLimit = None,
    dask: Dask = None,
) -> None:
    """Where a session has closed: fetch, train a challenger, promote or keep, predict. No ticker: the watchlist."""
    from forecast.automation.ping import reported_to
    from forecast.automation.order import Order
    from forecast.library import check_tickers

    flags = training.flags(shared.seed)
    symbols = check_tickers(tickers or shared.settings.watchlist)
    order = Order(shared.folder, shared.settings, flags, csv, shared.offline, force, shared.notice)
    if dry_run:
        _foresee(shared, symbols, order)
        return
    with reported_to(None if shared.offline else shared.settings.ping_url, INTERRUPTED), _ended_by_sigterm():
        entries = _carry_out(shared, symbols, order, _executor(dask, workers, time_limit))
        if shared.json:
            print_json({"schema": SCHEMA, "retrained": [asdict(entry) for entry in entries]})
        finish([_failure(entry) for entry in entries if entry.exit_code], len(symbols))


def _carry_out(shared: Shared, tickers: list[str], order: Order, executor: Executor) -> list[Entry]:
    """Retrain, and say what became of each ticker as soon as it is known; in the order given at the end."""
    from forecast.automation.retraining import retrain

    entries = {}
    with executor:
        for entry in retrain(tickers, order, executor):
            entries[entry.ticker] = entry
            if not shared.json and not shared.quiet and not entry.exit_code:
                print_text(f"{entry.ticker} {entry.outcome.replace('_', ' ')}: {entry.reason}.")
    return [entries[ticker] for ticker in tickers]


def _foresee(shared: Shared, tickers: list[str], order: Order) -> None:
    from forecast.automation.retraining import foresee

    plans = {ticker: foresee(ticker, order) for ticker in tickers}
    if shared.json:
        print_json({"schema": SCHEMA, "plans": [{"ticker": ticker, "plan": plan} for ticker, plan in plans.items()]})
        return
    for ticker, plan in plans.items():
        print_text(f"{ticker}: {plan}.")


def _executor(dask: str | None, workers: int | None, time_limit: float | None) -> Executor:
    if dask is not None:
        from forecast.automation.cluster import Cluster

        return Cluster(dask, time_limit)
    from forecast.automation.executors import Supervisor

    return Supervisor(workers, time_limit)


def _failure(entry: Entry) -> Failure:
    """What the journal says of a failure, as an error again."""
    from forecast.errors import ForecastError
    from forecast.library import Failure

    error = ForecastError(entry.reason)
    error.exit_code = entry.exit_code
    return Failure(entry.ticker, error)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM, which cron, systemd and a shutdown send, end the block as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
