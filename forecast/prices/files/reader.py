"""How a price file is read: header, columns, dates and numbers, each decided by the whole file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forecast.errors import DataError
from forecast.prices.checks import few_of, listed
from forecast.prices.files.columns import Column, meaning_of, read_columns
from forecast.prices.files.dates import is_date, sessions_from_cells
from forecast.prices.files.numbers import decimal_mark, is_null, is_numeric, number_from_cell
from forecast.prices.files.text import SEPARATORS, Row, read_text, split_rows
from forecast.prices.table import QUOTE_COLUMNS, Quotes

_NUMBERS = QUOTE_COLUMNS[1:]
_HEADER_LINES = 60  # titles and a header of several rows lie well within
_CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP"}


@dataclass(frozen=True)
class PriceFile:
    """What a file says.

    Args:
        quotes: its rows that have a date, in the file's order.
        lines: line number of each row, shape (n_rows,).
        currency: ISO code, where the prices carry a sign.
        notices: sentences about what was left out or assumed.
    """

    quotes: Quotes
    lines: np.ndarray
    currency: str | None
    notices: tuple[str, ...]


def read_price_file(path: Path, ticker: str, timezone: str) -> PriceFile:
    """The prices in a file, whoever wrote it.

    Args:
        path: a text file with a header; columns may be separated by , ; tab or |.
        ticker: which columns or rows to take where the file holds several.
        timezone: IANA name of the exchange's time zone, for stamps in UTC.

    Raises:
        DataError: if it is no such file, or its meaning cannot be decided; with path and line.
    """
    columns, body = _find_table(read_text(path), path)
    chosen, notices = _choose_columns(columns, body, ticker, path)
    if not body:
        raise DataError(f"{path} has a header and no rows.")
    rows, dropped = _full_rows(body, columns, path)
    rows, which = _rows_of_ticker(rows, columns, ticker, path)
    return _read_rows(rows, chosen, columns, timezone, path, (*notices, *dropped, *which))


def _find_table(text: str, path: Path) -> tuple[list[Column], list[Row]]:
    """Columns and rows under the separator whose header means the most."""
    beginning = "\n".join(text.splitlines()[:_HEADER_LINES])
    found = [(*_read_beginning(beginning, separator), separator) for separator in SEPARATORS]
    columns, n_header, separator = max(found, key=lambda one: _n_known(one[0]))
    if not any(column.field == "date" for column in columns):
        raise DataError(_no_header_message(text, path))
    try:
        return columns, split_rows(text, separator)[n_header:]
    except csv.Error as error:
        raise DataError(f"{path} cannot be split into columns: {error}.") from None


def _n_known(columns: list[Column]) -> tuple[int, int]:
    """How many columns have a known meaning, and how many there are."""
    return sum(column.field is not None for column in columns), len(columns)


def _read_beginning(text: str, separator: str) -> tuple[list[Column], int]:
    """The columns that a header describes under one separator, and how many rows it has."""
    try:
        rows = split_rows(text, separator)
    except csv.Error:  # quotes that make no sense under this separator
        return [], 0
    n_header = next((i for i, row in enumerate(rows) if _is_data(row.cells)), len(rows))
    return _read_header(rows[:n_header], rows[n_header:]), n_header


def _is_data(cells: list[str]) -> bool:
    """Whether a row is a date with numbers, and no part of a header."""
    dates = [is_date(cell) for cell in cells]
    others = [cell for cell, dated in zip(cells, dates, strict=True) if not dated]
    values = [cell for cell in others if is_null(cell) or is_numeric(cell)]
    return any(dates) and (bool(values) or len(cells) == 1) and 2 * len(values) >= len(others) - 1


def _read_header(header: list[Row], body: list[Row]) -> list[Column]:
    """The columns of a header of one row, or of several rows as pandas writes them."""
    cells = [row.cells for row in header if len([cell for cell in row.cells if cell]) > 1]
    last = [row.cells for row in header[-1:]]
    if last and meaning_of(last[0][0])[0] == "date" and last[0] not in cells:
        cells += last  # "Date,,,,," below the two levels
    if not cells:
        return []
    if body and all(len(row.cells) == len(cells[-1]) + 1 for row in body):
        cells = [["", *row] for row in cells]  # row names without a header, as R writes them
    alone = read_columns(cells[-1:])
    names = [column.field for column in alone if column.field and not column.label]
    columns = alone if "close" in names and len(set(names)) == len(names) else read_columns(cells)
    return _with_index(columns, body)


def _with_index(columns: list[Column], body: list[Row]) -> list[Column]:
    """The same columns, the first nameless one taken for the date where no other is."""
    if any(column.field == "date" for column in columns) or not body:
        return columns
    first = columns[0]
    if first.name.lower() in ("", "index", "unnamed: 0") and is_date(body[0].cells[0]):
        return [Column(0, first.name, "date", 0, ""), *columns[1:]]
    return columns


def _choose_columns(
    columns: list[Column], body: list[Row], ticker: str, path: Path
) -> tuple[dict[str, Column], list[str]]:
    """One column for each field of `Quotes` that the file has, and what to tell about it."""
    chosen: dict[str, Column] = {}
    notices: list[str] = []
    labelled = not any(column.field == "close" and not column.label for column in columns)
    for field in ("date", *_NUMBERS):
        candidates = [column for column in columns if column.field == field]
        plain = [column for column in candidates if not column.label]
        if plain:
            chosen[field] = _best(plain, path)
        elif candidates and labelled:  # else "Volume BTC" beside a plain "Close" is no ticker's
            chosen[field] = _labelled(candidates, ticker, path)
    label = chosen["close"].label if "close" in chosen else ""
    if label and label.upper() != ticker:
        notices.append(f"The file calls it {label[:40]!r}, not {ticker}.")
    if "close" not in chosen and "adj_close" in chosen:
        chosen["close"] = chosen["adj_close"]
    if "close" not in chosen:
        chosen["close"], notice = _close_by_name(columns, body, ticker, path)
        notices += notice
    return chosen, notices


def _best(columns: list[Column], path: Path) -> Column:
    """The column whose name says the most; two of the same name are refused."""
    best = min(columns, key=lambda column: column.rank)
    twins = [column for column in columns if column.name.lower() == best.name.lower()]
    if len(twins) > 1:
        raise DataError(f"{path} has {len(twins)} columns named {best.name!r}: keep one of them.")
    return best


def _labelled(columns: list[Column], ticker: str, path: Path) -> Column:
    """The column of one field that names the ticker, or the only one there is."""
    labels = {column.label for column in columns}
    mine = [column for column in columns if column.label.upper() == ticker]
    if mine or len(labels) == 1:
        return (mine or columns)[0]
    raise DataError(
        f"{path} holds {len(labels)} tickers, and {ticker} is not among them: {listed(sorted(labels))}. "
        "Name one of them as the ticker."
    )


def _close_by_name(
    columns: list[Column], body: list[Row], ticker: str, path: Path
) -> tuple[Column, list[str]]:
    """The closes in a table of one column a ticker, or of one column at all."""
    unnamed = [column for column in columns if column.field is None and column.label]
    mine = [column for column in unnamed if column.label.upper() == ticker]
    if mine:
        return mine[0], []
    numeric = [c for c in unnamed if all(_numeric_or_null(row.cells, c.index) for row in body[:50])]
    known = [column.field for column in columns if column.field in _NUMBERS]
    if len(numeric) == 1 and not known and body:
        return numeric[0], [f"The only column, {numeric[0].name!r}, was taken for the close."]
    if numeric and not known:
        raise DataError(
            f"{path} has one column a ticker, and none for {ticker}: "
            f"{listed(column.name for column in numeric)}. Name one of them as the ticker."
        )
    raise DataError(
        f"{path} has no column for the close; its columns are "
        f"{listed(column.name for column in columns)}. Name one Close."
    )


def _numeric_or_null(cells: list[str], index: int) -> bool:
    return index >= len(cells) or is_null(cells[index]) or is_numeric(cells[index])


def _full_rows(body: list[Row], columns: list[Column], path: Path) -> tuple[list[Row], list[str]]:
    """Rows padded to the header's width; few wider ones are left out, many are an error."""
    width = len(columns)
    wide = [row.line for row in body if any(row.cells[width:])]
    if len(wide) > few_of(len(body)):
        cells = next(row.cells for row in body if row.line == wide[0])
        raise DataError(
            f"{path}, line {wide[0]}: {len(cells)} cells under {width} columns, and so in "
            f"{len(wide)} of {len(body)} rows. Numbers with a comma need quotes where a comma "
            "separates the columns."
        )
    rows = [
        Row(row.line, (row.cells + [""] * width)[:width])
        for row in body
        if not any(row.cells[width:])
    ]
    return rows, _left_out(wide, "more cells than the header")


