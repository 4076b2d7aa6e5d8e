"""`forecast runs`: what is stored, what serves, and what nobody needs any more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.cli.options import Ticker, Tickers
from forecast.cli.shared import Shared, command
from forecast.cli.tables import print_json, print_pairs, print_path, print_table, print_text
from forecast.prices.tickers import ticker_from_folder

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The stored runs: list, show, promote, rollback, prune.")

RunId = Annotated[str | None, typer.Argument(help="As `forecast runs list` shows it; the champion when left out.")]
Chosen = Annotated[str, typer.Argument(metavar="RUN_ID", help="As `forecast runs list` shows it.")]
Keep = Annotated[int, typer.Option("--keep", min=1, help="How many of the newest runs of a ticker stay in any case.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")]


@app.command("list")
@command
def list_(shared: Shared, tickers: Tickers = None) -> None:
    """List every stored run, by ticker, oldest first."""
    from forecast.library import summarise_runs

    rows = summarise_runs(tickers or [], shared.folder)
    if shared.json:
        print_json({"schema": 1, "runs": rows})
        return
    if not rows:
        shared.notice(f"{shared.models_folder} holds no runs yet. Type: forecast train TSLA")
        return
    columns = ("ticker", "run_id", "recipe", "horizon", "last_session")
    cells = [[*(str(row[column]) for column in columns), "champion" if row["champion"] else ""] for row in rows]
    print_table("", [*(column.replace("_", " ") for column in columns), ""], cells, dropped=(3, 2, 4))


@app.command()
@command
def show(shared: Shared, ticker: Ticker, run_id: RunId = None) -> None:
    """Show what a run was made of, and its scores."""
    from forecast.cli.results import dict_from_run, print_run
    from forecast.library import find
    from forecast.store.runs import dict_from_manifest, load_run

    path = find(ticker, run_id, shared.folder)
    manifest = dict_from_manifest(load_run(path).manifest)  # all of it, so that damage is told before a word is printed
    if shared.json:
        print_json({"schema": 1, "manifest": manifest, **dict_from_run(path, [])})
        return
    lines = [[name, _in_words(value)] for name, value in manifest.items() if name != "files"]
    print_path(path)
    print_pairs(lines)
    print_run(path, [path / "loss.png", path / "predictions.png"])


@app.command()
@command
def promote(shared: Shared, ticker: Ticker, run_id: Chosen) -> None:
    """Make a run its ticker's champion, whatever the gate said of it."""
    from forecast.library import find
    from forecast.store import champions

    path = find(ticker, run_id, shared.folder)
    champions.promote(path, reason="promoted by hand")
    _say_champion(shared, path)


@app.command()
@command
def rollback(shared: Shared, ticker: Ticker) -> None:
    """Let the former champion serve again, as it did before; repeated, the one before it."""
    from forecast.prices.tickers import check_ticker
    from forecast.store import champions

    _say_champion(shared, champions.rollback(shared.models_folder, check_ticker(ticker)))


@app.command()
@command
def prune(shared: Shared, tickers: Tickers = None, keep: Keep = 10, dry_run: DryRun = False) -> None:
    """Delete runs that neither serve, nor served last, nor are among the newest, and prices that nothing names.

    No ticker: every one that has a run.
    """
    from forecast.library import check_tickers, stored_tickers
    from forecast.store.pruning import Pruned, find_prunable, prune

    models = shared.models_folder
    pruned = []
    for ticker in check_tickers(tickers) if tickers else stored_tickers(models):
        if dry_run:
            pruned.append(Pruned(ticker, [path.name for path in find_prunable(models, ticker, keep)], []))
        else:
            pruned.append(prune(shared.folder, ticker, keep))
    if shared.json:
        print_json({"schema": 1, "dry_run": dry_run, "pruned": [vars(each) for each in pruned]})
        return
    cells = [[each.ticker, str(len(each.runs)), "-" if dry_run else str(len(each.snapshots))] for each in pruned]
    print_table("would be deleted" if dry_run else "deleted", ["", "runs", "snapshots of prices"], cells)


def _say_champion(shared: Shared, path: Path) -> None:
    """Which run serves now."""
    ticker = ticker_from_folder(path.parent.name)
    if shared.json:
        print_json({"schema": 1, "ticker": ticker, "champion": path.name})
    else:
        print_text(f"{ticker} is served by {path.name}")


def _in_words(value: object) -> str:
    """A setting on one or several lines."""
    if isinstance(value, dict):
        return "\n".join(f"{name} {_in_words(each)}" for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return str(value)
