"""`forecast train`: fetch if due, train, score, draw, store."""

from __future__ import annotations

from forecast.cli.options import Base, Csv, Pool, Tickers, Training, Workers
from forecast.cli.shared import Shared, command, finish


@command
def train(
    shared: Shared,
    tickers: Tickers = None,
    csv: Csv = None,
    pool: Pool = False,
    base: Base = None,
    training: Training = Training(),
    workers: Workers = None,
) -> None:
    """Fetch prices if due, train SimpleRNN and LSTM, score them against naive, draw, store a run per ticker."""
    from forecast import library
    from forecast.cli.progress import training_progress
    from forecast.cli.results import print_document, print_run
    from forecast.config import tuned_config

    flags = training.flags(shared.seed)
    flags["recipe"] = "pooled" if pool else training.recipe
    started_from = library.load_base(base, shared.folder) if base else None
    config = tuned_config(started_from.config, flags) if started_from else shared.config(flags)
    symbols = library.check_tickers(tickers or shared.settings.watchlist)
    with training_progress(len(symbols), config, shared.quiet) as on_epoch:
        outcome = library.train(
            symbols, config, shared.folder, base=started_from, csv=csv, offline=shared.offline,
            workers=workers, on_epoch=on_epoch, on_notice=shared.notice,
        )  # fmt: skip
    drawn = [(path, [path / "loss.png", path / "predictions.png"]) for path in outcome.runs]
    if shared.json:
        print_document(drawn, outcome.failures)
    else:
        for path, charts in drawn:
            print_run(path, charts)
    finish(outcome.failures, len(symbols))
