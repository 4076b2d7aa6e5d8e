"""Kill -9 at each step that lasts, a full disk, SIGTERM: the old champion serves, the next retraining heals."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forecast.automation.journal import load_entries
from forecast.automation.retraining import retrain
from forecast.errors import TryAgainLater
from forecast.prediction import predict
from forecast.prices.sources import load_prices
from forecast.store.champions import load_champion
from forecast.store.ledger import LEDGER, load_forecasts, verify_chain
from forecast.store.locks import retraining_lock
from forecast.store.runs import list_runs, load_forecasters, load_manifest
from tests.automation.drawn_fits import DrawnFits

# What is about to be synced to the disk when the process is killed.
STEPS = {
    "prices being stored": lambda path: "/data/" in path and path.count("/KO/") == 1,
    "first file of the run": lambda path: "/.unfinished-" in path,
    "manifest of the run": lambda path: path.endswith("manifest.json"),
    "run stored, not named yet": lambda path: "/models/KO/." in path and path.endswith(".tmp"),
    "champion named, nothing forecast yet": lambda path: path.endswith("/models/KO") and has_a_second_champion(path),
    "forecast on record, journal not written": lambda path: path.endswith("ledger.head.part"),
}


def has_a_second_champion(folder: str) -> bool:
    return '"former": []' not in Path(folder, "champion.json").read_text()


def kill_at(step, price_file) -> int:
    """Retrain in another process, which kills itself at the step; its exit code."""
    child = os.fork()
    if child == 0:
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if step(os.readlink(f"/proc/self/fd/{descriptor}")):
                os.kill(os.getpid(), signal.SIGKILL)
            real(descriptor)

        os.fsync = fsync
        list(retrain(["KO"], price_file.order(), DrawnFits()))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def check_serving(workspace: Path) -> str:
    """The champion is whole, forecasts, and is locked by nobody."""
    path = load_champion(workspace / "models", "KO")
    load_forecasters(path, load_manifest(path), "deployed")
    predict("KO", workspace, record=False)
    verify_chain(workspace / "models" / LEDGER)
    with retraining_lock(workspace / "models", "KO"):
        return path.name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # from Python 3.12 on
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_champion_serves_and_the_next_retraining_heals(price_file, step):
    models = price_file.folder / "models"
    (first,) = retrain(["KO"], price_file.order(), DrawnFits())
    last = price_file.grow(15)
    assert kill_at(STEPS[step], price_file) == -signal.SIGKILL
    named = step.startswith(("champion", "forecast"))
    assert (check_serving(price_file.folder) != first.champion) == named
    assert load_entries(models) == [first]
    (entry,) = retrain(["KO"], price_file.order(), DrawnFits())
    assert entry.outcome == ("predicted" if named else "promoted") and entry.session == last
    assert check_serving(price_file.folder) == entry.champion
    rows = [(row.run_id, row.cutoff, row.horizon) for row in load_forecasts(models / LEDGER)]
    assert len(rows) == len(set(rows)) and (entry.champion, last, 1) in rows
    left = [path.name for folder in (models, models / "KO") for path in folder.glob(".*")]
    assert sorted(left) == [".retraining.lock", ".writing.lock"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of three megabytes, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", str(folder).encode(), b"tmpfs", 0, b"size=3m") != 0:
        pytest.skip(f"no tmpfs can be mounted here: {os.strerror(ctypes.get_errno())}")
    yield folder
    libc.umount2(str(folder).encode(), 2)


@pytest.mark.parametrize("free", [0, 30_000, 200_000])
def test_on_a_full_disk_the_champion_serves_and_room_heals(price_file, small_disk, free):
    order = price_file.order
    price_file.folder = small_disk
    (first,) = retrain(["KO"], order(), DrawnFits())
    price_file.grow(15)
    fill(small_disk, free)
    (entry,) = retrain(["KO"], order(), DrawnFits())
    assert entry.outcome == "failed" and entry.exit_code != 0
    assert load_champion(small_disk / "models", "KO").name == first.champion
    assert not list((small_disk / "models" / "KO").glob(".unfinished*"))
    assert len(list_runs(small_disk / "models")) == 1
    (small_disk / "filler").unlink()
    (entry,) = retrain(["KO"], order(), DrawnFits())
    assert entry.outcome == "promoted" and check_serving(small_disk) == entry.champion


def fill(disk: Path, free: int) -> None:
    """Fill a file system but for `free` bytes."""
    status = os.statvfs(disk)
    (disk / "filler").write_bytes(b"\0" * (status.f_bavail * status.f_frsize - free))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_within_seconds(price_file, number):
    price_file.grow(20)
    command = [sys.executable, "-m", "forecast", "retrain", "KO", "--csv", str(price_file.csv), "--epochs", "9999"]
    command += ["--patience", "9999", "--workspace", str(price_file.folder), "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while len(session_of(process.pid)) < 5:  # parent, fork server, resource tracker, two at work
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(3.0)
        began = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == 130 and "Interrupted" in said
    assert time.monotonic() - began < 30
    while session_of(process.pid):  # the fork server needs a moment to see that nobody needs it
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    assert load_entries(price_file.folder / "models") == []
    with retraining_lock(price_file.folder / "models", "KO"):
        pass


def session_of(leader: int) -> list[int]:
    """Processes of a session that are alive."""
    alive = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(session) == leader and state != "Z":
            alive.append(int(folder.name))
    return alive


@pytest.mark.slow
def test_of_two_retrainings_at_once_one_works_and_the_other_exits_75_at_once(price_file):
    price_file.grow(20)
    command = [sys.executable, "-m", "forecast", "retrain", "KO", "--csv", str(price_file.csv), "--epochs", "2"]
    command += ["--n-seeds", "1", "--units", "2", "--lookback", "20", "--workspace", str(price_file.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        while not is_held(price_file.folder):
            time.sleep(0.02)
        began = time.monotonic()
        second = subprocess.run(command, capture_output=True, text=True)
        took = time.monotonic() - began
        assert first.poll() is None, "the first one had ended already"
        said, _ = first.communicate()
    assert (second.returncode, second.stdout) == (75, "") and "is retraining KO" in second.stderr
    assert first.returncode == 0 and "promoted" in said
    assert took < 20
    assert [entry.outcome for entry in load_entries(price_file.folder / "models")] == ["promoted"]


def is_held(workspace: Path) -> bool:
    try:
        with retraining_lock(workspace / "models", "KO"):
            return False
    except TryAgainLater:
        return True
