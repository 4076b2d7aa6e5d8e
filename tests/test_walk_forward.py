import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from forecast.walk_forward import Layout, backtest, fit_folds, make_backtest_id, mean_over_folds, plan_folds, pool
from forecast.config import make_config
from forecast.errors import UsageError
from forecast.evaluation.baselines import predict_garch
from forecast.store.results import csv_from_forecasts
from forecast.store.runs import list_runs

OPTIONS = dict(networks=["simple_rnn"], lookback=10, horizon=2, units=3, epochs=2, n_seeds=1)
LAYOUT = Layout(n_folds=3)


@pytest.fixture(scope="module")
def config():
    return make_config(OPTIONS)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def finished(tiny_file, config, workspace):
    """Three folds of one fit each, never interrupted."""
    return backtest("ACME", config, workspace, LAYOUT, csv=tiny_file)


def test_by_default_the_folds_share_the_test_sessions_of_a_training(finished, config, tiny_prices):
    from forecast.pipeline import make_study

    split = make_study(tiny_prices, config).split
    n_forecasts = finished.layout.step_size * LAYOUT.n_folds
    assert len(split.test) - LAYOUT.n_folds < n_forecasts <= len(split.test)
    assert finished.results.forecasts.cutoffs[-1] == tiny_prices.sessions[split.test[-1]]


def test_pooled_cutoffs_are_consecutive_sessions(finished, tiny_prices):
    indices = np.searchsorted(tiny_prices.sessions, finished.results.forecasts.cutoffs)
    assert set(np.diff(indices)) == {1}


@pytest.mark.parametrize("model", ["simple_rnn", "garch", "ets"])
def test_pooled_errors_are_those_of_the_folds_together(finished, model):
    pooled = finished.results.metrics[model]["overall"]
    means = mean_over_folds(finished.folds, model)
    for metric in ("mae", "crps", "pinball", "coverage_80", "width_95"):
        assert pooled[metric] == pytest.approx(means[metric], rel=1e-9)
    squares = [fold.scores.models[model]["overall"]["rmse"] ** 2 for fold in finished.folds]
    assert pooled["rmse"] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-9)
    assert pooled["n"] == means["n"] == finished.layout.step_size * LAYOUT.n_folds * 2


def test_a_fold_forecasts_as_if_the_sessions_after_it_had_never_come(finished, tiny_prices):
    fold = finished.plan[0]
    known = tiny_prices.close[: fold.split.test[0] + 1]
    (expected,) = predict_garch(known, fold.split.n_insample, fold.split.test[:1], 2).scale
    np.testing.assert_allclose(finished.folds[0].forecasts.models["garch"].scale[0], expected, rtol=1e-12)


def test_a_fold_does_not_change_with_the_prices_after_it(finished, config, tiny_prices):
    first = finished.plan[0]
    raised = np.where(np.arange(len(tiny_prices)) < first.end, 1.0, 1.1)
    columns = {name: getattr(tiny_prices, name) * raised for name in ("open", "high", "low", "close")}
    folds = []
    fit_folds(replace(tiny_prices, **columns), (), config, [first], folds.append, 1, lambda epoch: None, lambda *counts: None)
    assert csv_from_forecasts(folds[0].forecasts).encode() == _files(finished)["fold-1.csv"]


def test_companions_teach_a_fold_and_their_later_prices_do_not(finished, config, tiny_prices):
    pooled, first = replace(config, recipe="pooled"), finished.plan[0]
    other = replace(tiny_prices, ticker="OTHER")
    later = other.sessions > tiny_prices.sessions[first.end - 1]
    moved = replace(other, **{name: getattr(other, name) * np.where(later, 2.0, 1.0) for name in ("open", "high", "low", "close")})
    told = []
    for companions in ((), (other,), (moved,)):
        folds = []
        fit_folds(tiny_prices, companions, pooled, [first], folds.append, 1, lambda epoch: None, lambda *counts: None)
        told.append(csv_from_forecasts(folds[0].forecasts))
    alone, together, unmoved = told
    assert together == unmoved != alone


