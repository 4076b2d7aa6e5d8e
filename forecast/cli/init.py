"""`forecast init`: a commented forecast.toml to begin with."""

from __future__ import annotations

import json

from forecast.cli.options import Tickers
from forecast.cli.shared import Shared, command
from forecast.cli.tables import print_json, print_path

SCHEMA = 1
REMARKS = 32  # column of the remarks

# Every key with its default, so that taking the "# " off a line changes nothing until its value is changed.
TEMPLATE = """\
# What forecast does in this folder unless an option says otherwise. Take the "# " off a line to change its value.
# Every value below is the default of --recipe returns.

# Tickers that commands without a ticker work on.
{watchlist}

# What is trained: simple_rnn, lstm, gru, attention_lstm; "classic" is the tutorial that everybody knows.
# recipe = {recipe}
# networks = {networks}
# n_seeds = {n_seeds} | trainings of each network, averaged
# seed = {seed} | the first of them

# Windows.
# lookback = {lookback} | sessions that a network sees
# horizon = {horizon} | sessions ahead
# half_life = {half_life} | [sessions] of the volatility that carries the scale
# features = {features}
# target = {target} | "close" needs "close" among the features
# scaler = {scaler} | or "minmax"

# Sessions in order: train, validation, test.
# validation_fraction = {validation_fraction} | early stopping and calibration
# test_fraction = {test_fraction} | looked at once, by the score

# Networks and training.
# layers = {layers}
# units = {units}
# dropout = {dropout}
# start = {start} | weights that have learned from simulated shares what volatility is; or "random"
# epochs = {epochs} | at most: early stopping decides
# patience = {patience} | epochs without a better validation loss
# batch_size = {batch_size}
# learning_rate = {learning_rate}

# Retraining.
# retrain_every = {retrain_every} | sessions between two challengers
# gate = {gate} | sessions that champion and challenger are compared on
# ping_url = "https://..." | hears of the start and the end of every retraining
"""


@command
def init(shared: Shared, tickers: Tickers = None) -> None:
    """Write a commented forecast.toml with every default; tickers become the watchlist. Overwrites nothing."""
    from forecast.errors import ForecastError, UsageError
    from forecast.library import check_tickers

    path = shared.folder / "forecast.toml"
    text = format_settings(check_tickers(tickers) if tickers else [])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already, and stays as it is. Edit it, or move it away first.") from error
    except OSError as error:
        raise ForecastError(f"{path} cannot be written: {error.strerror}. Name another --workspace.") from error
    if shared.json:
        print_json({"schema": SCHEMA, "path": str(path)})
    else:
        print_path(path)
    shared.notice(f"Next: forecast train{'' if tickers else ' TSLA'}; without a network: forecast train DEMO")


def format_settings(watchlist: list[str]) -> str:
    """The text of a forecast.toml in which everything but the watchlist is a comment."""
    from dataclasses import asdict

    from forecast.config import Config, Settings

    line = f"watchlist = {json.dumps(watchlist)}" if watchlist else '# watchlist = ["TSLA", "AAPL"]'
    defaults = asdict(Config()) | {name: getattr(Settings(), name) for name in ("retrain_every", "gate")}
    text = TEMPLATE.format(**{name: json.dumps(value) for name, value in defaults.items()} | {"watchlist": line})
    return "".join(_aligned(line) for line in text.splitlines(keepends=True))


def _aligned(line: str) -> str:
    """A line whose remark, behind " | ", stands below the others'."""
    setting, bar, remark = line.partition(" | ")
    return f"{setting:<{REMARKS}}# {remark}" if bar else line
