import hashlib
import math
import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import t as student_t

from forecast.errors import RunError, TryAgainLater
from forecast.networks.distribution import StudentT
from forecast.prices.table import Prices
from forecast.store.ledger import (
    LedgerRow,
    load_forecasts,
    make_rows,
    record_forecasts,
    verify_chain,
)

MADE_AT = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
TARGETS = np.array(["2026-11-23", "2026-11-24", "2026-11-25"], dtype="datetime64[D]")


def prices_of(ticker="TSLA", snapshot="5e" * 32) -> Prices:
    sessions = np.array(["2026-11-19", "2026-11-20"], dtype="datetime64[D]")
    close = np.array([400.0, 412.5])
    return Prices(ticker, sessions, close, close, close, close, close, "demo", snapshot=snapshot)


def forecast_of(location=0.001, scale=0.02, df=5.0) -> StudentT:
    steps = np.arange(1.0, 4.0)[None]  # (1, 3)
    return StudentT(location * steps, scale * np.sqrt(steps), np.full((1, 3), df))


def rows_of(ticker="TSLA", forecast=None, **changed) -> list[LedgerRow]:
    facts = {"network": "lstm", "run_id": "r1", "made_at": MADE_AT, "last_closed": "2026-11-20"}
    return make_rows(forecast or forecast_of(), prices_of(ticker), TARGETS, **(facts | changed))


@pytest.fixture
def ledger(tmp_path) -> Path:
    """A ledger of two transactions with three rows each."""
    path = tmp_path / "models" / "ledger.sqlite"
    record_forecasts(path, rows_of("TSLA"))
    record_forecasts(path, rows_of("AAPL"))
    return path


