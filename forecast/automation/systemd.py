"""The user's systemd: how a service and a timer run the scheduled command.

Source: systemd.service(5) "Command lines", systemd.syntax(7) "Quoting", systemd.time(7).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from forecast.automation.command import check_one_line
from forecast.errors import ForecastError, TryAgainLater

# Every half hour of New York's evening: all other exchanges have closed by then and not opened
# again, and a night without network leaves more than one try.
ON_CALENDAR = "Mon..Fri 18..23:10,40 America/New_York"
ON_CALENDAR_EVERY_DAY = "18..23:10,40 America/New_York"


def unit_name(workspace: Path) -> str:
    """The name of a workspace's units, without their ending."""
    return f"forecast-{hashlib.sha256(os.fsencode(workspace)).hexdigest()[:8]}"


def format_service(command: Sequence[str], workspace: Path) -> str:
    """The unit that runs the command once.

    Args:
        command: words, the first an absolute path.
        workspace: absolute folder.

    Raises:
        ConfigError: a word has a control character.
    """
    # systemd starts no program with a quote in its path; a shell does. The colon leaves it the `$`.
    # Exit code 75: another retraining is at work, which is no failure.
    words = ["/bin/sh", "-c", 'exec "$0" "$@"', *command]
    return f"""[Unit]
Description=Retrain the forecasts in {_escaped(str(workspace))}

[Service]
Type=oneshot
ExecStart=:{" ".join(map(_quoted, words))}
SuccessExitStatus={TryAgainLater.exit_code}
"""


def format_timer(workspace: Path, on_calendar: str = ON_CALENDAR) -> str:
    """The unit that starts the service of the same name; a missed start is made up for.

    Raises:
        ConfigError: the workspace's path has a control character.
    """
    return f"""[Unit]
Description=When to retrain the forecasts in {_escaped(str(workspace))}

[Timer]
OnCalendar={on_calendar}
Persistent=true

[Install]
WantedBy=timers.target
"""


def units_folder() -> Path:
    """Where a user's units are kept."""
    configuration = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(configuration) / "systemd" / "user"


def make_units(command: Sequence[str], workspace: Path, on_calendar: str) -> dict[str, str]:
    """Service and timer of a workspace, text by file name.

    Raises:
        ConfigError: a word has a control character.
    """
    name = unit_name(workspace)
    return {
        f"{name}.service": format_service(command, workspace),
        f"{name}.timer": format_timer(workspace, on_calendar),
    }


def load_units(workspace: Path, folder: Path) -> dict[str, str]:
    """The workspace's units that stand in the folder, text by file name."""
    paths = [folder / f"{unit_name(workspace)}.{ending}" for ending in ("service", "timer")]
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.exists()}


def save_units(units: dict[str, str], folder: Path) -> None:
    """Write units, text by file name, into the folder.

    Raises:
        ForecastError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in units.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ForecastError(f"{folder} cannot be written: {error.strerror}.") from error


def remove_units(workspace: Path, folder: Path) -> None:
    """Delete the workspace's units from the folder."""
    for name in load_units(workspace, folder):
        (folder / name).unlink(missing_ok=True)


def start_timer(workspace: Path, program: str = "systemctl") -> None:
    """Let systemd read the units and start the timer, now and after each login.

    Raises:
        ForecastError: systemd is not there, or says no.
    """
    _run(program, "daemon-reload")
    _run(program, "enable", "--now", f"{unit_name(workspace)}.timer")


def stop_timer(workspace: Path, program: str = "systemctl") -> None:
    """Stop the timer, now and after each login.

    Raises:
        ForecastError: systemd is not there, or says no.
    """
    _run(program, "disable", "--now", f"{unit_name(workspace)}.timer")


def _run(program: str, *words: str) -> None:
    command = [program, "--user", *words]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise ForecastError(f"`{program}` cannot be run: {error.strerror}. Use cron.") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split()).rstrip(".")
        raise ForecastError(
            f"`{' '.join(command)}` failed: {said or f'exit code {done.returncode}'}."
        )


def _escaped(text: str) -> str:
    """Text of a unit file in which `%` starts no specifier."""
    check_one_line(text)
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """One word of a command line."""
    return '"' + _escaped(word).replace("\\", "\\\\").replace('"', '\\"') + '"'
