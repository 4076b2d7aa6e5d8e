"""What `forecast score` does: the ledger checked, and graded against the prices that came since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from forecast.errors import DataError, ForecastError, RunError
from forecast.library import Failure, check_tickers
from forecast.prices.snapshots import read_snapshot
from forecast.prices.sources import load_prices, source_from_option
from forecast.store.grading import Grade, grade
from forecast.store.chain import Head
from forecast.store.ledger import LEDGER, LedgerRow, load_forecasts, verify_chain


@dataclass(frozen=True)
class Scored:
    """The ledger against what happened: its head, its grades, and tickers that failed."""

    head: Head
    grades: list[Grade]
    failures: list[Failure]


def verify(workspace: Path) -> tuple[Path, Head]:
    """Check every row of the workspace's ledger, and give back its path and how far it reaches.

    Raises:
        RunError: names the first row that was changed, deleted or inserted.
    """
    path = workspace / "models" / LEDGER
    return path, verify_chain(path)


def score(
    tickers: Sequence[str],
    workspace: Path,
    *,
    csv: Path | None = None,
    offline: bool = False,
    on_notice: Callable[[str], None] = lambda sentence: None,
) -> Scored:
    """Grade the recorded forecasts of these tickers, or of all, after checking the ledger.

    Args:
        tickers: symbols; none stands for every ticker in the ledger.
        workspace: folder of data/ and models/.
        csv: a file, or a folder of TICKER.csv, with the prices that came; else the source of the
            prices that the newest forecast was made from.
        offline: never ask the network.
        on_notice: hears what a person should know of the prices.

    Raises:
        RunError: the ledger was tampered with, or holds no forecast.
    """
    path, head = verify(workspace)
    rows = load_forecasts(path)
    if not rows:
        raise RunError(f"{path} holds no forecast yet. Type for example: forecast predict TSLA")
    outcome = Scored(head, [], [])
    for ticker in check_tickers(tickers or dict.fromkeys(row.ticker for row in rows)):
        own = [row for row in rows if row.ticker == ticker]
        try:
            source = _source_of(ticker, own, workspace / "data", csv, on_notice)
            prices = load_prices(ticker, source=source, folder=workspace / "data", offline=offline)
        except ForecastError as error:
            outcome.failures.append(Failure(ticker, error))
            continue
        for notice in prices.notices:
            on_notice(notice)
        outcome.grades.extend(grade(own, {ticker: prices}))
    return outcome


def _source_of(
    ticker: str,
    rows: list[LedgerRow],
    folder: Path,
    csv: Path | None,
    on_notice: Callable[[str], None],
) -> str:
    """Where today's prices come from: the option, else where the newest forecast had them."""
    if not rows:
        raise RunError(f"{ticker} has no forecast in the ledger. Type: forecast predict {ticker}")
    if csv is not None:
        return source_from_option(ticker, csv)
    try:
        return read_snapshot(folder, ticker, rows[-1].snapshot)[0].source
    except DataError:
        source = source_from_option(ticker, None)
        on_notice(f"The prices behind {ticker}'s last forecast are gone; graded by those of {source}.")
        return source