def meddle(path: Path, *statements: str) -> None:
    """Change the ledger as somebody would who goes around its triggers."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER forecasts_are_not_changed")
        connection.execute("DROP TRIGGER forecasts_are_not_deleted")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


# --- what is written


def test_rows_come_back_as_they_were_recorded(tmp_path):
    rows = rows_of("TSLA") + rows_of("^GSPC", network="simple_rnn")
    record_forecasts(tmp_path / "ledger.sqlite", rows)
    assert load_forecasts(tmp_path / "ledger.sqlite") == rows
    assert load_forecasts(tmp_path / "ledger.sqlite", "^GSPC") == rows[3:]
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_folder_with_odd_characters_holds_a_ledger(tmp_path):
    path = tmp_path / "a b%20?mode=ro#ü" / "ledger.sqlite"
    assert record_forecasts(path, rows_of()) == verify_chain(path)


def test_no_ledger_holds_no_forecasts(tmp_path):
    assert load_forecasts(tmp_path / "ledger.sqlite") == []
    assert verify_chain(tmp_path / "ledger.sqlite").count == 0


def test_row_carries_the_distribution_at_each_step():
    row = rows_of()[1]
    truth = student_t(5.0, 0.002, 0.02 * math.sqrt(2))
    assert row.horizon == 2 and row.target == "2026-11-24" and row.last_close == 412.5
    expected = truth.ppf([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
    np.testing.assert_allclose(row.quantiles, expected, rtol=1e-9)
    np.testing.assert_allclose(row.probability_up, truth.sf(0.0), rtol=1e-9)


def test_point_forecast_is_recorded_without_a_distribution(tmp_path):
    row = rows_of(forecast=forecast_of(scale=np.nan))[0]
    record_forecasts(tmp_path / "ledger.sqlite", [row])
    assert load_forecasts(tmp_path / "ledger.sqlite") == [row]
    assert row.quantiles == (None, None, None, 0.001, None, None, None)
    assert row.scale is row.df is row.probability_up is None


def test_normal_distribution_is_recorded_with_infinite_df(tmp_path):
    record_forecasts(tmp_path / "ledger.sqlite", rows_of(forecast=forecast_of(df=np.inf)))
    assert [row.df for row in load_forecasts(tmp_path / "ledger.sqlite")] == [math.inf] * 3
    assert verify_chain(tmp_path / "ledger.sqlite").count == 3


def test_forecast_is_late_once_its_target_session_has_closed():
    late = [row.is_late for row in rows_of(last_closed="2026-11-24")]
    assert late == [True, True, False]


def test_time_of_making_is_kept_in_utc():
    in_tokyo = MADE_AT.astimezone(timezone(timedelta(hours=9)))
    assert rows_of(made_at=in_tokyo)[0].made_at == "2026-11-20T23:00:00.000000Z"


def test_hash_is_the_one_that_the_documentation_describes(ledger):
    def written(value):
        if isinstance(value, str):
            return f'"{value}"'
        if value is None:
            return "null"
        return str(value) if isinstance(value, int) else "0x" + struct.pack(">d", value).hex()

    previous = "0" * 64
    with closing(sqlite3.connect(ledger)) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute("SELECT * FROM forecasts ORDER BY sequence"):
            assert row["previous"] == previous
            columns = ["previous", *(name for name in row.keys() if name not in ("previous", "hash"))]
            text = "\n".join(f"{name}={written(row[name])}" for name in columns)
            previous = hashlib.sha256(text.encode()).hexdigest()
            assert row["hash"] == previous


# --- what is refused and what is found


@pytest.mark.parametrize("statement", ["UPDATE forecasts SET q500 = 0", "DELETE FROM forecasts"])
def test_ledger_is_append_only(ledger, statement):
    with closing(sqlite3.connect(ledger)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append only"):
            connection.execute(statement)


def cells_of(content: bytes, root: int) -> list[range]:
    """Where the rows of a one-page table lie in the database file (SQLite file format, 1.6)."""
    (page_size,) = struct.unpack_from(">H", content, 16)
    start = (root - 1) * page_size
    assert content[start] == 0x0D, "the table has outgrown one page"
    (count,) = struct.unpack_from(">H", content, start + 3)
    offsets = [start + o for o in struct.unpack_from(f">{count}H", content, start + 8)]

    def end(at):  # payload length (at most two 7-bit bytes here), one byte of rowid, payload
        high = content[at] & 0x80
        length = (content[at] & 0x7F) << 7 | content[at + 1] if high else content[at]
        return at + (3 if high else 2) + length

    return [range(at, end(at)) for at in offsets]


def rows_in(ledger: Path) -> list[range]:
    with closing(sqlite3.connect(ledger)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'forecasts'"
        ((root,),) = connection.execute(query)
    return cells_of(ledger.read_bytes(), root)


def positions_of_rows(ledger: Path) -> list[int]:
    return [position for row in rows_in(ledger) for position in row]


def write_byte(ledger: Path, content: bytes, position: int, value: int) -> None:
    ledger.write_bytes(content[:position] + bytes([value]) + content[position + 1 :])


def test_every_single_flipped_bit_of_a_row_is_detected(tmp_path):
    ledger = tmp_path / "ledger.sqlite"
    record_forecasts(ledger, rows_of())
    content, positions = ledger.read_bytes(), positions_of_rows(ledger)
    assert len(positions) > 3 * 200
    for position in positions:
        write_byte(ledger, content, position, content[position] ^ 1 << position % 8)
        with pytest.raises(RunError, match="ledger.sqlite"):
            verify_chain(ledger)
    ledger.write_bytes(content)
    assert verify_chain(ledger).count == 3


def test_any_byte_of_any_row_turned_into_any_other_is_detected(tmp_path):
    ledger = tmp_path / "ledger.sqlite"
    record_forecasts(ledger, rows_of() + rows_of(forecast=forecast_of(scale=np.nan)))
    content, positions = ledger.read_bytes(), positions_of_rows(ledger)
    # Where a row names the type of its own number, SQLite, which keeps it elsewhere, reads neither NULL nor 0 nor 1.
    unread = {(row.start + 4, difference) for row in rows_in(ledger) for difference in (8, 9)}

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(positions), st.integers(1, 255))
    def check(position, difference):
        assume((position, difference) not in unread)
        write_byte(ledger, content, position, content[position] ^ difference)
        with pytest.raises(RunError, match="ledger.sqlite"):
            verify_chain(ledger)

    check()


@pytest.mark.parametrize("column", ["made_at", "last_close", "horizon", "q500", "df", "hash"])
@pytest.mark.parametrize("sequence", [1, 4, 6])
def test_changed_row_is_named(ledger, sequence, column):
    meddle(ledger, f"UPDATE forecasts SET {column} = 7 WHERE sequence = {sequence}")
    with pytest.raises(RunError, match=f"row {sequence} was changed"):
        verify_chain(ledger)


def test_value_changed_in_its_last_bit_is_detected(ledger):
    (value, *_) = (row.q500 for row in load_forecasts(ledger))
    meddle(ledger, f"UPDATE forecasts SET q500 = {math.nextafter(value, 1)!r} WHERE sequence = 1")
    with pytest.raises(RunError, match="row 1 was changed"):
        verify_chain(ledger)


@pytest.mark.parametrize("sequence", range(1, 7))
def test_deleted_row_is_named(ledger, sequence):
    meddle(ledger, f"DELETE FROM forecasts WHERE sequence = {sequence}")
    with pytest.raises(RunError, match=f"row {sequence} is missing"):
        verify_chain(ledger)


def test_deleted_row_is_found_after_the_rest_was_renumbered(ledger):
    meddle(
        ledger,
        "DELETE FROM forecasts WHERE sequence = 3",
        "UPDATE forecasts SET sequence = sequence - 1 WHERE sequence > 3",
    )
    with pytest.raises(RunError, match="row 3 was changed"):
        verify_chain(ledger)


def test_last_rows_are_missed_after_sqlite_forgot_them_too(ledger):
    meddle(
        ledger,
        "DELETE FROM forecasts WHERE sequence > 4",
        "UPDATE sqlite_sequence SET seq = 4",
    )
    with pytest.raises(RunError, match="row 5 is missing; 4 of 6 rows are left"):
        verify_chain(ledger)


def test_older_copy_of_the_ledger_is_detected(ledger):
    older = ledger.read_bytes()
    record_forecasts(ledger, rows_of("MSFT"))
    ledger.write_bytes(older)
    with pytest.raises(RunError, match="row 7 is missing; 6 of 9 rows are left"):
        verify_chain(ledger)


def test_deleted_ledger_is_detected(ledger):
    ledger.unlink()
    with pytest.raises(RunError, match="row 1 is missing; 0 of 6 rows are left"):
        verify_chain(ledger)


def test_chain_written_anew_is_found_by_the_witnessed_head(ledger):
    rows = [replace(row, q500=0.05) for row in load_forecasts(ledger)]
    witness = ledger.with_suffix(".head").read_bytes()
    ledger.unlink()
    ledger.with_suffix(".head").unlink()
    record_forecasts(ledger, rows)
    ledger.with_suffix(".head").write_bytes(witness)
    with pytest.raises(RunError, match="row 6 has the hash"):
        verify_chain(ledger)


@pytest.mark.parametrize("sequence", [0, 9])
def test_row_inserted_at_an_end_is_detected(ledger, sequence):
    columns = ", ".join(LedgerRow.__dataclass_fields__)
    meddle(
        ledger,
        f"INSERT INTO forecasts (sequence, {columns}, previous, hash) "
        f"SELECT {sequence}, {columns}, previous, hash FROM forecasts WHERE sequence = 2",
    )
    with pytest.raises(RunError, match=f"row {'1' if sequence == 0 else '7'} is missing"):
        verify_chain(ledger)


def test_row_inserted_in_the_middle_with_right_hashes_is_named(tmp_path):
    record_forecasts(tmp_path / "short.sqlite", rows_of("TSLA"))
    forged = tmp_path / "forged.sqlite"
    record_forecasts(forged, rows_of("TSLA") + rows_of("AAPL"))
    columns = ", ".join(LedgerRow.__dataclass_fields__)
    meddle(
        tmp_path / "short.sqlite",
        f"ATTACH '{forged}' AS forged",
        "UPDATE forecasts SET sequence = 4 WHERE sequence = 3",
        f"INSERT INTO forecasts (sequence, {columns}, previous, hash) SELECT 3, {columns}, "
        "previous, hash FROM forged.forecasts WHERE sequence = 3",
    )
    with pytest.raises(RunError, match="row 3 was inserted"):
        verify_chain(tmp_path / "short.sqlite")


def test_emptied_ledger_is_detected(ledger):
    ledger.write_bytes(b"")
    with pytest.raises(RunError, match="row 1 is missing; 0 of 6 rows are left"):
        verify_chain(ledger)


@pytest.mark.parametrize("n_left", [0, 1])
def test_nothing_is_written_after_rows_were_lost(tmp_path, n_left):
    path = tmp_path / "ledger.sqlite"
    record_forecasts(path, rows_of())
    older = path.read_bytes() if n_left else b""
    head = record_forecasts(path, rows_of())
    path.write_bytes(older)
    with pytest.raises(RunError, match=f"no longer holds row {head.count}"):
        record_forecasts(path, rows_of())
    with pytest.raises(RunError, match=f"{3 * n_left} of 6 rows are left"):
        verify_chain(path)


def test_lost_write_ahead_log_is_detected(ledger):
    with closing(sqlite3.connect(ledger, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM forecasts").fetchone()  # so nobody moves the log's rows
        record_forecasts(ledger, rows_of("MSFT"))
        copy = ledger.parent / "copy" / "ledger.sqlite"
        copy.parent.mkdir()
        for suffix in (".sqlite", ".head"):
            copy.with_suffix(suffix).write_bytes(ledger.with_suffix(suffix).read_bytes())
    with pytest.raises(RunError, match="row 7 is missing; 6 of 9 rows are left"):
        verify_chain(copy)


@pytest.mark.parametrize("content", [b"Date,Close\n" * 500, b"SQLite format 3\x00" + b"x" * 99])
def test_file_that_is_no_ledger_is_named(tmp_path, content):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    for attempt in (load_forecasts, verify_chain, lambda path: record_forecasts(path, rows_of())):
        with pytest.raises(RunError, match="ledger.sqlite cannot be used as a ledger"):
            attempt(path)


def test_damaged_witness_is_named(ledger):
    ledger.with_suffix(".head").write_text("six")
    with pytest.raises(RunError, match="ledger.head is damaged"):
        verify_chain(ledger)


# --- several writers, and death at any moment


def test_writer_gives_up_after_its_wait_and_writes_nothing(ledger):
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryAgainLater, match="0.05 seconds"):
            record_forecasts(ledger, rows_of("MSFT"), wait=0.05)
    assert verify_chain(ledger).count == 6


def test_rows_are_written_all_or_none(ledger):
    def interrupted():
        yield rows_of("MSFT")[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_forecasts(ledger, interrupted())
    assert verify_chain(ledger).count == 6
    assert load_forecasts(ledger, "MSFT") == []


WRITER = """
import os, signal, sys
from pathlib import Path
from forecast.store.ledger import LedgerRow, record_forecasts

