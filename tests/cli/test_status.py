import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from forecast.automation.journal import Entry, append_entry
from forecast.automation.status import load_status
from forecast.cli.app import app
from forecast.prices.table import Listing
from forecast.store.champions import load_champion
from forecast.store.runs import MANIFEST, dict_from_manifest, load_manifest

FINE = Entry("DEMO", "2026-01-05T22:00:00+00:00", "2026-01-05T22:01:00+00:00", "predicted", "why", session="2026-01-05")


@pytest.fixture
def workspace(stored, tmp_path):
    shutil.copytree(stored, tmp_path / "copy")
    return tmp_path / "copy"


def run(workspace, *words: str):
    return CliRunner().invoke(app, ["status", *words, "--workspace", str(workspace)], env={"COLUMNS": "80"})


def become_real(workspace) -> None:
    """Let the simulated champion pass for one of the New York exchange."""
    path = load_champion(workspace / "models", "DEMO")
    manifest = replace(load_manifest(path), simulated=False, listing=Listing("XNYS"))
    (path / MANIFEST).write_text(json.dumps(dict_from_manifest(manifest)))


def test_all_is_well_after_a_retraining_that_ended_well(workspace):
    append_entry(workspace / "models", FINE)
    done = run(workspace)
    assert done.exit_code == 0 and "DEMO SIMULATED" in done.stdout and "predicted" in done.stdout
    (row,) = json.loads(run(workspace, "--json").stdout)["tickers"]
    assert row["champion"] == load_champion(workspace / "models", "DEMO").name
    assert (row["last_session"], row["outcome"], row["problem"]) == ("2026-01-05", "predicted", None)
    assert row["age"] > 0


def test_no_line_is_wider_than_the_terminal(workspace):
    append_entry(workspace / "models", FINE)
    stdout = run(workspace).stdout
    assert max(map(len, stdout.splitlines())) <= 80 and "…" not in stdout


def test_a_failed_retraining_needs_a_person(workspace):
    append_entry(workspace / "models", replace(FINE, outcome="failed", reason="the sky fell"))
    done = run(workspace)
    assert done.exit_code == 1 and "the sky fell" in done.stderr
    append_entry(workspace / "models", FINE)
    assert run(workspace).exit_code == 0


def test_a_ticker_without_a_champion_needs_a_person(workspace):
    done = run(workspace, "KO")
    assert done.exit_code == 1 and "nothing was trained yet" in done.stderr


def test_a_damaged_champion_needs_a_person(workspace):
    (workspace / "models" / "DEMO" / "champion.json").write_text("{")
    done = run(workspace)
    assert done.exit_code == 1 and "damaged" in done.stderr


def test_stale_is_who_missed_a_session_that_closed_longer_ago_than_allowed(workspace):
    become_real(workspace)
    append_entry(workspace / "models", FINE)
    tuesday_close = datetime(2026, 1, 6, 21, 0, tzinfo=UTC)

    def problem(now):
        (row,) = load_status(["DEMO"], workspace, 3.0, now)
        return row.problem

    assert problem(tuesday_close + timedelta(days=3, minutes=-1)) is None
    assert "session of 2026-01-06" in problem(tuesday_close + timedelta(days=3))


def test_a_weekend_ages_nobody(workspace):
    become_real(workspace)
    append_entry(workspace / "models", replace(FINE, session="2026-01-09"))
    for day in (10, 11, 12):
        (row,) = load_status(["DEMO"], workspace, 0.0, datetime(2026, 1, day, 12, tzinfo=UTC))
        assert row.problem is None and row.age == 6     # since 2025-12-31: 2, 5 to 9 January
    (row,) = load_status(["DEMO"], workspace, 0.0, datetime(2026, 1, 12, 22, tzinfo=UTC))
    assert row.age == 7 and row.problem is not None


def test_status_of_an_empty_workspace_is_a_usage_error(tmp_path):
    assert run(tmp_path).exit_code == 2
