from dataclasses import replace

import numpy as np
import pytest

from forecast import pipeline
from forecast.audit import Stages, Trace, audit, choose_cutoffs, corrupt, describe, find_leaks
from forecast.config import make_config
from forecast.networks.calibration import calibrate
from forecast.networks.distribution import StudentT
from forecast.networks.training import FitResult
from forecast.windows.scaler import fit_scaler

UNITS, HORIZON = 3, 2


@pytest.fixture(scope="module")
def config():
    return make_config(dict(networks=["simple_rnn"], lookback=10, horizon=HORIZON, units=UNITS, epochs=2, n_seeds=1))


@pytest.fixture(scope="module")
def study(tiny_prices, config):
    return pipeline.make_study(tiny_prices, config)


def quick_fit(tasks, workers=None, on_epoch=None):
    """Weights that depend on all that a training is given, without the time it takes."""
    fits = []
    for task in tasks:
        given = [array for samples in (*task.train, *task.validation) for array in samples.arrays()]
        size = np.tanh(sum(float(np.mean(array, dtype=float)) for array in given))
        n_features = given[0].shape[2]
        n_outputs = 3 * task.config.horizon if task.config.is_distribution else task.config.horizon
        shapes = [(n_features, UNITS), (UNITS, UNITS), (UNITS,), (UNITS, n_outputs), (n_outputs,)]
        rng = np.random.default_rng(task.seed)
        weights = [(0.1 * size * rng.normal(size=shape)).astype(np.float32) for shape in shapes]
        fits.append(FitResult(task.network, task.seed, weights, [], (), 1, 0.0))
    return fits


QUICK = Stages(fit_networks=quick_fit)


# Leaks to plant. Each stands in the place of one of the pipeline's steps.


def scaler_of_everything(study):
    everything = fit_scaler(study.features.values, study.config.scaler)
    return everything, everything


def scaler_of_validation_too(study):
    end = study.split.validation[-1] + HORIZON + 1
    return fit_scaler(study.features.values[:end], study.config.scaler), None


def features_of_the_next_session(prices, config):
    return _with_features(prices, config, lambda values: np.concatenate([values[1:], values[-1:]]))


def centred_moving_average(prices, config):
    def smooth(values):
        padded = np.pad(values, ((2, 2), (0, 0)), mode="edge")
        return sum(padded[i : i + len(values)] for i in range(5)) / 5.0

    return _with_features(prices, config, smooth)


def training_that_reaches_into_validation(study):
    return [
        replace(task, train=tuple(replace(each, cutoffs=each.cutoffs + HORIZON) for each in task.train))
        for task in pipeline.make_tasks(study)
    ]


def early_stopping_by_the_test(study):
    return [
        replace(task, validation=tuple(replace(each, cutoffs=study.split.test) for each in task.validation))
        for task in pipeline.make_tasks(study)
    ]


def calibration_on_the_test(study, fits):
    test, since = study.split.test, study.prices.sessions[-1]
    return {
        name: replace(each, calibration=calibrate(each.answer(study.prices, test), study.returns[test], since))
        for name, each in pipeline.make_evaluation(study, fits).items()
    }


def forecasts_that_know_the_outcome(study, forecasters):
    forecasts = pipeline.forecast_test(study, forecasters)
    model = forecasts.models["simple_rnn"]
    known = StudentT(model.location + 0.01 * np.sign(forecasts.y_true), model.scale, model.df)
    return replace(forecasts, models=forecasts.models | {"simple_rnn": known})


def _with_features(prices, config, change):
    study = pipeline.make_study(prices, config)
    return replace(study, features=replace(study.features, values=change(study.features.values)))


TRAIN_ENDS, VALIDATION_ENDS, IN_TEST = range(3)
PLANTED = {  # leak: the stage that must be named, the first cutoff at which it can be seen
    scaler_of_everything: ("fit_scalers", "scaler", TRAIN_ENDS),
    scaler_of_validation_too: ("fit_scalers", "scaler", TRAIN_ENDS),
    features_of_the_next_session: ("make_study", "features", TRAIN_ENDS),
    centred_moving_average: ("make_study", "features", TRAIN_ENDS),
    training_that_reaches_into_validation: ("make_tasks", "windows", TRAIN_ENDS),
    early_stopping_by_the_test: ("make_tasks", "windows", VALIDATION_ENDS),
    calibration_on_the_test: ("make_evaluation", "calibration", VALIDATION_ENDS),
    forecasts_that_know_the_outcome: ("forecast_test", "forecasts", IN_TEST),
}


@pytest.mark.parametrize("leak", PLANTED, ids=lambda leak: leak.__name__)
def test_a_planted_leak_is_found_and_named(tiny_prices, config, leak):
    step, stage, first = PLANTED[leak]
    found = audit(tiny_prices, config, n_cutoffs=1, stages=replace(QUICK, **{step: leak}))
    found_first = found.leaks[0]
    assert (found_first.stage, found_first.cutoff) == (stage, list(found.n_compared)[first])
    assert found_first.session <= found_first.cutoff or stage == "windows"  # trained on, although it lies after the cutoff
    assert found_first.before != found_first.after and found_first.n_changed >= 1


