import hashlib
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from forecast.errors import RunError
from forecast.library import make_manifest, store
from forecast.networks.cells import forward
from forecast.prices.tickers import folder_from_ticker
from forecast.store import runs
from forecast.store.runs import (
    find_run,
    list_runs,
    load_file,
    load_forecasters,
    load_manifest,
    load_results,
    load_run,
    make_run_id,
    save_run,
)

STARTED = datetime(2026, 1, 5, tzinfo=UTC)


def stored_run(workspace, recipe):
    """The folder of the run of a recipe."""
    return next(run for run in list_runs(workspace / "models") if load_manifest(run).config.recipe == recipe)


@pytest.fixture(params=["returns", "classic"])
def recipe(request) -> str:
    return request.param


def test_a_reloaded_run_forecasts_the_same_bits(stored, trained, tiny_prices, recipe):
    run = stored_run(stored, recipe)
    cutoffs = np.array([50, 399])
    for fit in ("evaluation", "deployed"):
        for name, forecaster in load_forecasters(run, load_manifest(run), fit).items():
            fresh, again = getattr(trained[recipe], fit)[name].predict(tiny_prices, cutoffs), forecaster.predict(tiny_prices, cutoffs)
            np.testing.assert_array_equal(again.location, fresh.location)
            np.testing.assert_array_equal(again.scale, fresh.scale)


def test_the_equations_on_stored_weights_give_what_keras_gives(stored, tiny_studies, recipe):
    from forecast.networks.backend import import_keras

    import_keras()
    from forecast.networks.builders import build_network
    from forecast.pipeline import make_tasks

    run = stored_run(stored, recipe)
    x, _ = make_tasks(tiny_studies[recipe])[0].validation[0].arrays()
    for name, forecaster in load_forecasters(run, load_manifest(run), "evaluation").items():
        model = build_network(name, forecaster.config, x.shape[2])
        model.set_weights(forecaster.weights[0])
        answers = forward(name, forecaster.config.layers, forecaster.weights[0], x)
        np.testing.assert_allclose(answers, np.asarray(model(x)), atol=1e-5, rtol=0)


def test_results_survive_the_disk(stored, trained, recipe):
    again, results = load_run(stored_run(stored, recipe)).results, trained[recipe].results
    assert again.history == results.history
    assert again.metrics == results.metrics
    assert again.verdict == results.verdict
    for name in ("cutoffs", "sessions", "last_close", "y_true"):
        np.testing.assert_array_equal(getattr(again.forecasts, name), getattr(results.forecasts, name))
    for name, model in results.forecasts.models.items():
        for part in ("location", "scale", "df"):
            np.testing.assert_array_equal(getattr(again.forecasts.models[name], part), getattr(model, part))


def test_a_manifest_survives_the_disk(stored, trained, recipe):
    manifest = load_manifest(stored_run(stored, recipe))
    expected = make_manifest(trained[recipe], STARTED)
    changes = {name: getattr(manifest, name) for name in ("run_id", "created_at", "seconds", "files")}
    assert manifest == replace(expected, **changes)


def test_the_manifest_names_every_other_file_of_the_run(stored, recipe):
    run = stored_run(stored, recipe)
    present = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert present == {*load_manifest(run).files, "manifest.json"}
    assert {"scaler.json", "history.csv", "metrics.json", "forecasts.csv", "loss.png", "predictions.png"} <= present


@pytest.mark.parametrize("name", ["metrics.json", "history.csv", "forecasts.csv", "scaler.json", "calibration.json"])
@pytest.mark.parametrize("damage", ["truncated", "changed", "gone"])
def test_a_damaged_file_is_a_run_error_that_names_it(workspace, name, damage):
    run = stored_run(workspace, "returns")
    damage_file(run / name, damage)
    with pytest.raises(RunError, match=name):
        load_results(run, load_manifest(run))
        load_forecasters(run, load_manifest(run), "deployed")


def damage_file(path, damage) -> None:
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[:-20] if damage == "truncated" else content[:50] + b"0" + content[51:])
        assert path.read_bytes() != content


@pytest.mark.parametrize("damage", ["truncated", "gone"])
def test_damaged_weights_are_a_run_error_that_names_them(workspace, damage):
    run = stored_run(workspace, "returns")
    damage_file(run / "weights" / "lstm.deployed.seed1.npz", damage)
    with pytest.raises(RunError, match="lstm.deployed.seed1.npz"):
        load_forecasters(run, load_manifest(run), "deployed")


def test_a_calibration_of_an_earlier_version_is_refused(workspace):
    run = stored_run(workspace, "returns")
    path = run / "calibration.json"
    calibrations = json.loads(path.read_bytes())
    del calibrations["deployed"]["lstm"]["location_share"]
    path.write_text(json.dumps(calibrations))
    manifest = load_manifest(run)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(RunError, match="location_share.*Train again"):
        load_forecasters(run, replace(manifest, files=manifest.files | {"calibration.json": digest}), "deployed")


