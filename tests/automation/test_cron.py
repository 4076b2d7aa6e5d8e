"""The real thing: a cron daemon with its bare environment, the real yfinance, a Yahoo on loopback that gains a session."""

import csv
import json
import os
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from forecast.automation.command import retrain_command
from forecast.automation.crontab import format_block
from forecast.automation.journal import load_entries
from forecast.prices.calendar import last_closed_session, sessions_between
from forecast.prices.downloads import SETTLING
from forecast.store.champions import load_champion
from forecast.store.ledger import LEDGER, load_forecasts, verify_chain
from tests.yahoo_server import loopback_yahoo

SETTINGS = """
watchlist = ["TSLA"]
retrain_every = 1
gate = 40
networks = ["simple_rnn"]
n_seeds = 1
units = 2
lookback = 20
horizon = 2
epochs = 1
"""


@pytest.fixture
def daemon():
    """A running cron, installed where this user may."""
    if os.geteuid() != 0:
        pytest.skip("only root may install and start a cron daemon")
    if shutil.which("cron") is None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 120}
        subprocess.run(["apt-get", "update"], check=False, **quiet)
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "cron"], check=False, **quiet)
    if shutil.which("cron") is None:
        pytest.skip("cron is not installed, and apt-get cannot install it")
    before = subprocess.run(["crontab", "-l"], capture_output=True).stdout
    with subprocess.Popen(["cron", "-f"]) as process:
        time.sleep(0.5)
        if process.poll() is not None:
            pytest.skip("a cron daemon is running already")
        yield
        process.terminate()
    subprocess.run(["crontab", "-"], input=before, check=True)


def shifted(path: Path, target: Path, last: np.datetime64, n: int = 420) -> None:
    """The last `n` real prices, dated as if they had ended on `last`."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))[-n:]
    days = sessions_between("XNYS", last - 2 * n, last)[-n:]
    with open(target, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, "Date": str(day)} for row, day in zip(rows, days, strict=True))


def let_time_pass(workspace: Path) -> None:
    """Set what is remembered of when to ask Yahoo again an hour back, since a test cannot wait for it."""
    past = "2026-01-01T00:00:00+00:00"
    pointer = workspace / "data" / "TSLA" / "current.json"
    document = json.loads(pointer.read_text())
    document["yahoo"]["ask_again_at"] = past
    pointer.write_text(json.dumps(document))
    journal = workspace / "models" / "journal.jsonl"
    *former, last = journal.read_text().splitlines()
    journal.write_text("\n".join([*former, json.dumps(json.loads(last) | {"due_at": past})]) + "\n")


def wait_until(condition, seconds: float) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s"
        time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_cron_retrains_when_yahoo_gains_a_session_and_has_nothing_to_do_a_minute_later(daemon, tmp_path, real_prices_folder):
    workspace = tmp_path / "my 100% stocks"
    workspace.mkdir()
    (workspace / "forecast.toml").write_text(SETTINGS)
    last = last_closed_session("XNYS", datetime.now(UTC) - SETTLING)
    before = sessions_between("XNYS", last - 10, last)[-2]
    shifted(real_prices_folder / "daily" / "TSLA.csv", tmp_path / "TSLA.csv", last)
    words = retrain_command(workspace)
    with loopback_yahoo(tmp_path) as yahoo:
        yahoo.serve_csv("TSLA", tmp_path / "TSLA.csv", until=str(before))
        subprocess.run(words, env={"PATH": "/usr/bin:/bin"} | yahoo.environment, cwd="/", check=True)
        (first,) = load_entries(workspace / "models")
        assert (first.outcome, first.session) == ("promoted", str(before))
        yahoo.until["TSLA"] = str(last)
        let_time_pass(workspace)
        schedule(words, workspace, yahoo.environment, tmp_path / "cron.out")
        wait_until(lambda: len(load_entries(workspace / "models")) == 2, 180)
        finished = time.time()
        wait_until(lambda: "nothing_due" in tail(workspace, finished), 90)
        second = load_entries(workspace / "models")[-1]
    assert (second.outcome, second.session, second.exit_code) == ("promoted", str(last), 0)
    assert load_champion(workspace / "models", "TSLA").name == second.champion != first.champion
    assert verify_chain(workspace / "models" / LEDGER).count == 4
    assert {row.cutoff for row in load_forecasts(workspace / "models" / LEDGER)} == {str(before), str(last)}
    assert len(load_entries(workspace / "models")) == 2     # a run with nothing to do writes no line
    assert (tmp_path / "cron.out").read_text() == ""        # and says nothing, so that cron sends no mail
    began = time.monotonic()
    subprocess.run(words, env={"PATH": "/usr/bin:/bin"}, cwd="/", check=True)
    print(f"nothing due: {time.monotonic() - began:.2f} s")


def schedule(words: list[str], workspace: Path, environment: dict[str, str], out: Path) -> None:
    """Put our block into root's table, every minute; what would be mailed goes to a file."""
    block = format_block(["/bin/sh", "-c", 'exec "$@" >>"$0" 2>&1', str(out), *words], workspace, "* * * * *")
    variables = "".join(f'{name}="{value}"\n' for name, value in environment.items())
    subprocess.run(["crontab", "-"], input=variables.encode() + block, check=True)


def tail(workspace: Path, since: float) -> str:
    """What the log gained after a time."""
    log = workspace / "models" / "retrain.log"
    return log.read_text().splitlines()[-1] if log.stat().st_mtime > since else ""
