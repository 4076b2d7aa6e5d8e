import os
import shutil
import subprocess
from pathlib import Path

import pytest

from forecast.automation.command import retrain_command
from forecast.automation.systemd import (
    ON_CALENDAR,
    ON_CALENDAR_EVERY_DAY,
    format_service,
    format_timer,
    load_units,
    save_units,
    start_timer,
    stop_timer,
    unit_name,
    units_folder,
)
from forecast.errors import ConfigError, ForecastError

NASTY = """100 % "mine" & 'yours' $HOME ${HOME} \\n %h; `x` ü"""
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def unquoted(line: str) -> list[str]:
    """The words that systemd makes of a command line, by its own documentation."""
    words, word, inside, letters = [], "", False, iter(line)
    for letter in letters:
        if letter == "\\":
            word += next(letters)
        elif letter == '"':
            inside = not inside
        elif letter == " " and not inside:
            words, word = [*words, word], ""
        elif letter == "%":
            assert next(letters) == "%", "a specifier"
            word += "%"
        else:
            word += letter
    return [*words, word]


def units_of(workspace: Path, python: Path) -> dict[str, str]:
    command = retrain_command(workspace, ["TSLA"], python=python)
    name = unit_name(workspace)
    return {
        f"{name}.service": format_service(command, workspace),
        f"{name}.timer": format_timer(workspace),
    }


def command_line(service: str) -> list[str]:
    (line,) = [line for line in service.splitlines() if line.startswith("ExecStart=")]
    assert line.startswith("ExecStart=:")  # the colon keeps systemd from reading variables
    return unquoted(line.removeprefix("ExecStart=:"))


def test_command_line_holds_every_word_as_it_was():
    command = ["/usr/bin/python", NASTY, "", "a\\", '"', "%%"]
    assert command_line(format_service(command, Path("/w")))[3:] == command


def test_program_is_started_from_a_folder_with_blanks_percent_signs_and_quotes(tmp_path):
    workspace, said = tmp_path / NASTY, tmp_path / "said"
    workspace.mkdir()
    python = workspace / "python"
    python.write_text(f"""#!/bin/sh\nprintf '%s\\n' "$0" "$@" > {said}\n""")
    python.chmod(0o755)
    command = retrain_command(workspace, ["^GSPC"], python=python)
    subprocess.run(command_line(format_service(command, workspace)), check=True, env={}, cwd="/")
    assert said.read_text().splitlines() == command


@needs_systemd
def test_systemd_accepts_the_units_and_no_broken_one(tmp_path):
    save_units(units_of(tmp_path / NASTY, tmp_path / NASTY / "python"), tmp_path / "units")
    paths = sorted(str(path) for path in (tmp_path / "units").iterdir())
    verify = ["systemd-analyze", "--user", "verify", "--man=no", *paths]
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(verify, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "forecast-" not in done.stderr
    with open(paths[0], "a") as service:
        service.write("ExecStart=relative/path\n")
    done = subprocess.run(verify, capture_output=True, text=True, env=environment)
    assert done.returncode != 0 and "relative/path" in done.stderr


@needs_systemd
@pytest.mark.parametrize("on_calendar", [ON_CALENDAR, ON_CALENDAR_EVERY_DAY])
def test_systemd_understands_the_times(on_calendar):
    done = subprocess.run(["systemd-analyze", "calendar", on_calendar], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_timer_makes_up_for_a_missed_start():
    lines = format_timer(Path("/home/me/stocks")).splitlines()
    assert "OnCalendar=Mon..Fri 18..23:10,40 America/New_York" in lines
    assert "Persistent=true" in lines


def test_another_retraining_at_work_is_no_failed_unit():
    assert "SuccessExitStatus=75" in format_service(["/bin/true"], Path("/w")).splitlines()


def test_units_are_kept_apart_by_workspace(tmp_path):
    one, two = Path("/one"), Path("/two")
    save_units(units_of(one, Path("/python")), tmp_path / "user")
    assert load_units(one, tmp_path / "user") == units_of(one, Path("/python"))
    assert load_units(two, tmp_path / "user") == {}


def test_control_characters_are_refused():
    with pytest.raises(ConfigError, match="cannot be scheduled"):
        format_service(["/bin/true", "a\nExecStart=/bin/rm"], Path("/w"))
    with pytest.raises(ConfigError, match="cannot be scheduled"):
        format_timer(Path("/a\n[Service]"))


def test_units_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/me")
    assert units_folder() == Path("/etc/me/systemd/user")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert units_folder() == Path("/home/me/.config/systemd/user")


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "user").write_text("a file")
    with pytest.raises(ForecastError, match="user cannot be written"):
        save_units({"a.timer": ""}, tmp_path / "user")


def test_timer_is_started_and_stopped_through_systemctl(tmp_path):
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\n')
    program.chmod(0o755)
    start_timer(Path("/w"), str(program))
    stop_timer(Path("/w"), str(program))
    timer = f"{unit_name(Path('/w'))}.timer"
    said = ["daemon-reload", f"enable --now {timer}", f"disable --now {timer}"]
    assert (tmp_path / "said").read_text().splitlines() == [f"--user {words}" for words in said]


def test_systemd_that_says_no_is_quoted(tmp_path):
    program = tmp_path / "systemctl"
    program.write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(ForecastError, match="daemon-reload` failed: Failed to connect to bus"):
        start_timer(Path("/w"), str(program))
    with pytest.raises(ForecastError, match="cannot be run"):
        start_timer(Path("/w"), str(tmp_path / "absent"))
