"""What is scheduled for a workspace, and how it is put in and taken out: by cron or by systemd."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from forecast.automation import crontab, systemd
from forecast.errors import ForecastError, UsageError


@dataclass(frozen=True)
class Change:
    """A change of the schedule that is yet to be made.

    Args:
        before, after: texts by the name of what holds them; a name that is missing holds nothing.
        apply: makes the change.
    """

    before: dict[str, str]
    after: dict[str, str]
    apply: Callable[[], None]

    @property
    def is_needed(self) -> bool:
        """False where everything is as it should be."""
        return self.before != self.after

    @property
    def diff(self) -> str:
        """What would change, as a unified diff."""
        return "\n".join(
            line
            for name in dict.fromkeys([*self.before, *self.after])
            for line in difflib.unified_diff(
                _lines(self.before.get(name)), _lines(self.after.get(name)), name, name, lineterm=""
            )
        )


def plan_cron(
    workspace: Path,
    command: Sequence[str] | None,
    *,
    every_day: bool = False,
    program: str = "crontab",
) -> Change:
    """What it takes that the user's cron runs `command`, or nothing, for a workspace.

    The former table is kept in the workspace's models folder.

    Args:
        workspace: absolute folder.
        command: words of the job; None takes the workspace's block out.
        every_day: also on Saturdays and Sundays.
        program: cron's table editor.

    Raises:
        UsageError: the workspace is no folder.
        ConfigError: a word has a control character, or the table has half a block of ours.
        ForecastError: there is no cron here, or the user may not use it.
    """
    old = crontab.load_crontab(program)
    if command is None:
        new = crontab.table_without_block(old, crontab.name_of_block(workspace))
    else:
        _check_folder(workspace)
        times = crontab.EVERY_DAY if every_day else crontab.WEEKDAYS
        new = crontab.table_with_block(old, crontab.format_block(command, workspace, times))
    backup = workspace / "models" / f"crontab-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.backup"
    return Change(
        {"crontab": old.decode(errors="backslashreplace")},
        {"crontab": new.decode(errors="backslashreplace")},
        lambda: crontab.save_crontab(old, new, backup, program),
    )


def plan_systemd(
    workspace: Path,
    command: Sequence[str] | None,
    *,
    every_day: bool = False,
    folder: Path | None = None,
    program: str = "systemctl",
) -> Change:
    """What it takes that the user's systemd runs `command`, or nothing, for a workspace.

    Args:
        workspace: absolute folder.
        command: words of the service; None takes the workspace's units out.
        every_day: also on Saturdays and Sundays.
        folder: of the user's units; systemd's own when None.
        program: systemd's front end.

    Raises:
        UsageError: the workspace is no folder.
        ConfigError: a word has a control character.
    """
    folder = folder or systemd.units_folder()
    before = systemd.load_units(workspace, folder)
    if command is None:

        def take_out() -> None:
            systemd.stop_timer(workspace, program)
            systemd.remove_units(workspace, folder)

        return Change(before, {}, take_out)
    _check_folder(workspace)
    on_calendar = systemd.ON_CALENDAR_EVERY_DAY if every_day else systemd.ON_CALENDAR
    after = systemd.make_units(command, workspace, on_calendar)

    def put_in() -> None:
        systemd.save_units(after, folder)
        try:
            systemd.start_timer(workspace, program)
        except ForecastError:
            systemd.remove_units(workspace, folder)
            systemd.save_units(before, folder)
            raise

    return Change(before, after, put_in)


def show_cron(workspace: Path, program: str = "crontab") -> str:
    """The workspace's block of the crontab; empty where there is none.

    Raises:
        ConfigError: the table has half a block of ours.
        ForecastError: there is no cron here, or the user may not use it.
    """
    return (crontab.find_block(crontab.load_crontab(program), workspace) or b"").decode()


def show_systemd(workspace: Path, folder: Path | None = None) -> str:
    """The workspace's units one after the other; empty where there are none."""
    units = systemd.load_units(workspace, folder or systemd.units_folder())
    return "\n".join(f"# {name}\n{text}" for name, text in units.items())


def _check_folder(workspace: Path) -> None:
    if not workspace.is_dir():
        raise UsageError(f"{workspace} is no folder. Name an existing one with --workspace.")


def _lines(text: str | None) -> list[str]:
    """Lines of a text that may be missing."""
    return text.removesuffix("\n").split("\n") if text else []
