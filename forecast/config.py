"""Every default once, with its unit and its reason; TOML and JSON round trip.

A recipe is a set of values of one configuration, never another code path:

    returns   log returns and their neighbours, carried by recent volatility, a Student-t for each step
    pooled    the same, one network of each kind for all the tickers of a training
    tuned     the same, each ticker's training started from the weights of a stored run
    classic   the tutorial everybody knows: close scaled to [0, 1], two layers of 50 units, MSE, next close
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType

from forecast.errors import ConfigError, ForecastError, UsageError

NETWORKS = ("simple_rnn", "lstm", "gru", "attention_lstm")
NETWORK_NAMES = MappingProxyType(  # as a person reads them
    {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU", "attention_lstm": "LSTM with attention"}
)
# What the networks are told about each session: stationary, so that no level of the past has to come back.
STATIONARY = ("return", "absolute_return", "range", "volume", "overnight_gap", "since_event", "anniversary", "anniversary_week")
FEATURES = (*STATIONARY, "volatility", "close")
TARGETS = ("returns", "close")
SCALERS = ("standard", "minmax")
STARTS = ("simulated", "random")
_SHAPE_WITH_START = {"target": "returns", "half_life": 60, "layers": 1, "units": 32}  # and the features above


@dataclass(frozen=True)
class Config:
    """What one training needs to know, and all that it needs to be repeated on the same prices."""

    recipe: str = "returns"
    networks: tuple[str, ...] = ("simple_rnn", "lstm")

    # Windows.
    lookback: int = 30          # sessions the network sees: 60 score no better at twice the cost
    horizon: int = 5            # sessions ahead: one trading week
    features: tuple[str, ...] = STATIONARY
    target: str = "returns"     # cumulative log returns over recent volatility, or the scaled close
    scaler: str = "standard"    # fitted on insample only
    half_life: int = 60         # [sessions] of the volatility that carries the scale

    # Sessions in order: train, validation, test.
    validation_fraction: float = 0.15   # early stopping and calibration
    test_fraction: float = 0.15         # looked at once, by the score

    # Network.
    layers: int = 1
    units: int = 32             # the LSTM is as good with 16, the SimpleRNN is not
    dropout: float = 0.2        # share of the last hidden state hidden from the head while training

    # Training.
    start: str = "simulated"    # weights that learned from simulated shares what volatility is, or "random" ones
    epochs: int = 30            # at most: early stopping decides
    batch_size: int = 64
    learning_rate: float = 3e-4  # from random weights 1e-3, see FROM_RANDOM
    patience: int = 4           # epochs without a better validation loss
    seed: int = 1               # the first of `n_seeds` consecutive ones
    n_seeds: int = 3            # their spread decides whether one network beats another

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that each network is trained with."""
        return tuple(range(self.seed, self.seed + self.n_seeds))

    @property
    def is_distribution(self) -> bool:
        """True where the networks predict a Student-t, False where they predict points only."""
        return self.target == "returns"


RECIPES = MappingProxyType(
    {
        "returns": Config(),
        "pooled": Config(recipe="pooled", batch_size=256, epochs=12, patience=2),
        "tuned": Config(recipe="tuned", learning_rate=1e-4, patience=4),
        "classic": Config(
            recipe="classic",
            lookback=60,
            horizon=1,
            features=("close",),
            target="close",
            scaler="minmax",
            layers=2,
            units=50,
            start="random",
            epochs=30,
            batch_size=32,
            learning_rate=1e-3,
            patience=5,
        ),
    }
)
# By recipe: a training from random weights has further to go.
FROM_RANDOM = MappingProxyType(
    {
        "returns": {"learning_rate": 1e-3, "epochs": 60, "patience": 8},
        "pooled": {"learning_rate": 1e-3},
    }
)

