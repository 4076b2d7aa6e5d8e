"""The forecast ledger: how forecasts are put on record before their outcome is known, for good.

`models/ledger.sqlite` holds one row for each forecast and step ahead. Rows are appended and never
touched again: triggers refuse UPDATE and DELETE, and whoever goes around them breaks the chain of
hashes that `forecast.store.chain` describes. Its witness is `models/ledger.head`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.errors import RunError, TryAgainLater
from forecast.store.chain import (
    Head,
    check_length,
    check_rows,
    check_witness,
    hash_row,
    load_witness,
    save_witness,
    witness_path,
)

if TYPE_CHECKING:
    import sqlite3

    import numpy as np

    from forecast.networks.distribution import StudentT
    from forecast.prices.table import Prices

LEDGER = "ledger.sqlite"  # in the workspace's models folder
SECONDS_TO_WAIT = 30.0  # for other writers; each of them needs some milliseconds


@dataclass(frozen=True)
class LedgerRow:
    """One forecast of one network for one session ahead, as it stands in the ledger.

    Args:
        made_at: when it was made, UTC, "2026-11-20T18:36:00.000000Z".
        last_closed: the last session that had closed by then, by the exchange's calendar.
        ticker, run_id, network: whose forecast it is ("TSLA", ..., "lstm").
        snapshot: sha256 of the prices it was made from.
        cutoff: the last session it has seen.
        last_close: close of that session in that snapshot [currency].
        horizon: sessions ahead, 1 or more.
        target: the session it speaks of.
        q025 ... q975: quantiles of the log return from `cutoff` to `target`, at QUANTILE_LEVELS;
            all but the median None where the model gives points only.
        location, scale, df: the Student-t of that log return; scale and df None for points.
        probability_up: of a close above `last_close`; None for points.
    """

    made_at: str
    last_closed: str
    ticker: str
    run_id: str
    network: str
    snapshot: str
    cutoff: str
    last_close: float
    horizon: int
    target: str
    q025: float | None
    q100: float | None
    q250: float | None
    q500: float
    q750: float | None
    q900: float | None
    q975: float | None
    location: float
    scale: float | None
    df: float | None
    probability_up: float | None

    @property
    def is_late(self) -> bool:
        """True where the target session had closed already: a forecast of the past."""
        return self.target <= self.last_closed

    @property
    def quantiles(self) -> tuple[float | None, ...]:
        """Log returns at QUANTILE_LEVELS."""
        return (self.q025, self.q100, self.q250, self.q500, self.q750, self.q900, self.q975)


_COLUMNS = tuple(field.name for field in fields(LedgerRow))
_STORED = ("sequence", *_COLUMNS, "previous", "hash")
_TYPES = {"str": "TEXT", "int": "INTEGER", "float": "REAL"}
_SCHEMA = (
    f"""CREATE TABLE IF NOT EXISTS forecasts (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        {", ".join(f"{field.name} {_TYPES[field.type.split()[0]]}" for field in fields(LedgerRow))},
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    )""",
    """CREATE TRIGGER IF NOT EXISTS forecasts_are_not_changed BEFORE UPDATE ON forecasts
        BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END""",
    """CREATE TRIGGER IF NOT EXISTS forecasts_are_not_deleted BEFORE DELETE ON forecasts
        BEGIN SELECT RAISE(ABORT, 'the ledger is append only'); END""",
)


def make_rows(
    forecast: StudentT,
    prices: Prices,
    targets: np.ndarray,
    *,
    network: str,
    run_id: str,
    made_at: datetime,
    last_closed: np.datetime64 | str,
) -> list[LedgerRow]:
    """Make the rows that put one forecast on record, one for each step ahead.

    Args:
        forecast: cumulative log returns after the last session of `prices`, shape (1, horizon).
        prices: what the forecast has seen; its last session is the cutoff.
        targets: the next sessions, shape (horizon,), datetime64[D].
        network: "lstm", "simple_rnn", ...
        run_id: the stored run that the network comes from.
        made_at: the present, with a time zone.
        last_closed: the last session that has closed by `made_at`, by the exchange's calendar.
    """
    if made_at.tzinfo is None:
        raise ValueError(f"made_at {made_at} has no time zone")
    origin = (
        made_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        str(last_closed),
        prices.ticker,
        run_id,
        network,
        prices.snapshot,
        str(prices.sessions[-1]),
        float(prices.close[-1]),
    )
    return [
        LedgerRow(*origin, step, str(target), *values)
        for step, (target, values) in enumerate(zip(targets, _distribution_values(forecast)), start=1)
    ]


def _distribution_values(forecast: StudentT) -> list[list[float | None]]:
    """Quantiles, location, scale, df and probability of a rise, for each step; None for what a point lacks."""
    import numpy as np

    location, scale = forecast.location, forecast.scale
    df, rises = np.where(np.isnan(scale), np.nan, forecast.df), 1.0 - forecast.cdf(np.zeros_like(location))
    table = np.column_stack([forecast.quantile()[0], location[0], scale[0], df[0], rises[0]]).tolist()
    return [[None if value != value else value for value in row] for row in table]


def record_forecasts(
    path: Path, rows: Iterable[LedgerRow], *, wait: float = SECONDS_TO_WAIT
) -> Head:
    """Append rows to the ledger, all or none, and give back how far it then reaches.

    When this returns, the rows are on the disk. Writers take turns.

    Args:
        path: the ledger, made where it does not exist.
        rows: what to append, in this order.
        wait: for how long other writers are waited for [s].

    Raises:
        TryAgainLater: other writers held the ledger all that time; nothing was written.
        RunError: the file cannot be written, is no ledger, or has lost rows; nothing was written.
    """
    with _translated(path, wait):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(_connect(path, "rwc", wait)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            if _is_empty(path):
                _create_table(connection)
            connection.execute("PRAGMA journal_mode = WAL")  # once; later it does nothing
            connection.execute("BEGIN IMMEDIATE")
            _check_that_nothing_is_lost(connection, path)
            head = _read_head(connection)
            for row in rows:
                head = _append(connection, head, row)
            connection.execute("COMMIT")
            _witness(connection, path)
    return head


def load_forecasts(path: Path, ticker: str | None = None) -> list[LedgerRow]:
    """Load the ledger's rows in the order they were written; none where there is no ledger yet.

    Args:
        path: the ledger.
        ticker: only this one's rows.

    Raises:
        RunError: the file cannot be read as a ledger.
    """
    if _is_empty(path):
        return []
    chosen = "" if ticker is None else "WHERE ticker = ?"
    query = f"SELECT {', '.join(_COLUMNS)} FROM forecasts {chosen} ORDER BY sequence"
    with _translated(path), closing(_connect(path, "ro")) as connection:
        found = connection.execute(query, () if ticker is None else (ticker,))
        return [LedgerRow(*values) for values in found]


def verify_chain(path: Path) -> Head:
    """Check every row of the ledger against its hash and its neighbours, and give back the head.

    Raises:
        RunError: names the first row that was changed, deleted or inserted, or the file where
            SQLite itself finds it damaged.
    """
    witness = load_witness(path)  # before the rows: it may lag behind them, never lead
    if _is_empty(path):
        check_length(0, witness.count, path)
        return Head()
    with _translated(path), closing(_connect(path, "ro")) as connection:
        connection.execute("BEGIN")  # one state of the ledger, whoever writes meanwhile
        hashes = check_rows(_read_chain(connection), path)
        head = Head(len(hashes) - 1, hashes[-1])
        check_length(head.count, max(witness.count, _count_ever_written(connection)), path)
        check_witness(hashes, witness, path)
        _check_structure(connection, path)
    return head


def _read_chain(connection: sqlite3.Connection) -> Iterator[tuple[int, dict, str, str]]:
    """(sequence, values, previous, hash) of every row."""
    query = f"SELECT {', '.join(_STORED)} FROM forecasts ORDER BY sequence"
    for sequence, *values, previous, digest in connection.execute(query):
        yield sequence, dict(zip(_COLUMNS, values, strict=True)), previous, digest


def _check_structure(connection: sqlite3.Connection, path: Path) -> None:
    """Let SQLite check its own pages: stray bytes can sit beside a row that still reads well."""
    ((answer, *_), *_) = connection.execute("PRAGMA integrity_check(1)")
    if answer != "ok":
        raise RunError(f"{path} is damaged: {answer}. Restore it from a backup.")


def _append(connection: sqlite3.Connection, head: Head, row: LedgerRow) -> Head:
    """Insert one row after `head` and give back the new head."""
    sequence, values = head.count + 1, asdict(row)
    digest = hash_row(head.hash, sequence, values)
    places = ", ".join("?" * len(_STORED))
    statement = f"INSERT INTO forecasts ({', '.join(_STORED)}) VALUES ({places})"
    connection.execute(statement, (sequence, *values.values(), head.hash, digest))
    return Head(sequence, digest)


def _read_head(connection: sqlite3.Connection) -> Head:
    """How far the ledger reaches, as its last row says."""
    query = "SELECT sequence, hash FROM forecasts ORDER BY sequence DESC LIMIT 1"
    last = connection.execute(query).fetchone()
    return Head(*last) if last else Head()


def _check_that_nothing_is_lost(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse to go on from an older state of the ledger: the witness of the newer one would go."""
    witness = load_witness(path)
    query = "SELECT hash FROM forecasts WHERE sequence = ?"
    found = connection.execute(query, (witness.count,)).fetchone()
    if witness.count and found != (witness.hash,):
        raise RunError(
            f"{path} no longer holds row {witness.count} as {witness_path(path).name} knows it."
            " Restore the ledger from a backup, or move both files away to begin a new one."
        )


