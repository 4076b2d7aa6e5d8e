"""How results, notices and errors are printed: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on stdout."""
    json.dump(document, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def print_text(text: str) -> None:
    """A paragraph of the result on stdout, wrapped to the terminal."""
    from rich.console import Console

    Console().print(plain(text), markup=False, highlight=False)


def print_path(path: Path) -> None:
    """A path on stdout, on one line whatever the terminal's width: it is there to be copied."""
    print(plain(str(path)))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> None:
    """A table on stdout; the first column is text, the others are figures. `**x**` marks the best of a column."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=escape(plain(title)) or None,
        caption=escape(plain(caption)) or None,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for number, column in enumerate(columns):
        table.add_column(escape(column), justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(_cell(text) for text in row))
    Console().print(table)


def print_pairs(rows: Sequence[tuple[str, str]]) -> None:
    """Names and what they stand for, in two columns on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows:
        table.add_row(_cell(name), _cell(value))
    Console().print(table)


def print_notice(sentence: str) -> None:
    """A sentence on stderr."""
    print(plain(sentence), file=sys.stderr)


def print_error(sentence: str) -> None:
    """An error on stderr."""
    print(f"forecast: {plain(sentence)}", file=sys.stderr)


def plain(text: str) -> str:
    """Text from anywhere without control characters, which a terminal would obey."""
    return "".join(letter for letter in text if letter.isprintable() or letter == "\n")


def _cell(text: str):
    """A cell without markup of its own; the best of its column is bold and starred."""
    from rich.text import Text

    if text.startswith("**"):
        return Text(plain(text.strip("*")) + "*", style="bold")
    return Text(plain(text))
