import json
import shutil

import pytest
from typer.testing import CliRunner

from forecast.cli.app import app
from forecast.store.champions import load_champion
from forecast.store.locks import retraining_lock
from forecast.store.runs import list_runs


@pytest.fixture
def workspace(stored, tmp_path):
    """A run of each recipe; the first one serves."""
    shutil.copytree(stored, tmp_path / "copy")
    return tmp_path / "copy"


def run(workspace, *words: str):
    return CliRunner().invoke(app, ["runs", *words, "--workspace", str(workspace)], env={"COLUMNS": "80"})


def test_a_promoted_run_serves_until_it_is_rolled_back(workspace):
    first, second = list_runs(workspace / "models")
    before = (workspace / "models" / "DEMO" / "champion.json").read_bytes()
    done = run(workspace, "promote", "demo", second.name)
    assert (done.exit_code, done.stdout) == (0, f"DEMO is served by {second.name}\n")
    assert load_champion(workspace / "models", "DEMO") == second
    document = json.loads(run(workspace, "rollback", "DEMO", "--json").stdout)
    assert document == {"schema": 1, "ticker": "DEMO", "champion": first.name}
    assert (workspace / "models" / "DEMO" / "champion.json").read_bytes() == before


def test_there_is_nothing_to_go_back_to_before_the_second_champion(workspace):
    done = run(workspace, "rollback", "DEMO")
    assert done.exit_code == 1 and "nothing to go back to" in done.stderr


def test_prune_deletes_what_a_dry_run_names(workspace):
    first, second = list_runs(workspace / "models")
    run(workspace, "promote", "DEMO", second.name)
    assert run(workspace, "prune", "--keep", "1").exit_code == 0
    assert list_runs(workspace / "models") == [first, second]       # champion and former
    run(workspace, "rollback", "DEMO")
    run(workspace, "promote", "DEMO", second.name)
    shutil.copytree(first, first.with_name("00000000T000000Z-000000"))
    document = json.loads(run(workspace, "prune", "--keep", "1", "--dry-run", "--json").stdout)
    assert document["pruned"] == [{"ticker": "DEMO", "runs": ["00000000T000000Z-000000"], "snapshots": []}]
    assert len(list_runs(workspace / "models")) == 3
    run(workspace, "prune", "--keep", "1")
    assert list_runs(workspace / "models") == [first, second]


def test_nothing_is_pruned_while_the_ticker_is_being_retrained(workspace):
    with retraining_lock(workspace / "models", "DEMO"):
        done = run(workspace, "prune")
    assert done.exit_code == 75 and len(list_runs(workspace / "models")) == 2
