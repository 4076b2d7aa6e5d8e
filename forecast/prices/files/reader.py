"""Price files as people have them, read into quotes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from forecast.errors import DataError
from forecast.prices.table import Quotes


def read_quotes(path: Path, ticker: str) -> tuple[Quotes, tuple[str, ...]]:
    """The rows of a price file, oldest first, and notices about it."""
    try:
        text = Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    rows = list(csv.DictReader(text.splitlines()))
    names = ("Open", "High", "Low", "Close", "Adj Close", "Volume")
    columns = [np.array([float(row.get(name) or "nan") for row in rows]) for name in names]
    quotes = Quotes(np.array([row["Date"][:10] for row in rows], dtype="datetime64[D]"), *columns)
    return quotes.rows(np.isfinite(quotes.close)), ()
