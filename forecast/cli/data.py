"""`forecast data`: the stored prices: fetch, import, show, diff."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.options import Ticker, Tickers
from forecast.cli.shared import Shared, command, finish
from forecast.cli.tables import print_json, print_pairs, print_table, print_text
from forecast.errors import UsageError
from forecast.prices.tickers import check_ticker

if TYPE_CHECKING:
    from forecast.prices.snapshots import Snapshot
    from forecast.prices.table import Prices

SCHEMA = 1
N_COMPARED = 5  # of the newest snapshots, each with the one before it
app = typer.Typer(add_completion=False, no_args_is_help=True, help="The stored prices: fetch, import, show, diff.")

Force = Annotated[
    bool,
    typer.Option("--force", help="Ask although nothing is due; accept a download that lost many old dates."),
]
File = Annotated[Path, typer.Argument(help="A file of daily prices, as any site exports them.")]
TickerOption = Annotated[str, typer.Option("--ticker", help="What it holds; chooses a column or rows if it holds several.")]
Hash = Annotated[str | None, typer.Argument(help="First letters of a snapshot's name, as `data show` lists them.")]


@app.command()
@command
def fetch(shared: Shared, tickers: Tickers = None, force: Force = False) -> None:
    """Ask Yahoo for each ticker of which a session has closed since the last snapshot. No ticker: the watchlist."""
    from forecast.library import Failure, check_tickers, surviving
    from forecast.prices.sources import fetch_prices, load_prices, source_from_option

    if shared.offline:
        raise UsageError("`data fetch` asks the network, which --offline forbids. Leave one of them out.")

    def fetch_one(ticker: str) -> Prices:
        source = source_from_option(ticker, None)
        if source != "yahoo":
            return load_prices(ticker, source=source, folder=shared.data_folder)
        return fetch_prices(ticker, folder=shared.data_folder, force=force)

    symbols = check_tickers(tickers or shared.settings.watchlist)
    failures: list[Failure] = []
    _print_prices(shared, list(surviving(fetch_one, symbols, failures)), failures)
    finish(failures, len(symbols))


@app.command("import")
@command
def import_(shared: Shared, file: File, ticker: TickerOption) -> None:
    """Check a person's own file and keep its prices."""
    from forecast.prices.sources import import_prices

    path = file.expanduser().absolute()
    _print_prices(shared, [import_prices(ticker, path, folder=shared.data_folder)], [])


@app.command()
@command
def show(shared: Shared, ticker: Ticker) -> None:
    """Show what is stored of a ticker: range, sessions, gaps, anomalies, snapshots."""
    from forecast.prices.snapshots import list_damages, list_snapshots

    ticker = check_ticker(ticker)
    snapshots = list_snapshots(shared.data_folder, ticker)
    damages = list_damages(shared.data_folder, ticker)
    if shared.json:
        documents = [_dict_from_snapshot(snapshot) for snapshot in snapshots]
        print_json({"schema": SCHEMA, "ticker": ticker, "snapshots": documents, "damaged": damages})
        return
    for damage in damages:
        shared.notice(damage)
    if not snapshots:
        raise UsageError(f"Nothing is stored of {ticker}. Type: forecast data fetch {ticker}")
    _print_snapshot(snapshots[-1])
    for snapshot in reversed(snapshots):
        print(f"  {_line(snapshot)}")


@app.command()
@command
def diff(shared: Shared, ticker: Ticker, old: Hash = None, new: Hash = None) -> None:
    """Show what changed between two snapshots, or what each of the last ones changed: split, dividend, revision."""
    from forecast.prices.revisions import compare_quotes
    from forecast.prices.snapshots import load_quotes

    ticker = check_ticker(ticker)
    documents = []
    for before, after in _pairs(shared.data_folder, ticker, old, new):
        quotes = [load_quotes(shared.data_folder, ticker, each.sha256) for each in (before, after)]
        found = compare_quotes(*quotes)
        documents.append({"old": before.sha256, "new": after.sha256, **asdict(found)})
        if not shared.json:
            print(f"old  {_line(before)}\nnew  {_line(after)}")
            for sentence in found.sentences():
                print_text(sentence)
            print()
    if shared.json:
        print_json({"schema": SCHEMA, "ticker": ticker, "comparisons": documents})


