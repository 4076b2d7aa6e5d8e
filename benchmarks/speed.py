"""Measure this project beside its peers: in turns, several rounds, medians and ratios, one JSON file.

    .venv/bin/python benchmarks/speed.py --csv TSLA.csv --peers .venv-peers/bin/python

end_to_end   from the command to stored forecasts and charts, SimpleRNN and LSTM, start-up included
epoch        processor seconds of an epoch in one thread, without the first one
predict      from the command to the next close, from what is stored
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

HERE = Path(__file__).parent
OWN = "forecast"


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        contenders = make_contenders(options, Path(folder))
        rounds = [measure_round(contenders, options) for _ in range(options.rounds)]
    result = {
        "date": date.today().isoformat(),
        "machine": describe_machine(),
        "work": {name: getattr(options, name) for name in ("epochs", "rounds", "threads")},
        "load_average": os.getloadavg(),
        "medians": (medians := take_medians(rounds)),
        "ratios": make_ratios(medians),
        "rounds": rounds,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["ratios"], indent=1))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, required=True, help="daily prices, TICKER.csv")
    parser.add_argument("--peers", default="", help="Python of the peers' environment; without it only stock Keras is measured")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of each peer; 0 leaves it to the library")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "speed.json")
    return parser.parse_args()


def make_contenders(options: argparse.Namespace, folder: Path) -> dict[str, dict[str, list[str]]]:
    """The commands of each contender, by what they measure."""
    csv, common = options.csv.absolute(), ["--csv", str(options.csv.absolute()), "--epochs", str(options.epochs)]
    folder.joinpath("forecast.toml").write_text(f"patience = {options.epochs}\n")  # nobody else stops early
    shared = [sys.executable, "-m", "forecast"]
    last = ["--workspace", str(folder), "--quiet"]
    train = ["train", csv.stem, "--csv", str(csv.parent), "--recipe", "classic", "--n-seeds", "1"]
    contenders = {
        OWN: {
            "end_to_end": [*shared, *train, "--epochs", str(options.epochs), *last],
            "epoch": [sys.executable, str(HERE / "own_epochs.py"), *common, "--out", str(folder)],
            "predict": [*shared, "predict", csv.stem, "--json", *last],
        }
    }
    scripts = {"keras": ("tutorial.py", sys.executable)}
    if options.peers:
        names = {"torch": "torch_loop.py", "neuralforecast": "neuralforecast_pair.py", "darts": "darts_pair.py"}
        scripts |= {name: (script, options.peers) for name, script in names.items()}
    for name, (script, python) in scripts.items():
        command = [python, str(HERE / "peers" / script), *common, "--out", str(folder / name)]
        command += ["--threads", str(options.threads)]
        contenders[name] = {"end_to_end": command, "predict": [*command, "--predict"]}
    return contenders


def measure_round(contenders: dict, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Every contender once: seconds by what is measured."""
    results: dict[str, dict[str, float]] = {}
    for name, commands in contenders.items():
        found = results[name] = {}
        for what, command in commands.items():
            seconds, output = run(command, options.threads)
            if what != "epoch":
                found[what] = seconds
            for cell, epochs in epochs_from(output).items():
                found[f"epoch_{cell}"] = statistics.median(epochs["cpu"][1:] or epochs["cpu"])
        print(name, found, file=sys.stderr, flush=True)
    return results


def run(command: list[str], threads: int) -> tuple[float, str]:
    """Wall seconds of a command, and what it printed."""
    threading = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)} if threads else {}
    started = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **threading}, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return seconds, done.stdout


def epochs_from(output: str) -> dict[str, dict[str, list[float]]]:
    """What a peer reports in its last line."""
    lines = output.strip().splitlines()
    return json.loads(lines[-1])["epochs"] if lines and lines[-1].startswith('{"epochs"') else {}


def take_medians(rounds: list[dict]) -> dict[str, dict[str, float]]:
    return {
        name: {what: statistics.median(each[name][what] for each in rounds) for what in rounds[0][name]} for name in rounds[0]
    }


def make_ratios(medians: dict) -> dict[str, dict[str, float]]:
    """This project's seconds over each peer's: below 1 it is faster."""
    own = medians[OWN]
    return {
        name: {what: round(own[what] / seconds, 3) for what, seconds in peer.items()}
        for name, peer in medians.items() if name != OWN
    }  # fmt: skip


def describe_machine() -> dict[str, object]:
    """What decides the seconds."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return {
        "processor": model.partition(": ")[2],
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
