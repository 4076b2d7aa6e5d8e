import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecast.errors import RunError, TryAgainLater
from forecast.prices.sources import load_prices
from forecast.store import runs
from forecast.store.champions import former_champions, load_champion, promote, rollback
from forecast.store.ledger import LEDGER, make_rows, record_forecasts
from forecast.store.locks import retraining_lock, writing_lock
from forecast.store.pruning import find_prunable, prune
from forecast.store.runs import (
    MANIFEST,
    Manifest,
    delete_run,
    dict_from_manifest,
    find_run,
    list_runs,
    remove_leftovers,
)


def make_run(models, run_id: str, snapshot: str = "0") -> None:
    """A run of DEMO with nothing but a manifest and one file."""
    import hashlib

    folder = models / "DEMO" / run_id
    folder.mkdir(parents=True)
    (folder / "weights.npz").write_bytes(run_id.encode())
    sums = {"weights.npz": hashlib.sha256(run_id.encode()).hexdigest()}
    manifest = Manifest(
        "DEMO", run_id, "", runs.Config(), "demo", snapshot, runs.Listing(), True, {}, {}, "lstm", {}, {}, files=sums
    )  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(dict_from_manifest(manifest)))


@pytest.fixture
def models(tmp_path):
    for name in "abcd":
        make_run(tmp_path / "models", name)
    return tmp_path / "models"


def contents(models) -> bytes | None:
    path = models / "DEMO" / "champion.json"
    return path.read_bytes() if path.exists() else None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(order=st.lists(st.sampled_from("abcd"), min_size=1, max_size=8))
def test_rollback_is_the_inverse_of_promotion_however_often_it_is_repeated(models, order):
    (models / "DEMO" / "champion.json").unlink(missing_ok=True)
    states = []
    for name in order:
        promote(models / "DEMO" / name, reason=f"because {name}")
        assert load_champion(models, "DEMO").name == name
        if not states or contents(models) != states[-1]:
            states.append(contents(models))
    while len(states) > 1:
        states.pop()
        assert rollback(models, "DEMO") == load_champion(models, "DEMO")
        assert contents(models) == states[-1]
    with pytest.raises(RunError, match="nothing to go back to"):
        rollback(models, "DEMO")


def test_promoting_the_champion_changes_nothing(models):
    promote(models / "DEMO" / "a", reason="first")
    before = contents(models)
    promote(models / "DEMO" / "a", reason="again")
    assert contents(models) == before and former_champions(models, "DEMO") == []


def test_a_damaged_run_is_neither_promoted_nor_gone_back_to(models):
    promote(models / "DEMO" / "a", reason="")
    promote(models / "DEMO" / "b", reason="")
    before = contents(models)
    for name in "ac":
        (models / "DEMO" / name / "weights.npz").write_bytes(b"changed")
    with pytest.raises(RunError, match="was changed"):
        promote(models / "DEMO" / "c", reason="")
    with pytest.raises(RunError, match="was changed"):
        rollback(models, "DEMO")
    assert contents(models) == before


def test_going_back_to_a_deleted_run_is_told(models):
    promote(models / "DEMO" / "a", reason="")
    promote(models / "DEMO" / "b", reason="")
    delete_run(models / "DEMO" / "a")
    with pytest.raises(RunError, match="no run a; it has b, c, d"):
        rollback(models, "DEMO")


def test_naming_a_run_is_the_cure_for_a_damaged_file(models):
    (models / "DEMO" / "champion.json").write_text("{")
    with pytest.raises(RunError, match="is damaged"):
        load_champion(models, "DEMO")
    promote(models / "DEMO" / "b", reason="")
    assert load_champion(models, "DEMO").name == "b"


def test_one_retraining_at_a_time_and_another_ticker_is_free(tmp_path):
    with retraining_lock(tmp_path, "TSLA"):
        with pytest.raises(TryAgainLater, match="TSLA"), retraining_lock(tmp_path, "TSLA"):
            pass
        with retraining_lock(tmp_path, "AAPL"):
            pass
    with retraining_lock(tmp_path, "TSLA"):
        pass


def test_leftovers_of_killed_writers_go_as_soon_as_nobody_writes(models, monkeypatch):
    monkeypatch.setattr("forecast.store.locks.SECONDS_TO_WRITE", 0.05)
    (models / "DEMO" / ".unfinished-x").mkdir()
    with writing_lock(models, "DEMO"), pytest.raises(TryAgainLater):
        remove_leftovers(models, "DEMO")
    assert (models / "DEMO" / ".unfinished-x").exists()
    remove_leftovers(models, "DEMO")
    assert sorted(path.name for path in (models / "DEMO").glob("[!.]*")) == list("abcd")
    assert not (models / "DEMO" / ".unfinished-x").exists()


def test_champion_former_and_newest_are_kept(models):
    promote(models / "DEMO" / "b", reason="")
    promote(models / "DEMO" / "a", reason="")
    assert find_prunable(models, "DEMO", keep=1) == [find_run(models, "DEMO", "c")]
    assert prune(models.parent, "DEMO", keep=1).runs == ["c"]
    assert [path.name for path in list_runs(models)] == ["a", "b", "d"]
    assert rollback(models, "DEMO").name == "b"


def test_prices_go_with_the_last_run_and_forecast_that_name_them(tmp_path):
    prices = load_prices("DEMO", source="demo", folder=tmp_path / "data")
    hashes = [store_snapshot(tmp_path, prices, n) for n in (100, 200, 300, 400)]
    for name, snapshot in zip("abc", hashes):
        make_run(tmp_path / "models", name, snapshot)
    on_record = replace(prices.until(prices.sessions[200]), snapshot=hashes[1])
    record(tmp_path / "models" / LEDGER, on_record)
    promote(tmp_path / "models" / "DEMO" / "c", reason="")
    assert prune(tmp_path, "DEMO", keep=1) == prune_result(["a", "b"], [hashes[0]])


def prune_result(run_ids, snapshots):
    from forecast.store.pruning import Pruned

    return Pruned("DEMO", run_ids, snapshots)


def store_snapshot(workspace, prices, n: int) -> str:
    """The sha256 of a snapshot of the first `n` sessions, as if they were a person's own file."""
    path = workspace / "DEMO.csv"
    part = prices.until(prices.sessions[n - 1])
    rows = zip(part.sessions, part.open, part.high, part.low, part.close, part.volume)
    path.write_text("Date,Open,High,Low,Close,Volume\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return load_prices("DEMO", source=f"csv:{path}", folder=workspace / "data").snapshot


def record(path, prices) -> None:
    import numpy as np

    from forecast.networks.distribution import StudentT

    forecast = StudentT(np.zeros((1, 1)), np.full((1, 1), 0.02), np.full((1, 1), 5.0))
    now = datetime(2026, 1, 5, tzinfo=UTC)
    facts = {"network": "lstm", "run_id": "b", "made_at": now, "last_closed": "2026-01-02"}
    record_forecasts(path, make_rows(forecast, prices, prices.sessions[-1:] + 1, **facts))


def test_a_ticker_that_has_nothing_to_go_back_to_gets_no_folder(tmp_path):
    with pytest.raises(RunError, match="forecast train TSLA"):
        rollback(tmp_path, "TSLA")
    assert not list(tmp_path.iterdir())
