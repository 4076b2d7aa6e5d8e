"""`forecast report`: pages to open, mail or keep."""

from __future__ import annotations

from typing import Annotated

import typer

from forecast.cli.options import Tickers
from forecast.cli.shared import Shared, command, finish
from forecast.cli.tables import print_json, print_path

SCHEMA = 1
Open = Annotated[bool, typer.Option("--open", help="Show it in the browser.")]


@command
def report(shared: Shared, tickers: Tickers = None, open_: Open = False) -> None:
    """Write a page for each ticker and an index, from what is stored; nothing is computed anew. No ticker: all."""
    from forecast.report.pages import write_report

    written = write_report(tickers or [], shared.folder)
    shown = [*written.pages.values(), written.index]
    if shared.json:
        pages = [{"ticker": ticker, "path": str(path)} for ticker, path in written.pages.items()]
        failed = [{"ticker": f.ticker, "error": str(f.error), "exit_code": f.error.exit_code} for f in written.failures]
        print_json({"schema": SCHEMA, "index": str(written.index), "pages": pages, "failures": failed})
    else:
        for path in shown:
            print_path(path)
    if open_:
        import webbrowser

        webbrowser.open(shown[0 if len(written.pages) == 1 else -1].as_uri())
    finish(written.failures, len(written.pages) + len(written.failures))
