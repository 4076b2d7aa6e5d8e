import json

import pytest
from typer.testing import CliRunner

from forecast.cli.app import app
from forecast.store.runs import list_runs, load_manifest


def run(workspace, *words: str):
    return CliRunner().invoke(app, ["runs", *words, "--workspace", str(workspace)], env={"COLUMNS": "80"})


def test_the_list_names_every_run_and_the_champion(stored):
    result = run(stored, "list")
    assert result.exit_code == 0
    rows = {line.split()[1]: line for line in result.stdout.splitlines() if line.strip().startswith("DEMO")}
    assert list(rows) == [path.name for path in list_runs(stored / "models")]
    assert [name for name, row in rows.items() if "champion" in row] == [next(iter(rows))]


def test_the_list_as_json_is_one_document(stored):
    document = json.loads(run(stored, "list", "--json").stdout)
    assert document["schema"] == 1
    assert {"ticker", "run_id", "path", "recipe", "networks", "horizon", "champion"} <= set(document["runs"][0])


def test_an_empty_workspace_lists_nothing(tmp_path):
    assert json.loads(run(tmp_path, "list", "--json").stdout) == {"schema": 1, "runs": []}


def test_show_tells_what_the_champion_was_made_of_and_its_scores(stored):
    result = run(stored, "show", "demo")
    assert result.exit_code == 0
    for words in ("lookback 10", "snapshot", "train_end", "tensorflow", "naive", "LSTM with attention", "SIMULATED"):
        assert words in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= max(80, len(str(stored)) + 60)


def test_show_as_json_is_the_manifest_beside_the_scores(stored):
    path = list_runs(stored / "models")[1]
    document = json.loads(run(stored, "show", "DEMO", path.name, "--json").stdout)
    assert document["manifest"]["run_id"] == path.name == document["run_id"]
    assert document["manifest"]["files"] == load_manifest(path).files
    assert set(document["models"]) >= {"lstm", "naive"}


def test_a_path_stays_on_one_line_however_long_it_is(stored):
    lines = run(stored, "show", "DEMO").stdout.splitlines()
    assert str(list_runs(stored / "models")[0] / "loss.png") in lines


@pytest.mark.parametrize(
    ("words", "said"),
    [(("show", "MSFT"), "MSFT has no run"), (("show", "DEMO", "20000101T000000Z-000000"), "has no run 20000101")],
)
def test_what_is_not_stored_is_told_with_the_way_on(stored, words, said):
    result = run(stored, *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


def test_a_damaged_run_is_named(workspace):
    path = list_runs(workspace / "models")[0]
    (path / "metrics.json").write_text("{}")
    result = run(workspace, "show", "DEMO")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "metrics.json was changed" in result.stderr
