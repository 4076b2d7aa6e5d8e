"""What a page is made of: everything that is stored of a ticker, loaded and checked.

Nothing is trained, forecast or scored anew. The gates are the one thing that is worked out, by the stored weights over
a stored window: a run would be several times as large if it kept them for every window that somebody may ask for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from forecast.config import load_settings
from forecast.errors import DataError
from forecast.explain.explanation import OpenedWindow, find_cutoff, open_window
from forecast.library import find, stored_tickers
from forecast.prices.snapshots import load_snapshot, read_current
from forecast.prices.table import Prices
from forecast.prices.tickers import check_ticker
from forecast.store.champions import CHAMPION
from forecast.store.folds import ScoredFold, load_fold
from forecast.store.grading import Grade, grade
from forecast.store.ledger import LEDGER, LedgerRow, load_forecasts
from forecast.store.runs import Manifest, Run, list_runs, load_file, load_forecasters, load_manifest, load_run


@dataclass(frozen=True)
class Stored:
    """A ticker's champion and what has become of it.

    Args:
        run: manifest and results of the champion.
        prices: the newest stored ones of its source; None where their snapshot is gone or damaged.
        outlook: the newest forecast on record of its serving network, a row for each step; may be empty.
        grades: of all the ticker's recorded forecasts, against `prices`.
        folds: of the newest backtest, oldest first; may be empty.
        opened: what the deployed networks held over the window before `outlook`, or over the newest one; None where
            the prices are gone.
    """

    run: Run
    prices: Prices | None
    outlook: list[LedgerRow]
    grades: list[Grade]
    folds: list[ScoredFold]
    opened: OpenedWindow | None

    @property
    def manifest(self) -> Manifest:
        """Of the run."""
        return self.run.manifest


@dataclass(frozen=True)
class Summary:
    """What the index says of a ticker.

    Args:
        manifest: of the champion.
        findings: behind its verdict.
        outlook: as in `Stored`.
    """

    manifest: Manifest
    findings: dict
    outlook: list[LedgerRow]


def load_stored(ticker: str, workspace: Path) -> Stored:
    """Everything that is stored of a ticker's champion.

    Raises:
        RunError: the ticker has no champion, or a file of it is missing or was changed.
    """
    path = find(ticker, None, workspace)
    run = load_run(path)
    rows = load_forecasts(workspace / "models" / LEDGER, run.manifest.ticker)
    prices = _newest_prices(workspace / "data", run.manifest)
    outlook = newest_forecast(rows, run.manifest)
    return Stored(
        run=run,
        prices=prices,
        outlook=outlook,
        grades=grade(rows, {run.manifest.ticker: prices}) if prices else [],
        folds=_newest_folds(path.parent / "backtests"),
        opened=_opened(path, run.manifest, prices, outlook) if prices else None,
    )


def load_summary(ticker: str, workspace: Path) -> Summary:
    """What the index needs of a ticker's champion; raises as `load_stored`."""
    path = find(ticker, None, workspace)
    manifest = load_manifest(path)
    findings = json.loads(load_file(path, manifest, "metrics.json"))["findings"]
    rows = load_forecasts(workspace / "models" / LEDGER, manifest.ticker)
    return Summary(manifest, findings, newest_forecast(rows, manifest))


def unserved_tickers(workspace: Path) -> dict[str, str]:
    """Tickers on the watchlist, or with runs, that no champion serves: for each, the command that changes it.

    Raises:
        ConfigError: forecast.toml cannot be read.
    """
    models, commands = workspace / "models", {}
    for ticker in dict.fromkeys([*map(check_ticker, load_settings(workspace).watchlist), *stored_tickers(models)]):
        runs = list_runs(models, [ticker])
        if not runs:
            commands[ticker] = f"forecast train {ticker}"
        elif not (runs[-1].parent / CHAMPION).exists():
            commands[ticker] = f"forecast runs promote {ticker} {runs[-1].name}"
    return commands


def newest_forecast(rows: list[LedgerRow], manifest: Manifest) -> list[LedgerRow]:
    """The rows of the run's serving network that were recorded last, by horizon."""
    own = [row for row in rows if (row.run_id, row.network) == (manifest.run_id, manifest.serving)]
    return [row for row in own if row.made_at == own[-1].made_at]


def _newest_prices(folder: Path, manifest: Manifest) -> Prices | None:
    current = read_current(folder, manifest.ticker).get(manifest.source, {"sha256": manifest.snapshot})
    try:
        return load_snapshot(folder, manifest.ticker, current["sha256"])
    except DataError:
        return None


def _newest_folds(folder: Path) -> list[ScoredFold]:
    """The folds of the backtest that was stored last; those of an interrupted one as far as it came."""
    by_time = sorted(folder.glob("*/fold-1.json"), key=lambda path: path.stat().st_mtime)
    if not by_time:
        return []
    backtest = by_time[-1].parent
    folds = [load_fold(backtest, number) for number in range(1, len(list(backtest.glob("fold-*.json"))) + 1)]
    return [fold for fold in folds if fold is not None]


def _opened(path: Path, manifest: Manifest, prices: Prices, outlook: list[LedgerRow]) -> OpenedWindow:
    """The stored weights, run once over one stored window; no forecast and no score comes of it."""
    cutoff = find_cutoff(prices, outlook[0].cutoff if outlook else None, manifest.config.lookback)
    return open_window(manifest, load_forecasters(path, manifest, "deployed"), prices, cutoff)