# Bounds as (lowest, highest): both allowed.
_BOUNDS = {
    "lookback": (2, 1000),
    "horizon": (1, 60),
    "half_life": (2, 1000),
    "validation_fraction": (0.01, 0.5),
    "test_fraction": (0.01, 0.5),
    "layers": (1, 4),
    "units": (1, 512),
    "dropout": (0.0, 0.9),
    "epochs": (1, 10_000),
    "batch_size": (1, 100_000),
    "learning_rate": (1e-7, 1.0),
    "patience": (1, 10_000),
    "seed": (0, 2**31 - 1000),
    "n_seeds": (1, 100),
}
_LARGEST_OUTSAMPLE = 0.8     # validation and test together, as a share of all sessions
_CHOICES = {
    "recipe": tuple(RECIPES),
    "networks": NETWORKS,
    "features": FEATURES,
    "target": TARGETS,
    "scaler": SCALERS,
    "start": STARTS,
}
# Keys of forecast.toml that say what to do rather than how to train.
_WORKSPACE_KEYS = ("watchlist", "retrain_every", "gate", "ping_url")


@dataclass(frozen=True)
class Settings:
    """What `forecast.toml` may say: values of `Config` that differ from the recipe, and the workspace's own.

    Args:
        values: names and values of `Config` fields.
        watchlist: tickers that commands without a ticker work on.
        retrain_every: sessions between two challengers.
        gate: sessions that champion and challenger are compared on, seen by neither.
        ping_url: address that hears of the start and the end of a retraining.
    """

    values: Mapping[str, object] = field(default_factory=dict)
    watchlist: tuple[str, ...] = ()
    retrain_every: int = 5
    gate: int = 60
    ping_url: str | None = None


def make_config(flags: dict[str, object], settings: Settings = Settings()) -> Config:
    """The configuration of a recipe, changed by `forecast.toml`, changed by the command line.

    Args:
        flags: options as typed; None stands for "not given".
        settings: what the workspace's `forecast.toml` says.

    Raises:
        UsageError: a flag has a value out of bounds.
        ConfigError: a setting of `forecast.toml` has.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    from_file = _applied(RECIPES["returns"], settings.values, ConfigError)
    recipe = given.pop("recipe", from_file.recipe)
    if recipe not in RECIPES:
        raise UsageError(f"recipe is {recipe!r}; choose from {', '.join(RECIPES)}.")
    saved = settings.values if recipe == from_file.recipe else {}
    config = _applied(_applied(RECIPES[recipe], saved, ConfigError), given, UsageError)
    told = {**saved, **given}
    if config.start == "simulated" and has_start(config) or recipe not in FROM_RANDOM:
        return config
    if told.get("start") == "simulated":
        shape = ", ".join(f"{name} {value}" for name, value in _SHAPE_WITH_START.items())
        error = UsageError if "start" in given else ConfigError
        raise error(f"start 'simulated' is kept for {shape} and the default features; leave start out, or choose random.")
    untold = {name: value for name, value in FROM_RANDOM[recipe].items() if name not in told}
    return replace(config, start="random", **untold)


def has_start(config: Config) -> bool:
    """Whether weights learned from simulated shares are kept for a network of this shape."""
    same = all(getattr(config, name) == value for name, value in _SHAPE_WITH_START.items())
    return same and config.features == STATIONARY


def tuned_config(base: Config, flags: Mapping[str, object]) -> Config:
    """The configuration of a training that starts from a run's weights: the run's own, but for how it learns.

    Raises:
        UsageError: a flag would change what the weights belong to.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    learning = ("epochs", "batch_size", "learning_rate", "patience")
    for name in given:
        if name not in learning:
            raise UsageError(f"--base keeps the {name} of its run; only {', '.join(learning)} can be changed.")
    tuned = RECIPES["tuned"]
    defaults = {"recipe": "tuned", **{name: getattr(tuned, name) for name in learning}}
    return _applied(base, defaults | given, UsageError)


def find_workspace(given: str | os.PathLike[str] | None = None) -> Path:
    """The absolute folder of data/, models/ and forecast.toml: as given, else $FORECAST_HOME, else the current one."""
    return Path(given or os.environ.get("FORECAST_HOME") or ".").absolute()


