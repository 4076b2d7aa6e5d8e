"""`forecast audit`: whether anything in the past has noticed that the future was changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.options import Csv, Horizon, Lookback, Networks, Recipe, Ticker, Workers, split_words
from forecast.cli.shared import Shared, command
from forecast.errors import ForecastError

if TYPE_CHECKING:
    from forecast.audit import Audit

NCutoffs = Annotated[
    int, typer.Option("--n-cutoffs", min=0, help="Cutoffs within the test, beside the ends of train and validation.")
]


@command
def audit(
    shared: Shared,
    ticker: Ticker,
    n_cutoffs: NCutoffs = 2,
    csv: Csv = None,
    recipe: Recipe = None,
    networks: Networks = None,
    lookback: Lookback = None,
    horizon: Horizon = None,
    workers: Workers = None,
) -> None:
    """Corrupt all prices after several cutoffs, refit, and fail if anything at or before them changed by a bit."""
    from forecast.audit import audit as look_for_leaks
    from forecast.audit import describe
    from forecast.cli.progress import fit_progress
    from forecast.cli.tables import print_json, print_text
    from forecast.library import load_ticker
    from forecast.prices.tickers import check_ticker

    flags = dict(
        recipe=recipe, networks=split_words(networks), lookback=lookback, horizon=horizon, seed=shared.seed
    )  # fmt: skip
    config = shared.config(flags)
    prices = load_ticker(check_ticker(ticker), shared.folder, csv, shared.offline, shared.notice)
    with fit_progress(shared.quiet) as (on_epoch, _):
        found = look_for_leaks(prices, config, n_cutoffs, workers, on_epoch)
    if shared.json:
        print_json({"schema": 1, "audits": [dict_from_audit(found)]})
    else:
        print_audit(found)
    if found.leaks:
        raise ForecastError(describe(found))
    if not shared.json:
        print_text(describe(found))


def print_audit(found: Audit) -> None:
    """What every stage did at every cutoff."""
    from forecast.audit import STAGES
    from forecast.cli.results import format_title
    from forecast.cli.tables import print_table

    places = ["train ends", "validation ends", *["in the test"] * len(found.n_compared)]
    columns = [f"{place}\n{day}" for place, day in zip(places, found.n_compared)]
    rows = [[stage, *(_outcome(found, day, stage) for day in found.n_compared)] for stage in STAGES]
    title = format_title(found.prices.ticker, found.config, found.prices.simulated)
    heading = f"{title}: everything after these sessions corrupted"
    print_table(heading, ["", *columns], rows, "- has to know some of what was corrupted")


def dict_from_audit(found: Audit) -> dict[str, object]:
    """The audit as the JSON document has it; a number that is none is null."""
    from dataclasses import asdict

    leaks = [asdict(leak) for leak in found.leaks]
    for leak in leaks:
        for name in ("before", "after"):
            leak[name] = leak[name] if math.isfinite(leak[name]) else None
    return {
        "ticker": found.prices.ticker,
        "recipe": found.config.recipe,
        "horizon": found.config.horizon,
        "simulated": found.prices.simulated,
        "snapshot": found.prices.snapshot,
        "n_compared": found.n_compared,
        "leaks": leaks,
    }


def _outcome(found: Audit, day: str, stage: str) -> str:
    """One cell: whether a stage's numbers stayed as they were."""
    if not found.n_compared[day][stage]:
        return "-"
    return "LEAK" if any((leak.cutoff, leak.stage) == (day, stage) for leak in found.leaks) else "same"
