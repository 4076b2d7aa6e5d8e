import json
import re

from typer.testing import CliRunner

from forecast.cli.app import app
from forecast.store.runs import list_runs, load_run


def run(workspace, *words: str):
    return CliRunner().invoke(app, ["compare", *words, "--workspace", str(workspace)], env={"COLUMNS": "80"})


def test_both_recipes_stand_side_by_side_with_naive_in_the_same_rows(workspace):
    result = run(workspace)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "DEMO SIMULATED returns: next session" in result.stdout
    assert "DEMO SIMULATED classic: next session" in result.stdout
    assert result.stdout.count("naive (last close)") == 3       # returns at one and at all steps, classic at one
    assert "MAE" in result.stdout and "[USD]" in result.stdout


def test_tables_fit_into_80_columns(workspace):
    lines = [line for line in run(workspace).stdout.splitlines() if not line.startswith("/")]
    assert max(map(len, lines)) <= 80


def test_the_table_shows_the_stored_figures_and_stars_what_reads_best(workspace):
    stored = load_run(list_runs(workspace / "models")[0])
    mae = {name: model["by_horizon"]["1"]["mae"] for name, model in stored.results.metrics.items()}
    table = run(workspace).stdout.split("* best")[0]
    shown = re.findall(r"^ ?\w.*?  +([0-9.]+)(\*?) ", table, flags=re.M)
    figures = [float(f"{value:.4g}") for value in mae.values()]
    assert [float(figure) for figure, _ in shown] == figures
    assert [bool(star) for _, star in shown] == [figure == min(figures) for figure in figures]


def test_charts_are_drawn_and_named(workspace):
    result = run(workspace, "DEMO")
    for name in ("compare-loss.png", "compare-predictions.png"):
        path = workspace / "models" / "DEMO" / name
        assert path.read_bytes().startswith(b"\x89PNG") and str(path) in result.stdout


def test_json_is_one_document_of_the_agreed_shape(workspace):
    result = run(workspace, "--json")
    document = json.loads(result.stdout)
    assert (document["schema"], document["failures"]) == (1, [])
    for each in document["runs"]:
        assert {"ticker", "run_id", "path", "recipe", "horizon", "simulated", "currency", "cutoffs", "charts", "verdict"} <= set(each)
        assert each["simulated"] is True and each["currency"] == "USD"
        for model in each["models"].values():
            assert model["kind"] in ("network", "baseline")
            assert list(model["by_horizon"]) == [str(k + 1) for k in range(each["horizon"])]
            assert {"mae", "rmse", "mase", "directional_accuracy", "crps", "coverage_80", "coverage_95", "n"} <= set(model["overall"])


def test_a_point_forecast_has_no_figures_of_a_distribution(workspace):
    document = json.loads(run(workspace, "--json").stdout)
    classic = next(each for each in document["runs"] if each["recipe"] == "classic")
    overall = classic["models"]["lstm"]["overall"]
    assert overall["crps"] is overall["coverage_95"] is None and overall["mae"] > 0


def test_a_classic_run_says_how_it_fares_against_yesterday_s_close(workspace):
    document = json.loads(run(workspace, "--json").stdout)
    assert all("close" in each["verdict"] for each in document["runs"])


def test_a_workspace_without_runs_says_how_to_begin(tmp_path):
    result = run(tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "forecast train TSLA" in result.stderr
