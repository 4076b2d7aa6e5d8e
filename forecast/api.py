"""The tool for notebooks and scripts: one ticker at a time, pandas tables, matplotlib figures.

Every function does what the command of its name does, over the same modules; where the command prints
an error, the function raises it, a `forecast.errors.ForecastError`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from forecast import library
from forecast.walk_forward import Backtest, Layout
from forecast.walk_forward import backtest as walk_forward
from forecast.config import Config, find_workspace, load_settings, make_config
from forecast.prediction import Prediction, dict_from_prediction
from forecast.prediction import predict as predict_next
from forecast.prices.tickers import check_ticker
from forecast.store.runs import Run, load_file, load_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

Folder = str | PathLike[str]
_DATES = {"history.csv": [], "forecasts.csv": ["cutoff", "session"]}


@dataclass(frozen=True)
class TrainedRun:
    """A stored run.

    Args:
        path: its folder.
        run: manifest and results.
    """

    path: Path
    run: Run

    @property
    def run_id(self) -> str:
        """Its name in the store."""
        return self.run.manifest.run_id

    @property
    def verdict(self) -> str:
        """Whether any of it is better than yesterday's close, in words."""
        return self.run.results.verdict

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know of the prices."""
        return self.run.manifest.notices

    @property
    def table(self) -> DataFrame:
        """Scores on the test over all steps ahead, a row for each network and baseline.

        mae, rmse [currency]; crps, pinball, width_* [%]; coverage_* and directional_accuracy are shares.
        """
        return _table_from_metrics(self.run.results.metrics)

    @property
    def table_by_horizon(self) -> DataFrame:
        """The same for each step ahead; rows are (horizon, model)."""
        import pandas as pd

        steps = range(1, self.run.manifest.config.horizon + 1)
        tables = {step: _table_from_metrics(self.run.results.metrics, step) for step in steps}
        return pd.concat(tables, names=["horizon"])

    @property
    def history(self) -> DataFrame:
        """Training and validation loss, a row for each epoch of each network, seed and fit."""
        return self._table_from_file("history.csv")

    @property
    def forecasts(self) -> DataFrame:
        """What every model said of the test sessions, a row for each cutoff and step: quantiles in currency."""
        return self._table_from_file("forecasts.csv")

    def plot(self) -> Figure:
        """Predicted, actual and yesterday's close over the test, with ranges."""
        from forecast.charts import plot_predictions

        return plot_predictions([self.run])

    def plot_losses(self) -> Figure:
        """Training and validation loss of each network."""
        from forecast.charts import plot_losses

        return plot_losses([self.run])

    def _table_from_file(self, name: str) -> DataFrame:
        import pandas as pd

        content = load_file(self.path, self.run.manifest, name)
        return pd.read_csv(io.BytesIO(content), parse_dates=_DATES[name])


@dataclass(frozen=True)
class Comparison:
    """The newest run of each recipe of one ticker.

    Args:
        runs: oldest first.
    """

    runs: tuple[TrainedRun, ...]

    @property
    def table(self) -> DataFrame:
        """Scores on the test over all steps ahead; rows are (recipe, model), units as in `TrainedRun.table`."""
        import pandas as pd

        return pd.concat({each.run.manifest.config.recipe: each.table for each in self.runs}, names=["recipe"])

    def plot(self) -> Figure:
        """Predicted, actual and yesterday's close, a row for each run."""
        from forecast.charts import plot_predictions

        return plot_predictions([each.run for each in self.runs])

    def plot_losses(self) -> Figure:
        """Training and validation loss, a row for each run."""
        from forecast.charts import plot_losses

        return plot_losses([each.run for each in self.runs])


@dataclass(frozen=True)
class Outlook:
    """A forecast of the next sessions.

    Args:
        prediction: the distributions behind it.
        notices: what a person should know of it.
    """

    prediction: Prediction
    notices: tuple[str, ...]

    @property
    def table(self) -> DataFrame:
        """A row for each session: horizon, quantiles of the close [currency] by level, probability_up."""
        import pandas as pd

        steps = dict_from_prediction(self.prediction)["steps"]
        rows = [{"horizon": s["horizon"], **s["quantiles"], "probability_up": s["probability_up"]} for s in steps]
        return pd.DataFrame(rows, index=pd.DatetimeIndex([s["session"] for s in steps], name="session"))

    def plot(self) -> Figure:
        """The last closes, the median, and ranges of 50, 80 and 95 %."""
        from forecast.charts import plot_fan

        prices, network = self.prediction.prices, self.prediction.network
        simulated = " SIMULATED" if prices.simulated else ""
        title = f"{prices.ticker}{simulated}: forecast of {network} after {prices.sessions[-1]}"
        return plot_fan(prices, self.prediction.sessions, self.prediction.forecast, title)


