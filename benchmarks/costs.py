"""Measure what the commands cost and how the cost grows: in turns, several rounds, medians, one JSON file.

    .venv/bin/python benchmarks/costs.py --csv TSLA.csv --peers .venv-peers/bin/python

commands   seconds and memory of --help, predict and compare beside `import pandas`; memory of train
loss       seconds from the start to a validation loss, beside stock Keras and a plain PyTorch loop
shape      processor seconds of an epoch by lookback, horizon and units
tickers    seconds of `train` by the number of tickers in one command

`--parts` measures some of them; the others stay in the file as they were. `--small` shows that all of them work.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from costs_tables import format_tables
from retrain import watch
from speed import describe_machine, epochs_from, run

HERE = Path(__file__).parent
FORECAST = [sys.executable, "-P", "-m", "forecast"]

# Mean squared error of the scaled close: 1.2 times the best that the plain PyTorch loop's LSTM, the slowest learner,
# had within 8 epochs (0.0080 with each of two seeds).
LOSS = 0.010


@dataclass(frozen=True)
class Size:
    """How much is measured: rounds of each part, and how far it goes."""

    starts: int = 15
    loss_rounds: int = 3
    loss_epochs: int = 8
    shape_options: tuple[str, ...] = ("--rounds", "15")
    ticker_rounds: int = 2
    numbers: tuple[int, ...] = (1, 4, 16, 64)
    ticker_options: tuple[str, ...] = ("--n-seeds", "1", "--epochs", "2")   # more would hide what is not training


SMALL = Size(
    starts=1, loss_rounds=1, loss_epochs=1, ticker_rounds=1, numbers=(1, 2), ticker_options=("--n-seeds", "1", "--epochs", "1"),
    shape_options=("--rounds", "1", "--lookback", "30", "60", "--horizon", "5", "--units", "16"),
)  # fmt: skip


def main() -> None:
    options = parse()
    document = json.loads(options.out.read_text()) if options.out.exists() else {}
    size = SMALL if options.small else Size()
    for part in () if options.table else options.parts:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = PARTS[part](options, size, Path(folder))
        how = {"date": date.today().isoformat(), "machine": describe_machine(), "load_average": os.getloadavg()}
        document[part] = {**how, "took": round(time.monotonic() - started), **found}
        options.out.write_text(json.dumps(document, indent=1) + "\n")
        print(part, f"took {document[part]['took']} s", file=sys.stderr, flush=True)
    print(format_tables(document))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, default=Path("TSLA.csv"), help="daily prices, TICKER.csv")
    parser.add_argument("--peers", default="", help="Python of the peers' environment; without it only stock Keras is measured")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--small", action="store_true", help="each part as small as it comes: its figures say nothing")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what the file holds")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "costs.json")
    return parser.parse_args()


def measure_commands(options: argparse.Namespace, size: Size, folder: Path) -> dict:
    """Fresh processes in turns, over a workspace with one run."""
    ticker, last = options.csv.stem, ["--workspace", str(folder), "--offline", "--quiet"]
    training = [*FORECAST, "train", ticker, "--csv", str(options.csv.absolute()), *last]
    trained = watch(training + ([] if size.starts > 1 else list(size.ticker_options)), folder / "out.txt", every=0.2)
    check(trained.code, training)
    commands = {
        "--help": [*FORECAST, "--help"],
        "predict": [*FORECAST, "predict", ticker, *last],
        "compare": [*FORECAST, "compare", ticker, *last],
        "import pandas": [sys.executable, "-c", "import pandas"],
    }
    rounds = [{name: spend(command) for name, command in commands.items()} for _ in range(size.starts)]
    medians = {name: median_of([each[name] for each in rounds]) for name in commands}
    return {"rounds": size.starts, "train_peak_mb": round(trained.peak / 1e6), "medians": medians}


def spend(command: list[str]) -> dict[str, float]:
    """Wall and processor seconds of a command of one process, and its peak memory.

    Linux counts the peak of who started a process as its own: this module imports nothing large.
    """
    quiet = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)]
    started = time.perf_counter()
    _, status, usage = os.wait4(os.posix_spawn(command[0], command, os.environ, file_actions=quiet), 0)
    wall = time.perf_counter() - started
    check(os.waitstatus_to_exitcode(status), command)
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss * 1024 / 1e6}


def measure_loss(options: argparse.Namespace, size: Size, folder: Path) -> dict:
    """Seconds from a network's start to `LOSS`, one thread each, in turns; each round has its own seed."""
    scripts = {"forecast": (sys.executable, "own_epochs.py"), "keras": (sys.executable, "peers/tutorial.py")}
    if options.peers:
        scripts["torch"] = (options.peers, "peers/torch_loop.py")
    rounds = [
        {name: {cell: fit_alone(*script, cell, seed, options.csv, folder, size) for cell in ("rnn", "lstm")}
         for name, script in scripts.items()}
        for seed in range(1, size.loss_rounds + 1)
    ]  # fmt: skip
    reached = {
        name: {cell: median_reached([seconds_to(LOSS, each[name][cell]) for each in rounds]) for cell in rounds[0][name]}
        for name in scripts
    }
    return {"loss": LOSS, "epochs": size.loss_epochs, "reached": reached, "rounds": rounds}


