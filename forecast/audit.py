"""What `forecast audit` does: corrupt the future, and see whether anything in the past has noticed.

    session      0 ........ train end .... validation end ........ c ............ n-1
    prices       |------------------- as they are ----------------|--- corrupted ---|

    features, each row                      know what lies up to their own session
    scaler, windows and targets of train    up to the end of train
    weights, calibration                    up to the end of validation
    forecasts, each row                     up to their own cutoff

All that may know nothing after the cutoff c is made twice, from the prices as they are and from the
corrupted ones, by the pipeline's own functions. The same bits must come out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecast import pipeline
from forecast.config import Config
from forecast.networks.forecaster import Forecaster
from forecast.networks.parallel import fit_networks
from forecast.networks.training import Epoch, FitResult, FitTask
from forecast.pipeline import Study
from forecast.prices.table import Prices
from forecast.store.results import Forecasts
from forecast.windows.scaler import Scaler

STAGES = ("features", "scaler", "windows", "weights", "calibration", "forecasts")
MAX_EPOCHS = 2  # a leak shows in the first step of a training as well as in the last


@dataclass(frozen=True)
class Stages:
    """The pipeline's own steps, which the audit watches; a test puts one that leaks in the place of one."""

    make_study: Callable[..., Study] = pipeline.make_study
    fit_scalers: Callable[[Study], tuple[Scaler, Scaler]] = pipeline.fit_scalers
    make_tasks: Callable[..., list[FitTask]] = pipeline.make_tasks
    fit_networks: Callable[..., list[FitResult]] = fit_networks
    make_evaluation: Callable[..., dict[str, Forecaster]] = pipeline.make_evaluation
    forecast_test: Callable[..., Forecasts] = pipeline.forecast_test