@dataclass(frozen=True)
class WalkForward:
    """A finished backtest.

    Args:
        backtest: plan, folds and pooled results.
        notices: what a person should know of it.
    """

    backtest: Backtest
    notices: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """What all folds together say, in words."""
        return self.backtest.results.verdict

    @property
    def table(self) -> DataFrame:
        """Scores of all folds as one test, units as in `TrainedRun.table`."""
        return _table_from_metrics(self.backtest.results.metrics)

    @property
    def folds(self) -> DataFrame:
        """Scores of each fold; rows are (fold, model)."""
        import pandas as pd

        tables = {fold.scores.number: _table_from_metrics(fold.scores.models) for fold in self.backtest.folds}
        return pd.concat(tables, names=["fold"])

    def plot(self) -> Figure:
        """The error of each fold by model."""
        from forecast.walk_forward import plot

        return plot(self.backtest)


def train(
    ticker: str,
    *,
    csv: Folder | None = None,
    workspace: Folder | None = None,
    offline: bool = False,
    workers: int | None = None,
    **settings: object,
) -> TrainedRun:
    """Fetch prices if due, train SimpleRNN and LSTM, score them beside the baselines, store the run.

    Args:
        ticker: a symbol as Yahoo writes it; DEMO is simulated.
        csv: a price file, or a folder of TICKER.csv, in place of Yahoo.
        workspace: folder of data/ and models/; else $FORECAST_HOME, else the current one.
        offline: never ask the network.
        workers: training processes; as many as there are cores when None.
        settings: values of `forecast.config.Config` that differ from forecast.toml and the recipe:
            recipe="classic", units=32, seed=7.

    Raises:
        ForecastError: prices that cannot be had or used, a setting out of bounds, a folder that cannot be written.
    """
    folder, config = _prepared(workspace, settings)
    outcome = library.train([ticker], config, folder, csv=_path(csv), offline=offline, workers=workers)
    for failure in outcome.failures:
        raise failure.error
    return _load(outcome.runs[0])


def compare(ticker: str, *, workspace: Folder | None = None) -> Comparison:
    """The newest run of each recipe of a ticker, side by side.

    Raises:
        RunError: the ticker has no run, or a damaged one.
    """
    paths = library.newest_runs(find_workspace(workspace) / "models", check_ticker(ticker))
    return Comparison(tuple(_load(path) for path in paths))


def predict(
    ticker: str,
    *,
    workspace: Folder | None = None,
    run_id: str | None = None,
    network: str | None = None,
    horizon: int | None = None,
    as_of: str | None = None,
    offline: bool = False,
    record: bool = True,
) -> Outlook:
    """The next sessions by the ticker's champion; put on record in the ledger, as the command does.

    Args:
        ticker: a symbol with a run.
        workspace: as for `train`.
        run_id: another run than the champion.
        network: another one than validation liked best.
        horizon: sessions ahead; all of the run's when None.
        as_of: ISO date to forecast from, seeing nothing after it; never put on record.
        offline: never ask the network.
        record: False leaves the ledger alone.

    Raises:
        ForecastError: no run, a horizon or a date that it does not have, prices that cannot be had.
    """
    notices: list[str] = []
    prediction = predict_next(
        ticker, find_workspace(workspace), run_id=run_id, network=network, horizon=horizon, as_of=as_of,
        offline=offline, record=record, on_notice=notices.append,
    )  # fmt: skip
    return Outlook(prediction, tuple(notices))


def backtest(
    ticker: str,
    *,
    n_folds: int = Layout.n_folds,
    step_size: int | None = None,
    sliding: bool = False,
    companions: Sequence[str] = (),
    csv: Folder | None = None,
    workspace: Folder | None = None,
    offline: bool = False,
    workers: int | None = None,
    **settings: object,
) -> WalkForward:
    """Refit again and again, each time tested on what came next; what is stored is not fitted again.

    Args:
        ticker, csv, workspace, offline, workers, settings: as for `train`.
        n_folds: refits.
        step_size: sessions from one refit to the next; the test's, shared among the folds, when None.
        sliding: forget the oldest sessions at every refit.
        companions: tickers that every fold's networks learn from too; with `recipe="pooled"`.

    Raises:
        ForecastError: as `train`, or a layout that gives nothing to judge by.
    """
    folder, config = _prepared(workspace, settings)
    notices: list[str] = []
    finished = walk_forward(
        ticker, config, folder, Layout(n_folds, step_size, sliding), companions=companions, csv=_path(csv),
        offline=offline, workers=workers, on_notice=notices.append,
    )  # fmt: skip
    return WalkForward(finished, tuple(notices))


def _prepared(workspace: Folder | None, settings: Mapping[str, object]) -> tuple[Path, Config]:
    """The workspace's folder, and the configuration that its forecast.toml and these settings make."""
    folder = find_workspace(workspace)
    return folder, make_config(dict(settings), load_settings(folder))


def _path(csv: Folder | None) -> Path | None:
    return None if csv is None else Path(csv)


def _load(path: Path) -> TrainedRun:
    return TrainedRun(path, load_run(path))


def _table_from_metrics(metrics: Mapping[str, dict], step: int | None = None) -> DataFrame:
    """Scores of one step, or of all together, a row for each model."""
    import pandas as pd

    rows = {
        name: {"kind": model["kind"], **(model["overall"] if step is None else model["by_horizon"][str(step)])}
        for name, model in metrics.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").drop(columns="directional_accuracy_interval")
    return table.rename_axis("model")