def fit_alone(python: str, script: str, cell: str, seed: int, csv: Path, folder: Path, size: Size) -> dict:
    """One network in a process of its own: each epoch's seconds and validation loss, and the seconds before the first."""
    command = [python, str(HERE / script), "--csv", str(csv), "--out", str(folder), "--cells", cell, "--validate"]
    command += ["--seed", str(seed), "--epochs", str(size.loss_epochs), "--threads", "1"]
    started = time.perf_counter()
    fit = epochs_from(run(command, 1)[1])[cell]
    return {"start": fit["began"] - started, "wall": fit["wall"], "validation": fit["validation"]}


def seconds_to(loss: float, fit: dict) -> float:
    """Start-up and the epochs up to the first that validates as well; infinite where none does."""
    passed = fit["start"]
    for seconds, validated in zip(fit["wall"], fit["validation"]):
        passed += seconds
        if validated <= loss:
            return passed
    return math.inf


def median_reached(seconds: list[float]) -> float | None:
    """None where the middle round did not get there."""
    median = statistics.median_high(seconds)
    return None if math.isinf(median) else median


def measure_shape(options: argparse.Namespace, size: Size, folder: Path) -> dict:
    """An epoch by shape, and how far it is from a straight line in the lookback."""
    command = [sys.executable, str(HERE / "own_shapes.py"), *size.shape_options]
    cases = json.loads(run(command, 1)[1])
    lines = {}
    for network in dict.fromkeys(case["network"] for case in cases):
        default = next(case["shape"] for case in cases if case["network"] == network)
        along = sorted(
            (case["shape"]["lookback"], case["seconds"]) for case in cases
            if case["network"] == network and case["shape"] == default | {"lookback": case["shape"]["lookback"]}
        )  # fmt: skip
        lines[network] = fit_line(*zip(*along))
    return {"cases": cases, "lines": lines}


def measure_tickers(options: argparse.Namespace, size: Size, folder: Path) -> dict:
    """`train` with one ticker's prices under many names: the work of each is the same, so only their number differs."""
    csv, rounds = folder / "csv", []
    csv.mkdir()
    names = [f"SAME{i}" for i in range(max(size.numbers))]
    for name in names:
        shutil.copyfile(options.csv, csv / f"{name}.csv")
    for i in range(size.ticker_rounds):
        rounds.append({})
        for number in size.numbers:
            workspace = folder / f"{i}-{number}"
            workspace.mkdir()
            command = [*FORECAST, "train", *names[:number], "--csv", str(csv), "--workspace", str(workspace), "--quiet"]
            seen = watch([*command, *size.ticker_options], workspace / "out.txt", every=0.2)
            check(seen.code, command)
            rounds[-1][number] = {"wall": seen.wall, "cpu": seen.total_cpu, "peak_mb": seen.peak / 1e6}
            shutil.rmtree(workspace)
    medians = {number: median_of([each[number] for each in rounds]) for number in size.numbers}
    lines = {
        kind: fit_line(size.numbers, [medians[number][kind] for number in size.numbers]) for kind in ("wall", "cpu")
    }
    return {"options": size.ticker_options, "medians": medians, "lines": lines}


def fit_line(x: list[float], y: list[float]) -> dict[str, float]:
    """The line y = fixed + each x with the least squares of (y - line) / y, and the largest of these in absolute value."""
    weights = [1 / value**2 for value in y]
    total = sum(weights)
    x_mean, y_mean = (sum(w * value for w, value in zip(weights, values)) / total for values in (x, y))
    covariance = sum(w * (a - x_mean) * (b - y_mean) for w, a, b in zip(weights, x, y))
    each = covariance / sum(w * (a - x_mean) ** 2 for w, a in zip(weights, x))
    fixed = y_mean - each * x_mean
    return {"fixed": fixed, "each": each, "off": max(abs(b - fixed - each * a) / b for a, b in zip(x, y))}


def median_of(measured: list[dict[str, float]]) -> dict[str, float]:
    return {what: statistics.median(each[what] for each in measured) for what in measured[0]}


def check(code: int, command: list[str]) -> None:
    """Nothing is measured of a command that failed."""
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}")


PARTS: dict[str, Callable[[argparse.Namespace, Size, Path], dict]] = {
    "commands": measure_commands,
    "loss": measure_loss,
    "shape": measure_shape,
    "tickers": measure_tickers,
}

if __name__ == "__main__":
    main()
