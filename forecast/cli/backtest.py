"""`forecast backtest`: walk forward with refits, fold by fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.options import Csv, Ticker, Training, Workers, split_words
from forecast.cli.shared import Shared, command

if TYPE_CHECKING:
    from forecast.walk_forward import Backtest

PICTURE_WIDTH = 64  # letters, so that the folds stay within 80 columns

NFolds = Annotated[int, typer.Option("--n-folds", min=1, help="Refits, each tested on the sessions after it.")]
StepSize = Annotated[
    int | None,
    typer.Option("--step-size", min=1, help="Sessions from one refit to the next. Default: the test's, shared."),
]
Sliding = Annotated[
    bool,
    typer.Option("--sliding/--expanding", help="Forget the oldest sessions at every refit, or keep all."),
]
PoolWith = Annotated[
    str | None,
    typer.Option(
        "--pool-with",
        metavar="TICKERS",
        help="Comma-separated: every fold's networks learn from these too, cut at the same dates; --recipe pooled.",
    ),
]


@command
def backtest(
    shared: Shared,
    ticker: Ticker,
    n_folds: NFolds = 4,
    step_size: StepSize = None,
    sliding: Sliding = False,
    pool_with: PoolWith = None,
    csv: Csv = None,
    training: Training = Training(),
    workers: Workers = None,
) -> None:
    """Refit again and again, each time tested on what came next; interrupted, it goes on where it stopped."""
    from forecast.walk_forward import Layout
    from forecast.walk_forward import backtest as walk
    from forecast.cli.progress import fit_progress
    from forecast.cli.tables import print_json

    flags = training.flags(shared.seed)
    flags["recipe"] = "pooled" if pool_with else training.recipe
    config = shared.config(flags)
    with fit_progress(shared.quiet) as (on_epoch, on_fit):
        finished = walk(
            ticker, config, shared.folder, Layout(n_folds, step_size, sliding), companions=split_words(pool_with) or (),
            csv=csv, offline=shared.offline, workers=workers, on_epoch=on_epoch, on_fit=on_fit, on_notice=shared.notice,
        )  # fmt: skip
    if shared.json:
        print_json({"schema": 1, "runs": [dict_from_backtest(finished)], "failures": []})
    else:
        print_backtest(finished)


def print_backtest(finished: Backtest) -> None:
    """All folds as one test, the error of each, where they lie, and the chart."""
    from forecast.cli.results import format_title, print_results
    from forecast.cli.tables import print_path, print_text
    from forecast.windows.folds import format_folds

    prices, config, layout = finished.prices, finished.config, finished.layout
    n_folds = "1 fold" if layout.n_folds == 1 else f"{layout.n_folds} folds"
    title = f"{format_title(prices.ticker, config, prices.simulated)}, {n_folds}"
    print_results(finished.results, title, config.horizon, prices.listing)
    print_folds(finished, title)
    print_text(f"t train, v validation, T test; {prices.sessions[0]} to {prices.sessions[-1]}:")
    print_text(format_folds(finished.plan, config.horizon, PICTURE_WIDTH))
    print_text("")
    print_path(finished.chart)


def print_folds(finished: Backtest, title: str) -> None:
    """The error of each fold over all steps: CRPS, or the absolute error where there are points only."""
    from forecast.walk_forward import mean_over_folds
    from forecast.charts import NAMES
    from forecast.cli.tables import print_table

    metric, unit = "crps", "CRPS [%]"
    if not finished.config.is_distribution:
        metric, currency = "mae", finished.prices.listing.currency
        unit = f"MAE [{currency}]" if currency else "MAE"
    names = {name: NAMES[name].replace(" with ", "\nwith ") for name in finished.config.networks}
    names |= {"naive": "naive", "garch": "GARCH"}
    rows = []
    for fold in finished.folds:
        errors = [fold.scores.models[name]["overall"][metric] for name in names]
        rows.append([f"{fold.scores.number}  {fold.scores.cutoffs['test_start']}", *_figures(errors)])
    rows.append(["mean", *_figures([mean_over_folds(finished.folds, name)[metric] for name in names])])
    print_table(f"{title}: {unit} of each", ["fold, test from", *names.values()], rows, "* best of its fold")


def dict_from_backtest(finished: Backtest) -> dict[str, object]:
    """The backtest as one of the `runs` of the JSON document; its models are those of all folds together."""
    from dataclasses import asdict

    from forecast.walk_forward import mean_over_folds

    prices, config = finished.prices, finished.config
    first, last = finished.folds[0].scores.cutoffs, finished.folds[-1].scores.cutoffs
    models = {
        name: {**model, "mean_over_folds": mean_over_folds(finished.folds, name)}
        for name, model in finished.results.metrics.items()
    }
    return {
        "ticker": prices.ticker,
        "run_id": finished.path.name,
        "path": str(finished.path),
        "recipe": config.recipe,
        "horizon": config.horizon,
        "simulated": prices.simulated,
        "currency": prices.listing.currency,
        "snapshot": prices.snapshot,
        "cutoffs": {
            "first_session": first["first_session"],
            "test_start": first["test_start"],
            "test_end": last["test_end"],
            "last_session": last["last_session"],
        },
        "layout": asdict(finished.layout),
        "models": models,
        "folds": [asdict(fold.scores) for fold in finished.folds],
        "charts": [str(finished.chart)],
        "verdict": finished.results.verdict,
        "findings": finished.results.findings,
    }


def _figures(errors: list[float]) -> list[str]:
    """Errors with a unit's digits, the lowest marked."""
    return [f"**{error:#.4g}**" if error == min(errors) else f"{error:#.4g} " for error in errors]
