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


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "", dropped: Sequence[int] = ()
) -> None:
    """A table on stdout; the first column is text, the others are figures. `**x**` marks the best of a column.

    No figure is ever cut. Where the terminal is too narrow, headings break at their spaces, and then columns are left
    out, which the caption says.

    Args:
        title, caption: around it; nothing where empty.
        columns: headings.
        rows: a text for each column.
        dropped: numbers of the columns that are left out first, in that order; then, and where empty, the last ones.
    """
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    console = Console()
    columns, kept = _fitted(columns, rows, dropped, console.width)
    left_out = [columns[number].replace("\n", " ") for number in range(len(columns)) if number not in kept and columns[number]]
    if left_out:
        caption = f"{caption + '; ' if caption else ''}no room here for: {', '.join(left_out)}"
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for number in kept:
        table.add_column(escape(columns[number]), justify="left" if number == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(row[number]) for number in kept))
    if title:
        console.print(Text(plain(title), style="italic"))
    console.print(table)
    if caption:
        console.print(Text(plain(caption), style="dim"))


def _fitted(
    columns: Sequence[str], rows: Sequence[Sequence[str]], dropped: Sequence[int], width: int
) -> tuple[Sequence[str], list[int]]:
    """The headings, broken where that is needed, and the numbers of the columns that fit into a width."""
    from rich.cells import cell_len

    kept = list(range(len(columns)))
    longest = [max((cell_len(_cell(row[n]).plain) for row in rows), default=0) for n in kept]

    def widths(headings: Sequence[str]) -> list[int]:
        return [max(longest[n], *map(cell_len, headings[n].split("\n"))) for n in kept]

    def is_too_wide(headings: Sequence[str]) -> bool:
        return sum(widths(headings)) + 2 * (len(kept) - 1) > width

    if is_too_wide(columns):
        broken = ["\n".join(column.rsplit(" ", 1)) for column in columns]
        columns = [after if wide > least else before for before, after, wide, least in zip(columns, broken, widths(columns), longest)]
    for number in (*dropped, *(n for n in reversed(kept) if n not in dropped)):
        if number == 0 or not is_too_wide(columns):
            break
        kept.remove(number)
    return columns, kept


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
