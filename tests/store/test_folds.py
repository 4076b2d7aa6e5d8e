import json
from dataclasses import asdict

import numpy as np
import pytest

from forecast.errors import RunError
from forecast.networks.distribution import StudentT
from forecast.store.folds import FoldScores, ScoredFold, load_fold, save_fold
from forecast.store.results import Forecasts


@pytest.fixture
def fold() -> ScoredFold:
    """Two cutoffs, two steps, a network and a baseline that gives points only."""
    rng = np.random.default_rng(1)
    days = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]")
    unknown = np.full((2, 2), np.nan)
    models = {"lstm": StudentT(*rng.random((2, 2, 2)), 3.0 + rng.random((2, 2))), "naive": StudentT(np.zeros((2, 2)), unknown, unknown)}
    sessions = np.array([days[1:3], days[2:4]])
    forecasts = Forecasts(days[:2], sessions, 100 * rng.random(2), rng.normal(size=(2, 2)), models)
    scores = FoldScores(2, {"test_start": "2024-01-02"}, {"lstm": {"kind": "network"}}, {"lstm": [0.1]}, 0.5, {"lstm": [3]}, 1.5)
    return ScoredFold(scores, forecasts)


def test_a_stored_fold_comes_back_to_the_bit(fold, tmp_path):
    save_fold(tmp_path / "new" / "folder", fold)
    loaded = load_fold(tmp_path / "new" / "folder", 2)
    assert loaded.scores == fold.scores
    for name, model in fold.forecasts.models.items():
        for own, other in zip(asdict(model).values(), asdict(loaded.forecasts.models[name]).values()):
            np.testing.assert_array_equal(own, other)
    np.testing.assert_array_equal(loaded.forecasts.y_true, fold.forecasts.y_true)


def test_a_fold_that_was_never_stored_is_not_there(tmp_path):
    assert load_fold(tmp_path, 1) is None


@pytest.mark.parametrize("name", ["fold-2.csv", "fold-2.json"])
def test_a_fold_with_half_of_its_files_is_not_there(fold, tmp_path, name):
    save_fold(tmp_path, fold)
    (tmp_path / name).unlink()
    assert load_fold(tmp_path, 2) is None


@pytest.mark.parametrize("name", ["fold-2.csv", "fold-2.json"])
def test_a_fold_that_was_cut_short_is_not_there(fold, tmp_path, name):
    save_fold(tmp_path, fold)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-20])
    assert load_fold(tmp_path, 2) is None


def test_a_changed_forecast_is_noticed(fold, tmp_path):
    save_fold(tmp_path, fold)
    path = tmp_path / "fold-2.csv"
    path.write_text(path.read_text().replace("lstm", "lstn"))
    assert load_fold(tmp_path, 2) is None


def test_nothing_but_the_fold_is_left_in_the_folder(fold, tmp_path):
    save_fold(tmp_path, fold)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold-2.csv", "fold-2.json"]
    json.loads((tmp_path / "fold-2.json").read_text())


def test_a_folder_that_cannot_be_made_is_told(fold, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        save_fold(tmp_path / "file" / "backtests", fold)