def test_a_scaler_that_has_seen_validation_is_not_blamed_for_the_test(tiny_prices, config):
    found = audit(tiny_prices, config, n_cutoffs=1, stages=replace(QUICK, fit_scalers=scaler_of_validation_too))
    assert [leak.cutoff for leak in found.leaks] == list(found.n_compared)[:1]


def test_a_feature_of_the_next_session_changes_the_last_row_alone(tiny_prices, config):
    config = replace(config, features=("return", "absolute_return", "range", "volume"))  # all change every session
    found = audit(tiny_prices, config, n_cutoffs=1, stages=replace(QUICK, make_study=features_of_the_next_session))
    features = [leak for leak in found.leaks if leak.stage == "features"]
    assert len(features) == len(found.n_compared)
    assert all(leak.session == leak.cutoff and leak.n_changed == len(config.features) for leak in features)


def test_a_leak_in_the_pipeline_itself_reaches_weights_and_forecasts(tiny_prices, config, monkeypatch):
    monkeypatch.setattr(pipeline, "fit_scalers", scaler_of_everything)
    found = audit(tiny_prices, config, n_cutoffs=1, stages=QUICK)
    in_test = list(found.n_compared)[IN_TEST]
    assert {leak.stage for leak in found.leaks if leak.cutoff == in_test} >= {"windows", "weights", "forecasts"}


def test_the_pipeline_has_no_leak(tiny_prices, config):
    found = audit(tiny_prices, config, workers=2)
    assert found.leaks == []
    train_ends, validation_ends, *in_test = found.n_compared.values()
    assert train_ends["windows"] > 0 == train_ends["weights"] == train_ends["forecasts"]
    assert validation_ends["calibration"] > 0 == validation_ends["forecasts"]
    assert len(in_test) == 2 and all(min(compared.values()) > 0 for compared in in_test)
    assert describe(found).startswith("No leak: all that comes after 4 cutoffs was corrupted")


def test_points_have_no_leak_either(tiny_prices):
    classic = make_config(dict(recipe="classic", networks=["simple_rnn"], lookback=10, units=UNITS, layers=1))
    assert audit(tiny_prices, classic, n_cutoffs=1, stages=QUICK).leaks == []


def test_corruption_leaves_the_past_alone_and_nothing_after_it(tiny_prices):
    corrupted = corrupt(tiny_prices, 250, seed=1)
    for name in ("open", "high", "low", "close", "volume"):
        before, after = getattr(tiny_prices, name), getattr(corrupted, name)
        np.testing.assert_array_equal(before[:251], after[:251])
        assert (before[251:] != after[251:]).all()
    highest = np.max([corrupted.open, corrupted.close, corrupted.low], axis=0)
    lowest = np.min([corrupted.open, corrupted.close, corrupted.high], axis=0)
    assert (corrupted.high >= highest).all() and (corrupted.low <= lowest).all() and (corrupted.low > 0).all()


def test_closes_alone_stay_alone(tiny_prices):
    unknown = np.full(len(tiny_prices), np.nan)
    closes = replace(tiny_prices, open=unknown, high=unknown, low=unknown, volume=unknown)
    corrupted = corrupt(closes, 250, seed=1)
    assert all(np.isnan(getattr(corrupted, name)).all() for name in ("open", "high", "low", "volume"))


def test_cutoffs_are_both_ends_and_share_out_the_test(study):
    train_ends, validation_ends, *in_test = choose_cutoffs(study, 3)
    assert train_ends == study.split.train[-1] + HORIZON == study.split.n_insample - 1
    assert validation_ends == study.split.validation[-1] + HORIZON == study.split.test[0] - HORIZON
    assert set(in_test) < set(study.split.test)
    assert max(np.diff([study.split.test[0], *in_test, study.split.test[-1]])) <= len(study.split.test) / 4 + 1


def test_the_largest_change_is_named_and_what_may_change_is_not():
    sessions = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]")
    rows = np.arange(5)
    before = Trace("features", "return", np.array([0.0, 1.0, 2.0, 3.0, 4.0]), rows, rows)
    after = replace(before, values=np.array([0.0, 1.5, 2.0, 1.0, 9.0]))
    (leak,) = find_leaks([before], [after], cutoff=3, sessions=sessions)
    assert (leak.session, leak.before, leak.after, leak.n_changed) == ("2024-01-04", 3.0, 1.0, 2)
    assert find_leaks([before], [after], cutoff=0, sessions=sessions) == []


def test_one_bit_is_a_change_and_nothing_is_as_good_as_nothing():
    rows = np.arange(2)
    before = Trace("scaler", "center", np.array([1.0, np.nan]), rows, rows)
    after = replace(before, values=np.array([np.nextafter(1.0, 2.0), np.nan]))
    sessions = np.arange("2024-01-01", "2024-01-03", dtype="datetime64[D]")
    (leak,) = find_leaks([before], [after], cutoff=1, sessions=sessions)
    assert leak.n_changed == 1 and leak.after - leak.before == np.spacing(1.0)
    assert find_leaks([before], [before], cutoff=1, sessions=sessions) == []
