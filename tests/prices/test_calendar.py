"""Sessions are those of the exchange: holidays, early closes, and what stands in where no calendar reaches."""

from datetime import UTC, datetime

import numpy as np
import pytest

from forecast.prices import calendar
from forecast.prices.schedules import Schedule
from forecast.prices.calendar import (
    calendar_notice,
    closing_times,
    is_session_due,
    last_closed_session,
    missing_sessions,
    next_close,
    next_sessions,
    sessions_between,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_next_sessions_of_new_york_skip_thanksgiving_and_the_weekend():
    days = next_sessions("XNYS", np.datetime64("2026-11-25"), 3)
    assert days.astype(str).tolist() == ["2026-11-27", "2026-11-30", "2026-12-01"]


def test_a_session_is_closed_from_the_minute_of_its_close():
    assert str(last_closed_session("XNYS", at("2026-11-20 20:59"))) == "2026-11-19"
    assert str(last_closed_session("XNYS", at("2026-11-20 21:00"))) == "2026-11-20"


def test_an_early_close_is_known():
    assert str(last_closed_session("XNYS", at("2026-11-27 18:00"))) == "2026-11-27"
    assert next_close("XNYS", at("2026-11-27 12:00")) == at("2026-11-27 18:00")
    assert next_close("XNYS", at("2026-11-27 18:00")) == at("2026-11-30 21:00")


def test_daylight_saving_moves_the_close():
    closes = closing_times("XNYS", np.array(["2026-07-01", "2026-12-01"], dtype="datetime64[D]"))
    assert closes.astype(str).tolist() == ["2026-07-01T20:00:00", "2026-12-01T21:00:00"]


def test_every_zone_sees_its_own_day():
    morning = at("2026-11-20 07:00")
    assert str(last_closed_session("XTKS", morning)) == "2026-11-20"
    assert str(last_closed_session("XETR", morning)) == "2026-11-19"


def test_crypto_trades_every_day_and_currencies_on_weekdays():
    saturday = np.datetime64("2026-11-21")
    assert next_sessions("24/7", saturday - 1, 2).astype(str).tolist() == ["2026-11-21", "2026-11-22"]
    assert next_sessions("24/5", saturday - 1, 1).astype(str).tolist() == ["2026-11-23"]
    assert str(last_closed_session("24/7", at("2026-11-22 00:00"))) == "2026-11-21"


def test_a_session_is_due_only_when_a_newer_one_has_closed():
    friday = np.datetime64("2026-11-20")
    assert not is_session_due("XNYS", friday, at("2026-11-22 12:00"))
    assert not is_session_due("XNYS", friday, at("2026-11-23 20:59"))
    assert is_session_due("XNYS", friday, at("2026-11-23 21:00"))


def test_a_calendar_that_ends_says_so_and_goes_on_with_weekdays():
    days = next_sessions("XSHG", np.datetime64("2026-12-30"), 4)
    assert days.astype(str).tolist() == ["2026-12-31", "2027-01-01", "2027-01-04", "2027-01-05"]
    assert "XSHG ends on 2026-12-31" in calendar_notice("XSHG", days)
    assert calendar_notice("XSHG", days[:1]) is None
    assert closing_times("XSHG", days).astype(str)[2] == "2027-01-04T07:00:00"


def test_an_unknown_calendar_says_so():
    assert "every weekday counts" in calendar_notice("weekdays", np.array([], "datetime64[D]"))
    assert calendar_notice("24/7", np.array([], "datetime64[D]")) is None


def test_a_calendar_that_cannot_be_built_gives_weekdays(monkeypatch):
    empty = Schedule(np.array([], "datetime64[D]"), np.array([], "datetime64[s]"))
    monkeypatch.setattr(calendar, "_schedule", lambda exchange, since: empty)
    days = next_sessions("XNYS", np.datetime64("2026-12-24"), 2)
    assert days.astype(str).tolist() == ["2026-12-25", "2026-12-28"]
    assert "cannot be built" in calendar_notice("XNYS", days)


def test_sessions_of_long_ago_are_known_as_far_back_as_the_calendar_is_right():
    early = sessions_between("XNYS", np.datetime64("1974-12-31"), np.datetime64("1975-01-03"))
    assert early.astype(str).tolist() == ["1974-12-31", "1975-01-02", "1975-01-03"]
    before = np.arange("1962-01-02", "1962-03-01", dtype="datetime64[D]")
    assert len(missing_sessions("XNYS", before[np.is_busday(before)][::2])[0]) == 0


def test_real_histories_have_no_gaps(real_prices_folder):
    import csv

    for ticker in ("TSLA", "SPY"):
        with open(real_prices_folder / "daily" / f"{ticker}.csv", newline="") as file:
            sessions = np.array([row["Date"] for row in csv.DictReader(file)], dtype="datetime64[D]")
        missing, n_expected = missing_sessions("XNYS", sessions)
        assert len(missing) == 0 and n_expected == len(sessions)


@pytest.mark.parametrize(("gap", "n_missing"), [(8, 0), (12, 12)])
def test_without_a_calendar_only_long_gaps_count(gap, n_missing):
    days = np.arange("2024-01-01", "2024-12-31", dtype="datetime64[D]")
    weekdays = days[np.is_busday(days)]
    kept = np.delete(weekdays, slice(50, 50 + gap))
    assert len(missing_sessions("weekdays", kept)[0]) == n_missing
