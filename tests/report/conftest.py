from dataclasses import replace

import pytest

from forecast.library import find
from forecast.prediction import predict
from forecast.report.pages import write_report
from forecast.report.stored import Stored, load_stored
from forecast.store.folds import FoldScores, ScoredFold, save_fold
from forecast.store.runs import load_run

INJECTED = "<script>window.injected = 1</script><img src=x onerror='window.injected = 2'>"


@pytest.fixture
def told(workspace):
    """The workspace with a forecast on record and a backtest of two folds."""
    predict("DEMO", workspace)
    run = load_run(find("DEMO", None, workspace))
    for number, start in ((1, "2024-01-02"), (2, "2025-01-02")):
        scores = FoldScores(number, {"test_start": start}, run.results.metrics, {}, 0.0, {}, 1.0)
        save_fold(workspace / "models" / "DEMO" / "backtests" / "0123", ScoredFold(scores, run.results.forecasts))
    return workspace


@pytest.fixture
def report(told):
    """The report of that workspace."""
    return write_report([], told)


@pytest.fixture
def injected(told) -> Stored:
    """The same, with markup in every text that may come from outside."""
    stored = load_stored("DEMO", told)
    manifest = stored.manifest
    listing = replace(manifest.listing, name=INJECTED, currency=INJECTED)
    outside = replace(manifest, listing=listing, notices=(INJECTED,), source=f"csv:/home/{INJECTED}.csv", simulated=False)
    return replace(stored, run=replace(stored.run, manifest=outside))