def _rows_of_ticker(
    rows: list[Row], columns: list[Column], ticker: str, path: Path
) -> tuple[list[Row], list[str]]:
    """The rows of one ticker, where a column says whose row it is."""
    symbols = [column for column in columns if column.field == "symbol" and not column.label]
    if not symbols:
        return rows, []
    index = min(symbols, key=lambda column: column.rank).index
    names = {row.cells[index] for row in rows} - {""}
    mine = [row for row in rows if row.cells[index].upper() == ticker]
    if mine and len(names) > 1:
        return mine, [f"{len(mine)} of {len(rows)} rows are those of {ticker}."]
    if len(names) > 1:
        raise DataError(
            f"{path} holds {len(names)} tickers, and {ticker} is not among them: {listed(sorted(names))}. "
            "Name one of them as the ticker."
        )
    foreign = [name for name in names if name.upper() != ticker]
    return rows, [f"The file calls it {name[:40]!r}, not {ticker}." for name in foreign]


def _read_rows(
    rows: list[Row],
    chosen: dict[str, Column],
    columns: list[Column],
    timezone: str,
    path: Path,
    notices: tuple[str, ...],
) -> PriceFile:
    """Cells to dates and numbers; few unreadable rows are left out, many are an error."""
    if not rows:
        raise DataError(f"{path} has no rows with prices.")
    lines = [row.line for row in rows]
    dates = [row.cells[chosen["date"].index] for row in rows]
    sessions = sessions_from_cells(dates, lines, timezone, str(path))
    numbers, unreadable = _read_numbers(rows, chosen, columns, path)
    for i in np.flatnonzero(np.isnat(sessions)):
        unreadable.setdefault(int(i), dates[i])
    if len(unreadable) > few_of(len(rows)) or len(unreadable) == len(rows):
        first = min(unreadable)
        raise DataError(
            f"{path}, line {lines[first]}: {unreadable[first][:60]!r} is neither a date nor a number "
            f"where one is expected, and so in {len(unreadable)} of {len(rows)} rows."
        )
    kept = np.array([i for i in range(len(rows)) if i not in unreadable], dtype=int)
    left_out = _left_out([lines[i] for i in sorted(unreadable)], "a cell that cannot be read")
    numbers["splits"][numbers["splits"] == 1.0] = 0.0  # one new share for one old is no split
    quotes = Quotes.of(sessions, **numbers)
    return PriceFile(
        quotes.rows(kept),
        np.array(lines, dtype=int)[kept],
        _currency([row.cells[chosen["close"].index] for row in rows[:1]]),
        (*notices, *left_out),
    )


