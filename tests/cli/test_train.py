import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from forecast.cli.app import app
from forecast.prices.demo import simulate_demo
from forecast.store.runs import list_runs, load_manifest

SMALL = ("--networks", "simple_rnn", "--lookback", "10", "--units", "2", "--epochs", "1", "--n-seeds", "1")
ENDLESS = "epochs = 10000\npatience = 10000\n"


def run(workspace, *words: str):
    return CliRunner().invoke(app, ["train", *map(str, words), "--workspace", str(workspace)])


def save_prices(path: Path, n_sessions: int) -> Path:
    """A plain price file of the simulated share."""
    prices = simulate_demo(n_sessions).prices
    rows = zip(prices.sessions, prices.open, prices.high, prices.low, prices.close, prices.volume)
    lines = [",".join([str(row[0]), *(f"{value:.6f}" for value in row[1:])]) for row in rows]
    path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *lines]) + "\n")
    return path


def runs_of(workspace) -> list[Path]:
    return list_runs(workspace / "models")


@pytest.mark.parametrize(("words", "told"), [(("--recipe", "classic"), True), (("--recipe", "returns"), False), ((), False)])
def test_values_of_the_file_that_another_recipe_goes_without_are_named(tmp_path, words, told):
    (tmp_path / "forecast.toml").write_text("patience = 30\nhorizon = 3\n")
    said = run(tmp_path, "TSLA", "--offline", *words).stderr
    sentence = "patience, horizon of forecast.toml: for the recipe returns, without effect on classic."
    assert (sentence in " ".join(said.split())) == told


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("../x",), 2, "'../x' is not a ticker"),
        (("TSLA?x=1",), 2, "is not a ticker"),
        ((), 2, "No ticker"),
        (("DEMO", "--horizon", "0"), 2, "horizon is 0; it goes from 1 to 60"),
        (("DEMO", "--lookback", "1"), 2, "lookback is 1"),
        (("DEMO", "--networks", "transformer"), 2, "networks is 'transformer'; choose from simple_rnn, lstm"),
        (("DEMO", "--networks", ","), 2, "networks is 'empty'"),
        (("DEMO", "--recipe", "magic"), 2, "recipe is 'magic'; choose from returns"),
        (("DEMO", "--learning-rate", "nan"), 2, "learning_rate is nan"),
        (("DEMO", "--lookback", "1000", "--horizon", "60", "--csv", "short.csv"), 65, "300 sessions"),
        (("DEMO", "--csv", "absent.csv"), 2, "absent.csv"),
        (("TSLA", "--csv", "."), 2, "TSLA.csv"),
        (("DEMO", "--csv", "empty.csv"), 65, "empty.csv"),
        (("DEMO", "--csv", "words.csv"), 65, "words.csv"),
        (("TSLA", "--offline"), 69, "TSLA"),
    ],
)
def test_bad_input_is_one_sentence_with_its_exit_code_and_leaves_nothing(tmp_path, monkeypatch, words, exit_code, said):
    monkeypatch.chdir(tmp_path)
    save_prices(tmp_path / "short.csv", 300)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "words.csv").write_text("to be or not to be\nthat is the question\n")
    result = run(tmp_path / "workspace", *words, "--quiet")    # no notices about the prices
    assert (result.exit_code, result.stdout) == (exit_code, ""), result.stderr
    assert said in result.stderr and result.stderr.startswith("forecast: ")
    assert result.stderr.count("\n") == 1
    assert runs_of(tmp_path / "workspace") == []


def test_a_workspace_that_cannot_be_written_is_told_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    result = run(tmp_path / "file", "DEMO")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be written" in result.stderr and "--workspace" in result.stderr


