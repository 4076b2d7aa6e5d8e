"""A challenger from its prices to its place: what it is trained on, stored as, and decided by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecast import library
from forecast.automation.executors import tell
from forecast.automation.gate import Verdict, judge
from forecast.config import Config, config_from_dict, dict_from_config, make_config
from forecast.errors import ConfigError
from forecast.evaluation.significance import MIN_OUTCOMES
from forecast.networks.training import FitResult, FitTask, fit_network
from forecast.pipeline import Study, Trained, assess, make_study, make_tasks
from forecast.prediction import predict
from forecast.prices.sources import fetch_prices, load_prices, source_from_option
from forecast.prices.table import Prices
from forecast.store.champions import load_champion
from forecast.store.ledger import LEDGER, load_forecasts
from forecast.store.runs import Manifest, load_manifest
from forecast.windows.splits import MIN_OUTSAMPLE_WINDOWS, Split, split_at

if TYPE_CHECKING:
    from forecast.automation.journal import Entry
    from forecast.automation.order import Order

ALONE = ("returns", "classic")  # recipes that need nothing but the ticker's own prices


@dataclass(frozen=True)
class Champion:
    """The run that serves."""

    path: Path
    manifest: Manifest


@dataclass(frozen=True)
class Challenge:
    """The prices of a due day, and what to train on them.

    Args:
        prices: up to the newest session.
        champion: None before the first one.
        study: of the challenger; None where none is due.
        reason: why, or why not.
    """

    prices: Prices
    champion: Champion | None
    study: Study | None
    reason: str


def find_champion(models: Path, ticker: str) -> Champion | None:
    """The ticker's champion with its manifest."""
    path = load_champion(models, ticker)
    return None if path is None else Champion(path, load_manifest(path))


def choose_source(ticker: str, champion: Champion | None, csv: Path | None) -> str:
    """Where the prices come from: the option, else where the champion had them, else Yahoo."""
    if csv is None and champion is not None:
        return champion.manifest.source
    return source_from_option(ticker, csv)


def fetch(ticker: str, source: str, order: Order) -> Prices:
    """Today's prices; a source that cannot be reached is a failure here, whatever is stored."""
    folder = order.workspace / "data"
    if source == "yahoo" and not order.offline:
        prices = fetch_prices(ticker, folder=folder)
    else:
        prices = load_prices(ticker, source=source, folder=folder, offline=order.offline)
    for notice in prices.notices:
        order.on_notice(notice)
    return prices


def prepare(prices: Prices, champion: Champion | None, challenged: str | None, order: Order) -> Challenge:
    """What a due day asks for: a challenger, or only a forecast.

    Args:
        challenged: last session that the newest challenger saw, ISO; None before the first one.

    Raises:
        DataError: too few sessions.
        ConfigError: the gate is too short to compare forecasts on.
    """
    every = order.settings.retrain_every
    age = None if champion is None else n_sessions_after(prices.sessions, challenged, champion.manifest)
    if age is not None and age < every and not order.force:
        reason = f"{age} of the {every} sessions between two challengers have passed"
        return Challenge(prices, champion, None, reason)
    config = choose_config(champion, order)
    study = make_study(prices, config, split_for_gate(len(prices), config, order.settings.gate))
    return Challenge(prices, champion, study, "there was no champion" if champion is None else "a challenger was due")


def n_sessions_after(sessions: np.ndarray, challenged: str | None, manifest: Manifest) -> int:
    """Sessions that neither the champion nor the newest challenger has seen."""
    seen = max(manifest.cutoffs["last_session"], challenged or "")
    return int(np.sum(sessions > np.datetime64(seen)))


def choose_config(champion: Champion | None, order: Order) -> Config:
    """The champion's configuration, changed by `forecast.toml` and by the command line.

    A champion that was trained on several tickers together is challenged by a network of the
    ticker's own.

    Raises:
        ConfigError: a value out of bounds, or a recipe that needs more than one ticker.
    """
    changes = {**order.settings.values, **{name: v for name, v in order.flags.items() if v is not None}}
    recipe = None if champion is None else champion.manifest.config.recipe
    if changes.get("recipe", recipe) == recipe and recipe in ALONE:
        return config_from_dict(dict_from_config(champion.manifest.config) | changes)
    config = make_config(order.flags, order.settings)
    if config.recipe not in ALONE:
        raise ConfigError(f"recipe is {config.recipe!r}; a ticker is retrained alone, with {' or '.join(ALONE)}.")
    return config


def split_for_gate(n_sessions: int, config: Config, gate: int) -> Split:
    """The cut whose test is the gate: the last `gate` sessions.

    Raises:
        ConfigError: too short a gate.
    """
    horizon = config.horizon
    n_forecasts = max(MIN_OUTCOMES, 2 * horizon)  # what the tests of the verdict need
    smallest = n_forecasts + horizon - 1
    if gate < smallest:
        raise ConfigError(
            f"gate is {gate} sessions; {n_forecasts} forecasts of {horizon} sessions need at least {smallest}."
            f" Set gate = {smallest} in forecast.toml."
        )
    n_validation = max(round(n_sessions * config.validation_fraction), MIN_OUTSAMPLE_WINDOWS + horizon - 1)
    return split_at(n_sessions, n_sessions - gate, n_validation, config.lookback, horizon)


def make_fits(challenge: Challenge) -> list[FitTask]:
    """The fits of the challenger, which do not depend on each other."""
    return make_tasks(challenge.study)


def fit(task: FitTask) -> FitResult:
    """One fit, in whatever process this is called."""
    return fit_network(task, tell)


def score(challenge: Challenge, fits: Sequence[FitResult]) -> Trained:
    """The challenger, calibrated and scored on the gate."""
    return assess(challenge.study, fits)


def decide(challenge: Challenge, trained: Trained, models: Path, started: datetime) -> tuple[Path, Verdict]:
    """Store the challenger, and judge it; the champion is not touched."""
    run = library.save(models, trained, started)
    if challenge.champion is None:
        return run, Verdict(True, challenge.reason)
    return run, judge(trained, challenge.champion.path)


def predict_next(ticker: str, session: str, order: Order) -> tuple[str | None, str | None]:
    """Put the champion's forecast on record, unless a retraining that died did so already.

    Args:
        session: newest one, ISO.

    Returns:
        The champion's run id and the last session that its forecast has seen; None without a champion.
    """
    path = load_champion(order.models, ticker)
    if path is None:
        return None, None
    rows = load_forecasts(order.models / LEDGER, ticker)
    on_record = any((row.cutoff, row.run_id) == (session, path.name) for row in rows)
    prediction = predict(ticker, order.workspace, offline=order.offline, record=not on_record)
    return path.name, str(prediction.prices.sessions[-1])


def describe_plan(ticker: str, order: Order, last: Entry | None) -> str:
    """What a due day would bring, by the calendar alone: prices that are yet to come may decide otherwise."""
    from forecast.prices.calendar import last_closed_session, sessions_between

    champion = find_champion(order.models, ticker)
    source = choose_source(ticker, champion, order.csv)
    if champion is None:
        return f"ask {source} and train a first champion"
    exchange, now = champion.manifest.listing.exchange, datetime.now(UTC)
    seen = np.datetime64(champion.manifest.cutoffs["last_session"])
    coming = sessions_between(exchange, seen, last_closed_session(exchange, now))
    age = n_sessions_after(coming, last.challenged if last else None, champion.manifest)
    if order.force or age >= order.settings.retrain_every:
        return f"ask {source}, train a challenger of {champion.path.name} and predict with the better one"
    return f"ask {source} and predict with {champion.path.name}"
