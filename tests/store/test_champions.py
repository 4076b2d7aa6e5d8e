import json

import pytest

from forecast.errors import RunError
from forecast.store.champions import CHAMPION, former_champions, load_champion, promote, rollback
from forecast.store.runs import list_runs, load_manifest


def test_a_promoted_run_serves_and_a_rollback_undoes_it_bit_for_bit(workspace):
    models = workspace / "models"
    first, second = list_runs(models)
    promote(first, reason="by hand")
    before = (first.parent / CHAMPION).read_bytes()
    promote(second, reason="lower loss")
    assert load_champion(models, "DEMO") == second
    assert former_champions(models, "DEMO")[0] == first.name
    assert json.loads((first.parent / CHAMPION).read_bytes())["reason"] == "lower loss"
    assert rollback(models, "DEMO") == first
    assert (first.parent / CHAMPION).read_bytes() == before


def test_without_a_former_champion_there_is_nothing_to_go_back_to(stored, tmp_path):
    with pytest.raises(RunError, match="nothing to go back to"):
        rollback(stored / "models", "DEMO")
    with pytest.raises(RunError, match="no champion"):
        rollback(tmp_path, "DEMO")


def test_a_damaged_run_is_not_promoted(workspace):
    models = workspace / "models"
    champion, other = list_runs(models)
    (other / "metrics.json").write_text("{}")
    with pytest.raises(RunError, match="metrics.json"):
        promote(other, reason="damaged")
    assert load_champion(models, "DEMO") == champion


def test_a_run_with_ranges_serves_and_a_classic_one_does_not_take_its_place(stored):
    champion = load_champion(stored / "models", "DEMO")
    assert load_manifest(champion).config.is_distribution
    assert not all(load_manifest(run).config.is_distribution for run in list_runs(stored / "models"))


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
    other = next(run for run in list_runs(models) if run != champion)

    def die(source, target):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.replace", die)
    with pytest.raises(RunError):
        promote(other, reason="never")
    monkeypatch.undo()
    assert load_champion(models, "DEMO") == champion
    assert not list(champion.parent.glob(".*.tmp"))
