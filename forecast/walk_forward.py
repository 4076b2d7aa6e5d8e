"""What `forecast backtest` does: the pipeline fitted again and again, each time tested on what came next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecast import pipeline
from forecast.config import Config, dict_from_config
from forecast.errors import UsageError
from forecast.evaluation.evidence import Evidence, ModelLosses, make_losses, weigh
from forecast.evaluation.metrics import METRICS, score
from forecast.evaluation.significance import MIN_OUTCOMES
from forecast.evaluation.verdict import verdict
from forecast.library import check_writable, library_versions, load_ticker, make_cutoffs, warm_up
from forecast.networks.distribution import StudentT
from forecast.networks.parallel import fit_networks
from forecast.networks.training import Epoch, FitResult, FitTask
from forecast.pipeline import Study
from forecast.prices.snapshots import write_whole
from forecast.prices.table import Prices
from forecast.prices.tickers import check_ticker, folder_from_ticker
from forecast.store.folds import FoldScores, ScoredFold, load_fold, save_fold
from forecast.store.results import Forecasts, Results
from forecast.windows.folds import Fold, make_folds
from forecast.windows.splits import Split, split_sessions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Layout:
    """How a backtest walks.

    Args:
        n_folds: refits.
        step_size: forecasts between one refit and the next; the test sessions of `forecast train`
            shared among the folds when None.
        sliding: forget the oldest sessions at every refit, instead of keeping all.
    """

    n_folds: int = 4
    step_size: int | None = None
    sliding: bool = False


@dataclass(frozen=True)
class Backtest:
    """What a backtest found out.

    Args:
        prices: of the ticker.
        config: of every fit.
        layout: how it walked; its step size is a number.
        path: folder of the stored folds.
        plan: where the sessions are cut.
        folds: one for each of them, oldest first.
        results: of all forecasts of all folds together, as of one test; no history.
    """

    prices: Prices
    config: Config
    layout: Layout
    path: Path
    plan: list[Fold]
    folds: list[ScoredFold]
    results: Results

    @property
    def chart(self) -> Path:
        """The picture of the error by fold."""
        return self.path / "folds.png"


def backtest(
    ticker: str,
    config: Config,
    workspace: Path,
    layout: Layout = Layout(),
    *,
    companions: Sequence[str] = (),
    csv: Path | None = None,
    offline: bool = False,
    workers: int | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_fit: Callable[[int, int], None] = lambda n_done, n_fits: None,
    on_notice: Callable[[str], None] = lambda sentence: None,
) -> Backtest:
    """Refit and forecast fold after fold; what an earlier start has stored is not fitted again.

    Args:
        ticker: a symbol; DEMO is simulated.
        config: how to train.
        workspace: folder of data/ and models/.
        layout: how many folds, how long, and what they forget.
        companions: tickers whose windows the networks of every fold learn from too, with the recipe `pooled`; they
            are cut where the ticker is, and not scored.
        csv: a file, or a folder of TICKER.csv, in place of Yahoo.
        offline: never ask the network.
        workers: processes; as many as there are cores when None.
        on_epoch: hears of every epoch; the fold stands behind its ticker.
        on_fit: hears how many of how many fits are behind it.
        on_notice: hears what a person should know.

    Raises:
        UsageError: a layout that gives nothing to judge by.
        DataError, SourceUnavailable, TryAgainLater: prices that cannot be had, or are too few.
        RunError: the workspace cannot be written.
    """
    ticker, companions = check_ticker(ticker), [check_ticker(each) for each in companions]
    models = check_writable(workspace / "models")
    prices, *others = (load_ticker(each, workspace, csv, offline, on_notice) for each in (ticker, *companions))
    layout = _with_step_size(layout, len(prices), config)
    plan = plan_folds(len(prices), config, layout)
    path = models / folder_from_ticker(ticker) / "backtests" / make_backtest_id(prices, others, config, layout)
    missing = [fold for fold in plan if load_fold(path, fold.number) is None]
    if len(missing) < len(plan):
        on_notice(f"{len(plan) - len(missing)} of {len(plan)} folds are stored already, and are not fitted again.")
    fit_folds(prices, others, config, missing, lambda fold: save_fold(path, fold), workers, on_epoch, on_fit)
    folds = [load_fold(path, fold.number) for fold in plan]
    finished = Backtest(prices, config, layout, path, plan, folds, pool(folds, prices, plan[0], config))
    draw(finished)
    return finished


def plan_folds(n_sessions: int, config: Config, layout: Layout) -> list[Fold]:
    """Where the sessions are cut, every fold's validation as long as that of `forecast train`.

    Raises:
        UsageError: fewer forecasts than a Diebold-Mariano test needs.
        DataError: too few sessions.
    """
    needed, n_forecasts = max(MIN_OUTCOMES, 2 * config.horizon), layout.n_folds * layout.step_size
    if n_forecasts < needed:
        raise UsageError(
            f"{layout.n_folds} folds of {layout.step_size} sessions give {n_forecasts} forecasts; to tell a difference"
            f" from luck at horizon {config.horizon} needs at least {needed}."
            " Use more --n-folds or a larger --step-size."
        )
    n_validation = len(_split(n_sessions, config).validation) + config.horizon - 1
    shape = (n_validation, config.lookback, config.horizon)
    return make_folds(n_sessions, layout.n_folds, layout.step_size, *shape, layout.sliding)


def make_backtest_id(prices: Prices, others: Sequence[Prices], config: Config, layout: Layout) -> str:
    """What two backtests share only if they would give the same figures: 16 hex digits."""
    decides = {
        "config": dict_from_config(config),
        "snapshots": [each.snapshot for each in (prices, *others)],
        "layout": asdict(layout),
        "versions": library_versions(),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def fit_folds(
    prices: Prices,
    others: Sequence[Prices],
    config: Config,
    folds: Sequence[Fold],
    on_fold: Callable[[ScoredFold], None],
    workers: int | None,
    on_epoch: Callable[[Epoch], None],
    on_fit: Callable[[int, int], None],
) -> None:
    """Fit all folds side by side; `on_fold` has each one, oldest first, while later ones are still at work."""
    if not folds:
        return
    warm_up()
    studies = [pipeline.make_study(prices.rows(slice(fold.first, fold.end)), config, fold.split) for fold in folds]
    tasks = [task for fold, study in zip(folds, studies) for task in _make_tasks(fold, study, others)]
    fits: list[FitResult] = []
    n_own = len(tasks) // len(folds)

    def hear(fit: FitResult) -> None:
        fits.append(fit)
        on_fit(len(fits), len(tasks))
        if len(fits) % n_own == 0:
            number = len(fits) // n_own - 1
            on_fold(score_fold(folds[number].number, studies[number], fits[-n_own:]))

    pipeline.prepare_score(studies[0])      # while there is nothing to score
    fit_networks(tasks, workers, on_epoch, hear)


def score_fold(number: int, study: Study, fits: Sequence[FitResult]) -> ScoredFold:
    """Calibrate on validation and forecast the fold's test, beside the baselines."""
    forecasters = pipeline.make_evaluation(study, fits)
    forecasts = pipeline.forecast_test(study, forecasters)
    evidence = pipeline.gather_evidence(study, forecasters, forecasts)
    scores = FoldScores(
        number=number,
        cutoffs=make_cutoffs(study),
        models=pipeline.score_models(forecasts, study),
        seed_losses={name: list(losses.seed_losses) for name, losses in evidence.networks.items()},
        share_outside=evidence.share_outside,
        best_epochs={name: [fit.best_epoch for fit in fits if fit.network == name] for name in forecasters},
        seconds=round(sum(fit.seconds for fit in fits), 3),
    )
    return ScoredFold(scores, forecasts)