def _count_ever_written(connection: sqlite3.Connection) -> int:
    """The highest sequence number that SQLite has ever given."""
    query = "SELECT CAST(seq AS INTEGER) FROM sqlite_sequence WHERE name = 'forecasts'"
    return (connection.execute(query).fetchone() or (0,))[0]


def _witness(connection: sqlite3.Connection, path: Path) -> None:
    """Write down beside the ledger how far it reaches, under the writers' lock.

    It follows the commit, so a death in between leaves a witness of an earlier head: true as well.
    """
    import sqlite3

    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if _is_busy(error):
            return  # whoever holds the lock will witness a later head
        raise
    save_witness(path, _read_head(connection))
    connection.execute("ROLLBACK")


def _is_empty(path: Path) -> bool:
    """True before the first writer's first commit."""
    return not path.exists() or path.stat().st_size == 0


def _create_table(connection: sqlite3.Connection) -> None:
    """Make the table, unless another process is faster."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute("COMMIT")


def _connect(path: Path, mode: str, wait: float = SECONDS_TO_WAIT) -> sqlite3.Connection:
    """Open the file in SQLite's `mode` ("ro", "rw", "rwc"), with transactions in our own hands."""
    import sqlite3

    address = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, timeout=wait, isolation_level=None)
    # A changed byte can leave a text that is no UTF-8: it must reach the hash, not raise.
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    return connection


@contextmanager
def _translated(path: Path, wait: float = SECONDS_TO_WAIT) -> Iterator[None]:
    """Turn what SQLite and the file system raise into errors that name the ledger."""
    import sqlite3

    try:
        yield
    except sqlite3.DatabaseError as error:
        if _is_busy(error):
            raise TryAgainLater(
                f"{path} was held by other writers for {wait:g} seconds; try again later."
            ) from error
        raise RunError(f"{path} cannot be used as a ledger: {error}.") from error
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error}.") from error


def _is_busy(error: sqlite3.Error) -> bool:
    """True where another connection holds the lock (the low byte, without SQLite's details)."""
    import sqlite3

    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