def _read_numbers(
    rows: list[Row], chosen: dict[str, Column], columns: list[Column], path: Path
) -> tuple[dict[str, np.ndarray], dict[int, str]]:
    """Every numeric field, shape (n_rows,), NaN where empty; and {row: cell} that are no numbers."""
    taken = {column.index for column in chosen.values()}
    read = [chosen[field].index for field in _NUMBERS if field in chosen]
    others = [column.index for column in columns if column.index not in taken]
    mark = decimal_mark(
        (row.cells[i] for i in read for row in rows),
        (row.cells[i] for i in others for row in rows if is_numeric(row.cells[i])),
        str(path),
    )
    numbers, unreadable = {}, {}
    for field in _NUMBERS:
        numbers[field] = np.full(len(rows), np.nan)
        for i, row in enumerate(rows if field in chosen else ()):
            cell = row.cells[chosen[field].index]
            value = None if is_null(cell) else number_from_cell(cell, mark)
            if value is not None:
                numbers[field][i] = value
            elif not is_null(cell):
                unreadable.setdefault(i, cell)
    return numbers, unreadable


def _currency(cells: list[str]) -> str | None:
    """The currency whose sign stands before the first price."""
    return next((_CURRENCIES.get(cell[:1]) for cell in cells), None)


def _left_out(lines: list[int], reason: str) -> list[str]:
    """A sentence about rows that were left out; none where there are none."""
    if not lines:
        return []
    rows = "1 row was" if len(lines) == 1 else f"{len(lines)} rows were"
    return [f"{rows} left out for {reason}: line {listed(map(str, lines))}."]


def _no_header_message(text: str, path: Path) -> str:
    """Why no table was found, with the line that should have been a header."""
    first = next(line for line in text.splitlines() if line.strip())
    if _is_data(first.split(",")):
        return f"{path}, line 1: there is no header. Add one: Date,Open,High,Low,Close,Volume."
    return (
        f"{path}: no line names a column of dates and one of prices; it begins with {first[:60]!r}. "
        "Name the columns Date,Open,High,Low,Close,Volume."
    )
