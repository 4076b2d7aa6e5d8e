"""Every source ends in a checked snapshot; the same content is stored once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from forecast.errors import DataError, UsageError
from forecast.prices.demo import simulate_demo
from forecast.prices.snapshots import list_snapshots, load_snapshot
from forecast.prices.sources import import_prices, load_prices, source_from_option

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)  # Friday, New York is trading


def write_csv(path: Path, sessions, closes) -> Path:
    lines = [f"{s},{c:.6f}" for s, c in zip(sessions, closes, strict=True)]
    path.write_text("\n".join(["Date,Close", *lines]) + "\n")
    return path


def weekdays(last: str, n: int = 60) -> np.ndarray:
    return np.busday_offset(np.datetime64(last), np.arange(1 - n, 1), roll="backward")


def test_the_source_follows_from_the_option(tmp_path):
    path = write_csv(tmp_path / "TSLA.csv", weekdays("2024-01-31"), np.linspace(10, 20, 60))
    assert source_from_option("TSLA", None) == "yahoo"
    assert source_from_option("DEMO", None) == "demo"
    assert source_from_option("TSLA", path) == source_from_option("TSLA", tmp_path) == f"csv:{path}"
    with pytest.raises(UsageError, match="there is no file .*AAPL.csv"):
        source_from_option("AAPL", tmp_path)


def test_demo_is_stored_once_and_comes_back_simulated(tmp_path):
    first = load_prices("DEMO", source="demo", folder=tmp_path)
    again = load_prices("demo", source="demo", folder=tmp_path)
    assert first.snapshot == again.snapshot and len(list_snapshots(tmp_path, "DEMO")) == 1
    assert first.simulated and first.listing.currency == "USD"
    np.testing.assert_array_equal(first.close, simulate_demo().prices.close)


def test_a_file_is_read_anew_and_stored_only_when_it_changed(tmp_path):
    sessions, closes = weekdays("2024-01-31"), np.linspace(10, 20, 60)
    source = f"csv:{write_csv(tmp_path / 'TSLA.csv', sessions, closes)}"
    first = load_prices("TSLA", source=source, folder=tmp_path, now=NOW)
    assert load_prices("TSLA", source=source, folder=tmp_path, now=NOW).snapshot == first.snapshot
    write_csv(tmp_path / "TSLA.csv", sessions, closes * 2)
    second = load_prices("TSLA", source=source, folder=tmp_path, now=NOW)
    assert second.snapshot != first.snapshot
    np.testing.assert_allclose(load_snapshot(tmp_path, "TSLA", first.snapshot).close * 2, second.close)


def test_an_unchanged_file_is_not_read_again_unless_its_snapshot_is_gone(tmp_path, monkeypatch):
    from forecast.prices.files import reader

    path = write_csv(tmp_path / "ACME.csv", weekdays("2024-01-31"), np.linspace(10, 20, 60))
    first = import_prices("ACME", path, folder=tmp_path / "data", now=NOW)
    reading = reader.read_price_file
    monkeypatch.setattr(reader, "read_price_file", lambda *_: pytest.fail("read again"))
    again = import_prices("ACME", path, folder=tmp_path / "data", now=NOW)
    assert again.snapshot == first.snapshot and (again.close == first.close).all() and again.notices == first.notices
    monkeypatch.setattr(reader, "read_price_file", reading)
    for stored in (tmp_path / "data").rglob(f"{first.snapshot}.csv"):
        stored.write_text("damaged")
    assert import_prices("ACME", path, folder=tmp_path / "data", now=NOW).snapshot == first.snapshot


def test_an_unknown_source_is_refused(tmp_path):
    with pytest.raises(UsageError, match="'bloomberg' is no source of prices"):
        load_prices("TSLA", source="bloomberg", folder=tmp_path)


def test_the_bar_of_a_session_that_is_still_trading_is_left_out_of_a_file_too(tmp_path):
    path = write_csv(tmp_path / "TSLA.csv", weekdays("2026-11-20"), np.linspace(10, 20, 60))
    prices = import_prices("TSLA", path, folder=tmp_path, now=NOW)
    assert str(prices.sessions[-1]) == "2026-11-19"
    assert prices.notices[0].startswith("The bar of 2026-11-20 was left out: its session closes at 2026-11-20T21:00")


def test_a_file_that_trades_on_weekends_is_crypto_whatever_its_name(tmp_path):
    days = np.arange("2024-01-01", "2024-03-31", dtype="datetime64[D]")
    path = write_csv(tmp_path / "COIN.csv", days, np.linspace(10, 20, len(days)))
    prices = import_prices("COIN", path, folder=tmp_path, now=NOW)
    assert prices.listing.exchange == "24/7"
    assert prices.notices == ("Its dates are not those of XNYS: sessions are 24/7.",)


def test_a_file_with_foreign_holidays_is_not_forced_into_new_yorks_calendar(tmp_path):
    days = weekdays("2024-12-31", 260)  # also on Thanksgiving, Christmas, ...
    path = write_csv(tmp_path / "INDEX.csv", days, np.linspace(10, 20, 260))
    assert import_prices("INDEX", path, folder=tmp_path, now=NOW).listing.exchange == "weekdays"


def test_a_refusal_names_file_and_line(tmp_path):
    days = weekdays("2024-01-31")
    closes = np.linspace(10, 20, 60)
    path = write_csv(tmp_path / "TSLA.csv", days, np.where(np.arange(60) < 30, closes * 100, closes))
    with pytest.raises(DataError) as refusal:
        import_prices("TSLA", path, folder=tmp_path, now=NOW)
    assert str(path) in str(refusal.value) and "(line 32)" in str(refusal.value)
    assert list_snapshots(tmp_path, "TSLA") == []


def test_prices_times_ten_are_returns_unchanged(real_prices_folder, tmp_path):
    text = (real_prices_folder / "daily" / "TSLA.csv").read_text().splitlines()
    tenfold = [text[0]]
    for line in text[1:]:
        day, *prices, volume = line.split(",")
        tenfold.append(",".join([day, *(repr(float(price) * 10) for price in prices), volume]))
    (tmp_path / "TEN.csv").write_text("\n".join(tenfold))
    one = import_prices("TSLA", real_prices_folder / "daily" / "TSLA.csv", folder=tmp_path, now=NOW)
    ten = import_prices("TSLA", tmp_path / "TEN.csv", folder=tmp_path, now=NOW)
    np.testing.assert_allclose(ten.close, one.close * 10, rtol=1e-14)
