"""`forecast predict`: the next sessions, with ranges that were checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.options import Tickers
from forecast.cli.shared import Shared, command, finish
from forecast.cli.tables import print_json, print_table, print_text

if TYPE_CHECKING:
    from forecast.prediction import Prediction

Horizon = Annotated[int | None, typer.Option("--horizon", min=1, help="Sessions ahead. Default: all of the run's.")]
Network = Annotated[str | None, typer.Option("--network", help="Of the run. Default: the best on validation.")]
RunId = Annotated[str | None, typer.Option("--run", help="As `forecast runs list` shows it. Default: the champion.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="Forecast from this date, seeing nothing after it.")]
NoRecord = Annotated[bool, typer.Option("--no-record", help="An experiment: leave the ledger alone.")]
Chart = Annotated[Path | None, typer.Option("--chart", help="Draw a fan chart into this PNG file.")]
NARROW = (2, 5, 4)      # what a narrow terminal leaves out first: 50 % range, probability of a rise, 95 % range


@command
def predict(
    shared: Shared,
    tickers: Tickers = None,
    horizon: Horizon = None,
    network: Network = None,
    run: RunId = None,
    as_of: AsOf = None,
    no_record: NoRecord = False,
    chart: Chart = None,
) -> None:
    """Forecast the next sessions with the champion, and put the forecast on record before it is shown."""
    from forecast.library import check_tickers, surviving
    from forecast.prediction import dict_from_prediction, predict

    failures = []
    symbols = check_tickers(tickers or shared.settings.watchlist)
    predictions = surviving(
        lambda ticker: predict(
            ticker, shared.folder, run_id=run, network=network, horizon=horizon, as_of=as_of,
            offline=shared.offline, record=not no_record, on_notice=shared.notice,
        ),
        symbols,
        failures,
    )  # fmt: skip
    done = list(predictions)
    if chart is not None:
        for prediction in done:
            _draw(prediction, chart if len(symbols) == 1 else chart.with_stem(f"{chart.stem}-{prediction.manifest.ticker}"))
    if shared.json:
        print_json({"schema": 1, "forecasts": [dict_from_prediction(prediction) for prediction in done]})
    else:
        for prediction in done:
            print_prediction(prediction)
    finish(failures, len(symbols))


def print_prediction(prediction: Prediction) -> None:
    """Medians and ranges in currency and in percent of the last close, then what the ranges were worth so far."""
    from forecast.prediction import dict_from_prediction

    document = dict_from_prediction(prediction)
    currency = f" {document['currency']}" if document["currency"] else ""
    simulated = " SIMULATED" if document["simulated"] else ""
    print_text(
        f"{document['ticker']}{simulated}: last close {document['last_close']:.2f}{currency} on"
        f" {document['as_of']}, {prediction.network} of run {document['run_id']}"
    )
    close = document["last_close"]
    print_steps(f"in{currency}" if currency else "price", document["steps"], lambda price: f"{price:.2f}")
    print_steps("move [%]", document["steps"], lambda price: f"{100 * (price / close - 1):+.2f}")
    print_text(_coverage_sentence(document["coverage"]))


def print_steps(unit: str, steps: list[dict], format_price: Callable[[float], str]) -> None:
    """A row for each session: median, ranges, probability of a higher close."""
    rows = []
    for step in steps:
        low95, low80, low50, median, high50, high80, high95 = step["quantiles"].values()
        ranges = [
            "-" if low is None else f"{format_price(low)}..{format_price(high)}"
            for low, high in ((low50, high50), (low80, high80), (low95, high95))
        ]
        rise = step["probability_up"]
        rows.append([step["session"], format_price(median), *ranges, "-" if rise is None else f"{100 * rise:.0f}"])
    print_table("", [unit, "median", "50 % range", "80 % range", "95 % range", "up [%]"], rows, dropped=NARROW)


def _coverage_sentence(coverage: dict[str, float | None]) -> str:
    if coverage["coverage_80"] is None:
        return "This network predicts points only: no range stands around them."
    held = ", ".join(f"{100 * coverage[f'coverage_{n}']:.1f} % of {n} %" for n in (50, 80, 95))
    return f"On the run's test sessions the ranges held {held}. Not financial advice."


def _draw(prediction: Prediction, path: Path) -> None:
    from forecast.charts import plot_fan, png_from_figure
    from forecast.prices.snapshots import write_whole

    prices = prediction.prices
    simulated = " SIMULATED" if prices.simulated else ""
    title = f"{prices.ticker}{simulated}: forecast of {prediction.network} after {prices.sessions[-1]}"
    figure = plot_fan(prices, prediction.sessions, prediction.forecast, title)
    write_whole(path.absolute(), png_from_figure(figure))
