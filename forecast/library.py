"""What the commands do, as functions over a workspace: the command line is a thin layer over these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.config import Config
from forecast.errors import ForecastError, RunError, UsageError
from forecast.networks.backend import stock_layers_wanted, wanted_backend
from forecast.prices.snapshots import write_whole
from forecast.prices.sources import load_prices, source_from_option
from forecast.prices.tickers import check_ticker, ticker_from_folder
from forecast.store.champions import load_champion, promote
from forecast.store.runs import (
    Manifest,
    Run,
    find_run,
    list_runs,
    load_forecasters,
    load_manifest,
    load_run,
    make_run_id,
    save_run,
)

if TYPE_CHECKING:
    from forecast.networks.forecaster import Forecaster
    from forecast.networks.training import Epoch, FitResult
    from forecast.pipeline import Study, Trained
    from forecast.prices.table import Prices

_VERSIONED = ("forecast", "tensorflow", "keras", "numpy", "scipy", "scikit-learn", "arch")


@dataclass(frozen=True)
class Failure:
    """Why one of several tickers has no result."""

    ticker: str
    error: ForecastError


@dataclass(frozen=True)
class Outcome:
    """What a command over several tickers leaves: folders of runs, and what failed, in the order given."""

    runs: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Base:
    """A stored run that another training starts from: what it may not see again, and its weights.

    Args:
        run_id: of the run.
        config: of the run; the new one differs only in how it learns.
        cutoffs: the dates at which the run was cut, and the new one will be.
        fits: forecasters by fit and network.
    """

    run_id: str
    config: Config
    cutoffs: dict[str, str]
    fits: dict[str, dict[str, Forecaster]]


def load_base(run_id: str, workspace: Path) -> Base:
    """A run of any ticker, as something to start from.

    Raises:
        RunError: no ticker has such a run, or it is damaged.
    """
    models = workspace / "models"
    path = next((path for path in list_runs(models) if path.name == run_id), None)
    if path is None:
        raise RunError(f"No ticker in {models} has a run {run_id}. Type: forecast runs list")
    manifest = load_manifest(path)
    fits = {fit: load_forecasters(path, manifest, fit) for fit in ("evaluation", "deployed")}
    return Base(run_id, manifest.config, manifest.cutoffs, fits)


def train(
    tickers: Sequence[str],
    config: Config,
    workspace: Path,
    *,
    base: Base | None = None,
    csv: Path | None = None,
    offline: bool = False,
    workers: int | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_notice: Callable[[str], None] = lambda sentence: None,
) -> Outcome:
    """Fetch prices if due, train, score, draw and store one run for each ticker.

    Args:
        tickers: symbols; DEMO is simulated.
        config: how to train.
        workspace: folder of data/ and models/.
        base: the run whose weights the training starts from, with the recipe `tuned`.
        csv: a file, or a folder of TICKER.csv, in place of Yahoo.
        offline: never ask the network.
        workers: processes; as many as there are cores when None.
        on_epoch: hears of every epoch.
        on_notice: hears what a person should know of the prices.

    Returns:
        The runs in the order of the tickers, each stored as soon as its fits are done; one ticker's failure does
        not stop the others.

    Raises:
        UsageError: no ticker, or one that cannot be a ticker.
        RunError: the workspace cannot be written.
    """
    from forecast import pipeline

    checked = check_tickers(tickers)
    models = check_writable(workspace / "models")
    outcome = Outcome()

    def load(ticker: str) -> Prices:
        return load_ticker(ticker, workspace, csv, offline, on_notice)

    prices = {each.ticker: each for each in surviving(load, checked, outcome.failures)}
    cut = pipeline.cutter(list(prices.values()), config, base.cutoffs if base else None)
    studies = {
        study.prices.ticker: study
        for study in surviving(lambda ticker: cut(prices[ticker]), prices, outcome.failures)
    }
    started = datetime.now(UTC)

    def finish(study: Study, fits: list[FitResult]) -> None:
        def save_run_of(_: str) -> Path:
            return store(models, pipeline.assess(study, fits), started)

        outcome.runs.extend(surviving(save_run_of, [study.prices.ticker], outcome.failures))

    if studies:
        warm_up()
        pipeline.fit(list(studies.values()), workers, on_epoch, base.fits if base else None, finish)
    outcome.failures.sort(key=lambda failure: checked.index(failure.ticker))
    return outcome


def warm_up() -> None:
    """What every training needs and no price decides: the fork server imports Keras while matplotlib is imported here."""
    from forecast.charts import import_matplotlib
    from forecast.networks.parallel import start_server

    start_server()
    import_matplotlib()


def load_ticker(
    ticker: str, workspace: Path, csv: Path | None, offline: bool, on_notice: Callable[[str], None]
) -> Prices:
    """Prices from a person's file, from DEMO or from Yahoo; the arguments are those of `train`."""
    prices = load_prices(ticker, source=source_from_option(ticker, csv), folder=workspace / "data", offline=offline)
    for notice in prices.notices:
        on_notice(notice)
    return prices


