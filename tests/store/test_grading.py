import csv
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import scoringrules
from hypothesis import given
from hypothesis import strategies as st

from forecast.evaluation.significance import diebold_mariano
from forecast.networks.distribution import StudentT
from forecast.prices.table import Prices
from forecast.store.grading import Grade, grade
from forecast.store.ledger import LedgerRow, load_forecasts, make_rows, record_forecasts, verify_chain

SESSIONS = np.array(["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"], dtype="M8[D]")


def prices_of(close, sessions=SESSIONS, ticker="TSLA", snapshot="") -> Prices:
    close = np.asarray(close, dtype=float)
    return Prices(ticker, sessions, close, close, close, close, close, "demo", snapshot=snapshot)


def row_of(cutoff: str, target: str, location=0.0, scale=0.01, **changed) -> LedgerRow:
    """A normal distribution of the log return, made on the evening of its cutoff."""
    z = np.array([-1.96, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.96])
    row = LedgerRow(
        f"{cutoff}T22:00:00.000000Z", cutoff, "TSLA", "r1", "lstm", "", cutoff, 100.0, 1, target,
        *(location + scale * z).tolist(), location, scale, np.inf, 0.5,
    )  # fmt: skip
    return replace(row, **changed)


def only(grades: list[Grade]) -> Grade:
    (grade_,) = grades
    return grade_


def test_errors_and_coverage_of_three_forecasts_by_eye():
    close = 100 * np.exp([0.00, 0.01, 0.01, 0.04, 0.04])  # changes of 1, 0, 3 and 0 percent
    rows = [
        row_of("2026-11-16", "2026-11-17", location=0.01),  # right
        row_of("2026-11-17", "2026-11-18", location=0.01),  # one percent off: within 80 %
        row_of("2026-11-18", "2026-11-19", location=0.00),  # three percent off: outside all
    ]
    graded = only(grade(rows, {"TSLA": prices_of(close)}))
    assert graded.n == graded.n_ranges == 3
    assert graded.mae == pytest.approx(4 / 3)
    assert graded.naive_mae == pytest.approx(4 / 3)
    assert (graded.coverage_50, graded.coverage_80, graded.coverage_95) == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert graded.p_value is None


def test_forecasts_that_cannot_be_graded_are_counted_by_their_reason():
    rows = [
        row_of("2026-11-18", "2026-11-19"),
        row_of("2026-11-18", "2026-11-19", location=0.5),  # a second one for the same cutoff
        row_of("2026-11-17", "2026-11-18", last_closed="2026-11-18"),  # made when it had closed
        row_of("2026-11-20", "2026-11-23"),  # yet to come
        row_of("2026-11-15", "2026-11-16"),  # its cutoff has no price
        row_of("2026-11-14", "2026-11-15"),  # its target has none either
    ]
    graded = only(grade(rows, {"TSLA": prices_of([100.0] * 5)}))
    counts = (graded.n, graded.repeated, graded.late, graded.pending, graded.without_price)
    assert counts == (1, 1, 1, 1, 2)
    assert graded.mae == 0.0  # of the first forecast, not of the second


def test_late_forecast_does_not_displace_one_made_in_time():
    rows = [
        row_of("2026-11-18", "2026-11-19", location=0.5, last_closed="2026-11-19"),
        row_of("2026-11-18", "2026-11-19"),
    ]
    graded = only(grade(rows, {"TSLA": prices_of([100.0] * 5)}))
    assert (graded.n, graded.late, graded.repeated, graded.mae) == (1, 1, 0, 0.0)


def test_nothing_due_gives_counts_without_figures():
    graded = only(grade([row_of("2026-11-20", "2026-11-23")], {"TSLA": prices_of([100.0] * 5)}))
    assert (graded.n, graded.pending, graded.mae, graded.crps) == (0, 1, None, None)


def test_point_forecasts_have_errors_and_no_ranges():
    points = dict.fromkeys(["q025", "q100", "q250", "q750", "q900", "q975", "scale", "df"])
    row = replace(row_of("2026-11-18", "2026-11-19", location=0.02), **points)
    graded = only(grade([row], {"TSLA": prices_of([100.0] * 5)}))
    assert (graded.n, graded.n_ranges, graded.crps, graded.coverage_95) == (1, 0, None, None)
    assert graded.mae == pytest.approx(2.0)


def test_tickers_networks_and_horizons_are_graded_apart():
    row = row_of("2026-11-18", "2026-11-19")
    rows = [row, replace(row, network="simple_rnn"), replace(row, ticker="AAPL"), replace(row, horizon=2)]
    prices = {ticker: prices_of([100.0] * 5, ticker=ticker) for ticker in ("TSLA", "AAPL")}
    graded = [(each.ticker, each.network, each.horizon) for each in grade(rows, prices)]
    assert graded == [
        ("AAPL", "lstm", 1), ("TSLA", "lstm", 1), ("TSLA", "lstm", 2), ("TSLA", "simple_rnn", 1),
    ]  # fmt: skip


@given(st.floats(0.01, 100.0), st.lists(st.floats(50.0, 150.0), min_size=5, max_size=5))
def test_unit_of_todays_prices_changes_nothing(unit, close):
    rows = [row_of("2026-11-16", "2026-11-17", 0.004), row_of("2026-11-18", "2026-11-19")]
    one = only(grade(rows, {"TSLA": prices_of(close)}))
    other = only(grade(rows, {"TSLA": prices_of(unit * np.array(close))}))
    assert (one.mae, one.naive_mae, one.crps) == pytest.approx((other.mae, other.naive_mae, other.crps))