path, name, die_after = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def row(number, step):
    facts = ("2026-11-20T23:00:00.000000Z", "2026-11-20", name, f"run{number}", "lstm", "5e" * 32)
    return LedgerRow(*facts, "2026-11-20", 412.5, step, f"2026-11-{22 + step}", *[0.01] * 11)

def rows(number):
    for step in (1, 2, 3):
        if (number - 1) * 3 + step == die_after:
            os.kill(os.getpid(), signal.SIGKILL)
        yield row(number, step)

for number in range(1, 1000):
    record_forecasts(path, rows(number))
    os.write(1, f"{name} run{number}\\n".encode())
"""


def start_writer(path: Path, name: str, die_after: int = 0) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(path), name, str(die_after)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def check_that_what_was_said_is_recorded(path: Path, said: list[str]) -> None:
    recorded = [f"{row.ticker} {row.run_id}" for row in load_forecasts(path)]
    assert verify_chain(path).count == len(recorded)
    assert len(set(recorded)) * 3 == len(recorded)  # whole forecasts, none twice
    assert set(said) <= set(recorded)
    assert len(said) == len(set(said))


@pytest.mark.parametrize("statement", [1, 2, 3, 4, 6])
def test_death_between_two_statements_leaves_whole_forecasts(tmp_path, statement):
    path = tmp_path / "ledger.sqlite"
    said, _ = start_writer(path, "TSLA", die_after=statement).communicate(timeout=30)
    check_that_what_was_said_is_recorded(path, said.splitlines())
    assert verify_chain(path).count == 3 * ((statement - 1) // 3)


def test_twenty_writers_killed_at_random_moments_lose_and_double_nothing(tmp_path):
    path = tmp_path / "models" / "ledger.sqlite"
    dice = random.Random(20)
    writers = [start_writer(path, f"T{number}") for number in range(20)]
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    for writer in dice.sample(writers, k=20):
        time.sleep(dice.uniform(0, 0.3))
        os.kill(writer.pid, signal.SIGKILL)
    said = [line for writer in writers for line in writer.communicate()[0].splitlines()]
    assert said
    check_that_what_was_said_is_recorded(path, said)
    head = verify_chain(path)
    assert record_forecasts(path, rows_of()).count == head.count + 3
