"""The user's cron table: how our marked block comes into it and out again, every other byte kept.

    MAILTO=me@example.org                    not ours: never touched
    0 7 * * * backup %% whatever
    # >>> forecast /home/me/stocks           our block: one for each workspace, at the end
    10,40 * * * 1-5 /.../python -P -m forecast retrain --workspace /home/me/stocks --quiet
    # <<< forecast /home/me/stocks
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from forecast.automation.command import check_one_line
from forecast.errors import ConfigError, ForecastError, TryAgainLater

# Twice an hour, ten minutes after the full and the half, when exchanges close. Days are numbers,
# since names in ranges are not portable; Friday's session of an exchange further west, which ends
# on Saturday here, is found on Monday, before the session that its forecast speaks of.
WEEKDAYS, EVERY_DAY = "10,40 * * * 1-5", "10,40 * * * *"

_OPENING, _CLOSING = b"# >>> forecast", b"# <<< forecast"
_NO_NEWLINE = b"# The table above did not end with a newline.\n"


def format_block(command: Sequence[str], workspace: Path, times: str = WEEKDAYS) -> bytes:
    """Our block: two markers that name the workspace, and a job between them.

    Args:
        command: words of the job.
        workspace: absolute folder.
        times: cron's five fields.

    Raises:
        ConfigError: a word has a control character.
    """
    name = name_of_block(workspace)
    job = f"{times} {format_job(command)}".encode()
    return b"".join([_OPENING, name, b"\n", job, b"\n", _CLOSING, name, b"\n"])


def format_job(command: Sequence[str]) -> str:
    r"""The command as cron reads it: quoted for /bin/sh, every `%` as `\%`.

    Crons differ in what they make of a backslash before another one. None comes to stand there:
    after each backslash (shlex leaves them inside single quotes only) the quotes are closed and
    opened again.

    Raises:
        ConfigError: a word has a control character.
    """
    for word in command:
        check_one_line(word)
    return shlex.join(command).replace("\\", "\\''").replace("%", "\\%")


def table_with_block(table: bytes, block: bytes) -> bytes:
    """The table with `block` at its end, in place of the block of the same name.

    Raises:
        ConfigError: the table has an opening marker without its end.
    """
    rest = table_without_block(table, _name(block.splitlines()[0], _OPENING))
    if not rest or rest.endswith(b"\n"):
        return rest + block
    opening, job = block.split(b"\n", 1)
    return rest + b"\n" + opening + b"\n" + _NO_NEWLINE + job


def table_without_block(table: bytes, name: bytes | None = None) -> bytes:
    """The table without the block of that name, as it was before; without all of ours when None.

    Raises:
        ConfigError: the table has an opening marker without its end.
    """
    lines = _lines(table)
    for start, stop, found in reversed(_blocks(lines)):
        if name in (None, found):
            newline_is_ours = lines[start + 1] == _NO_NEWLINE and stop == len(lines)
            del lines[start:stop]
            if newline_is_ours:
                lines[-1] = lines[-1].removesuffix(b"\n")
    return b"".join(lines)


def find_block(table: bytes, workspace: Path) -> bytes | None:
    """The block of a workspace as it stands in the table, or None.

    Raises:
        ConfigError: the table has an opening marker without its end.
    """
    lines = _lines(table)
    name = name_of_block(workspace)
    found = [b"".join(lines[start:stop]) for start, stop, other in _blocks(lines) if other == name]
    return found[-1] if found else None


def name_of_block(workspace: Path) -> bytes:
    """What the markers of a workspace's block say after `forecast`.

    Raises:
        ConfigError: the path has a control character.
    """
    check_one_line(str(workspace))
    return b" " + shlex.quote(str(workspace)).encode()


def _lines(table: bytes) -> list[bytes]:
    """The table's lines with their ends; only a newline ends one."""
    return re.findall(rb"[^\n]*\n|[^\n]+", table)


def _blocks(lines: list[bytes]) -> list[tuple[int, int, bytes]]:
    """(first line, line after the last, name) of each of our blocks."""
    blocks, opened = [], None
    for number, line in enumerate(lines):
        if _name(line, _OPENING) is not None:
            if opened is not None:
                break
            opened = number
        elif opened is not None and _name(line, _CLOSING) == _name(lines[opened], _OPENING):
            blocks.append((opened, number + 1, _name(line, _CLOSING)))
            opened = None
    if opened is not None:
        marker = lines[opened].decode(errors="replace").strip()
        raise ConfigError(
            f"Line {opened + 1} of the crontab, {marker!r}, opens a block that is never closed."
            " Take the line and the job below it out with `crontab -e`."
        )
    return blocks


def _name(line: bytes, marker: bytes) -> bytes | None:
    """What follows the marker in a marker's line; None in any other line."""
    line = line.rstrip(b"\r\n")
    name = line.removeprefix(marker)
    return name if line.startswith(marker) and name[:1] in (b"", b" ") else None


def load_crontab(program: str = "crontab") -> bytes:
    """The user's table; empty where there is none.

    Raises:
        ForecastError: there is no cron here, or the user may not use it.
    """
    done = _run([program, "-l"])
    if done.returncode == 0:
        return done.stdout
    if b"no crontab" in done.stderr:
        return b""
    raise ForecastError(f"`{program} -l` failed: {_said(done)}.")


def save_crontab(old: bytes, new: bytes, backup: Path, program: str = "crontab") -> None:
    """Replace the user's table `old` by `new`, keep `old` in a file, and read `new` back.

    Args:
        old: the table that `new` was made from.
        new: the table to install.
        backup: a new file.
        program: cron's table editor.

    Raises:
        TryAgainLater: the table is no longer `old`; nothing was changed.
        ForecastError: cron refuses the table, or keeps another one than it was given.
    """
    if load_crontab(program) != old:
        raise TryAgainLater("Somebody else changed the crontab just now; run it again.")
    backup.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(old)
    with _in_a_file(new) as path:
        option = _option_for_a_check(program)
        if option:
            _run_or_raise([program, option, path], "refuses the table; nothing was changed")
        _run_or_raise([program, path], f"failed; the former table is in {backup}")
    if load_crontab(program) != new:
        raise ForecastError(
            f"`{program}` keeps another table than it was given; the former one is in {backup}."
            f" To go back: crontab {shlex.quote(str(backup))}"
        )


def _option_for_a_check(program: str) -> str | None:
    """What makes this cron check a table only; `-n` means something else in cronie, so ask."""
    usage = _run([program, "-h"])
    text = usage.stdout + usage.stderr
    if b"dry run" in text:
        return "-n"
    return "-T" if b"test a crontab" in text else None


def _run_or_raise(command: list[str], verdict: str) -> None:
    done = _run(command)
    if done.returncode != 0:
        raise ForecastError(f"`{command[0]}` {verdict}: {_said(done)}.")


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run cron's program in English, since what it says must be understood."""
    environment = os.environ | {"LC_ALL": "C"}
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False
        )
    except OSError as error:
        raise ForecastError(
            f"`{command[0]}` cannot be run: {error.strerror}. Install cron, or use --systemd."
        ) from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    words = done.stderr.decode(errors="replace").split()
    return " ".join(words).rstrip(".") or f"exit code {done.returncode}"


@contextmanager
def _in_a_file(table: bytes) -> Iterator[str]:
    """The path of a private file that holds the table for a while."""
    with tempfile.NamedTemporaryFile(prefix="crontab-") as file:
        file.write(table)
        file.flush()
        yield file.name