# --- a simulated year of real prices, with a split in its middle


def read_closes(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with open(path, newline="") as file:
        rows = [(row["Date"], float(row["Close"])) for row in csv.DictReader(file)]
    days, closes = zip(*rows, strict=True)
    return np.array(days, dtype="M8[D]"), np.array(closes)


def tsla_by(path: Path, snapshot: str) -> Prices:
    sessions, close = read_closes(path)
    return prices_of(close, sessions, snapshot=snapshot)


def record_a_year(path: Path, snapshots: list[Prices], calendar: np.ndarray) -> None:
    """One forecast of five steps on each evening, from the oldest snapshot that reaches so far."""
    start, stop = np.searchsorted(calendar, np.array(["2020-01-02", "2020-12-31"], dtype="M8[D]"))
    for at in range(start, stop):
        cutoff = calendar[at]
        seen = next(s for s in snapshots if s.sessions[-1] >= cutoff).until(cutoff)
        steps = np.arange(1.0, 6.0)[None]  # (1, 5)
        deviation = np.diff(np.log(seen.close[-61:])).std()
        forecast = StudentT(0.0005 * steps, 0.77 * deviation * np.sqrt(steps), np.full((1, 5), 5.0))
        made_at = datetime.fromisoformat(f"{cutoff}T23:00:00+00:00")
        facts = {"network": "lstm", "run_id": "r1", "made_at": made_at, "last_closed": cutoff}
        record_forecasts(path, make_rows(forecast, seen, calendar[at + 1 : at + 6], **facts))


@pytest.fixture(scope="module")
def simulated_year(tmp_path_factory, real_prices_folder):
    """The ledger of a year whose snapshots are split 1, 5 and 15 for one, and today's prices."""
    older = real_prices_folder / "snapshots"
    snapshots = [
        tsla_by(older / "TSLA.x15.2020-02-03.csv", "a" * 64),
        tsla_by(older / "TSLA.x15.2020-08-25.csv", "b" * 64),
        tsla_by(older / "TSLA.x3.2020-12-11.csv", "c" * 64),
        tsla_by(real_prices_folder / "daily" / "TSLA.csv", "d" * 64),
    ]
    path = tmp_path_factory.mktemp("year") / "ledger.sqlite"
    record_a_year(path, snapshots, snapshots[-1].sessions)
    return path, snapshots[-1]


def test_simulated_year_agrees_with_a_computation_from_the_raw_rows(simulated_year):
    path, today = simulated_year
    closes = dict(zip(today.sessions.astype(str), today.close, strict=True))
    grades = grade(load_forecasts(path), {"TSLA": today})
    assert [each.horizon for each in grades] == [1, 2, 3, 4, 5]
    with closing(sqlite3.connect(path)) as connection:
        for each in grades:
            query = (
                "SELECT cutoff, target, location, scale, df, q025, q975, q100, q900, q250, q750 "
                "FROM forecasts WHERE horizon = ? ORDER BY cutoff"
            )
            raw = connection.execute(query, (each.horizon,)).fetchall()
            y = np.array([np.log(closes[target] / closes[cutoff]) for cutoff, target, *_ in raw])
            location, scale, df, *quantiles = np.array([row[2:] for row in raw]).T
            assert each.n == len(raw) == 252
            crps = 100 * scoringrules.crps_t(y, df, location, scale)
            assert each.crps == pytest.approx(crps.mean(), rel=1e-9)
            for level, (low, high) in zip((95, 80, 50), zip(quantiles[::2], quantiles[1::2]), strict=True):
                assert getattr(each, f"coverage_{level}") == np.mean((low <= y) & (y <= high))
            assert each.mae == pytest.approx(100 * np.abs(y - location).mean(), rel=1e-12)
            assert each.naive_mae == pytest.approx(100 * np.abs(y).mean(), rel=1e-12)
            p_value = diebold_mariano(np.abs(y - location), np.abs(y), each.horizon).p_value
            assert each.p_value == pytest.approx(p_value, rel=1e-9)
    assert verify_chain(path).count == 5 * 252


def test_split_in_the_middle_of_the_year_changes_nothing(simulated_year, tmp_path):
    path, today = simulated_year
    record_a_year(tmp_path / "ledger.sqlite", [today], today.sessions)
    split = [row.last_close for row in load_forecasts(path)]
    unsplit = [row.last_close for row in load_forecasts(tmp_path / "ledger.sqlite")]
    ratios = np.round(np.array(split) / np.array(unsplit), 3)
    assert set(ratios) == {15.0, 3.0, 1.0}
    for one, other in zip(
        grade(load_forecasts(path), {"TSLA": today}),
        grade(load_forecasts(tmp_path / "ledger.sqlite"), {"TSLA": today}),
        strict=True,
    ):
        assert (one.n, one.mae, one.naive_mae) == (other.n, other.mae, other.naive_mae)
        assert one.crps == pytest.approx(other.crps, rel=1e-4)  # old files round their closes
        assert abs(one.coverage_80 - other.coverage_80) <= 1 / 252


def test_forecasts_written_a_year_later_are_late(simulated_year, tmp_path):
    path, today = simulated_year
    last = str(today.sessions[-1])
    later = (datetime.now(UTC) + timedelta(days=365)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    rows = [replace(row, made_at=later, last_closed=last) for row in load_forecasts(path)]
    assert all((each.n, each.late) == (0, 252) for each in grade(rows, {"TSLA": today}))
