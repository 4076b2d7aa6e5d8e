import json
import re

import pytest
from typer.testing import CliRunner

from forecast.cli.app import app

TINY = ["--networks", "simple_rnn", "--lookback", "10", "--horizon", "2", "--units", "3", "--epochs", "1", "--n-seeds", "1"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def backtest(tiny_file, workspace):
    """Runs the command on the tiny prices; the first time it fits, later it answers from the store."""

    def run(*words: str, folds: str = "2"):
        options = ["--csv", str(tiny_file), "--workspace", str(workspace), "--n-folds", folds]
        return CliRunner(env={"COLUMNS": "80"}).invoke(app, ["backtest", "ACME", *TINY, *options, *words])

    return run


def test_json_has_the_folds_beside_what_every_run_has(backtest, workspace):
    done = backtest("--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["schema"], document["failures"]) == (0, 1, [])
    (run,) = document["runs"]
    assert (run["ticker"], run["recipe"], run["horizon"], run["simulated"]) == ("ACME", "returns", 2, False)
    assert run["models"]["simple_rnn"]["kind"] == "network" and run["models"]["garch"]["kind"] == "baseline"
    assert set(run["models"]["naive"]) == {"kind", "overall", "by_horizon", "mean_over_folds"}
    assert [fold["number"] for fold in run["folds"]] == [1, 2]
    assert run["folds"][0]["cutoffs"]["test_start"] == run["cutoffs"]["test_start"] < run["folds"][1]["cutoffs"]["test_start"]
    assert set(run["folds"][0]["models"]) == set(run["models"])
    (chart,) = run["charts"]
    assert (workspace / "models" / "ACME" / "backtests" / run["run_id"] / "folds.png").samefile(chart)


def test_tables_stay_within_80_columns_and_say_all(backtest):
    done = backtest()
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert max(len(line) for line in lines if not line.startswith("/")) <= 80
    assert "…" not in done.stdout
    for words in ("ACME returns, 2 folds: next session", "1 to 2 sessions ahead", "CRPS [%] of each", "GARCH(1,1)-t"):
        assert words in done.stdout
    assert any(re.fullmatch(r"fold 2  t+\.?v+\.?T+", line) for line in lines)
    assert lines[-1].endswith("folds.png")
    with open(lines[-1], "rb") as chart:
        assert chart.read(4) == b"\x89PNG"


def test_a_stored_backtest_says_so(backtest):
    backtest()
    assert "2 of 2 folds are stored already" in backtest().stderr
    assert backtest("--quiet").stderr == ""


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--step-size", "5"], 2, "give 10 forecasts"),
        (["--step-size", "180"], 65, "400 sessions in 2 folds of 180"),
        (["--recipe", "none"], 2, "recipe is 'none'"),
    ],
)
def test_what_cannot_be_walked_is_told_in_one_sentence(backtest, words, code, sentence):
    done = backtest(*words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert sentence in done.stderr


def test_no_fold_is_a_mistake_in_usage(backtest):
    assert backtest(folds="0").exit_code == 2
