"""The one page: prices -> features -> windows -> network -> distribution -> prices -> score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np

from forecast.config import Config
from forecast.errors import DataError
from forecast.evaluation.baselines import BASELINES
from forecast.evaluation.evidence import Evidence, make_losses, share_outside, weigh
from forecast.evaluation.metrics import score
from forecast.evaluation.verdict import verdict
from forecast.networks.distribution import StudentT
from forecast.networks.calibration import Calibration, calibrate
from forecast.networks.forecaster import Forecaster, features_of
from forecast.networks.parallel import fit_networks
from forecast.networks.training import Epoch, FitResult, FitTask
from forecast.prices.table import Prices
from forecast.store.results import Forecasts, Results
from forecast.windows.features import FeatureTable
from forecast.windows.scaler import Scaler, fit_scaler
from forecast.windows.splits import (
    MIN_OUTSAMPLE_WINDOWS,
    Split,
    cutoffs_of,
    first_cutoff,
    least_train_windows,
    smallest_n_sessions,
    split_by_dates,
    split_sessions,
)
from forecast.windows.windows import Samples, make_targets, return_unit


@dataclass(frozen=True)
class Study:
    """One ticker's sessions, cut and measured: all that its fits and its score start from."""

    prices: Prices
    config: Config
    split: Split
    features: FeatureTable
    returns: np.ndarray      # cumulative log returns 1..horizon sessions ahead, (n_sessions, horizon)

    @cached_property
    def baselines(self) -> dict[str, StudentT]:
        """What each baseline says of the test sessions, arrays (n_cutoffs, horizon); made once.

        Raises:
            DataError: prices that no baseline can be fitted to.
        """
        close, split, horizon = self.prices.close, self.split, self.config.horizon
        return {name: predict(close, split.n_insample, split.test, horizon) for name, predict in BASELINES.items()}


@dataclass(frozen=True)
class Trained:
    """What training one ticker gives.

    Args:
        study: what it was trained on.
        results: history, test forecasts, metrics.
        evaluation: forecasters that saw train and validation only; the metrics are theirs.
        deployed: forecasters that saw everything; tomorrow's forecast is theirs.
        best_epochs: by network, the epoch that validation chose for each seed.
    """

    study: Study
    results: Results
    evaluation: dict[str, Forecaster]
    deployed: dict[str, Forecaster]
    best_epochs: dict[str, list[int]]


def train(
    studies: Sequence[Study], workers: int | None = None, on_epoch: Callable[[Epoch], None] = lambda epoch: None
) -> list[Trained]:
    """Train and score the networks of each ticker; the arguments are those of `fit`."""
    return [assess(study, fits) for study, fits in zip(studies, fit(studies, workers, on_epoch))]


def fit(
    studies: Sequence[Study],
    workers: int | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    start: Mapping[str, Mapping[str, Forecaster]] | None = None,
    on_study: Callable[[Study, list[FitResult]], None] = lambda study, fits: None,
) -> list[list[FitResult]]:
    """The fits of each ticker's networks and seeds; those of all tickers share the workers.

    Args:
        studies: one for each ticker, one at least; with the recipe `pooled` they share one set of fits.
        workers: processes; as many as there are cores when None.
        on_epoch: hears of every epoch.
        start: forecasters by fit and network to go on from, in place of fresh weights.
        on_study: called with each ticker's fits as soon as they are done, while later ones are still at work.
    """
    pooled = studies[0].config.recipe == "pooled"
    groups = [list(studies)] if pooled else [[study] for study in studies]
    tasks = [make_tasks(*group, start=start) for group in groups]
    fits: list[list[FitResult]] = []
    done: list[FitResult] = []

    def collect(result: FitResult) -> None:
        done.append(result)
        group = groups[0 if pooled else len(fits)]
        if len(done) == len(tasks[0]):       # every group has as many: networks times seeds
            for study in group:
                fits.append(list(done))
                on_study(study, fits[-1])
            done.clear()

    prepare_score(studies[0])   # while there is nothing to score
    fit_networks([task for own in tasks for task in own], workers, on_epoch, collect)
    return fits


def prepare_score(study: Study) -> None:
    """Make the baselines, which need no fit; where that fails, the score will say so."""
    with suppress(DataError):
        study.baselines


def cutter(
    prices: Sequence[Prices], config: Config, cutoffs: Mapping[str, str] | None = None
) -> Callable[[Prices], Study]:
    """How each of several tickers is cut: by itself, or all at the same dates.

    What one ticker is tested on must not have trained another's network: a pool is cut where the ticker with the
    most sessions would be cut alone, and a training that starts from a run's weights where that run was cut.

    Args:
        prices: of all tickers.
        config: with the recipe `pooled`, all are cut at the same dates.
        cutoffs: of the run to start from.
    """
    if cutoffs is None and (config.recipe != "pooled" or not prices):
        return lambda each: make_study(each, config)
    if cutoffs is None:
        longest = max(prices, key=len)
        dates = start_dates(longest, split_sessions(len(longest), *_shape(config)))
    else:
        dates = np.datetime64(cutoffs["validation_start"]), np.datetime64(cutoffs["test_start"])
    return lambda each: cut_like(each, config, *dates)


