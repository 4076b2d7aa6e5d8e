"""What stands in the blocks of the README and of the pages in docs/: commands to type, code to run."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("forecast", "make", "pip", "python", "python3", "dask", "apt-get", "git", ".venv/bin/python")


def blocks_of(page: Path) -> list[str]:
    """The indented blocks of a page, in their order."""
    return [
        textwrap.dedent(block).strip("\n") + "\n"
        for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", page.read_text(encoding="utf-8"), flags=re.M)
    ]


def commands_of(page: Path) -> list[str]:
    """Everything that a page lets its reader type, in order, without the remarks behind two spaces.

    A block that begins with a program's name holds nothing but commands; what is indented in it goes on with a remark.
    """
    lines = [
        line.removeprefix("$ ")
        for block in blocks_of(page)
        if block.removeprefix("$ ").split(" ", 1)[0] in PROGRAMS
        for line in block.splitlines()
        if line.strip() and not line.startswith(" ")
    ]
    return [re.split(r"  +", line, maxsplit=1)[0] for line in lines]
