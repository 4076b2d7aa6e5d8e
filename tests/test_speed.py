"""benchmarks/speed.py refuses to measure what trained fewer epochs than it was asked for."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from forecast.config import make_config
from forecast.store.runs import list_runs, load_manifest
from forecast.walk_forward import Layout, make_backtest_id

LAYOUT = Layout(n_folds=1, step_size=50)


@pytest.fixture(scope="module")
def speed(load_benchmark):
    return load_benchmark("speed")


@pytest.fixture
def classic(stored, tmp_path) -> Path:
    """A workspace with the run of the recipe `classic` alone, four networks of two epochs."""
    (path,) = (path for path in list_runs(stored / "models") if load_manifest(path).config.recipe == "classic")
    shutil.copytree(path, tmp_path / "models" / path.parent.name / path.name)
    return tmp_path


def test_a_run_that_trained_all_epochs_is_counted(speed, classic):
    (path,) = list_runs(classic / "models")
    chosen = sum(seeds[0] for seeds in load_manifest(path).best_epochs.values())
    assert speed.count_run(classic, "", 2) == speed.count_as_it_comes(classic, "", 2) == 4 * 2 + chosen


def test_a_run_that_stopped_early_is_not_measured(speed, classic):
    with pytest.raises(SystemExit, match="nothing was measured"):
        speed.count_run(classic, "", 3)


@pytest.mark.parametrize("patience", [30, 5])
def test_a_backtest_that_may_have_stopped_early_is_not_measured(speed, patience):
    config = make_config({"recipe": "classic", "n_seeds": 1, "epochs": 30, "patience": patience})
    name = make_backtest_id(SimpleNamespace(snapshot="5e"), (), config, LAYOUT)
    output = json.dumps({"runs": [{"run_id": name, "snapshot": "5e", "layout": asdict(LAYOUT), "path": name}]})
    if patience == 30:
        assert speed.count_backtest(Path(), output, 30) == 60
    else:
        with pytest.raises(SystemExit, match="early stopping"):
            speed.count_backtest(Path(), output, 30)
