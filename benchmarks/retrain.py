"""What retraining many tickers costs: tickers an hour, CPU a ticker, memory, and how much of it is not training.

    python benchmarks/retrain.py FOLDER_OF_CSV [--numbers 5 20 64] [--dask 20] [--workers 2]

Prints and stores `benchmarks/results/retrain.json`. With `--dask N`, two workers on loopback do the
same N tickers, one of them is killed in the middle, and the weights are compared with the local ones.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "retrain.json"
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds TICKER.csv")
    parser.add_argument("--numbers", type=int, nargs="*", default=[5, 20, 64])
    parser.add_argument("--dask", type=int, default=0, metavar="N")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    tickers = sorted(path.stem for path in arguments.folder.glob("*.csv"))
    document = {"python": platform.python_version(), "workers": arguments.workers, "local": []}
    with tempfile.TemporaryDirectory() as scratch:
        for number in arguments.numbers:
            workspace = Path(scratch) / f"local-{number}"
            document["local"].append(measure(tickers[:number], arguments.folder, workspace, arguments.workers))
            print(json.dumps(document["local"][-1]), file=sys.stderr)
        if arguments.dask:
            document["dask"] = measure_dask(tickers[: arguments.dask], arguments.folder, Path(scratch))
            print(json.dumps(document["dask"]), file=sys.stderr)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))


def measure(
    tickers: list[str], folder: Path, workspace: Path, n_workers: int, options: Sequence[str] = (), at_half=lambda: None
) -> dict:
    """Retrain the tickers in a fresh workspace, and watch every process that it takes.

    Args:
        options: of `forecast retrain`, besides the number of workers.
        at_half: called once half of the tickers are in the journal.
    """
    workspace.mkdir()
    command = [sys.executable, "-P", "-m", "forecast", "retrain", *tickers, "--csv", str(folder), "--json", "--quiet"]
    command += ["--workspace", str(workspace), "--workers", str(n_workers), *options]
    waiting = [at_half]

    def look() -> None:
        if waiting and n_journaled(workspace) >= len(tickers) / 2:
            waiting.pop()()

    seen = watch(command, workspace / "out.json", look)
    entries = json.loads((workspace / "out.json").read_bytes())["retrained"]
    fits = sum(entry["seconds"]["fits"] for entry in entries)
    return {
        "tickers": len(tickers),
        "outcomes": sorted({entry["outcome"] for entry in entries}),
        "wall_seconds": round(seen.wall, 1),
        "tickers_per_hour": round(3600 * len(tickers) / seen.wall, 1),
        "cpu_seconds_per_ticker": round(seen.total_cpu / len(tickers), 2),
        "share_of_cpu_not_training": round(seen.own_cpu / seen.total_cpu, 3),
        "share_of_worker_time_not_training": round(1 - fits / (n_workers * seen.wall), 3),
        "peak_memory_mb": round(seen.peak / 1e6),
        "load_average": os.getloadavg()[1],
    }


@dataclass(frozen=True)
class Watched:
    """What a command and all its processes took.

    Args:
        code: exit code.
        wall: [s].
        own_cpu: of the command's first process [s].
        total_cpu: of all processes [s].
        peak: most memory at one time, shared pages counted once [bytes].
    """

    code: int
    wall: float
    own_cpu: float
    total_cpu: float
    peak: int


def watch(command: list[str], out: Path, look: Callable[[], None] = lambda: None, every: float = 1.0) -> Watched:
    """Run a command in a session of its own and sample its processes; what they do after the last sample is missed.

    Args:
        out: where its standard output goes.
        look: called with each sample.
        every: seconds between two samples.
    """
    started, cpu, peak = time.monotonic(), {}, 0
    with open(out, "wb") as stdout, subprocess.Popen(command, stdout=stdout, start_new_session=True) as process:
        while process.poll() is None:
            cpu |= cpu_by_process(process.pid)
            peak = max(peak, memory(cpu))
            look()
            time.sleep(every)
    return Watched(process.returncode, time.monotonic() - started, cpu[process.pid], sum(cpu.values()), peak)


def measure_dask(tickers: list[str], folder: Path, scratch: Path) -> dict:
    """The same tickers by two workers on loopback, one of which is killed when half of them are done."""
    reference = scratch / f"local-{len(tickers)}"
    if not reference.exists():
        measure(tickers, folder, reference, 2)
    with dask_cluster() as (address, workers):
        done = measure(tickers, folder, scratch / "dask", 2, ["--dask", address], at_half=workers[0].kill)
        killed = workers[0].poll() is not None
    ours, theirs = (weights(path / "models") for path in (reference, scratch / "dask"))
    return {
        "tickers": len(tickers),
        "one_worker_was_killed": killed,
        "outcomes": done["outcomes"],
        "wall_seconds": done["wall_seconds"],
        "files_of_weights": len(ours),
        "bit_identical": ours == theirs,
    }


@contextmanager
def dask_cluster() -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A scheduler and two workers of one thread each, without nannies: who is killed stays dead."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, dask = f"tcp://127.0.0.1:{port}", [sys.executable, "-P", "-m", "dask"]
    scheduler = subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"])
    time.sleep(5)
    words = [*dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    processes = [subprocess.Popen(words) for _ in range(2)]
    time.sleep(5)
    try:
        yield address, processes
    finally:
        for process in (*processes, scheduler):
            process.terminate()
            process.wait()


def weights(models: Path) -> dict[str, str]:
    """sha256 of every file of weights, by ticker and name."""
    found = {}
    for path in models.glob("*/*/manifest.json"):
        manifest = json.loads(path.read_bytes())
        found |= {f"{manifest['ticker']} {name}": sha for name, sha in manifest["files"].items() if "weights/" in name}
    return found


def n_journaled(workspace: Path) -> int:
    """Lines of the journal."""
    path = workspace / "models" / "journal.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def cpu_by_process(session: int) -> dict[int, float]:
    """CPU seconds so far of every process of a session."""
    seconds = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            seconds[int(folder.name)] = (int(fields[11]) + int(fields[12])) / TICK
    return seconds


def memory(processes: dict[int, float]) -> int:
    """Bytes of the processes that are alive, shared pages counted once."""
    total = 0
    for pid in processes:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


if __name__ == "__main__":
    main()
