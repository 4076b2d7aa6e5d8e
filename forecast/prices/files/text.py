"""How the bytes of a file become rows of cells: encodings, separators, and what is no table."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from forecast.errors import DataError

MAX_BYTES = 64 * 2**20  # a century of daily bars of one ticker is 2 MB
SEPARATORS = (",", ";", "\t", "|")
_FOREIGN = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive: save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save the sheet as CSV"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"PAR1", "a Parquet file: write it as CSV"),
    (b"%PDF", "a PDF"),
)


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        line: its number in the file, from 1.
        cells: stripped of spaces around them.
    """

    line: int
    cells: list[str]


def read_text(path: Path) -> str:
    """The text of a file, whatever its encoding.

    Raises:
        DataError: if it cannot be read, is too large, or is not text.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > MAX_BYTES:
        raise DataError(f"{path} has more than {MAX_BYTES >> 20} MB: it is no file of daily prices.")
    text = _decode(content, path)
    start = text.lstrip()[:15].lower()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        raise DataError(f"{path} is a web page, not a table: download the file behind the page.")
    if start.startswith(("{", "[{", "[[")):
        raise DataError(f"{path} is JSON, not a table: write it as CSV.")
    if not start:
        raise DataError(f"{path} is empty.")
    return text


def split_rows(text: str, separator: str) -> list[Row]:
    """The rows that are not blank, split at a separator.

    Raises:
        csv.Error: if the quotes in the text make no sense.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows = []
    for cells in reader:
        cells = [cell.strip() for cell in cells]
        if any(cells) and not cells[0].lower().startswith("sep="):  # Excel's own hint
            rows.append(Row(reader.line_num, cells))
    return rows


def _decode(content: bytes, path: Path) -> str:
    """Text by its byte order mark, else UTF-8, else the Western European code page."""
    for magic, what in _FOREIGN:
        if content.startswith(magic):
            raise DataError(f"{path} is {what}.")
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16")
        if b"\0" in content:
            raise DataError(f"{path} is not text: it holds zero bytes.")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
