"""Arguments and options that several commands have, declared once."""

from pathlib import Path
from typing import Annotated

import typer

Tickers = Annotated[
    list[str] | None,
    typer.Argument(help="Symbols as Yahoo writes them: TSLA, BRK-B, ^GSPC, EURUSD=X, 0700.HK; DEMO is simulated."),
]
Ticker = Annotated[str, typer.Argument(help="A symbol as Yahoo writes it: TSLA, ^GSPC, 0700.HK; DEMO is simulated.")]
Csv = Annotated[
    Path | None,
    typer.Option("--csv", help="Read prices from this file, or from TICKER.csv in this folder, instead of Yahoo."),
]
Recipe = Annotated[str | None, typer.Option("--recipe", help="returns, or classic: the tutorial that everybody knows.")]
Pool = Annotated[bool, typer.Option("--pool", help="One network of each kind for all tickers; --recipe pooled.")]
Base = Annotated[
    str | None, typer.Option("--base", metavar="RUN", help="Start from the weights of this run; --recipe tuned.")
]
Networks = Annotated[
    str | None,
    typer.Option("--networks", help="Comma-separated: simple_rnn, lstm, gru, attention_lstm. Default: simple_rnn,lstm."),
]
Lookback = Annotated[int | None, typer.Option("--lookback", help="Sessions that a network sees.")]
Horizon = Annotated[int | None, typer.Option("--horizon", help="Sessions ahead.")]
Units = Annotated[int | None, typer.Option("--units", help="Units of each recurrent layer.")]
Layers = Annotated[int | None, typer.Option("--layers", help="Recurrent layers.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Epochs at most; early stopping decides.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help="Windows in a batch.")]
LearningRate = Annotated[float | None, typer.Option("--learning-rate", help="Of Adam.")]
NSeeds = Annotated[int | None, typer.Option("--n-seeds", help="Trainings of each network, averaged.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes that train side by side. Default: one a core.")
]


def split_words(text: str | None) -> list[str] | None:
    """Comma-separated words as a list; None stays None."""
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]