def pool(folds: Sequence[ScoredFold], prices: Prices, first: Fold, config: Config) -> Results:
    """All folds as one test: their cutoffs are consecutive, so that the verdict's tests hold for them.

    MASE is in units of the insample closes of the first fold, which every fold has seen unless the folds slide.
    """
    forecasts = _joined([fold.forecasts for fold in folds])
    outcome = (forecasts.y_true, forecasts.last_close)
    insample = prices.close[: first.split.n_insample]
    metrics = {
        name: {
            "kind": folds[0].scores.models[name]["kind"],
            **score(model, *outcome, insample),
        }
        for name, model in forecasts.models.items()
    }
    losses = {name: make_losses(model, *outcome) for name, model in forecasts.models.items()}
    findings = weigh(
        Evidence(
            networks={name: _with_seeds(losses[name], name, folds) for name in config.networks},
            naive=losses["naive"],
            garch=losses["garch"],
            actual_change=forecasts.y_true[:, 0],
            horizon=config.horizon,
            share_outside=float(np.mean([fold.scores.share_outside for fold in folds])),
        )
    )
    return Results((), forecasts, metrics, verdict(findings), asdict(findings))


def mean_over_folds(folds: Sequence[ScoredFold], model: str) -> dict[str, float | None]:
    """A model's scores over all steps, each the mean of what the folds have; None where a fold has none."""
    scores = [fold.scores.models[model]["overall"] for fold in folds]
    columns = {metric: [score[metric] for score in scores] for metric in METRICS}
    means = {metric: None if None in values else float(np.mean(values)) for metric, values in columns.items()}
    return means | {"n": sum(columns["n"])}