def test_a_finished_backtest_answers_from_the_store(finished, tiny_file, config, workspace):
    fitted, heard = [], []
    again = backtest(
        "ACME", config, workspace, LAYOUT, csv=tiny_file, on_fit=lambda *counts: fitted.append(counts), on_notice=heard.append
    )
    assert fitted == [] and "3 of 3 folds are stored already, and are not fitted again." in heard
    assert (again.results.metrics, again.results.verdict) == (finished.results.metrics, finished.results.verdict)


@pytest.mark.slow
def test_a_killed_backtest_goes_on_where_it_stopped(finished, tiny_file, config, environment, tmp_path):
    words = ["backtest", "ACME", "--csv", str(tiny_file), "--workspace", str(tmp_path), "--n-folds", "3", "--workers", "1"]
    flags = [f"--{name.replace('_', '-')}={','.join(v) if isinstance(v, list) else v}" for name, v in OPTIONS.items()]
    process = subprocess.Popen([sys.executable, "-m", "forecast", *words, *flags], env=environment, stderr=subprocess.DEVNULL)
    folder = tmp_path / "models" / "ACME" / "backtests" / finished.path.name
    _wait_for(folder / "fold-1.json", process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    stored = {path.name: path.stat().st_mtime_ns for path in folder.glob("fold-*.json")}
    assert "fold-1.json" in stored and "fold-3.json" not in stored
    fitted = []
    again = backtest("ACME", config, tmp_path, LAYOUT, csv=tiny_file, on_fit=lambda *counts: fitted.append(counts))
    n_left = 3 - len(stored)
    assert fitted == [(i, n_left) for i in range(1, n_left + 1)]
    assert all((folder / name).stat().st_mtime_ns == written for name, written in stored.items())
    assert _files(again) == _files(finished)


def test_a_damaged_fold_is_made_again_and_no_other(finished, tiny_file, config, workspace):
    path, expected = finished.path / "fold-2.csv", _files(finished)
    path.write_bytes(path.read_bytes()[:1000])
    fitted = []
    backtest("ACME", config, workspace, LAYOUT, csv=tiny_file, on_fit=lambda *counts: fitted.append(counts))
    assert fitted == [(1, 1)]
    assert _files(finished) == expected


def test_a_backtest_is_no_run(finished, workspace):
    assert list_runs(workspace / "models") == [] == list_runs(workspace / "models", ["ACME"])


def test_whatever_decides_the_figures_decides_the_name(finished, config):
    prices, layout = finished.prices, finished.layout
    name = make_backtest_id(prices, (), config, layout)
    assert name == finished.path.name
    others = [
        make_backtest_id(replace(prices, snapshot="other"), (), config, layout),
        make_backtest_id(prices, (prices,), config, layout),
        make_backtest_id(prices, (), replace(config, seed=7), layout),
        make_backtest_id(prices, (), config, replace(layout, sliding=True)),
        make_backtest_id(prices, (), config, replace(layout, step_size=layout.step_size - 1)),
    ]
    assert len({name, *others}) == 6


@pytest.mark.parametrize(("layout", "n"), [(Layout(3, 6), 18), (Layout(0, 40), 0), (Layout(1000, 0), 0)])
def test_too_few_forecasts_to_judge_by_are_told_before_any_fit(config, layout, n):
    with pytest.raises(UsageError, match=f"give {n} forecasts; .* at least 20"):
        plan_folds(400, config, layout)


def test_the_seeds_of_all_folds_together_give_their_spread(finished, config, tiny_prices):
    seeds = ([1.0, 2.0], [1.0, 3.0], [1.0, 4.0])
    folds = [
        replace(fold, scores=replace(fold.scores, seed_losses={"simple_rnn": losses}))
        for fold, losses in zip(finished.folds, seeds)
    ]
    findings = pool(folds, tiny_prices, finished.plan[0], config).findings
    assert findings["networks"]["simple_rnn"]["seed_spread"] == pytest.approx((3.0 - 1.0) / 2.0)


def _files(finished) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in finished.path.glob("fold-*.csv")}


def _wait_for(path, process) -> None:
    """Until the file is there: at most two minutes, and only while the process lives."""
    for _ in range(12_000):
        if path.exists():
            return
        assert process.poll() is None, "the backtest ended before its first fold was stored"
        time.sleep(0.01)
    raise AssertionError(f"{path} was not written within two minutes")
