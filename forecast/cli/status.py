"""`forecast status`: whether everything that was scheduled has happened."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.options import Tickers
from forecast.cli.shared import Shared, command
from forecast.cli.tables import print_error, print_json, print_table

if TYPE_CHECKING:
    from forecast.automation.status import TickerStatus

SCHEMA = 1
NEEDS_A_PERSON = 1
MaxDays = Annotated[
    float, typer.Option("--max-days", min=0.0, help="Days after a session's close by which a retraining is expected.")
]


@command
def status(shared: Shared, tickers: Tickers = None, max_days: MaxDays = 3.0) -> None:
    """Show champion, age, last retraining and last forecast. Exit code 1 when one is stale or has failed.

    No ticker: the watchlist, else every ticker that has a run.
    """
    from forecast.automation.status import load_status
    from forecast.library import check_tickers, stored_tickers

    chosen = tickers or shared.settings.watchlist or stored_tickers(shared.models_folder)
    rows = load_status(check_tickers(chosen), shared.folder, max_days)
    if shared.json:
        print_json({"schema": SCHEMA, "tickers": [asdict(row) for row in rows]})
    else:
        print_status(rows)
    for row in rows:
        if row.problem:
            print_error(f"{row.ticker}: {row.problem}")
    if any(row.problem for row in rows):
        sys.exit(NEEDS_A_PERSON)


def print_status(rows: list[TickerStatus]) -> None:
    """A row for each ticker."""
    columns = ["", "last\nsession", "champion", "age", "last\nretrained", "ended", "last\nforecast", ""]
    cells = [
        [
            f"{row.ticker} SIMULATED" if row.simulated else row.ticker,
            row.last_session or "-",
            (row.champion or "-")[:8],  # its date
            "-" if row.age is None else str(row.age),
            (row.retrained_at or "-")[:10],
            row.outcome or "-",
            (row.forecast_at or "-")[:10],
            "!" if row.problem else "",
        ]
        for row in rows
    ]
    print_table("", columns, cells, "age: sessions that closed since the champion's last one", dropped=(2, 6, 4))