def draw(finished: Backtest) -> None:
    """Draw the error of each fold, beside the stored folds."""
    from forecast.charts import png_from_figure

    write_whole(finished.chart, png_from_figure(plot(finished)))


def plot(finished: Backtest) -> Figure:
    """The error of each fold by model."""
    from forecast.charts import plot_folds

    prices, layout = finished.prices, finished.layout
    walk = "sliding" if layout.sliding else "expanding"
    title = f"{prices.ticker} · {finished.config.recipe} · {layout.n_folds} folds of {layout.step_size}, {walk}"
    return plot_folds(finished.folds, finished.config, title, prices.listing, prices.simulated)


def _with_step_size(layout: Layout, n_sessions: int, config: Config) -> Layout:
    """The layout with a step size: given, or that with which the folds test what `forecast train` would."""
    if layout.step_size is not None:
        return layout
    n_forecasts = len(_split(n_sessions, config).test)
    return replace(layout, step_size=n_forecasts // max(layout.n_folds, 1))  # no fold at all is refused by the plan


def _split(n_sessions: int, config: Config) -> Split:
    fractions = (config.validation_fraction, config.test_fraction)
    return split_sessions(n_sessions, config.lookback, config.horizon, *fractions)


def _make_tasks(fold: Fold, study: Study, others: Sequence[Prices]) -> list[FitTask]:
    """The evaluation fits of a fold, whose number stands behind the ticker; nothing is deployed."""
    label = f"{study.prices.ticker} fold {fold.number}"
    companions = [_cut_along(study, each) for each in others]
    return [replace(task, ticker=label, everything=()) for task in pipeline.make_tasks(study, *companions)]


def _cut_along(study: Study, prices: Prices) -> Study:
    """Another ticker's sessions of the same fold, cut at the same dates."""
    first, last = study.prices.sessions[[0, -1]]
    own = prices.rows((prices.sessions >= first) & (prices.sessions <= last))
    return pipeline.cut_like(own, study.config, *pipeline.start_dates(study.prices, study.split), scored=False)


def _joined(parts: Sequence[Forecasts]) -> Forecasts:
    """Forecasts of consecutive tests as those of one."""

    def join(column: Callable[[Forecasts], np.ndarray]) -> np.ndarray:
        return np.concatenate([column(part) for part in parts])

    return Forecasts(
        cutoffs=join(lambda part: part.cutoffs),
        sessions=join(lambda part: part.sessions),
        last_close=join(lambda part: part.last_close),
        y_true=join(lambda part: part.y_true),
        models={
            name: StudentT(
                location=join(lambda part: part.models[name].location),
                scale=join(lambda part: part.models[name].scale),
                df=join(lambda part: part.models[name].df),
            )
            for name in parts[0].models
        },
    )


def _with_seeds(losses: ModelLosses, network: str, folds: Sequence[ScoredFold]) -> ModelLosses:
    """Losses with those of each seed, mean over the folds."""
    seeds = np.mean([fold.scores.seed_losses[network] for fold in folds], axis=0)
    return replace(losses, seed_losses=tuple(seeds.tolist()))