def _pairs(folder: Path, ticker: str, old: str | None, new: str | None) -> list[tuple[Snapshot, Snapshot]]:
    """The two snapshots that two hashes name, one hash against the newest, or each with its successor."""
    from forecast.prices.snapshots import find_snapshot, list_snapshots

    snapshots = list_snapshots(folder, ticker)
    if len(snapshots) < 2:
        raise UsageError(
            f"{ticker} has {len(snapshots)} intact snapshots; a comparison needs two. Type: forecast data fetch {ticker}"
        )
    if old is None:
        return list(pairwise(snapshots[-N_COMPARED - 1 :]))
    after = find_snapshot(folder, ticker, new) if new else snapshots[-1]
    return [(find_snapshot(folder, ticker, old), after)]


def _print_prices(shared: Shared, all_prices: list[Prices], failures: list) -> None:
    """What was stored, a row a ticker; what was dropped, on stderr."""
    if shared.json:
        failed = [{"ticker": f.ticker, "error": str(f.error), "exit_code": f.error.exit_code} for f in failures]
        documents = [_dict_from_prices(prices) for prices in all_prices]
        print_json({"schema": SCHEMA, "prices": documents, "failures": failed})
        return
    for prices in all_prices:
        for notice in prices.notices:
            shared.notice(f"{prices.ticker}: {notice}")
    columns = ["", "sessions", "first", "last", "last close", "snapshot"]
    if all_prices:
        print_table("", columns, [_row(prices) for prices in all_prices])


def _row(prices: Prices) -> list[str]:
    ticker = prices.ticker + (" SIMULATED" if prices.simulated else "")
    close = f"{prices.close[-1]:.6g} {prices.listing.currency or ''}".rstrip()
    first, last = prices.sessions[[0, -1]].astype(str)
    return [ticker, f"{len(prices)}", first, last, close, prices.snapshot[:12]]


def _dict_from_prices(prices: Prices) -> dict[str, object]:
    first, last = prices.sessions[[0, -1]].astype(str).tolist()
    return {
        "ticker": prices.ticker,
        "source": prices.source,
        "snapshot": prices.snapshot,
        "n_sessions": len(prices),
        "first": first,
        "last": last,
        "last_close": float(prices.close[-1]),
        **vars(prices.listing),
        "simulated": prices.simulated,
        "notices": list(prices.notices),
    }


def _dict_from_snapshot(snapshot: Snapshot) -> dict[str, object]:
    document = vars(snapshot) | vars(snapshot.listing) | {"fetched_at": snapshot.fetched_at.isoformat()}
    del document["listing"]
    return document


def _print_snapshot(snapshot: Snapshot) -> None:
    """What is known of the newest snapshot."""
    listing = snapshot.listing
    simulated = " SIMULATED" if snapshot.simulated else ""
    pairs = [
        ("ticker", f"{snapshot.ticker}{simulated} {listing.name or ''}".rstrip()),
        ("sessions", f"{snapshot.n_sessions}, {snapshot.first} to {snapshot.last}"),
        ("exchange", f"{listing.exchange}, {listing.timezone}, {listing.currency or 'currency unknown'}"),
        ("source", snapshot.source),
        ("gaps", _in_words(snapshot.missing) if snapshot.missing else "none"),
        ("left out", "\n".join(snapshot.notices) or "nothing"),
        ("anomalies", "\n".join(snapshot.anomalies) or "none"),
        ("snapshots", "newest first"),
    ]
    print_pairs(pairs)


def _in_words(missing: tuple[str, ...]) -> str:
    from forecast.prices.checks import listed

    return f"{len(missing)} sessions of the exchange have no row: {listed(missing, at_most=8)}"


def _line(snapshot: Snapshot) -> str:
    """A snapshot on one line."""
    taken = f"{snapshot.fetched_at:%Y-%m-%d %H:%M} UTC"
    return f"{snapshot.sha256[:12]}  {taken}  {snapshot.n_sessions} sessions to {snapshot.last}  {snapshot.source}"
