import multiprocessing
import os
import resource
import string
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecast.automation import journal
from forecast.automation.journal import JOURNAL, Entry, append_entry, load_entries, load_last_entries, open_log
from forecast.errors import RunError

ENTRY = Entry("TSLA", "2026-11-20T21:20:00+00:00", "2026-11-20T21:21:00+00:00", "predicted", "why")
entries = st.builds(
    Entry,
    ticker=st.sampled_from(["TSLA", "AAPL", "^GSPC"]),
    started=st.just("2026-11-20T21:20:00+00:00"),
    ended=st.just("2026-11-20T21:21:00+00:00"),
    outcome=st.sampled_from(journal.OUTCOMES),
    reason=st.text(string.printable + "é\u2028", max_size=40),
    losses=st.none() | st.just({"n": 56}),
    seconds=st.just({"total": 1.5}),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(written=st.lists(entries, max_size=12), block=st.integers(1, 300))
def test_what_was_written_is_read_and_the_newest_is_found_from_the_end(tmp_path, written, block):
    (tmp_path / JOURNAL).unlink(missing_ok=True)
    for entry in written:
        append_entry(tmp_path, entry)
    assert load_entries(tmp_path) == written
    newest = {entry.ticker: entry for entry in written}
    before, journal._BLOCK = journal._BLOCK, block
    try:
        assert load_last_entries(tmp_path, ["TSLA", "AAPL", "^GSPC", "KO"]) == newest
    finally:
        journal._BLOCK = before


def test_there_is_no_entry_before_the_first(tmp_path):
    assert load_entries(tmp_path) == [] and load_last_entries(tmp_path, ["TSLA"]) == {}


@pytest.mark.parametrize("length", [1, 30, 150])
def test_a_line_cut_short_by_a_power_cut_costs_that_line_alone(tmp_path, length):
    append_entry(tmp_path, ENTRY)
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + whole[:length])
    assert load_entries(tmp_path) == [ENTRY]
    append_entry(tmp_path, replace(ENTRY, outcome="kept"))
    assert load_entries(tmp_path) == [ENTRY, replace(ENTRY, outcome="kept")]


def append_many(folder, ticker: str) -> None:
    for n in range(50):
        append_entry(folder, replace(ENTRY, ticker=ticker, reason=f"{n} " + "x" * 5000))


def test_processes_that_write_at_once_leave_whole_lines_each_in_its_order(tmp_path):
    context = multiprocessing.get_context("forkserver")
    writers = [context.Process(target=append_many, args=(tmp_path, ticker)) for ticker in ("A", "B", "C")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = load_entries(tmp_path)
    assert len(found) == 150
    for ticker in ("A", "B", "C"):
        assert [entry.reason.split()[0] for entry in found if entry.ticker == ticker] == [str(n) for n in range(50)]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # from Python 3.12 on
def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path):
    append_entry(tmp_path, ENTRY)
    before = (tmp_path / JOURNAL).read_bytes()
    child = os.fork()
    if child == 0:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the limit then comes back short
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20,) * 2)
        try:
            append_entry(tmp_path, ENTRY)
        except RunError as error:
            os._exit(0 if "cannot be written" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_the_log_begins_a_new_file_and_keeps_the_last_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_LOG_BYTES", 200)
    log = open_log(tmp_path)
    for n in range(100):
        log.info("line %d", n)
    assert open_log(tmp_path) is log and len(log.handlers) == 1
    log.handlers[0].close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["retrain.log", *(f"retrain.log.{n}" for n in range(1, 5))]
    assert "line 99" in (tmp_path / "retrain.log").read_text()