def store(models: Path, trained: Trained, started: datetime) -> Path:
    """Store a trained ticker's run, and make it the champion unless only the champion has ranges."""
    path = save(models, trained, started)
    champion = load_champion(models, trained.study.prices.ticker)
    if champion is None or trained.study.config.is_distribution:
        promote(path, reason="trained by hand")
    return path


def save(models: Path, trained: Trained, started: datetime) -> Path:
    """Draw a trained ticker's charts and store its run; whether it serves is for others to say."""
    from forecast.charts import plot_losses, plot_predictions, png_from_figure

    manifest = make_manifest(trained, started)
    run = Run(manifest, trained.results)
    charts = {
        "loss.png": png_from_figure(plot_losses([run])),
        "predictions.png": png_from_figure(plot_predictions([run])),
    }
    fits = {"evaluation": trained.evaluation, "deployed": trained.deployed}
    return save_run(models, manifest, trained.results, fits, charts)


def compare(tickers: Sequence[str], workspace: Path) -> dict[str, tuple[list[Path], list[Path]]]:
    """Draw the newest run of each recipe side by side; every ticker that has a run where none is named.

    Returns:
        By ticker: the runs, oldest first, and the charts of all of them together.

    Raises:
        RunError: nothing is stored, or nothing of a ticker.
    """
    models = workspace / "models"
    checked = check_tickers(tickers) if tickers else stored_tickers(models)
    if not checked:
        raise RunError(f"{models} holds no runs yet. Type: forecast train TSLA")
    compared = {ticker: newest_runs(models, ticker) for ticker in checked}
    return {ticker: (runs, draw_together(runs)) for ticker, runs in compared.items()}


def draw_together(paths: Sequence[Path]) -> list[Path]:
    """Losses and predictions of several runs of one ticker in one picture each; a single run has its own already."""
    if len(paths) == 1:
        return [paths[0] / "loss.png", paths[0] / "predictions.png"]
    from forecast.charts import plot_losses, plot_predictions, png_from_figure

    runs = [load_run(path) for path in paths]
    folder = paths[0].parent
    charts = {"compare-loss.png": plot_losses(runs), "compare-predictions.png": plot_predictions(runs)}
    for name, figure in charts.items():
        write_whole(folder / name, png_from_figure(figure))
    return [folder / name for name in charts]


def summarise_runs(tickers: Sequence[str], workspace: Path) -> list[dict[str, object]]:
    """What identifies each stored run of these tickers, or of all, by ticker, oldest first."""
    models = workspace / "models"
    checked = check_tickers(tickers) if tickers else stored_tickers(models)
    champions = {load_champion(models, ticker) for ticker in checked}
    summaries = []
    for path in list_runs(models, checked):
        manifest = load_manifest(path)
        summaries.append(
            {
                "ticker": manifest.ticker,
                "run_id": manifest.run_id,
                "path": str(path),
                "recipe": manifest.config.recipe,
                "networks": list(manifest.config.networks),
                "horizon": manifest.config.horizon,
                "created_at": manifest.created_at,
                "last_session": manifest.cutoffs["last_session"],
                "champion": path in champions,
            }
        )
    return summaries