def start_dates(prices: Prices, split: Split) -> tuple[np.datetime64, np.datetime64]:
    """The first session of validation and the first of the test."""
    return prices.sessions[split.validation[0] + 1], prices.sessions[split.test[0] + 1]


def cut_like(
    prices: Prices, config: Config, validation_start: np.datetime64, test_start: np.datetime64, scored: bool = True
) -> Study:
    """A study cut at given dates; one that is not scored needs no test to judge by.

    Raises:
        DataError: too few sessions before or after them.
    """
    split = split_by_dates(prices.sessions, validation_start, test_start, config.lookback, config.horizon)
    sizes = [len(part) for part in (split.train, split.validation, split.test)]
    least = least_train_windows(config.lookback)
    if sizes[0] < least or min(sizes[1 : 2 + scored]) < MIN_OUTSAMPLE_WINDOWS:
        raise DataError(
            f"{prices.ticker} has sessions from {prices.sessions[0]} to {prices.sessions[-1]}; cut on {validation_start}"
            f" and {test_start} they leave {sizes[0]} windows to train, {sizes[1]} to validate and {sizes[2]} to test,"
            f" of at least {least}, {MIN_OUTSAMPLE_WINDOWS} and {MIN_OUTSAMPLE_WINDOWS}."
            " Leave it out, or give tickers of a similar age."
        )
    return make_study(prices, config, split)


def make_study(prices: Prices, config: Config, split: Split | None = None) -> Study:
    """Cut a ticker's sessions and make its features and targets.

    Args:
        prices: n_sessions of them.
        config: lookback, horizon, features, fractions.
        split: where to cut, when it is not by the configuration's fractions.

    Raises:
        DataError: too few sessions, or prices that stand still where the first window ends.
    """
    split = split or split_sessions(len(prices), *_shape(config))
    if len(split.train) < least_train_windows(config.lookback):
        raise DataError(
            f"{prices.ticker} has {len(prices)} sessions up to {prices.sessions[-1]}; lookback {config.lookback} with"
            f" horizon {config.horizon} needs at least {smallest_n_sessions(*_shape(config))}."
            " Use an earlier start, a smaller --lookback or a smaller --horizon."
        )
    features = features_of(prices, config)
    first = split.train[0]
    if np.isnan(features.volatility[first]):
        raise DataError(
            f"{prices.ticker} closes at {prices.close[first]:g} in each of its first {first + 1} sessions, up to"
            f" {prices.sessions[first]}: prices that stand still have no volatility to measure by. Use a later start."
        )
    return Study(prices, config, split, features, make_targets(prices.close, config.horizon))


def make_tasks(*studies: Study, start: Mapping[str, Mapping[str, Forecaster]] | None = None) -> list[FitTask]:
    """One fit for each network and seed, on the windows of one ticker, or of several together.

    Args:
        studies: each is scaled by itself; an evaluation scaler has seen insample only.
        start: forecasters by fit and network to go on from, in place of fresh weights.
    """
    config = studies[0].config
    parts = [_samples_of(study) for study in studies]
    train, validation, everything = zip(*parts)
    return [
        FitTask(
            " ".join(study.prices.ticker for study in studies),
            network,
            seed,
            config,
            train,
            validation,
            everything,
            {fit: forecasters[network].weights[i] for fit, forecasters in (start or {}).items()},
        )
        for network in config.networks
        for i, seed in enumerate(config.seeds)
    ]


def _samples_of(study: Study) -> tuple[Samples, Samples, Samples]:
    """What the evaluation fit learns from and stops by, and what the deployed fit learns from."""
    insample, everything = fit_scalers(study)
    known = cutoffs_of(first_cutoff(study.config.lookback) + 1, len(study.prices), study.config.horizon)
    return (
        make_samples(study, insample, study.split.train),
        make_samples(study, insample, study.split.validation),
        make_samples(study, everything, known),
    )


def fit_scalers(study: Study) -> tuple[Scaler, Scaler]:
    """The scaler of the evaluation fit, which knows insample, and of the deployed one, which knows everything."""
    values, kind = study.features.values, study.config.scaler
    return fit_scaler(values[: study.split.n_insample], kind), fit_scaler(values, kind)