@dataclass(frozen=True)
class Trace:
    """Numbers that one stage gave, and how far each of them may look.

    Args:
        stage: one of `STAGES`.
        name: what they are within the stage.
        values: shape (n_rows, ...), floating point.
        sessions: the session each row belongs to, an index, shape (n_rows,).
        known: the last session each row may depend on, likewise.
    """

    stage: str
    name: str
    values: np.ndarray
    sessions: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class Leak:
    """What one stage let through at one cutoff: the largest of its changes.

    Args:
        stage, name: where.
        cutoff: ISO date; everything after it was corrupted.
        session: ISO date of the session that the number belongs to.
        before, after: the number, from prices as they are and from corrupted ones; NaN where there is none.
        n_changed: numbers of the stage that changed.
    """

    stage: str
    name: str
    cutoff: str
    session: str
    before: float
    after: float
    n_changed: int


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Args:
        prices: that it was made on.
        config: of its fits: few epochs, one seed.
        n_compared: by ISO date of a cutoff and by stage, the numbers that were compared; none where the
            stage may know later sessions.
        leaks: in the order of the cutoffs, and in that of the stages.
    """

    prices: Prices
    config: Config
    n_compared: dict[str, dict[str, int]]
    leaks: list[Leak]


def audit(
    prices: Prices,
    config: Config,
    n_cutoffs: int = 2,
    workers: int | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    stages: Stages = Stages(),
) -> Audit:
    """Corrupt everything after several cutoffs, make everything anew, and compare what lies before them.

    Args:
        prices: of the ticker.
        config: how its networks are trained; their first seed is, for two epochs.
        n_cutoffs: cutoffs within the test; the ends of train and of validation are always among them.
        workers: processes; as many as there are cores when None.
        on_epoch: hears of every epoch.
        stages: the steps to watch.

    Raises:
        DataError: too few sessions.
    """
    config = replace(config, epochs=min(config.epochs, MAX_EPOCHS), n_seeds=1)
    clean = stages.make_study(prices, config)
    cutoffs = choose_cutoffs(clean, n_cutoffs)
    studies = [clean, *(stages.make_study(corrupt(prices, cutoff, config.seed), config) for cutoff in cutoffs)]
    trained = [0, *(i for i, cutoff in enumerate(cutoffs, 1) if cutoff >= last_validation_session(clean))]
    tasks = [[replace(task, everything=()) for task in stages.make_tasks(studies[i])] for i in trained]
    fits = iter(stages.fit_networks([task for own in tasks for task in own], workers, on_epoch))
    fits_of = {i: [next(fits) for _ in own] for i, own in zip(trained, tasks)}
    expected = trace(clean, fits_of[0], stages)
    n_compared, leaks = {}, []
    for i, cutoff in enumerate(cutoffs, 1):
        found = trace(studies[i], fits_of.get(i), stages)
        day = str(prices.sessions[cutoff])
        n_compared[day] = {stage: _n_judged(expected, stage, cutoff) for stage in STAGES}
        leaks += find_leaks(expected, found, cutoff, prices.sessions)
    return Audit(prices, config, n_compared, leaks)


def choose_cutoffs(study: Study, n_cutoffs: int) -> list[int]:
    """The last sessions of train and of validation, and `n_cutoffs` that share out the test, as indices."""
    test = study.split.test
    within = test[(np.arange(1, n_cutoffs + 1) * len(test)) // (n_cutoffs + 1)]
    return [study.split.n_insample - 1, last_validation_session(study), *map(int, within)]


def last_validation_session(study: Study) -> int:
    """Index of the last session that a validation forecast is about."""
    return int(study.split.validation[-1]) + study.config.horizon


def corrupt(prices: Prices, cutoff: int, seed: int) -> Prices:
    """The same prices up to the cutoff, and after it each times a random factor, high still highest, low lowest."""
    n = len(prices) - cutoff - 1
    factors = np.exp(np.random.default_rng(seed).normal(0.0, 0.3, (5, n)))     # prices from half to twice, about
    after = slice(cutoff + 1, None)
    opened, closed = prices.open[after] * factors[0], prices.close[after] * factors[1]
    highest = np.maximum(np.maximum(opened, closed), prices.high[after] * factors[2])
    lowest = np.minimum(np.minimum(opened, closed), prices.low[after] * factors[3])
    columns = {"open": opened, "high": highest, "low": lowest, "close": closed}
    columns["volume"] = prices.volume[after] * factors[4]
    return replace(
        prices, **{name: np.concatenate([getattr(prices, name)[: cutoff + 1], new]) for name, new in columns.items()}
    )


def trace(study: Study, fits: Sequence[FitResult] | None, stages: Stages) -> list[Trace]:
    """Everything that the stages make of a study; without fits, what comes before them."""
    traces = [*_trace_features(study), *_trace_scaler(study, stages), *_trace_windows(study, stages)]
    if fits is None:
        return traces
    end = np.array([last_validation_session(study)])
    forecasters = stages.make_evaluation(study, fits)
    traces += [
        Trace("weights", f"{fit.network} array {i}", weights[None], end, end)
        for fit in fits
        for i, weights in enumerate(fit.evaluation_weights)
    ]
    for name, each in forecasters.items():
        values = np.stack([each.calibration.factors, each.calibration.location_share], axis=-1)[None]  # (1, horizon, 2)
        traces.append(Trace("calibration", name, values, end, end))
    cutoffs = study.split.test
    for name, model in stages.forecast_test(study, forecasters).models.items():
        values = np.stack([model.location, model.scale, model.df], axis=-1)     # (n_cutoffs, horizon, 3)
        traces.append(Trace("forecasts", name, values, cutoffs, cutoffs))
    return traces


def find_leaks(
    expected: Sequence[Trace], found: Sequence[Trace], cutoff: int, sessions: np.ndarray
) -> list[Leak]:
    """The largest change of each stage among the numbers that may know nothing after the cutoff.

    Args:
        expected: from prices as they are.
        found: from corrupted ones, the same traces or the first of them.
        cutoff: index of the last session that was left as it is.
        sessions: dates, shape (n_sessions,).
    """
    largest: dict[str, Leak] = {}
    n_changed = dict.fromkeys(STAGES, 0)
    for before, after in zip(expected, found):
        judged = before.known <= cutoff
        a, b = before.values[judged], after.values[judged]
        changed = _bits(a) != _bits(b)
        if not changed.any():
            continue
        n_changed[before.stage] += int(np.count_nonzero(changed))
        with np.errstate(invalid="ignore"):                         # infinity less infinity, where nothing changed
            sizes = np.where(changed, np.nan_to_num(np.abs(a - b), nan=np.inf), -1.0)
        at = np.unravel_index(np.argmax(sizes), sizes.shape)
        session = str(sessions[before.sessions[judged][at[0]]])
        leak = Leak(before.stage, before.name, str(sessions[cutoff]), session, float(a[at]), float(b[at]), 0)
        if before.stage not in largest or _size(leak) > _size(largest[before.stage]):
            largest[before.stage] = leak
    return [replace(largest[stage], n_changed=n_changed[stage]) for stage in STAGES if stage in largest]


def describe(found: Audit) -> str:
    """The outcome in one sentence, or in one for each leak."""
    if not found.leaks:
        n = sum(sum(stages.values()) for stages in found.n_compared.values())
        return (
            f"No leak: all that comes after {len(found.n_compared)} cutoffs was corrupted, one after the other, and of"
            f" {n:,} numbers that may not know it none has changed by a bit."
        )
    return "\n".join(
        f"{leak.stage} leak: with everything after {leak.cutoff} corrupted, {leak.name} at {leak.session} went from"
        f" {leak.before:.6g} to {leak.after:.6g} ({leak.n_changed:,} of {found.n_compared[leak.cutoff][leak.stage]:,}"
        " numbers changed)."
        for leak in found.leaks
    )


def _trace_features(study: Study) -> list[Trace]:
    rows = np.arange(len(study.prices))
    columns = dict(zip(study.features.names, study.features.values.T)) | {"volatility v_t": study.features.volatility}
    return [Trace("features", name, values, rows, rows) for name, values in columns.items()]


def _trace_scaler(study: Study, stages: Stages) -> list[Trace]:
    insample, _ = stages.fit_scalers(study)
    end = np.array([study.split.n_insample - 1])
    parts = {"center": insample.center, "spread": insample.spread}
    return [
        Trace("scaler", f"{part} of {name}", value[None], end, end)
        for part, values in parts.items()
        for name, value in zip(study.features.names, values)
    ]


def _trace_windows(study: Study, stages: Stages) -> list[Trace]:
    """Windows and targets of the first task, which all networks share."""
    task = stages.make_tasks(study)[0]
    train_end, validation_end = study.split.n_insample - 1, last_validation_session(study)
    traces = []
    for sample in task.train:
        for name, values in zip(("train window", "train target"), sample.arrays()):
            traces.append(Trace("windows", name, values, sample.cutoffs, np.full(len(values), train_end)))
    for sample in task.validation:
        windows, targets = sample.arrays()
        known, outcomes_known = np.maximum(sample.cutoffs, train_end), np.full(len(targets), validation_end)
        traces.append(Trace("windows", "validation window", windows, sample.cutoffs, known))
        traces.append(Trace("windows", "validation target", targets, sample.cutoffs, outcomes_known))
    return traces


def _n_judged(traces: Sequence[Trace], stage: str, cutoff: int) -> int:
    return sum(each.values[each.known <= cutoff].size for each in traces if each.stage == stage)


def _bits(values: np.ndarray) -> np.ndarray:
    """The same array as whole numbers, so that NaN equals NaN and nothing is as good as equal."""
    return np.ascontiguousarray(values).view(f"i{values.itemsize}")


def _size(leak: Leak) -> float:
    """How far the number moved; without end where it came or went."""
    return float(np.nan_to_num(abs(leak.after - leak.before), nan=np.inf))