def load_settings(workspace: Path) -> Settings:
    """What `forecast.toml` in the workspace says; nothing where there is none.

    Raises:
        ConfigError: not TOML, an unknown key, or a value out of bounds.
    """
    path = workspace / "forecast.toml"
    if not path.exists():
        return Settings()
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    return _settings_from_dict(document, path)


def dict_from_config(config: Config) -> dict[str, object]:
    """Plain values, ready for JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}


def config_from_dict(values: dict[str, object]) -> Config:
    """The inverse of `dict_from_config`.

    Raises:
        ConfigError: an unknown name, or a value out of bounds.
    """
    return _applied(Config(), values, ConfigError)


def _settings_from_dict(document: dict[str, object], path: Path) -> Settings:
    workspace = {name: document[name] for name in _WORKSPACE_KEYS if name in document}
    values = {name: value for name, value in document.items() if name not in workspace}
    known = (*_WORKSPACE_KEYS, *(each.name for each in fields(Config)))
    for name in values:
        if name not in known:
            raise ConfigError(f"{path} has the unknown key {name!r}; known are {', '.join(sorted(known))}.")
    watchlist = workspace.get("watchlist", [])
    if not isinstance(watchlist, list) or not all(isinstance(ticker, str) for ticker in watchlist):
        raise ConfigError(f'{path}: watchlist is a list of tickers, such as ["TSLA", "AAPL"].')
    for name in ("retrain_every", "gate"):
        if name in workspace and not (type(workspace[name]) is int and workspace[name] >= 1):
            raise ConfigError(f"{path}: {name} is {workspace[name]!r}; it is a number of sessions, at least 1.")
    if not isinstance(workspace.get("ping_url", ""), str):
        raise ConfigError(f"{path}: ping_url is {workspace['ping_url']!r}; it is an address in quotes.")
    settings = Settings(values=values, **workspace | {"watchlist": tuple(watchlist)})
    make_config({}, settings)
    return settings


def _applied(config: Config, values: dict[str, object], error: type[ForecastError]) -> Config:
    for name, value in values.items():
        problem = _problem(name, value)
        if problem:
            raise error(problem)
    changed = replace(config, **{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
    problem = _contradiction(changed)
    if problem:
        raise error(problem)
    return changed


def _contradiction(config: Config) -> str | None:
    """Why two values, each allowed, cannot go together; None when they can."""
    outsample = config.validation_fraction + config.test_fraction
    if outsample > _LARGEST_OUTSAMPLE:
        return (
            f"validation_fraction {config.validation_fraction} and test_fraction {config.test_fraction} add up to"
            f" {outsample:g}; at most {_LARGEST_OUTSAMPLE} leaves enough to train on."
        )
    if config.target == "close" and "close" not in config.features:
        return f"target 'close' needs 'close' among the features, which are {', '.join(config.features)}."
    return None


def _problem(name: str, value: object) -> str | None:
    """Why `value` cannot stand for `name`, in one sentence; None when it can."""
    if name in _CHOICES:
        several = isinstance(getattr(Config, name), tuple)
        if isinstance(value, (list, tuple)) != several:
            return f"{name} is {value!r}; it is {'a list of words' if several else 'one word'}."
        words = value if several else [value]
        wrong = [word for word in words if word not in _CHOICES[name]]
        if wrong or not words:
            return f"{name} is {wrong[0] if wrong else 'empty'!r}; choose from {', '.join(_CHOICES[name])}."
        if len(set(words)) < len(words):
            return f"{name} names something twice: {', '.join(words)}."
        return None
    if name not in _BOUNDS:
        return f"{name!r} is no setting; known are {', '.join((*_CHOICES, *_BOUNDS))}."
    lowest, highest = _BOUNDS[name]
    number = (int, float) if isinstance(lowest, float) else int
    if isinstance(value, bool) or not isinstance(value, number) or not lowest <= value <= highest:
        return f"{name} is {value!r}; it goes from {lowest} to {highest}."
    return None