def find(ticker: str, run_id: str | None, workspace: Path) -> Path:
    """The folder of a run; of the champion where none is named.

    Raises:
        RunError: there is no such run, or no champion.
    """
    models, ticker = workspace / "models", check_ticker(ticker)
    if run_id is not None:
        return find_run(models, ticker, run_id)
    champion = load_champion(models, ticker)
    if champion is None:
        runs = list_runs(models, [ticker])
        if runs:
            promoting = f"forecast runs promote {ticker} {runs[-1].name}"
            raise RunError(f"{ticker} has runs in {models}, but no champion. Type: {promoting}")
        raise RunError(f"{ticker} has no run in {models}. Type: forecast train {ticker}")
    return champion


def newest_runs(models: Path, ticker: str) -> list[Path]:
    """The newest run of each recipe, oldest first.

    Raises:
        RunError: the ticker has no run.
    """
    runs = list_runs(models, [ticker])
    if not runs:
        raise RunError(f"{ticker} has no run in {models}. Type: forecast train {ticker}")
    newest = {load_manifest(run).config.recipe: run for run in runs}
    return sorted(newest.values())


def stored_tickers(models: Path) -> list[str]:
    """Every ticker that has a run, in alphabetical order."""
    return list(dict.fromkeys(ticker_from_folder(run.parent.name) for run in list_runs(models)))


def check_tickers(tickers: Iterable[str]) -> list[str]:
    """Tickers as they are kept, each once, in their order.

    Raises:
        UsageError: none, or one that cannot be a ticker.
    """
    checked = list(dict.fromkeys(check_ticker(ticker) for ticker in tickers))
    if not checked:
        raise UsageError("No ticker is named, and forecast.toml has no watchlist. Name one, such as TSLA, or type: forecast init TSLA")
    return checked


def check_writable(folder: Path) -> Path:
    """The folder, made where needed, before minutes are spent on what could not be stored.

    Raises:
        RunError: it cannot be written.
    """
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror}. Name another --workspace.") from error


def make_manifest(trained: Trained, started: datetime) -> Manifest:
    """What identifies the run of a trained ticker."""
    now = datetime.now(UTC)
    prices, config = trained.study.prices, trained.study.config
    return Manifest(
        ticker=prices.ticker,
        run_id=make_run_id(now),
        created_at=now.isoformat(timespec="seconds"),
        config=config,
        source=prices.source,
        snapshot=prices.snapshot,
        listing=prices.listing,
        simulated=prices.simulated,
        cutoffs=make_cutoffs(trained.study),
        best_epochs=trained.best_epochs,
        serving=best_network(trained),
        versions=library_versions(),
        seconds={"training": round((now - started).total_seconds(), 3)},
        notices=prices.notices,
    )


def best_network(trained: Trained) -> str:
    """The network with the lowest validation loss, mean over its seeds."""
    history = [epoch for epoch in trained.results.history if epoch.validation_loss is not None]

    def loss(network: str) -> float:
        own = [epoch for epoch in history if epoch.network == network]
        seeds = {epoch.seed for epoch in own}
        return sum(min(e.validation_loss for e in own if e.seed == seed) for seed in seeds) / len(seeds)

    return min(trained.best_epochs, key=loss)


def make_cutoffs(study: Study) -> dict[str, str]:
    """ISO dates of the first and the last session, and of the sessions that each part begins and ends with."""
    sessions, split, horizon = study.prices.sessions, study.split, study.config.horizon
    indices = {
        "first_session": 0,
        "train_end": split.n_insample - 1,
        "validation_start": split.validation[0] + 1,
        "validation_end": split.validation[-1] + horizon,
        "test_start": split.test[0] + 1,
        "test_end": split.test[-1] + horizon,
        "last_session": len(sessions) - 1,
    }
    return {name: str(sessions[index]) for name, index in indices.items()}


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide the bits, and which recurrent layers were used."""
    import platform
    from importlib.metadata import version

    backend = wanted_backend()
    layers = "Keras's own" if stock_layers_wanted() or backend != "tensorflow" else "fast"
    own = {"python": platform.python_version(), "backend": backend, "layers": layers}
    return own | {name: version(name) for name in (*_VERSIONED, backend)}


def surviving(work: Callable, items: Iterable[str], failures: list[Failure]) -> Iterable:
    """What `work` makes of each ticker; a ticker that fails goes to `failures`."""
    for item in items:
        try:
            yield work(item)
        except ForecastError as error:
            failures.append(Failure(item, error))