def make_samples(study: Study, scaler: Scaler, cutoffs: np.ndarray) -> Samples:
    """Scaled windows with the answers that a network should learn: returns in units of volatility, or closes."""
    config = study.config
    if config.is_distribution:
        targets = study.returns / return_unit(study.features.volatility, config.horizon)
    else:
        column = config.features.index("close")
        close = study.prices.close[:, None] * np.exp(study.returns)             # (n_sessions, horizon)
        targets = (close - scaler.center[column]) / scaler.spread[column]
    values = scaler.transform(study.features.values)
    return Samples(values, targets.astype(np.float32), cutoffs, config.lookback)


def assess(study: Study, fits: Sequence[FitResult]) -> Trained:
    """Calibrate on validation, forecast the test sessions once, score them beside the baselines."""
    _, everything = fit_scalers(study)
    evaluation, deployed = make_evaluation(study, fits), {}
    last = len(study.prices) - 1
    for network, forecaster in evaluation.items():
        weights = [fit.deployed_weights for fit in fits if fit.network == network]
        factors = forecaster.factors_at(study.prices, last)
        calibration = replace(forecaster.calibration, since=study.prices.sessions[last], factors=factors)
        deployed[network] = Forecaster(network, study.config, everything, tuple(weights), calibration)
    history = tuple(epoch for fit in fits for epoch in fit.history)
    best_epochs = {name: [fit.best_epoch for fit in fits if fit.network == name] for name in evaluation}
    return Trained(study, score_test(study, evaluation, history), evaluation, deployed, best_epochs)


def make_evaluation(study: Study, fits: Sequence[FitResult]) -> dict[str, Forecaster]:
    """The forecasters of the evaluation fits, by network: they know insample, and are calibrated on validation."""
    insample, _ = fit_scalers(study)
    evaluation = {}
    for network in study.config.networks:
        weights = tuple(fit.evaluation_weights for fit in fits if fit.network == network)
        untried = Forecaster(network, study.config, insample, weights, Calibration.none(study.config.horizon))
        evaluation[network] = calibrated(untried, study)
    return evaluation


def calibrated(forecaster: Forecaster, study: Study) -> Forecaster:
    """The forecaster with locations and ranges that held on validation; ranges follow the outcomes from the test on."""
    validation, since = study.split.validation, study.prices.sessions[study.split.test[0]]
    answer = forecaster.answer(study.prices, validation)
    return replace(forecaster, calibration=calibrate(answer, study.returns[validation], since))


def score_test(study: Study, forecasters: dict[str, Forecaster], history: tuple[Epoch, ...]) -> Results:
    """The one look at the test sessions."""
    forecasts = forecast_test(study, forecasters)
    findings = weigh(gather_evidence(study, forecasters, forecasts))
    return Results(history, forecasts, score_models(forecasts, study), verdict(findings), asdict(findings))


def forecast_test(study: Study, forecasters: dict[str, Forecaster]) -> Forecasts:
    """What every network and every baseline says of the test sessions, the same rows and units."""
    prices, split, config = study.prices, study.split, study.config
    models = {name: forecaster.predict(prices, split.test) for name, forecaster in forecasters.items()} | study.baselines
    steps = split.test[:, None] + np.arange(1, config.horizon + 1)               # (n_cutoffs, horizon)
    return Forecasts(
        prices.sessions[split.test], prices.sessions[steps], prices.close[split.test], study.returns[split.test], models
    )


def score_models(forecasts: Forecasts, study: Study) -> dict[str, dict]:
    """Scores by model, as the JSON output has them."""
    insample = study.prices.close[: study.split.n_insample]
    return {
        name: {
            "kind": "network" if name in study.config.networks else "baseline",
            **score(model, forecasts.y_true, forecasts.last_close, insample),
        }
        for name, model in forecasts.models.items()
    }


def gather_evidence(study: Study, forecasters: dict[str, Forecaster], forecasts: Forecasts) -> Evidence:
    """The losses that the verdict weighs: every network with its seeds, yesterday's close, GARCH."""
    outcome = (forecasts.y_true, forecasts.last_close)
    networks = {
        name: make_losses(
            forecasts.models[name],
            *outcome,
            seed_forecasts=[each.predict(study.prices, study.split.test) for each in forecaster.each_seed()],
        )
        for name, forecaster in forecasters.items()
    }
    close = study.prices.close
    return Evidence(
        networks=networks,
        naive=make_losses(forecasts.models["naive"], *outcome),
        garch=make_losses(forecasts.models["garch"], *outcome),
        actual_change=forecasts.y_true[:, 0],
        horizon=study.config.horizon,
        share_outside=share_outside(close[study.split.test + 1], close[: study.split.n_insample]),
    )


def _shape(config: Config) -> tuple[int, int, float, float]:
    return config.lookback, config.horizon, config.validation_fraction, config.test_fraction