def test_a_failure_as_json_is_a_document_too(tmp_path):
    result = run(tmp_path, "TSLA", "--offline", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 69
    assert document["runs"] == []
    assert [(each["ticker"], each["exit_code"]) for each in document["failures"]] == [("TSLA", 69)]


def test_tickers_that_all_fail_alike_end_with_their_own_exit_code_and_else_with_10(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path, "TSLA", "AAPL", "--offline").exit_code == 69
    (tmp_path / "TSLA.csv").write_text("")
    mixed = run(tmp_path, "TSLA", "AAPL", "--csv", ".")
    assert mixed.exit_code == 10 and mixed.stderr.count("\n") == 2


@pytest.fixture(scope="module")
def by_command(tmp_path_factory):
    """DEMO trained by a command in a process of its own, with one worker."""
    workspace = tmp_path_factory.mktemp("by-command")
    words = ["train", "DEMO", *SMALL, "--workers", "1", "--json", "--workspace", str(workspace)]
    done = subprocess.run([sys.executable, "-m", "forecast", *words], capture_output=True, text=True)
    return workspace, done


def test_the_command_prints_one_document_and_nothing_on_stderr(by_command):
    workspace, done = by_command
    assert (done.returncode, done.stderr) == (0, "")
    (each,) = json.loads(done.stdout)["runs"]
    assert Path(each["path"]) == runs_of(workspace)[0]
    assert all(Path(chart).exists() for chart in each["charts"])


def test_the_same_command_again_gives_the_same_weights_and_metrics_with_two_workers(by_command, tmp_path):
    result = run(tmp_path, "DEMO", *SMALL, "--workers", "2")
    assert result.exit_code == 0, result.stderr
    assert "DEMO SIMULATED returns: next session" in result.stdout and "naive (last close)" in result.stdout
    files = [load_manifest(runs_of(workspace)[0]).files for workspace in (by_command[0], tmp_path)]
    assert files[0] == files[1] and len(files[0]) >= 8


def test_a_person_s_own_file_is_trained_on_and_remembered(tmp_path):
    path = save_prices(tmp_path / "OWN.csv", 400)
    result = run(tmp_path, "own", "--csv", tmp_path, "--recipe", "classic", *SMALL)
    assert result.exit_code == 0, result.stderr
    manifest = load_manifest(runs_of(tmp_path)[0])
    assert (manifest.ticker, manifest.source, manifest.simulated) == ("OWN", f"csv:{path}", False)
    assert "SIMULATED" not in result.stdout


def start_endless(workspace, **options) -> subprocess.Popen:
    """A training that would go on for hours, once its workers are at work."""
    (workspace / "forecast.toml").write_text(ENDLESS)
    words = ["train", "DEMO", "--workspace", str(workspace)]
    process = subprocess.Popen(
        [sys.executable, "-m", "forecast", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(living(process)) < 4 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)    # itself, the fork server, its resource tracker, a worker
    time.sleep(1.0)
    return process


def living(process: subprocess.Popen) -> list[int]:
    """Processes of its session that are alive, itself included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(session) == process.pid and state != "Z":
                found.append(int(entry.name))
    return found


def wait_until_gone(process: subprocess.Popen) -> list[int]:
    """Processes of its session that are left after ten seconds."""
    deadline = time.monotonic() + 10
    while living(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    return living(process)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="orphans are looked for in /proc")


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize(
    ("send", "number", "exit_code"),
    [(os.kill, signal.SIGINT, 130), (os.killpg, signal.SIGINT, 130), (os.kill, signal.SIGTERM, -signal.SIGTERM)],
    ids=["Ctrl-C to the process", "Ctrl-C to its group", "SIGTERM"],
)
def test_an_interrupted_training_leaves_neither_a_run_nor_a_process(tmp_path, send, number, exit_code):
    process = start_endless(tmp_path)
    try:
        assert process.poll() is None, process.communicate()
        send(process.pid, number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (exit_code, "")
        if number == signal.SIGINT:
            assert err == "forecast: Interrupted; nothing half-written was kept.\n"
        assert wait_until_gone(process) == []
        assert runs_of(tmp_path) == []
        assert not list(tmp_path.glob("models/*/.unfinished-*"))
    finally:
        for pid in living(process):
            os.kill(pid, signal.SIGKILL)
        process.communicate()
