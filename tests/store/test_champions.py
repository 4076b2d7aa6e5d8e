import json

import pytest

from forecast.errors import RunError
from forecast.store.champions import CHAMPION, load_champion, promote
from forecast.store.runs import list_runs


def test_a_promoted_run_serves_and_the_former_one_is_remembered(workspace):
    models = workspace / "models"
    first, second = list_runs(models)
    promote(first, reason="by hand")
    assert load_champion(models, "DEMO") == first
    promote(second, reason="lower loss")
    assert load_champion(models, "DEMO") == second
    document = json.loads((first.parent / CHAMPION).read_bytes())
    assert (document["run_id"], document["former"], document["reason"]) == (second.name, first.name, "lower loss")


def test_a_run_with_ranges_becomes_champion_and_a_classic_one_does_not_take_its_place(stored, trained):
    champion = load_champion(stored / "models", "DEMO")
    assert champion == list_runs(stored / "models")[0]


def test_a_ticker_without_champion_has_none(tmp_path):
    assert load_champion(tmp_path, "TSLA") is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"run_id": "20000101T000000Z-abcdef"}', '{"run_id": 5}'])
def test_a_champion_file_that_names_no_run_is_a_run_error(workspace, content):
    models = workspace / "models"
    (models / "DEMO" / CHAMPION).write_text(content)
    with pytest.raises(RunError, match="DEMO"):
        load_champion(models, "DEMO")


def test_a_promotion_that_fails_leaves_the_old_champion_serving(workspace, monkeypatch):
    models = workspace / "models"
    champion = load_champion(models, "DEMO")

    def die(source, target):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.replace", die)
    with pytest.raises((OSError, RunError)):
        promote(list_runs(models)[1], reason="never")
    monkeypatch.undo()
    assert load_champion(models, "DEMO") == champion
    assert sorted(path.name for path in champion.parent.glob(".*")) == []
