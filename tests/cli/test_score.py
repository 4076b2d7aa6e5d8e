import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from forecast.cli.app import app
from forecast.networks.distribution import StudentT
from forecast.prices.sources import load_prices
from forecast.store.ledger import make_rows, record_forecasts

N_FORECASTS = 30


@pytest.fixture
def workspace(tmp_path) -> Path:
    """DEMO with one forecast of two steps on each of its last 30 sessions."""
    prices = load_prices("DEMO", source="demo", folder=tmp_path / "data")
    days = np.append(prices.sessions, prices.sessions[-1] + np.array([1, 2]))
    forecast = StudentT(np.full((1, 2), 0.001), np.array([[0.02, 0.03]]), np.full((1, 2), 5.0))
    for at in range(len(prices) - N_FORECASTS, len(prices)):
        facts = {
            "network": "lstm",
            "run_id": "r1",
            "made_at": datetime.fromisoformat(f"{days[at]}T22:00:00+00:00"),
            "last_closed": days[at],
        }
        rows = make_rows(forecast, prices.until(days[at]), days[at + 1 : at + 3], **facts)
        record_forecasts(tmp_path / "models" / "ledger.sqlite", rows)
    return tmp_path


def run(workspace: Path, *words: str):
    return CliRunner().invoke(app, ["score", *words, "--workspace", str(workspace)])


def tamper(workspace: Path) -> None:
    with closing(sqlite3.connect(workspace / "models" / "ledger.sqlite")) as connection:
        connection.execute("DROP TRIGGER forecasts_are_not_changed")
        connection.execute("UPDATE forecasts SET q500 = 0.5 WHERE sequence = 7")
        connection.commit()


def test_json_holds_a_grade_for_each_horizon(workspace):
    done = run(workspace, "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["schema"], document["failures"]) == (0, 1, [])
    assert document["head"]["rows"] == 2 * N_FORECASTS
    found = [(g["ticker"], g["network"], g["horizon"], g["n"], g["pending"]) for g in document["grades"]]
    assert found == [("DEMO", "lstm", 1, 29, 1), ("DEMO", "lstm", 2, 28, 2)]
    assert all(0 < g["p_value"] <= 1 and 0 < g["crps"] and g["simulated"] for g in document["grades"])


def test_table_says_what_is_simulated_and_what_is_pending(workspace):
    done = run(workspace)
    assert done.exit_code == 0
    assert "DEMO SIMULATED" in done.stdout and "not graded: 3 pending" in done.stdout
    assert "lstm +1" in done.stdout and "…" not in done.stdout


def test_without_an_outcome_there_is_a_sentence_and_no_table(workspace, tmp_path_factory):
    prices, fresh = load_prices("DEMO", source="demo", folder=workspace / "data"), tmp_path_factory.mktemp("fresh")
    forecast = StudentT(np.zeros((1, 1)), np.full((1, 1), 0.02), np.full((1, 1), 5.0))
    made_at = datetime.fromisoformat(f"{prices.sessions[-1]}T22:00:00+00:00")
    facts = {"network": "lstm", "run_id": "r1", "made_at": made_at, "last_closed": prices.sessions[-1]}
    record_forecasts(fresh / "models" / "ledger.sqlite", make_rows(forecast, prices, prices.sessions[-1:] + 1, **facts))
    done = run(fresh)
    assert done.exit_code == 0 and "no recorded forecast can be graded yet: 1 pending" in done.stdout
    assert "sessions ahead" not in done.stdout


def test_tampered_ledger_is_not_graded(workspace):
    tamper(workspace)
    for words in ([], ["--verify"], ["--json"]):
        done = run(workspace, *words)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "row 7 was changed afterwards" in done.stderr and "ticker 'DEMO'" in done.stderr


def test_verify_gives_the_head_to_write_down(workspace):
    document = json.loads(run(workspace, "--verify", "--json").stdout)
    assert document["head"]["rows"] == 2 * N_FORECASTS
    text = " ".join(run(workspace, "--verify").stdout.split())
    assert f"{2 * N_FORECASTS} rows, none changed" in text
    assert document["head"]["hash"] in text.replace(" ", "")


def test_empty_ledger_is_explained(tmp_path):
    done = run(tmp_path)
    assert done.exit_code == 1 and "holds no forecast yet" in done.stderr
    assert run(tmp_path, "--verify").exit_code == 0


def test_ticker_without_a_forecast_fails_alone(workspace):
    done = run(workspace, "DEMO", "TSLA", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 10
    assert len(document["grades"]) == 2
    assert [(f["ticker"], f["exit_code"]) for f in document["failures"]] == [("TSLA", 1)]
    assert run(workspace, "TSLA").exit_code == 1


def test_pruned_snapshot_is_graded_by_the_tickers_usual_source(workspace):
    for path in (workspace / "data" / "DEMO").iterdir():
        path.unlink()
    done = run(workspace, "--json")
    assert done.exit_code == 0 and "graded by those of demo" in done.stderr
    assert json.loads(done.stdout)["grades"][0]["n"] == 29


def test_later_prices_of_a_persons_own_file_are_graded(tmp_path):
    file = tmp_path / "ACME.csv"
    days = np.busday_offset("2024-01-01", np.arange(200), roll="forward")
    lines = [f"{day},{100 + i % 7},{100 + i % 7},{100 + i % 7},{100 + i % 7},,1000" for i, day in enumerate(days)]
    header = "Date,Open,High,Low,Close,Adj Close,Volume"
    file.write_text("\n".join([header, *lines[:-1]]) + "\n")
    prices = load_prices("ACME", source=f"csv:{file}", folder=tmp_path / "data")
    forecast = StudentT(np.zeros((1, 1)), np.full((1, 1), 0.02), np.full((1, 1), 5.0))
    made_at = datetime.fromisoformat(f"{days[-2]}T22:00:00+00:00")
    facts = {"network": "lstm", "run_id": "r1", "made_at": made_at, "last_closed": days[-2]}
    record_forecasts(tmp_path / "models" / "ledger.sqlite", make_rows(forecast, prices, days[-1:], **facts))
    (grade,) = json.loads(run(tmp_path, "--json").stdout)["grades"]
    assert (grade["n"], grade["pending"]) == (0, 1)
    file.write_text("\n".join([header, *lines]) + "\n")
    (grade,) = json.loads(run(tmp_path, "--json").stdout)["grades"]
    assert (grade["n"], grade["pending"]) == (1, 0)
    assert grade["mae"] == pytest.approx(100 * np.log(103 / 102))
