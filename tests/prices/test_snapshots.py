"""A snapshot is there as a whole or not at all, and never other than it was written."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import DataError, ForecastError, TryAgainLater, UsageError
from forecast.prices import snapshots
from forecast.prices.demo import simulate_demo
from forecast.prices.snapshots import (
    Snapshot,
    find_snapshot,
    list_damages,
    list_snapshots,
    load_quotes,
    load_snapshot,
    prune_snapshots,
    read_current,
    save_snapshot,
    snapshot_folder,
    ticker_lock,
    write_current,
)
from forecast.prices.snapshot_format import csv_from_quotes, quotes_from_csv
from forecast.prices.table import Listing, Quotes, prices_from_quotes

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def make_quotes(n: int = 30, seed: int = 1) -> Quotes:
    prices = simulate_demo(n, seed).prices
    return Quotes.of(prices.sessions, **{k: getattr(prices, k) for k in ("open", "high", "low", "close", "volume")})


def save(folder: Path, quotes: Quotes, at: datetime = NOON, source: str = "yahoo") -> Snapshot:
    """Store quotes as the current snapshot of a source."""
    first, last = quotes.sessions[[0, -1]].astype(str).tolist()
    listing = Listing("XNYS", "USD", "America/New_York", "Tesla, Inc. é")
    snapshot = Snapshot("TSLA", source, listing, len(quotes), first, last, notices=("A notice.",), fetched_at=at)
    with ticker_lock(folder, "TSLA"):
        saved = save_snapshot(folder, snapshot, quotes)
        write_current(folder, "TSLA", source, sha256=saved.sha256)
    return saved


def test_prices_come_back_bit_for_bit_with_all_that_is_known(tmp_path):
    quotes = make_quotes()
    saved = save(tmp_path, quotes)
    prices = load_snapshot(tmp_path, "TSLA", saved.sha256)
    np.testing.assert_array_equal(prices.close, quotes.close)
    np.testing.assert_array_equal(prices.sessions, quotes.sessions)
    assert (prices.snapshot, prices.source, prices.listing.currency) == (saved.sha256, "yahoo", "USD")
    assert prices.listing.name == "Tesla, Inc. é" and prices.notices == ("A notice.",)


@given(st.lists(st.floats(min_value=1e-9, max_value=1e15), min_size=1, max_size=5))
def test_every_number_survives_the_file(values):
    sessions = np.datetime64("2024-01-01") + np.arange(len(values))
    quotes = Quotes.of(sessions, close=np.array(values))
    back = quotes_from_csv(csv_from_quotes(quotes))
    np.testing.assert_array_equal(back.close, quotes.close)
    assert np.isnan(back.open).all()


def test_the_same_content_is_one_snapshot_and_keeps_its_first_time(tmp_path):
    first = save(tmp_path, make_quotes())
    again = save(tmp_path, make_quotes(), at=NOON + timedelta(days=1))
    assert again == first and len(list_snapshots(tmp_path, "TSLA")) == 1


def test_another_source_of_the_same_prices_is_another_snapshot(tmp_path):
    save(tmp_path, make_quotes())
    save(tmp_path, make_quotes(), source="csv:/a.csv")
    assert len(list_snapshots(tmp_path, "TSLA")) == 2
    assert [s.source for s in list_snapshots(tmp_path, "TSLA", "yahoo")] == ["yahoo"]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_changed_byte_anywhere_is_detected_and_the_file_named(tmp_path, suffix):
    saved = save(tmp_path, make_quotes())
    path = snapshot_folder(tmp_path, "TSLA") / f"{saved.sha256}{suffix}"
    content = path.read_bytes()
    for position in range(0, len(content), len(content) // 23):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        changed = json.loads(content) if suffix == ".json" else None
        if changed and _only_fetch_time_differs(content, path.read_bytes()):
            continue
        with pytest.raises(DataError, match=saved.sha256):
            load_snapshot(tmp_path, "TSLA", saved.sha256)
        assert len(list_damages(tmp_path, "TSLA")) == 1
    path.write_bytes(content)
    assert load_snapshot(tmp_path, "TSLA", saved.sha256).snapshot == saved.sha256


def _only_fetch_time_differs(before: bytes, after: bytes) -> bool:
    """Whether a side file still says the same but for when it was fetched, the one thing that may change."""
    try:
        documents = [json.loads(content) for content in (before, after)]
        datetime.fromisoformat(documents[1].pop("fetched_at"))
        return documents[1].items() <= documents[0].items()
    except (ValueError, KeyError):
        return False


def test_a_truncated_file_is_detected(tmp_path):
    saved = save(tmp_path, make_quotes())
    path = snapshot_folder(tmp_path, "TSLA") / f"{saved.sha256}.csv"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="changed or damaged"):
        load_snapshot(tmp_path, "TSLA", saved.sha256)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="TSLA has no snapshot abc123"):
        load_snapshot(tmp_path, "TSLA", "abc123")
    with pytest.raises(DataError, match="is not the sha256 of a snapshot"):
        load_snapshot(tmp_path, "TSLA", "../../etc/passwd")


def test_pruning_keeps_what_is_named_and_the_newest_two_of_each_source(tmp_path):
    saved = [save(tmp_path, make_quotes(seed=seed), at=NOON + timedelta(days=seed)) for seed in range(5)]
    other = save(tmp_path, make_quotes(), source="csv:/a.csv")
    deleted = prune_snapshots(tmp_path, "TSLA", {saved[0].sha256})
    assert deleted == [saved[1].sha256, saved[2].sha256]
    left = {snapshot.sha256 for snapshot in list_snapshots(tmp_path, "TSLA")}
    assert left == {saved[0].sha256, saved[3].sha256, saved[4].sha256, other.sha256}
    assert prune_snapshots(tmp_path, "AAPL", set()) == []


def test_a_lost_pointer_is_no_error(tmp_path):
    save(tmp_path, make_quotes())
    path = snapshot_folder(tmp_path, "TSLA") / "current.json"
    for content in (b"", b"{", b"[]", b'{"yahoo": 3}', b"\xff"):
        path.write_bytes(content)
        assert read_current(tmp_path, "TSLA") == {}


def test_a_snapshot_is_found_by_the_beginning_of_its_name(tmp_path):
    saved = save(tmp_path, make_quotes())
    assert find_snapshot(tmp_path, "TSLA", saved.sha256[:6]) == saved
    with pytest.raises(UsageError, match="0 of the 1 snapshots of TSLA begin with 'zzz'"):
        find_snapshot(tmp_path, "TSLA", "zzz")


def test_splits_in_the_adjustment_change_the_volume_and_dividends_do_not():
    quotes = make_quotes(6)
    factor = np.array([0.2 * 0.99, 0.2 * 0.99, 0.2, 0.2, 1.0, 1.0])  # a dividend, then 5:1
    prices = prices_from_quotes(replace(quotes, adj_close=quotes.close * factor), ticker="TSLA", source="yahoo")
    np.testing.assert_allclose(prices.volume / quotes.volume, [5, 5, 5, 5, 1, 1], rtol=1e-12)
    np.testing.assert_allclose(prices.high, quotes.high * factor, rtol=1e-12)


def test_a_held_lock_asks_to_try_again(tmp_path, monkeypatch):
    script = (
        "import sys, time; from pathlib import Path; from forecast.prices.snapshots import ticker_lock\n"
        f"with ticker_lock(Path({str(tmp_path)!r}), 'TSLA'): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        monkeypatch.setattr(snapshots, "LOCK_TIMEOUT", 0.1)
        with pytest.raises(TryAgainLater, match="Another process has held the prices of TSLA"), ticker_lock(tmp_path, "TSLA"):
            pass
    finally:
        holder.kill()  # which frees the lock at once
        holder.communicate()
    with ticker_lock(tmp_path, "TSLA"):
        pass


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(ForecastError, match="cannot be written"), ticker_lock(tmp_path / "data", "TSLA"):
        pass


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.prices.test_snapshots import NOON, make_quotes, save
from datetime import timedelta

folder, quotes = Path(sys.argv[1]), make_quotes(seed=2)
steps = ("open", "os.mkdir", "os.rename", "os.remove", "os.chmod", "os.listdir", "os.scandir")
for k in range(1, 1000):
    child = os.fork()
    if child == 0:
        count = 0
        def count_step(event, _):
            global count
            count += event in steps
            if count == k:
                os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count_step)
        save(folder, quotes, at=NOON + timedelta(days=1))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
    print(k, flush=True)
    sys.stdin.readline()
"""


def test_a_writer_killed_at_any_step_leaves_the_old_snapshot_or_the_new_one_whole(tmp_path):
    old = save(tmp_path, make_quotes(seed=1))
    new = save(tmp_path / "elsewhere", make_quotes(seed=2))
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
    kills = 0
    while writer.stdout.readline():
        kills += 1
        assert list_damages(tmp_path, "TSLA") == []
        stored = {snapshot.sha256 for snapshot in list_snapshots(tmp_path, "TSLA")}
        assert old.sha256 in stored <= {old.sha256, new.sha256}
        current = read_current(tmp_path, "TSLA")["yahoo"]["sha256"]
        assert len(load_quotes(tmp_path, "TSLA", current)) == 30
        for path in snapshot_folder(tmp_path, "TSLA").glob(f"{new.sha256}.*"):
            path.unlink()  # the next one starts from the same state
        save(tmp_path, make_quotes(seed=1))
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert writer.wait(10) == 0 and kills >= 10
    names = {path.name for path in snapshot_folder(tmp_path, "TSLA").iterdir()}
    assert names == {f"{s.sha256}.{suffix}" for s in (old, new) for suffix in ("csv", "json")} | {"current.json", ".lock"}
    writer.stdin.close()
    writer.stdout.close()
