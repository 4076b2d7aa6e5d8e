"""The command that a scheduler runs: one for each workspace, whoever runs it.

The command runs often and decides itself, by the exchange's calendar, whether anything is due; so
neither cron nor systemd needs to know when an exchange closes.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from forecast.errors import ConfigError

_NO_PART_OF_A_LINE = ("Cc", "Cs", "Zl", "Zp")  # control, half a pair or no UTF-8, line, paragraph


def retrain_command(
    workspace: Path, tickers: Sequence[str] = (), *, python: Path | None = None
) -> list[str]:
    """The words of the command that a scheduler runs; it needs no PATH and no current folder.

    Args:
        workspace: absolute folder.
        tickers: checked tickers; none stands for the watchlist of `forecast.toml`.
        python: absolute path of the interpreter; the present one when None.

    Raises:
        ConfigError: a word has a control character: in a table of jobs, a newline starts another.
    """
    # -P: the scheduler starts it in the home folder, which may hold a folder named `forecast`.
    interpreter = [str(python or sys.executable), "-P", "-m", "forecast"]
    words = [*interpreter, "retrain", "--workspace", str(workspace), *tickers, "--quiet"]
    for word in words:
        check_one_line(word)
    return words


def check_one_line(word: str) -> None:
    """Refuse what no scheduler's file can hold within one line of UTF-8.

    Raises:
        ConfigError: `word` has control characters, line separators or bytes that are no text.
    """
    if any(unicodedata.category(letter) in _NO_PART_OF_A_LINE for letter in word):
        raise ConfigError(
            f"{word!a} cannot be scheduled: it holds a control character, a line separator or bytes"
            " that are no UTF-8. Rename the folder."
        )
