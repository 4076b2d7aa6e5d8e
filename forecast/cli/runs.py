"""`forecast runs`: what is stored."""

from __future__ import annotations

from typing import Annotated

import typer

from forecast.cli.options import Ticker, Tickers
from forecast.cli.shared import Shared, command
from forecast.cli.tables import print_json, print_pairs, print_path, print_table

app = typer.Typer(no_args_is_help=True, help="The stored runs: list, show.")

RunId = Annotated[str | None, typer.Argument(help="As `forecast runs list` shows it; the champion when left out.")]


@app.command("list")
@command
def list_(shared: Shared, tickers: Tickers = None) -> None:
    """List every stored run, by ticker, oldest first."""
    from forecast.library import summarise_runs

    rows = summarise_runs(tickers or [], shared.folder)
    if shared.json:
        print_json({"schema": 1, "runs": rows})
        return
    columns = ("ticker", "run_id", "recipe", "horizon", "last_session")
    cells = [[*(str(row[column]) for column in columns), "champion" if row["champion"] else ""] for row in rows]
    print_table("", [*(column.replace("_", " ") for column in columns), ""], cells)


@app.command()
@command
def show(shared: Shared, ticker: Ticker, run_id: RunId = None) -> None:
    """Show what a run was made of, and its scores."""
    from forecast.cli.results import dict_from_run, print_run
    from forecast.library import find
    from forecast.store.runs import dict_from_manifest, load_manifest

    path = find(ticker, run_id, shared.folder)
    manifest = dict_from_manifest(load_manifest(path))
    if shared.json:
        print_json({"schema": 1, "manifest": manifest, **dict_from_run(path, [])})
        return
    lines = [[name, _in_words(value)] for name, value in manifest.items() if name != "files"]
    print_path(path)
    print_pairs(lines)
    print_run(path, [path / "loss.png", path / "predictions.png"])


def _in_words(value: object) -> str:
    """A setting on one or several lines."""
    if isinstance(value, dict):
        return "\n".join(f"{name} {_in_words(each)}" for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return str(value)
