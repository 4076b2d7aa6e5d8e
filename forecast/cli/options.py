"""Arguments and options that several commands have, declared once, with what a shell completes them to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from forecast.config import NETWORKS, RECIPES, find_workspace, load_settings
from forecast.errors import ForecastError, UsageError
from forecast.prices.tickers import ticker_from_folder


def complete_ticker(context: typer.Context, incomplete: str) -> list[str]:
    """Tickers that begin like this: those of the watchlist, those with prices or runs, and DEMO."""
    given = [each.params.get("workspace") for each in (context, context.find_root())]
    known = known_tickers(find_workspace(next(filter(None, given), None)))
    return [ticker for ticker in known if ticker.startswith(incomplete.upper())]


def known_tickers(workspace: Path) -> list[str]:
    """Tickers that a workspace knows of, in alphabetical order."""
    known = {"DEMO"}
    for path in (*workspace.glob("data/*/current.json"), *workspace.glob("models/*/champion.json")):
        try:
            known.add(ticker_from_folder(path.parent.name))
        except UsageError:  # a folder of somebody else's
            continue
    try:
        known.update(load_settings(workspace).watchlist)
    except ForecastError:  # the command itself will say what is wrong
        pass
    return sorted(known)


def complete_networks(incomplete: str) -> list[str]:
    """Networks after a comma-separated beginning that does not have them yet."""
    *chosen, last = incomplete.split(",")
    return [",".join([*chosen, each]) for each in NETWORKS if each.startswith(last) and each not in chosen]


def complete_recipe(incomplete: str) -> list[str]:
    """Recipes that begin like this."""
    return [recipe for recipe in RECIPES if recipe.startswith(incomplete)]


def _with_default(help: str, name: str) -> str:
    """What a setting is, with its default, and with that of the tutorial's recipe where it is another."""
    own, classic = (getattr(RECIPES[recipe], name) for recipe in ("returns", "classic"))
    return f"{help} Default: {own}{'' if own == classic else f'; classic: {classic}'}."


Tickers = Annotated[
    list[str] | None,
    typer.Argument(
        help="Symbols as Yahoo writes them: TSLA, BRK-B, ^GSPC, EURUSD=X, 0700.HK; DEMO is simulated.",
        autocompletion=complete_ticker,
    ),
]
Ticker = Annotated[
    str,
    typer.Argument(
        help="A symbol as Yahoo writes it: TSLA, ^GSPC, 0700.HK; DEMO is simulated.", autocompletion=complete_ticker
    ),
]
Csv = Annotated[
    Path | None,
    typer.Option("--csv", help="Read prices from this file, or from TICKER.csv in this folder, instead of Yahoo."),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        "--recipe", help="returns, or classic: the tutorial that everybody knows.", autocompletion=complete_recipe
    ),
]
Pool = Annotated[bool, typer.Option("--pool", help="One network of each kind for all tickers; --recipe pooled.")]
Base = Annotated[
    str | None, typer.Option("--base", metavar="RUN", help="Start from the weights of this run; --recipe tuned.")
]
Networks = Annotated[
    str | None,
    typer.Option(
        "--networks",
        help="Comma-separated: simple_rnn, lstm, gru, attention_lstm. Default: simple_rnn,lstm.",
        autocompletion=complete_networks,
    ),
]
Lookback = Annotated[int | None, typer.Option("--lookback", help=_with_default("Sessions that a network sees.", "lookback"))]
Horizon = Annotated[int | None, typer.Option("--horizon", help=_with_default("Sessions ahead.", "horizon"))]
Units = Annotated[int | None, typer.Option("--units", help=_with_default("Units of each recurrent layer.", "units"))]
Layers = Annotated[int | None, typer.Option("--layers", help=_with_default("Recurrent layers.", "layers"))]
Start = Annotated[
    str | None,
    typer.Option("--start", help="Weights that training starts from: simulated, learned on simulated shares, or random."),
]
Epochs = Annotated[int | None, typer.Option("--epochs", help=_with_default("Epochs at most; early stopping decides.", "epochs"))]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help=_with_default("Windows in a batch.", "batch_size"))]
LearningRate = Annotated[float | None, typer.Option("--learning-rate", help=_with_default("Of Adam.", "learning_rate"))]
Patience = Annotated[int | None, typer.Option("--patience", help=_with_default("Epochs without a better validation loss.", "patience"))]
NSeeds = Annotated[int | None, typer.Option("--n-seeds", help=_with_default("Trainings of each network, averaged.", "n_seeds"))]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes that train side by side. Default: one a core.")
]


@dataclass(frozen=True)
class Training:
    """How to train: what `train`, `retrain` and `backtest` let a person change."""

    recipe: Recipe = None
    networks: Networks = None
    lookback: Lookback = None
    horizon: Horizon = None
    units: Units = None
    layers: Layers = None
    start: Start = None
    epochs: Epochs = None
    batch_size: BatchSize = None
    learning_rate: LearningRate = None
    patience: Patience = None
    n_seeds: NSeeds = None

    def flags(self, seed: int | None) -> dict[str, object]:
        """The options as `make_config` takes them; None stands for "not given"."""
        return self.__dict__ | {"networks": split_words(self.networks), "seed": seed}


def split_words(text: str | None) -> list[str] | None:
    """Comma-separated words as a list; None stays None."""
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]
