"""How a snapshot is written down: a CSV of prices, a JSON file of what is known of them, one hash for both."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from forecast.prices.table import QUOTE_COLUMNS, Listing, Quotes

SCHEMA = 1
_HEADER = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits"
_UNHASHED = ("sha256", "fetched_at")  # the same content fetched twice is one snapshot


@dataclass(frozen=True)
class Snapshot:
    """What is known of one stored download besides its prices.

    Args:
        ticker, source, listing, simulated: as in `Prices`.
        n_sessions: number of rows.
        first, last: ISO dates of the oldest and newest session.
        notices: sentences about what was dropped on the way in.
        missing: ISO dates on which the exchange was open and the source has no row.
        anomalies: sentences about rows that were kept and look odd.
        fetched_at: when it was downloaded or read, UTC.
        sha256: hash of the CSV file and of everything above, the snapshot's name.
    """

    ticker: str
    source: str
    listing: Listing
    n_sessions: int
    first: str
    last: str
    simulated: bool = False
    notices: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    anomalies: tuple[str, ...] = ()
    fetched_at: datetime = field(default=datetime.min.replace(tzinfo=UTC))
    sha256: str = ""


def quotes_from_csv(content: bytes) -> Quotes:
    """Rows from a snapshot's CSV; inverse of `csv_from_quotes`."""
    rows = list(csv.reader(io.StringIO(content.decode("ascii"))))[1:]
    columns = list(zip(*rows, strict=True))
    numbers = [np.array([float(cell or "nan") for cell in column]) for column in columns[1:]]
    return Quotes(np.array(columns[0], dtype="datetime64[D]"), *numbers)


def csv_from_quotes(quotes: Quotes) -> bytes:
    """A snapshot's CSV; every number has the digits that bring back the same float64."""
    columns = [np.datetime_as_string(quotes.sessions).tolist()]
    for name in QUOTE_COLUMNS[1:]:
        columns.append([_format_number(value) for value in getattr(quotes, name).tolist()])
    lines = [_HEADER, *(",".join(row) for row in zip(*columns, strict=True))]
    return ("\n".join(lines) + "\n").encode("ascii")


def _format_number(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)


def sha256_of(content: bytes, document: dict) -> str:
    """The name of a snapshot: hash of its CSV and of its description but for the fetch time."""
    described = {key: value for key, value in document.items() if key not in _UNHASHED}
    return hashlib.sha256(content + bytes_from_json(described)).hexdigest()


def bytes_from_json(document: dict) -> bytes:
    """The document as it is stored: the same bytes for the same values."""
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode("ascii")


def json_from_snapshot(snapshot: Snapshot) -> dict:
    """The part of a snapshot's side file that its hash covers."""
    document = {"schema": SCHEMA, **vars(snapshot), **vars(snapshot.listing)}
    for name in ("notices", "missing", "anomalies"):
        document[name] = list(document[name])
    return {key: value for key, value in document.items() if key not in ("listing", *_UNHASHED)}


def snapshot_from_json(document: dict) -> Snapshot:
    """Inverse of `json_from_snapshot`, for a side file with its hash and fetch time."""
    listing = Listing(**{name: document[name] for name in Listing.__dataclass_fields__})
    fields = {name: document[name] for name in Snapshot.__dataclass_fields__ if name != "listing"}
    for name in ("notices", "missing", "anomalies"):
        fields[name] = tuple(fields[name])
    fields["fetched_at"] = datetime.fromisoformat(document["fetched_at"]).astimezone(UTC)
    return Snapshot(listing=listing, **fields)
