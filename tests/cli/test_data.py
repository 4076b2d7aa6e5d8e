"""`forecast data`: what it stores, shows and compares, its exit codes, and how fast it answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from forecast.cli.app import app
from forecast.prices import yahoo as yahoo_module
from forecast.prices.snapshots import snapshot_folder
from tests.yahoo_server import loopback_yahoo


def run(workspace: Path, *words: str):
    return CliRunner().invoke(app, ["data", *map(str, words), "--workspace", str(workspace)])


def write_csv(path: Path, factor: float = 1.0, n: int = 60) -> Path:
    days = np.busday_offset(np.datetime64("2024-03-28"), np.arange(1 - n, 1), roll="backward")
    lines = [f"{day},{close:.6f}" for day, close in zip(days, np.linspace(10, 20, n) * factor, strict=True)]
    path.write_text("\n".join(["Date,Close", *lines]) + "\n")
    return path


def test_import_show_and_diff_tell_one_story(tmp_path):
    assert run(tmp_path, "import", write_csv(tmp_path / "a.csv", 5.0), "--ticker", "tsla").exit_code == 0
    assert run(tmp_path, "import", write_csv(tmp_path / "b.csv"), "--ticker", "TSLA").exit_code == 0
    shown = run(tmp_path, "show", "TSLA")
    assert "60, 2024-01-05 to 2024-03-28" in shown.stdout and str(tmp_path / "a.csv")[-20:] in shown.stdout
    assert "5:1 split after 2024-03-28" in run(tmp_path, "diff", "TSLA").stdout


def test_json_is_one_document_with_all_that_is_known(tmp_path):
    stored = json.loads(run(tmp_path, "import", write_csv(tmp_path / "a.csv", 5.0), "--ticker", "TSLA", "--json").stdout)
    run(tmp_path, "import", write_csv(tmp_path / "b.csv"), "--ticker", "TSLA")
    shown = json.loads(run(tmp_path, "show", "TSLA", "--json").stdout)
    assert stored["schema"] == shown["schema"] == 1
    assert stored["prices"][0]["snapshot"] == shown["snapshots"][0]["sha256"]
    assert shown["snapshots"][0]["exchange"] == "weekdays" and shown["damaged"] == []
    [comparison] = json.loads(run(tmp_path, "diff", "TSLA", "--json").stdout)["comparisons"]
    assert comparison["adjustments"][0]["kind"] == "split"
    assert comparison["old"] == stored["prices"][0]["snapshot"]


def test_two_snapshots_are_compared_by_the_beginnings_of_their_names(tmp_path):
    hashes = []
    for factor in (4.0, 2.0, 1.0):
        path = write_csv(tmp_path / f"{factor}.csv", factor)
        document = json.loads(run(tmp_path, "import", path, "--ticker", "TSLA", "--json").stdout)
        hashes.append(document["prices"][0]["snapshot"])
    found = run(tmp_path, "diff", "TSLA", hashes[0][:8], hashes[2][:8]).stdout
    assert "4:1 split" in found and "2:1 split" not in found
    assert run(tmp_path, "diff", "TSLA").stdout.count("2:1 split") == 2


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        (["show", "TSLA"], 2, "Nothing is stored of TSLA. Type: forecast data fetch TSLA"),
        (["show", "../etc"], 2, "is not a ticker"),
        (["diff", "TSLA"], 2, "TSLA has 0 intact snapshots; a comparison needs two"),
        (["import", "none.csv", "--ticker", "TSLA"], 65, "none.csv cannot be read: No such file"),
        (["fetch", "TSLA", "--offline"], 2, "--offline forbids"),
    ],
)
def test_a_failure_is_one_sentence_on_stderr_with_its_exit_code(tmp_path, words, exit_code, says):
    done = run(tmp_path, *words)
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert says in done.stderr and "Traceback" not in done.stderr


def test_a_refused_file_stores_nothing(tmp_path):
    path = tmp_path / "weekly.csv"
    path.write_text("Date,Close\n" + "".join(f"2024-01-{day:02},5\n" for day in range(1, 30, 7)))
    done = run(tmp_path, "import", path, "--ticker", "TSLA")
    assert done.exit_code == 65 and "these are weekly bars" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_damaged_snapshot_is_named_by_show(tmp_path):
    run(tmp_path, "import", write_csv(tmp_path / "a.csv"), "--ticker", "TSLA")
    run(tmp_path, "import", write_csv(tmp_path / "b.csv", 2.0), "--ticker", "TSLA")
    damaged = sorted(snapshot_folder(tmp_path / "data", "TSLA").glob("*.csv"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-3])
    shown = run(tmp_path, "show", "TSLA")
    assert shown.exit_code == 0 and damaged.stem in shown.stderr


@pytest.fixture
def yahoo(tmp_path, monkeypatch):
    """A loopback Yahoo that serves TSLA and AAPL, and knows nothing else."""
    monkeypatch.setattr(yahoo_module, "_rate_limited_at", None)
    with loopback_yahoo(tmp_path) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        path = write_csv(tmp_path / "served.csv")
        for ticker in ("TSLA", "AAPL"):
            server.serve_csv(ticker, path, exchangeName="CCY")  # weekdays without holidays
        yield server


def test_one_ticker_that_fails_does_not_stop_the_others(tmp_path, yahoo):
    done = run(tmp_path, "fetch", "TSLA", "NOSUCH", "AAPL", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 10
    assert [prices["ticker"] for prices in document["prices"]] == ["TSLA", "AAPL"]
    assert [(f["ticker"], f["exit_code"]) for f in document["failures"]] == [("NOSUCH", 65)]
    assert "NOSUCH" in done.stderr


def test_a_second_fetch_asks_nothing_and_force_asks(tmp_path, yahoo):
    for words, requests in ((["TSLA"], 1), (["TSLA"], 1), (["TSLA", "--force"], 2)):
        assert run(tmp_path, "fetch", *words).exit_code == 0
        assert yahoo.n_charts() == requests


def test_a_fetch_that_fails_says_so_although_prices_are_stored(tmp_path, yahoo):
    run(tmp_path, "fetch", "TSLA")
    yahoo.fail("TSLA", "http 429")
    assert run(tmp_path, "fetch", "TSLA", "--force").exit_code == 75


def test_demo_is_fetched_without_a_network(tmp_path):
    done = run(tmp_path, "fetch", "DEMO")
    assert done.exit_code == 0 and "DEMO SIMULATED" in done.stdout


def test_the_watchlist_is_fetched_where_no_ticker_is_named(tmp_path):
    (tmp_path / "forecast.toml").write_text('watchlist = ["DEMO"]\n')
    assert "DEMO SIMULATED" in run(tmp_path, "fetch").stdout


def test_show_imports_nothing_that_takes_long(tmp_path):
    """It answers in about the time of importing pandas; none of these may creep in."""
    run(tmp_path, "import", write_csv(tmp_path / "a.csv"), "--ticker", "TSLA")
    script = (
        "import sys; from forecast.cli import main\n"
        f"sys.argv = ['forecast', 'data', 'show', 'TSLA', '--workspace', {str(tmp_path)!r}]\n"
        "try: main()\n"
        "finally: print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    heavy = ("pandas", "scipy", "sklearn", "tensorflow", "keras", "matplotlib", "yfinance", "exchange_calendars")
    assert done.returncode == 0 and "60, 2024-01-05" in done.stdout
    assert [name for name in heavy if f"'{name}'" in done.stderr] == []
