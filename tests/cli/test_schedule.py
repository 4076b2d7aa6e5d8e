import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from forecast.automation.systemd import unit_name
from forecast.cli.app import app

CRONTAB = """#!/bin/sh
case "$1" in
  -l) cat "$0.table" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; };;
  -h) ;;
  *) cp "$1" "$0.table";;
esac
"""
SYSTEMCTL = '#!/bin/sh\necho "$@" >> "$0.log"\n[ ! -e "$0.down" ] || { echo "Failed to connect to bus" >&2; exit 1; }\n'


@pytest.fixture
def table(tmp_path, monkeypatch) -> Path:
    """The cron table of a user whose `crontab` and `systemctl` are fakes in a folder of their own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("crontab", CRONTAB), ("systemctl", SYSTEMCTL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folder / "crontab.table"


@pytest.fixture
def workspace(tmp_path) -> Path:
    folder = tmp_path / "my 100% stocks"
    folder.mkdir()
    return folder


def run(workspace: Path, *words: str):
    return CliRunner().invoke(app, ["schedule", *words, "--workspace", str(workspace)])


def test_install_show_and_remove_leave_foreign_lines_alone(table, workspace):
    table.write_bytes(b"MAILTO=me\n0 7 * * * echo \xff\r\n")
    before = table.read_bytes()
    assert run(workspace, "install", "TSLA", "^GSPC").exit_code == 0
    installed = table.read_bytes()
    assert installed.startswith(before)
    shown = run(workspace, "show").stdout
    assert shown.encode() == installed.removeprefix(before)
    assert f"--workspace '{workspace}' TSLA '^GSPC' --quiet" in shown.replace("\\%", "%")
    assert run(workspace, "remove").exit_code == 0
    assert table.read_bytes() == before
    backups = [path.read_bytes() for path in sorted((workspace / "models").glob("crontab-*.backup"))]
    assert backups == [before, installed]


def test_installing_twice_changes_nothing(table, workspace):
    run(workspace, "install", "TSLA")
    before = table.read_bytes()
    done = run(workspace, "install", "TSLA", "--json")
    assert json.loads(done.stdout) == {"schema": 1, "changed": False, "diff": ""}
    assert table.read_bytes() == before
    assert len(list((workspace / "models").glob("crontab-*.backup"))) == 1


@pytest.mark.parametrize("systemd", [[], ["--systemd"]])
def test_dry_run_shows_the_difference_and_changes_nothing(table, workspace, tmp_path, systemd):
    done = run(workspace, "install", "TSLA", "--dry-run", *systemd)
    assert done.exit_code == 0
    assert "\n+" in done.stdout and "retrain" in done.stdout
    assert not table.exists() and not (tmp_path / "config").exists()


def test_watchlist_is_left_to_the_command(table, workspace):
    (workspace / "forecast.toml").write_text('watchlist = ["TSLA"]\n')
    run(workspace, "install")
    assert "TSLA" not in table.read_text()


def test_nothing_to_retrain_is_refused(table, workspace):
    done = run(workspace, "install")
    assert done.exit_code == 2 and "watchlist" in done.stderr
    assert not table.exists()


def test_absent_workspace_is_refused(table, workspace):
    done = run(workspace / "absent", "install", "TSLA")
    assert done.exit_code == 2 and "absent is no folder" in done.stderr


def test_weekends_are_kept_on_request(table, workspace):
    run(workspace, "install", "BTC-USD", "--every-day")
    assert "\n10,40 * * * * " in table.read_text()


def test_nothing_scheduled_is_no_error(table, workspace):
    done = run(workspace, "show")
    assert (done.exit_code, done.stdout) == (0, "") and "Nothing is scheduled" in done.stderr
    assert json.loads(run(workspace, "show", "--json").stdout)["scheduled"] is None
    assert run(workspace, "remove").exit_code == 0
    assert not table.exists()


def test_systemd_units_are_installed_shown_and_removed(table, workspace, tmp_path):
    assert run(workspace, "install", "TSLA", "--systemd").exit_code == 0
    units = tmp_path / "config" / "systemd" / "user"
    name = unit_name(workspace)
    assert sorted(path.name for path in units.iterdir()) == [f"{name}.service", f"{name}.timer"]
    assert "OnCalendar=" in run(workspace, "show", "--systemd").stdout
    assert run(workspace, "remove", "--systemd").exit_code == 0
    assert list(units.iterdir()) == []
    said = (table.parent / "systemctl.log").read_text().splitlines()
    expected = ["daemon-reload", f"enable --now {name}.timer", f"disable --now {name}.timer"]
    assert said == [f"--user {words}" for words in expected]


def test_units_that_systemd_does_not_start_are_taken_out_again(table, workspace, tmp_path):
    (table.parent / "systemctl.down").touch()
    done = run(workspace, "install", "TSLA", "--systemd")
    assert done.exit_code == 1 and "Failed to connect to bus" in done.stderr
    assert list((tmp_path / "config" / "systemd" / "user").iterdir()) == []


def test_machine_without_cron_is_pointed_to_systemd(table, workspace, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = run(workspace, "install", "TSLA")
    assert done.exit_code == 1 and "Install cron, or use --systemd" in done.stderr