@pytest.mark.parametrize(
    "change", [{"schema": 99}, {"schema": "1"}, {"moon": 1}, {"config": {"units": 0}}, {"listing": None}, {"notices": None}]
)
def test_a_damaged_manifest_is_a_run_error_that_names_it(workspace, change):
    run = stored_run(workspace, "returns")
    values = json.loads((run / "manifest.json").read_bytes())
    (run / "manifest.json").write_text(json.dumps(values | change))
    with pytest.raises(RunError, match="manifest.json"):
        load_manifest(run)


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"\xff\xfe"])
def test_a_manifest_that_is_no_manifest_is_a_run_error(workspace, content):
    run = stored_run(workspace, "returns")
    (run / "manifest.json").write_bytes(content)
    with pytest.raises(RunError, match="manifest.json"):
        load_manifest(run)


def test_weights_that_hide_a_pickle_are_refused():
    hidden = io.BytesIO()
    np.savez(hidden, np.array([print], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        runs._weights(hidden.getvalue())


def test_weights_survive_the_disk_to_the_last_bit():
    weights = [np.random.default_rng(i).normal(size=(i + 1, 3)).astype("float32") for i in range(12)]
    for one, other in zip(weights, runs._weights(runs._bytes_from_weights(weights)), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def test_a_writer_that_dies_leaves_no_half_run(trained, tmp_path, monkeypatch):
    """Whichever file it dies at: nothing is listed, and nothing half-written stays."""
    each = trained["returns"]
    write, written = runs.write_synced, []

    def die_at_the_fifth(path, content):
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        written.append(path)
        write(path, content)

    monkeypatch.setattr(runs, "write_synced", die_at_the_fifth)
    with pytest.raises(RunError, match="No space left"):
        save_run(tmp_path, make_manifest(each, STARTED), each.results, {"evaluation": each.evaluation}, {})
    assert list_runs(tmp_path) == []
    assert [path.name for path in (tmp_path / "DEMO").iterdir() if path.name != ".writing.lock"] == []


def test_what_a_killed_writer_left_is_not_listed_and_is_removed_by_the_next(trained, tmp_path):
    each = trained["returns"]
    leftover = tmp_path / "DEMO" / ".unfinished-20260101T000000Z-abcdef"
    leftover.mkdir(parents=True)
    (leftover / "manifest.json").write_text("{}")
    assert list_runs(tmp_path) == []
    run = save_run(tmp_path, make_manifest(each, STARTED), each.results, {"evaluation": each.evaluation}, {})
    assert list_runs(tmp_path) == [run] and not leftover.exists()


def test_run_ids_sort_by_time_and_never_repeat():
    first = datetime(2026, 3, 1, 23, 59, 59, tzinfo=timezone(timedelta(hours=-5)))
    ids = [make_run_id(first + timedelta(seconds=s)) for s in (0, 2e-6, 0.3, 1, 3600)]
    assert ids[0].startswith("20260302T045959Z-") and len(set(ids)) == 5
    assert sorted(ids) == ids


def test_runs_are_listed_by_ticker_and_time(workspace):
    models = workspace / "models"
    own = list_runs(models)
    (models / "AAPL").mkdir()
    (models / "AAPL" / "20200101T000000Z-000000").mkdir()
    (models / "AAPL" / "20200101T000000Z-000000" / "manifest.json").write_text("{}")
    assert [run.parent.name for run in list_runs(models)] == ["AAPL", "DEMO", "DEMO"]
    assert list_runs(models, ["DEMO"]) == own == sorted(own)
    assert list_runs(models, ["MSFT"]) == []


def test_a_run_that_is_not_there_is_told_beside_those_that_are(stored):
    known = list_runs(stored / "models")[0].name
    assert find_run(stored / "models", "DEMO", known).name == known
    for name in ("20000101T000000Z-abcdef", "../DEMO", ""):
        with pytest.raises(RunError, match=known):
            find_run(stored / "models", "DEMO", name)


def test_a_file_that_the_manifest_does_not_name_is_not_read(workspace):
    run = stored_run(workspace, "returns")
    (run / "extra.json").write_text("{}")
    with pytest.raises(RunError, match="extra.json"):
        load_file(run, load_manifest(run), "extra.json")


def test_a_ticker_that_means_something_to_a_path_has_a_folder_of_its_own(trained, tmp_path):
    each = trained["returns"]
    index = replace(each, study=replace(each.study, prices=replace(each.study.prices, ticker="^GSPC")))
    run = store(tmp_path, index, STARTED)
    assert run.parent == tmp_path / folder_from_ticker("^GSPC") and run.parent.name == "%5EGSPC"
    assert load_manifest(run).ticker == "^GSPC"
