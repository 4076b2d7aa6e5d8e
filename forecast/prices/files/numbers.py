"""How prices are written: decimal marks, thousands, currency signs, 51.34M, and nothing at all."""

from __future__ import annotations

import re
from collections.abc import Iterable

from forecast.errors import DataError

NULLS = frozenset({"", "null", "nan", "na", "n/a", "#n/a", "none", "nil", "-", "--", "—", ".", "?"})
_THOUSAND_SPACES = re.compile(r"(?<=\d)[\s\u00a0\u202f'’_](?=\d{3})")
_CURRENCY = re.compile(
    r"^(?:US\$|R\$|HK\$|[$€£¥₹₩₽]|[A-Z]{3}(?=[\s\d]))\s*|\s*(?:[$€£¥₹₩₽]|(?<=[\s\d])[A-Z]{3})$"
)
_MULTIPLE = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12, "万": 1e4, "亿": 1e8, "億": 1e8}
_SIGNED, _POWER = r"(?=[+-]?[.,]?\d)[+-]?", r"(?:[eE][+-]?\d+)?"
_PLAIN = re.compile(r"\d+(?:\.\d+)?\Z", re.ASCII)  # nine cells of ten, with nothing to strip or decide
_NUMBER = {
    ".": re.compile(rf"{_SIGNED}(?:\d{{1,3}}(?:,\d{{2,3}})*,\d{{3}}|\d+)?(?:\.\d*)?{_POWER}\Z", re.ASCII),
    ",": re.compile(rf"{_SIGNED}(?:\d{{1,3}}(?:\.\d{{3}})+|\d+)?(?:,\d*)?{_POWER}\Z", re.ASCII),
}


def is_null(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.lower() in NULLS


def is_numeric(cell: str) -> bool:
    """Whether a cell is a number under one of the two decimal marks."""
    return number_from_cell(cell, ".") is not None or number_from_cell(cell, ",") is not None


def number_from_cell(cell: str, decimal: str) -> float | None:
    """The number in a cell; None where there is none.

    Args:
        cell: such as "$1,234.50", "51.34M", "1.234,5", "0,24%".
        decimal: "." or ",".
    """
    if decimal == "." and _PLAIN.match(cell):
        return float(cell)
    digits, multiple = _bare(cell)
    if not _NUMBER[decimal].match(digits):
        return None
    other = "," if decimal == "." else "."
    return float(digits.replace(other, "").replace(decimal, ".")) * multiple


def decimal_mark(cells: Iterable[str], hints: Iterable[str], where: str) -> str:
    """The decimal mark of a file, decided by all of its numbers together.

        1,234.5  348.95  51.34M  1,234,567     a point
        1.234,5  348,95  3,31B   1.234.567     a comma
        1.234    1,234                         could be either: other cells decide

    Args:
        cells: prices and volumes.
        hints: cells of other columns, asked where those do not decide.
        where: the file, for messages.

    Raises:
        DataError: if cells contradict each other, or all of them could be either.
    """
    votes: dict[str, str] = {}
    undecided: dict[str, str] = {}
    for cell in cells:
        mark, certain = _mark_of(cell if _PLAIN.match(cell) else _bare(cell)[0])
        if mark:
            (votes if certain else undecided).setdefault(mark, cell)
    if not votes and undecided:
        for cell in hints:
            mark, certain = _mark_of(_bare(cell)[0])
            if certain:
                votes.setdefault(mark, cell)
    if len(votes) == 2:
        raise DataError(
            f"{where} writes numbers in two ways: {votes['.']!r} has a decimal point, "
            f"{votes[',']!r} a decimal comma. Write them all alike."
        )
    if votes:
        return next(iter(votes))
    if "," in undecided:
        raise DataError(
            f"{where}: {undecided[',']!r} may mean thousands or a decimal comma, and no other number "
            "tells which. Write the numbers without separators of thousands."
        )
    return "."


def _mark_of(digits: str) -> tuple[str, bool]:
    """The decimal mark that a number shows, and whether that is certain; ("", False) for none."""
    point, comma = digits.count("."), digits.count(",")
    if point and comma:
        return ("." if digits.rindex(".") > digits.rindex(",") else ","), True
    if not point and not comma:
        return "", False
    mark, other = (".", ",") if point else (",", ".")
    if point + comma > 1:
        return other, True  # separators of thousands
    left, _, right = digits.lstrip("+-").partition(mark)
    ambiguous = len(right) == 3 and 1 <= len(left) <= 3 and left[0] != "0"
    return mark, not ambiguous


def _bare(cell: str) -> tuple[str, float]:
    """A cell without currency, percent sign and spaces, and the multiple that its suffix means."""
    digits = _CURRENCY.sub("", cell.strip()).rstrip("%").rstrip()
    if "\u00a0" in digits or " " in digits or "'" in digits or "’" in digits or "\u202f" in digits:
        digits = _THOUSAND_SPACES.sub("", digits)
    multiple = 1.0
    if digits[-1:].lower() in _MULTIPLE and digits[:-1].strip()[-1:].isdigit():
        multiple = _MULTIPLE[digits[-1].lower()]
        digits = digits[:-1].rstrip()
    return digits, multiple
