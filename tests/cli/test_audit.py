import json

import numpy as np
import pytest
from typer.testing import CliRunner

from forecast.cli.app import app
from forecast.windows import features

TINY = ["--networks", "simple_rnn", "--lookback", "10", "--horizon", "2", "--n-cutoffs", "1"]


@pytest.fixture
def audit(tiny_file, tmp_path):
    def run(*words: str):
        options = ["--csv", str(tiny_file), "--workspace", str(tmp_path)]
        return CliRunner(env={"COLUMNS": "80"}).invoke(app, ["audit", "ACME", *TINY, *options, *words])

    return run


def test_a_pipeline_without_leaks_passes(audit):
    done = audit()
    assert done.exit_code == 0 and "LEAK" not in done.stdout and "…" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    table = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line[:4] in ("scal", "weig", "fore")}
    assert table == {"scaler": ["same"] * 3, "weights": ["-", "same", "same"], "forecasts": ["-", "-", "same"]}
    assert "No leak: all that comes after 3 cutoffs was corrupted" in done.stdout


def test_a_leak_planted_in_a_feature_fails_the_command(audit, monkeypatch):
    def of_the_next_session(prices, returns, volatility):
        return np.append(returns[1:], 0.0) / volatility

    monkeypatch.setitem(features._COLUMNS, "return", of_the_next_session)
    done = audit("--json")
    (found,) = json.loads(done.stdout)["audits"]
    leak = found["leaks"][0]
    assert done.exit_code == 1
    assert (leak["stage"], leak["name"], leak["n_changed"]) == ("features", "return", 1)
    assert leak["session"] == leak["cutoff"] in found["n_compared"]
    assert f"features leak: with everything after {leak['cutoff']} corrupted, return at {leak['session']}" in done.stderr
    assert {leak["stage"] for leak in found["leaks"]} == {"features", "scaler", "windows", "forecasts"}
