"""`forecast compare`: the stored runs side by side."""

from __future__ import annotations

from forecast.cli.options import Tickers
from forecast.cli.shared import Shared, command


@command
def compare(shared: Shared, tickers: Tickers = None) -> None:
    """Show the newest run of each recipe side by side: losses, predictions, table, verdict. No ticker: all."""
    from forecast import library
    from forecast.cli.results import print_document, print_run

    compared = library.compare(tickers or [], shared.folder)
    drawn = [(path, charts) for runs, charts in compared.values() for path in runs]
    if shared.json:
        print_document(drawn, [])
        return
    for runs, charts in compared.values():
        for path in runs:
            print_run(path, charts if path == runs[-1] else [])
