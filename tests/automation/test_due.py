import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from forecast.automation.due import stamp_of, when_due, why_due
from forecast.automation.journal import Entry
from forecast.prices.demo import simulate_demo
from forecast.prices.table import Listing

FRIDAY_NIGHT = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
ENTRY = Entry(
    "TSLA", "", "", "predicted", "", source="yahoo", session="2026-11-20", due_at="2026-11-23T21:20:00+00:00"
)  # fmt: skip


def test_the_first_retraining_is_due():
    assert why_due(None, FRIDAY_NIGHT) is not None
    assert why_due(replace(ENTRY, session=None), FRIDAY_NIGHT) is not None


def test_nothing_is_due_before_the_time_that_the_journal_names():
    assert why_due(ENTRY, datetime.fromisoformat(ENTRY.due_at) - timedelta(seconds=1)) is None
    assert "2026-11-20" in why_due(ENTRY, datetime.fromisoformat(ENTRY.due_at))


def test_a_changed_file_is_due_and_an_untouched_one_is_not(tmp_path):
    path = tmp_path / "KO.csv"
    path.write_text("Date,Close\n")
    entry = replace(ENTRY, source=f"csv:{path}", file=stamp_of(f"csv:{path}"))
    assert why_due(entry, FRIDAY_NIGHT) is None
    path.write_text("Date,Close\n2026-11-20,1\n")
    assert "changed" in why_due(entry, FRIDAY_NIGHT)


def prices(exchange: str, last: str):
    return replace(simulate_demo().prices.until(last), listing=Listing(exchange))


def test_over_a_weekend_and_a_holiday_nothing_is_due_until_the_next_session_has_closed_and_settled():
    thursday = replace(prices("XNYS", "2025-11-26"), listing=Listing("XNYS"))
    before_thanksgiving = datetime(2025, 11, 26, 22, 0, tzinfo=UTC)
    assert str(thursday.sessions[-1]) == "2025-11-26"
    assert when_due(thursday, before_thanksgiving) == "2025-11-28T18:20:00+00:00"   # Friday closes early


def test_a_session_that_is_only_late_is_asked_for_again_within_the_hour():
    now = datetime(2025, 11, 26, 22, 0, tzinfo=UTC)
    assert when_due(prices("XNYS", "2025-11-25"), now) == "2025-11-26T23:00:00+00:00"


def test_a_ticker_that_gets_no_sessions_any_more_is_asked_for_once_a_session():
    assert when_due(prices("XNYS", "2025-06-02"), datetime(2025, 11, 26, 22, tzinfo=UTC)) == "2025-11-28T18:20:00+00:00"


def test_deciding_that_nothing_is_due_loads_neither_pandas_nor_tensorflow(tmp_path):
    code = """
import sys
from pathlib import Path
from forecast.automation.executors import Supervisor
from forecast.automation.journal import Entry, append_entry
from forecast.automation.order import Order
from forecast.automation.retraining import retrain
folder = Path(sys.argv[1])
(folder / "models").mkdir()
append_entry(folder / "models", Entry("TSLA", "", "", "predicted", "", session="2026-01-02", due_at="2999-01-01T00:00:00+00:00"))
with Supervisor() as workers:
    (entry,) = retrain(["TSLA"], Order(folder), workers)
assert entry.outcome == "nothing_due", entry
print([name for name in ("pandas", "tensorflow", "keras", "scipy", "matplotlib", "sklearn") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
