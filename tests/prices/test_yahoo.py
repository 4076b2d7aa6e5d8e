"""The real yfinance against a loopback server: every failure told apart, the cache left as it was."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from forecast.errors import (
    DataError,
    ForecastError,
    SourceUnavailable,
    TryAgainLater,
    UnknownTicker,
)
from forecast.prices import yahoo as yahoo_module
from forecast.prices.snapshots import list_snapshots, read_current, snapshot_folder
from forecast.prices.sources import fetch_prices, load_prices
from tests.yahoo_server import LoopbackYahoo, chart_from_rows, loopback_yahoo

ROOT = Path(__file__).parents[2]
NIGHT = datetime(2026, 8, 15, 3, tzinfo=UTC)  # after the session of Friday, 2026-08-14
MIDDAY = datetime(2026, 8, 14, 17, tzinfo=UTC)  # during it


@pytest.fixture
def yahoo(tmp_path, monkeypatch):
    """A loopback Yahoo that this process reaches, with short patience and no memory of refusals."""
    monkeypatch.setattr(yahoo_module, "_rate_limited_at", None)
    monkeypatch.setattr(yahoo_module, "PAUSES", (0.01, 0.02))
    monkeypatch.setattr(yahoo_module, "TIMEOUT", 1.0)
    monkeypatch.setattr(yahoo_module, "PATIENCE", 1.5)
    with loopback_yahoo(tmp_path) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def make_rows(n: int = 40, last: str = "2026-08-14") -> list[dict[str, str]]:
    """Rows of a made-up CSV: sessions of XNYS in a rising line."""
    from forecast.prices.calendar import sessions_between

    sessions = sessions_between("XNYS", np.datetime64(last) - 2 * n, np.datetime64(last))[-n:]
    closes = np.linspace(100, 120, n)
    return [
        {"Date": str(s), "Open": f"{c - 1}", "High": f"{c + 1}", "Low": f"{c - 2}", "Close": f"{c}", "Volume": "1e6"}
        for s, c in zip(sessions, closes, strict=True)
    ]


def serve(yahoo: LoopbackYahoo, rows: list[dict[str, str]], ticker: str = "TSLA", **meta) -> None:
    yahoo.serve_json(ticker, chart_from_rows(ticker, rows, **meta))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in snapshot_folder(folder, "TSLA").iterdir()}


def test_prices_and_listing_come_through_in_one_request(yahoo, tmp_path):
    rows = make_rows()
    serve(yahoo, rows)
    prices = fetch_prices("TSLA", folder=tmp_path, now=NIGHT)
    assert yahoo.n_charts() == 1
    assert prices.sessions.astype(str).tolist() == [row["Date"] for row in rows]
    np.testing.assert_allclose(prices.close, [float(row["Close"]) for row in rows], rtol=1e-12)
    assert (prices.listing.exchange, prices.listing.currency) == ("XNYS", "USD")
    assert prices.notices == () and prices.source == "yahoo"


def test_nothing_is_asked_until_a_session_has_closed(yahoo, tmp_path):
    serve(yahoo, make_rows())
    first = fetch_prices("TSLA", folder=tmp_path, now=NIGHT)
    for hours in (1, 24, 48, 64):  # the weekend, and Monday's trading
        again = load_prices("TSLA", source="yahoo", folder=tmp_path, now=NIGHT + timedelta(hours=hours))
        assert again.snapshot == first.snapshot
    assert yahoo.n_charts() == 1
    serve(yahoo, make_rows(41, "2026-08-17"))
    monday_night = NIGHT + timedelta(days=3)
    assert str(load_prices("TSLA", source="yahoo", folder=tmp_path, now=monday_night).sessions[-1]) == "2026-08-17"
    assert yahoo.n_charts() == 2


def test_a_session_that_is_only_late_is_asked_for_an_hour_later(yahoo, tmp_path):
    serve(yahoo, make_rows(40, "2026-08-13"))
    fetch_prices("TSLA", folder=tmp_path, now=NIGHT)
    for minutes, requests in ((30, 1), (61, 2)):
        load_prices("TSLA", source="yahoo", folder=tmp_path, now=NIGHT + timedelta(minutes=minutes))
        assert yahoo.n_charts() == requests


def test_a_share_that_left_the_exchange_is_asked_for_once_a_day(yahoo, tmp_path):
    serve(yahoo, make_rows(40, "2022-10-27"))
    for hours in range(0, 40, 4):
        prices = load_prices("TSLA", source="yahoo", folder=tmp_path, now=NIGHT + timedelta(hours=hours))
        assert "The newest session of TSLA is 2022-10-27, 138" in prices.notices[0]
    assert yahoo.n_charts() == 1


def test_offline_never_asks(yahoo, tmp_path):
    with pytest.raises(SourceUnavailable, match="No prices of TSLA from Yahoo are stored"):
        load_prices("TSLA", source="yahoo", folder=tmp_path, offline=True, now=NIGHT)
    serve(yahoo, make_rows())
    fetch_prices("TSLA", folder=tmp_path, now=NIGHT)
    yahoo.requests.clear()
    later = NIGHT + timedelta(days=30)
    assert len(load_prices("TSLA", source="yahoo", folder=tmp_path, offline=True, now=later)) == 40
    assert yahoo.requests == []


EXPECTED = {  # failure: exception, what the message says, requests for prices
    "http 429": (TryAgainLater, "rate limit, HTTP 429", 1),
    "http 404": (UnknownTicker, "does not know TSLA .HTTP 404: No data found", 1),
    "http 401": (SourceUnavailable, "turned the request for TSLA away .HTTP 401", 2),
    "http 500": (SourceUnavailable, "failed to answer for TSLA .HTTP 500", 3),
    "html": (SourceUnavailable, "no JSON, or cut off", 3),
    "truncated": (SourceUnavailable, "no JSON, or cut off", 3),
    "new format": (SourceUnavailable, "a form that yfinance cannot read", 1),
    "empty": (DataError, "has no daily prices of TSLA", 1),
    "timeout": (SourceUnavailable, "did not answer for TSLA within 1 s", 2),
    "dropped": (SourceUnavailable, "connection to Yahoo for TSLA failed", 3),
}


@pytest.mark.parametrize("failure", EXPECTED)
def test_a_failure_is_named_counted_and_leaves_the_cache_byte_for_byte(yahoo, tmp_path, failure):
    kind, says, requests = EXPECTED[failure]
    serve(yahoo, make_rows(40, "2026-08-13"))
    fetch_prices("TSLA", folder=tmp_path, now=NIGHT - timedelta(days=1))
    before = contents(tmp_path)
    yahoo.requests.clear()
    yahoo.fail("TSLA", failure)
    with pytest.raises(kind, match=says):
        fetch_prices("TSLA", folder=tmp_path, now=NIGHT)
    assert yahoo.n_charts() == requests
    assert contents(tmp_path) == before
    if kind is UnknownTicker:
        return
    yahoo_module._rate_limited_at = None
    stored = load_prices("TSLA", source="yahoo", folder=tmp_path, now=NIGHT)
    assert str(stored.sessions[-1]) == "2026-08-13"
    assert "24 hours ago, up to the session of 2026-08-13, serve" in stored.notices[0]


@pytest.mark.parametrize("failure", EXPECTED)
def test_without_stored_prices_a_failure_is_raised(yahoo, tmp_path, failure):
    yahoo.fail("TSLA", failure)
    with pytest.raises(EXPECTED[failure][0]):
        load_prices("TSLA", source="yahoo", folder=tmp_path, now=NIGHT)


def test_after_a_rate_limit_nothing_more_is_asked_in_this_run(yahoo, tmp_path):
    yahoo.fail("TSLA", "http 429")
    serve(yahoo, make_rows(), "AAPL")
    for ticker, says in (("TSLA", "HTTP 429"), ("AAPL", "was not asked for AAPL: it refused")):
        with pytest.raises(TryAgainLater, match=says):
            fetch_prices(ticker, folder=tmp_path, now=NIGHT)
    assert yahoo.n_charts() == 1


def test_an_unknown_ticker_is_remembered_for_a_day(yahoo, tmp_path):
    for hours, requests in ((0, 1), (1, 1), (23, 1), (25, 2)):
        with pytest.raises(UnknownTicker, match="NOSUCH"):
            load_prices("NOSUCH", source="yahoo", folder=tmp_path, now=NIGHT + timedelta(hours=hours))
        assert yahoo.n_charts() == requests
    serve(yahoo, make_rows(), "NOSUCH")
    assert len(fetch_prices("NOSUCH", folder=tmp_path, now=NIGHT + timedelta(hours=26), force=True)) == 40


def test_a_ticker_that_yahoo_forgot_is_refused_and_its_stored_prices_offered(yahoo, tmp_path):
    serve(yahoo, make_rows(40, "2026-08-13"))
    fetch_prices("TSLA", folder=tmp_path, now=NIGHT - timedelta(days=1))
    yahoo.fail("TSLA", "http 404")
    with pytest.raises(UnknownTicker, match="up to 2026-08-13 stay; --offline works with them"):
        load_prices("TSLA", source="yahoo", folder=tmp_path, now=NIGHT)


def test_a_renamed_ticker_is_refused_with_its_new_name(yahoo, tmp_path):
    serve(yahoo, make_rows(), "FB", symbol="META")
    with pytest.raises(UnknownTicker, match="Yahoo answers for FB with 'META': ask for that ticker"):
        fetch_prices("FB", folder=tmp_path, now=NIGHT)


def test_todays_unfinished_bar_is_left_out_and_said(yahoo, tmp_path):
    serve(yahoo, make_rows(), live_at=MIDDAY)
    prices = fetch_prices("TSLA", folder=tmp_path, now=MIDDAY)
    assert str(prices.sessions[-1]) == "2026-08-13"
    assert prices.notices == (
        "The bar of 2026-08-14 was left out: its session closes at 2026-08-14T20:00:00 UTC.",
    )


def test_a_bar_is_taken_once_it_has_settled(yahoo, tmp_path):
    serve(yahoo, make_rows())
    close = datetime(2026, 8, 14, 20, tzinfo=UTC)
    assert len(fetch_prices("TSLA", folder=tmp_path, now=close + timedelta(minutes=19))) == 39
    assert len(load_prices("TSLA", source="yahoo", folder=tmp_path, now=close + timedelta(minutes=20))) == 40


def test_null_candles_are_left_out_and_said(yahoo, tmp_path):
    rows = make_rows()
    for name in ("Open", "High", "Low", "Close", "Volume"):
        rows[10][name] = ""
    serve(yahoo, rows)
    prices = fetch_prices("TSLA", folder=tmp_path, now=NIGHT)
    assert len(prices) == 39 and rows[10]["Date"] in prices.notices[0]


def test_a_dividend_moves_the_adjusted_prices_and_no_others(yahoo, tmp_path):
    rows = make_rows()
    ex_date = chart_from_rows("TSLA", rows)["chart"]["result"][0]["timestamp"][20]
    for row in rows[:20]:
        row["Adj Close"] = str(float(row["Close"]) * 0.99)
    amount = 0.01 * float(rows[19]["Close"])
    serve(yahoo, rows, events={"dividends": {str(ex_date): {"amount": amount, "date": ex_date}}})
    prices = fetch_prices("TSLA", folder=tmp_path, now=NIGHT)
    raw = np.array([float(row["Close"]) for row in rows])
    np.testing.assert_allclose(prices.close, raw * np.where(np.arange(40) < 20, 0.99, 1.0), rtol=1e-12)


def test_a_split_between_two_downloads_makes_a_second_snapshot_with_the_same_returns(yahoo, tmp_path):
    rows = make_rows(41, "2026-08-17")
    serve(yahoo, rows[:40])
    before = fetch_prices("TSLA", folder=tmp_path, now=NIGHT)
    for row in rows:
        row.update({name: str(float(row[name]) / 5) for name in ("Open", "High", "Low", "Close")})
        row["Volume"] = "5e6"
    stamp = chart_from_rows("TSLA", rows)["chart"]["result"][0]["timestamp"][-1]
    split = {"date": stamp, "numerator": 5, "denominator": 1, "splitRatio": "5:1"}
    serve(yahoo, rows, events={"splits": {str(stamp): split}})
    after = fetch_prices("TSLA", folder=tmp_path, now=NIGHT + timedelta(days=3))
    assert len(list_snapshots(tmp_path, "TSLA")) == 2
    returns = [np.diff(np.log(prices.close[:40])) for prices in (before, after)]
    np.testing.assert_allclose(*returns, atol=1e-12)


def test_a_download_that_lost_many_old_dates_is_refused_unless_forced(yahoo, tmp_path):
    serve(yahoo, make_rows(100, "2026-08-13"))
    fetch_prices("TSLA", folder=tmp_path, now=NIGHT - timedelta(days=1))
    before = contents(tmp_path)
    serve(yahoo, make_rows(60))
    with pytest.raises(DataError, match="lacks 41 of the 100 sessions of the last one"):
        load_prices("TSLA", source="yahoo", folder=tmp_path, now=NIGHT)
    assert contents(tmp_path) == before
    assert len(fetch_prices("TSLA", folder=tmp_path, now=NIGHT, force=True)) == 60


def test_bad_prices_never_replace_good_ones(yahoo, tmp_path):
    serve(yahoo, make_rows(40, "2026-08-13"))
    fetch_prices("TSLA", folder=tmp_path, now=NIGHT - timedelta(days=1))
    before = contents(tmp_path)
    rows = make_rows()
    for row in rows[20:]:
        row.update({name: str(float(row[name]) * 100) for name in ("Open", "High", "Low", "Close")})
    serve(yahoo, rows)
    with pytest.raises(DataError, match="a change of unit"):
        load_prices("TSLA", source="yahoo", folder=tmp_path, now=NIGHT)
    assert contents(tmp_path) == before


def test_a_damaged_snapshot_is_named_and_the_one_before_it_serves(yahoo, tmp_path):
    serve(yahoo, make_rows(40, "2026-08-13"))
    old = fetch_prices("TSLA", folder=tmp_path, now=NIGHT - timedelta(days=1))
    serve(yahoo, make_rows(41))
    new = fetch_prices("TSLA", folder=tmp_path, now=NIGHT)
    path = snapshot_folder(tmp_path, "TSLA") / f"{new.snapshot}.csv"
    path.write_text(path.read_text().replace("100", "101"))
    served = load_prices("TSLA", source="yahoo", folder=tmp_path, offline=True, now=NIGHT)
    assert served.snapshot == old.snapshot and str(path) in served.notices[0]
    healed = load_prices("TSLA", source="yahoo", folder=tmp_path, now=NIGHT)
    assert healed.snapshot == new.snapshot and str(path) in healed.notices[0]
    assert read_current(tmp_path, "TSLA")["yahoo"]["sha256"] == new.snapshot


def test_cookies_are_kept_private(yahoo, tmp_path):
    serve(yahoo, make_rows())
    fetch_prices("TSLA", folder=tmp_path, now=NIGHT)
    assert (tmp_path / ".yahoo").stat().st_mode & 0o077 == 0


def test_twenty_processes_at_once_ask_once_and_agree(yahoo, tmp_path):
    serve(yahoo, make_rows())
    script = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from forecast.prices.sources import load_prices\n"
        f"folder, now = Path({str(tmp_path)!r}), datetime(2026, 8, 15, 3, tzinfo=UTC)\n"
        "p = load_prices('TSLA', source='yahoo', folder=folder, now=now)\n"
        "print(p.snapshot, len(p), p.close.sum())"
    )
    command = [sys.executable, "-c", script]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT, "env": dict(os.environ)}
    processes = [subprocess.Popen(command, **options) for _ in range(20)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert {process.returncode for process in processes} == {0}, answers
    assert len({out for out, _ in answers}) == 1
    assert yahoo.n_charts() == 1
    assert not [path for path in snapshot_folder(tmp_path, "TSLA").iterdir() if path.suffix == ".tmp"]


def test_three_real_downloads_of_tesla_keep_their_returns_through_two_splits(yahoo, tmp_path, real_prices_folder):
    folder = real_prices_folder
    paths = ("snapshots/TSLA.x15.2020-08-25.csv", "snapshots/TSLA.x3.2020-12-11.csv", "daily/TSLA.csv")
    downloads = []
    for path in paths:
        yahoo.serve_csv("TSLA", folder / path)
        with open(folder / path, newline="") as file:
            last = list(csv.DictReader(file))[-1]["Date"]
        now = datetime.fromisoformat(last).replace(hour=23, tzinfo=UTC)
        downloads.append(fetch_prices("TSLA", folder=tmp_path, now=now))
    assert len(list_snapshots(tmp_path, "TSLA")) == 3
    for old, new in zip(downloads, downloads[1:], strict=False):
        common, i, j = np.intersect1d(old.sessions, new.sessions, return_indices=True)
        gap = np.diff(np.log(old.close[i])) - np.diff(np.log(new.close[j]))
        assert len(common) == len(old) and np.abs(gap).max() < 1e-6


def test_recorded_answers_of_yahoo_are_read_or_refused(yahoo, tmp_path, real_prices_folder):
    for path in sorted((real_prices_folder / "yahoo").glob("*.json")):
        document = json.loads(path.read_bytes())
        body = document["response"]["bodyJson"] if "response" in document else document
        result = (body.get("chart", {}).get("result") or [{}])[0]
        ticker = result.get("meta", {}).get("symbol", "TSLA")
        yahoo.serve_json(ticker, body)
        try:
            prices = fetch_prices(ticker, folder=tmp_path / path.stem, now=NIGHT, force=True)
            assert len(prices) > 0 and np.isfinite(prices.close).all()
        except ForecastError as refusal:
            assert ticker in str(refusal)
