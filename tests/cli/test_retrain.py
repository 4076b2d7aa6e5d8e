import json

import pytest
from typer.testing import CliRunner

from forecast.automation.journal import Entry, append_entry
from forecast.cli.app import app
from forecast.store.locks import retraining_lock

NEVER = "2999-01-01T00:00:00+00:00"


@pytest.fixture
def workspace(tmp_path):
    """TSLA and AAPL, dealt with until the end of time."""
    (tmp_path / "models").mkdir()
    for ticker in ("TSLA", "AAPL"):
        append_entry(tmp_path / "models", Entry(ticker, "", "", "predicted", "", session="2026-11-20", due_at=NEVER))
    return tmp_path


def run(workspace, *words: str):
    return CliRunner().invoke(app, ["retrain", *words, "--workspace", str(workspace)])


def test_nothing_due_exits_with_zero_and_says_until_when(workspace):
    done = run(workspace, "tsla", "AAPL")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.count("nothing due: 2026-11-20 was dealt with") == 2 and "2999-01-01" in done.stdout


def test_quiet_says_nothing_where_nothing_is_wrong(workspace):
    done = run(workspace, "TSLA", "--quiet")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def test_json_is_one_document_in_the_order_given(workspace):
    document = json.loads(run(workspace, "TSLA", "AAPL", "--json").stdout)
    assert document["schema"] == 1
    found = [(entry["ticker"], entry["outcome"], entry["exit_code"]) for entry in document["retrained"]]
    assert found == [("TSLA", "nothing_due", 0), ("AAPL", "nothing_due", 0)]


def test_the_watchlist_stands_in_for_tickers(workspace):
    assert run(workspace).exit_code == 2
    (workspace / "forecast.toml").write_text('watchlist = ["AAPL"]\n')
    assert run(workspace).stdout.startswith("AAPL nothing due")


def test_a_locked_ticker_exits_75_and_one_of_two_exits_10(workspace):
    with retraining_lock(workspace / "models", "TSLA"):
        done = run(workspace, "TSLA")
        assert (done.exit_code, done.stdout) == (75, "") and "is retraining TSLA" in done.stderr
        assert run(workspace, "TSLA", "AAPL").exit_code == 10
        with retraining_lock(workspace / "models", "AAPL"):
            assert run(workspace, "TSLA", "AAPL").exit_code == 75


def test_a_missing_file_is_told_and_written_to_the_journal(workspace):
    (workspace / "csv").mkdir()
    done = run(workspace, "KO", "--csv", str(workspace / "csv"))
    assert done.exit_code == 2 and "KO.csv" in done.stderr
    (line,) = (workspace / "models" / "journal.jsonl").read_text().splitlines()[2:]
    assert json.loads(line)["outcome"] == "failed"


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(workspace):
    before = sorted(workspace.rglob("*"))
    done = run(workspace, "TSLA", "DEMO", "--dry-run")
    assert done.exit_code == 0
    assert "TSLA: nothing due" in done.stdout
    said = " ".join(done.stdout.split())
    assert "DEMO: no retraining has ended well yet; would ask demo and train a first champion." in said
    plans = json.loads(run(workspace, "TSLA", "--dry-run", "--json").stdout)["plans"]
    assert [plan["ticker"] for plan in plans] == ["TSLA"]
    assert sorted(workspace.rglob("*")) == before


def test_an_address_that_is_none_is_refused_before_anything_is_done(workspace):
    (workspace / "forecast.toml").write_text('ping_url = "file:///etc"\n')
    assert run(workspace, "TSLA").exit_code == 78
    assert run(workspace, "TSLA", "--offline").exit_code == 0


def test_a_scheduler_that_does_not_answer_is_told(workspace, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    monkeypatch.setattr("forecast.automation.cluster.SECONDS_TO_CONNECT", 0.2)
    assert run(workspace, "TSLA", "--dask", "127.0.0.1:9").exit_code == 2
    done = run(workspace, "TSLA", "--dask", "tcp://127.0.0.1:9")
    assert done.exit_code == 75 and "No dask scheduler answers" in done.stderr
