"""Every command of the README and of docs/ ends as its page says: typed in order, as a reader would.

The README is typed into an empty workspace; each page of docs/ into a copy of what the README left, since it speaks to
one who has read it. Yahoo is a server on loopback that has the prices up to the last closed session; the networks are
as small as they come.
"""

from __future__ import annotations

import csv
import os
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forecast.prices.calendar import last_closed_session, sessions_between
from tests.cli.test_schedule import CRONTAB
from tests.pages import PAGES, README, commands_of
from tests.yahoo_server import LoopbackYahoo, loopback_yahoo

pytestmark = pytest.mark.slow
N_SESSIONS = 500
COLUMNS = ("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume")
SETTINGS = 'watchlist = ["TSLA", "AAPL"]\nlookback = 10\nunits = 2\nepochs = 1\nn_seeds = 1\n'
SMALL = "--lookback 10 --units 2 --epochs 1 --n-seeds 1"

# What cannot be typed here, and why.
NOT_RUN = {
    "make demo": "makes an environment out of the package index; tests/test_package.py installs the wheel into one",
    "make test": "is this suite",
    "make docs": "draws into docs/, from the prices of the day",
    "python3 -m venv .venv-peers && .venv-peers/bin/pip install -r benchmarks/requirements-peers.txt":
        "downloads the packages of others",
    ".venv/bin/python benchmarks/speed.py --csv TSLA.csv --peers .venv-peers/bin/python":
        "needs those packages, and many minutes",
    ".venv/bin/python benchmarks/costs.py --csv TSLA.csv --peers .venv-peers/bin/python": "the same",
    "dask scheduler --host 127.0.0.1 --port 8786 --no-dashboard":
        "serves until it is ended; tests/automation/test_cluster.py has one, on a free port",
    "dask worker tcp://127.0.0.1:8786 --nthreads 1 --no-dashboard": "the same",
    "forecast retrain --dask tcp://127.0.0.1:8786": "needs both; tests/automation/test_cluster.py trains on them",
}  # fmt: skip
# What is typed behind a command here, and why.
ADDED = {
    "forecast train TSLA --recipe classic": SMALL,          # forecast.toml speaks of the recipe `returns`
    "forecast train TSLA AAPL MSFT --pool": SMALL,          # likewise
    "forecast init TSLA AAPL": "--workspace another",       # a forecast.toml stands here already
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """For everything below."""
    return tmp_path_factory.mktemp("reader")


@pytest.fixture(scope="module")
def yahoo(folder, request):
    """A loopback Yahoo that knows every ticker of the pages: real prices where they are, else simulated ones."""
    hong_kong = {"exchangeName": "HKG", "exchangeTimezoneName": "Asia/Hong_Kong", "currency": "HKD"}
    with loopback_yahoo(folder) as server:
        for ticker, file, exchange, meta in (
            ("TSLA", "TSLA", "XNYS", {}),
            ("AAPL", "AAPL", "XNYS", {}),
            ("MSFT", "MSFT", "XNYS", {}),
            ("^GSPC", "SPY", "XNYS", {"exchangeName": "SNP", "instrumentType": "INDEX"}),
            ("0700.HK", "0700.HK", "XHKG", hong_kong),
        ):
            path = folder / f"{file}.csv"
            write_rows(path, recent(known_rows(file, request), exchange))
            server.serve_csv(ticker, path, **meta)
        yield server


@pytest.fixture(scope="module")
def variables(folder, yahoo) -> dict[str, str]:
    """The variables of a command: it reaches that Yahoo, and a cron table of its own."""
    crontab = folder / "bin" / "crontab"
    crontab.parent.mkdir()
    crontab.write_text(CRONTAB)
    crontab.chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if name != "FORECAST_HOME"}
    path = f"{crontab.parent}:{os.environ['PATH']}"
    return inherited | yahoo.environment | {"PATH": path, "SSL_CERT_FILE": yahoo.environment["REQUESTS_CA_BUNDLE"]}


@pytest.fixture(scope="module")
def after_readme(folder, yahoo, variables) -> Path:
    """A folder with small settings and a reader's own file, without the newest session; the README was typed into it."""
    workspace = folder / "workspace"
    workspace.mkdir()
    (workspace / "forecast.toml").write_text(SETTINGS)
    *lines, _ = (folder / "TSLA.csv").read_text().splitlines(keepends=True)
    (workspace / "prices.csv").write_text("".join(lines))
    type_all(README, workspace, variables)
    return workspace


def type_all(page: Path, workspace: Path, variables: dict[str, str]) -> None:
    """Type every command of a page; each ends with exit code 0."""
    for command in commands_of(page):
        if command not in NOT_RUN:
            words = words_of(command, workspace)
            done = subprocess.run(words, cwd=workspace, env=variables, capture_output=True, text=True)
            assert done.returncode == 0, f"{page.name}: {command}\n{done.stdout}\n{done.stderr}"
            assert "Traceback" not in done.stderr, f"{page.name}: {command}\n{done.stderr}"


def known_rows(file: str, request: pytest.FixtureRequest) -> list[list[str]]:
    """The last days of a daily CSV, oldest first."""
    try:
        path = request.getfixturevalue("real_prices_folder") / "daily" / f"{file}.csv"
    except pytest.skip.Exception:
        prices = request.getfixturevalue("tiny_prices")
        arrays = (prices.open, prices.high, prices.low, prices.close, prices.close, prices.volume)
        return [["", *map(str, row)] for row in zip(*arrays)]
    with open(path, newline="") as lines:
        return [[row[name] for name in COLUMNS] for row in csv.DictReader(lines)][-N_SESSIONS:]


def recent(rows: list[list[str]], exchange: str) -> list[list[str]]:
    """The same days, dated as if the last one were the newest that Yahoo has."""
    newest = last_closed_session(exchange, datetime.now(UTC) - timedelta(hours=2))
    dates = sessions_between(exchange, newest - 2 * len(rows), newest)[-len(rows) :]
    return [[str(date), *row[1:]] for date, row in zip(dates, rows, strict=True)]


def write_rows(path: Path, rows: list[list[str]]) -> None:
    """A daily CSV."""
    path.write_text("\n".join(",".join(row) for row in [list(COLUMNS), *rows]) + "\n")


def words_of(command: str, workspace: Path) -> list[str]:
    """A command as it is typed here: with what stands for a run, a file and two snapshots, and what is added."""
    words = shlex.split(f"{command} {ADDED.get(command, '')}")
    oldest_run = min((path.parent.name for path in workspace.glob("models/TSLA/*/manifest.json")), default="")
    snapshots = sorted(path.stem[:8] for path in workspace.glob("data/TSLA/*.csv"))
    stands_for = {"RUN_ID": oldest_run, "FILE": "prices.csv"} | dict(zip(("3f2a", "9c01"), snapshots))
    return [sys.executable, "-m", *(stands_for.get(word, word) for word in words)]


@pytest.mark.timeout(600)       # a minute and a half on two idle cores: eight times TensorFlow
def test_the_commands_of_the_readme_end_well(after_readme):
    assert (after_readme / "models" / "report" / "TSLA.html").exists()


@pytest.mark.parametrize("page", [page for page in PAGES if page != README and {*commands_of(page)} - {*NOT_RUN}], ids=lambda page: page.stem)
def test_the_commands_of_a_page_end_well(page, after_readme, variables, tmp_path):
    type_all(page, shutil.copytree(after_readme, tmp_path / "workspace"), variables)


def test_the_tables_above_name_what_stands_on_the_pages():
    typed = {command for page in PAGES for command in commands_of(page)}
    assert {*NOT_RUN, *ADDED} <= typed
