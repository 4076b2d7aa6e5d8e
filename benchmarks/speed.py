"""Measure this project beside its peers: in turns, several rounds, medians and ratios, one JSON file.

    .venv/bin/python benchmarks/speed.py --csv TSLA.csv --peers .venv-peers/bin/python

end_to_end              from the command to stored forecasts and charts, SimpleRNN and LSTM, start-up included;
                        here `train`, which fits each network twice, the second time on all sessions
end_to_end_one_fit      `backtest` with one fold: each network fitted once, as the peers do
end_to_end_as_it_comes  `train` with early stopping, the seed alone given
epoch                   processor seconds of an epoch in one thread, without the first one
predict                 from the command to the next close, from what is stored

Nobody else stops early, so the first two have to train all epochs; what trained fewer is refused, not measured.
`..._epochs` says how many the networks of a command trained together.
"""

from __future__ import annotations

import argparse
import csv
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
from types import SimpleNamespace

HERE = Path(__file__).parent
OWN = "forecast"
WHOLE, ONE_FIT, AS_IT_COMES = (f"end_to_end{kind}" for kind in ("", "_one_fit", "_as_it_comes"))


def main() -> None:
    options = parse()
    rounds = [measure_round(options) for _ in range(options.rounds)]
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


def measure_round(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Every contender once, with nothing stored beforehand: seconds by what is measured."""
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, commands in make_contenders(options, Path(folder)).items():
            found = results[name] = {}
            for what, command in commands.items():
                seconds, output = run(command, options.threads)
                if what != "epoch":
                    found[what] = seconds
                for cell, epochs in epochs_from(output).items():
                    found[f"epoch_{cell}"] = statistics.median(epochs["cpu"][1:] or epochs["cpu"])
                if what in COUNTS and name == OWN:
                    found[f"{what}_epochs"] = COUNTS[what](Path(folder) / what, output, options.epochs)
            print(name, found, file=sys.stderr, flush=True)
    return results


def make_contenders(options: argparse.Namespace, folder: Path) -> dict[str, dict[str, list[str]]]:
    """The commands of each contender, by what they measure; what they leave goes into folders of their own."""
    common = ["--csv", str(options.csv.absolute()), "--epochs", str(options.epochs)]
    contenders = {OWN: make_own(options, folder, common)}
    scripts = {"keras": ("tutorial.py", sys.executable)}
    if options.peers:
        names = {"torch": "torch_loop.py", "neuralforecast": "neuralforecast_pair.py", "darts": "darts_pair.py"}
        scripts |= {name: (script, options.peers) for name, script in names.items()}
    for name, (script, python) in scripts.items():
        command = [python, str(HERE / "peers" / script), *common, "--out", str(folder / name)]
        command += ["--threads", str(options.threads)]
        contenders[name] = {WHOLE: command, "predict": [*command, "--predict"]}
    return contenders


def make_own(options: argparse.Namespace, folder: Path, common: list[str]) -> dict[str, list[str]]:
    """The commands of this project, each with a workspace of its own: a finished backtest would not be fitted again."""
    prices = [options.csv.stem, "--csv", str(options.csv.parent.absolute())]
    one_seed = ["--recipe", "classic", "--n-seeds", "1"]
    all_epochs = ["--epochs", str(options.epochs), "--patience", str(options.epochs)]

    def own(command: str, *words: str, workspace: str) -> list[str]:
        return [sys.executable, "-m", "forecast", command, *words, "--workspace", str(folder / workspace), "--quiet"]

    return {
        WHOLE: own("train", *prices, *one_seed, *all_epochs, workspace=WHOLE),
        ONE_FIT: own("backtest", *prices, *one_seed, *all_epochs, "--n-folds", "1", "--json", workspace=ONE_FIT),
        AS_IT_COMES: own("train", *prices, *one_seed, workspace=AS_IT_COMES),
        "epoch": [sys.executable, str(HERE / "own_epochs.py"), *common, "--out", str(folder / "epoch")],
        "predict": own("predict", options.csv.stem, "--json", workspace=WHOLE),
    }


def count_run(workspace: Path, output: str, epochs: int) -> int:
    """Epochs that the stored run trained.

    Raises:
        SystemExit: a network's evaluation fit had fewer than `epochs`, or its deployed fit not as many as that one chose.
    """
    trained = count_as_it_comes(workspace, output, epochs)
    (path,) = workspace.glob("models/*/*/manifest.json")
    best = json.loads(path.read_text())["best_epochs"]
    due = epochs * len(best) + sum(chosen for seeds in best.values() for chosen in seeds)
    if trained != due:
        raise SystemExit(f"The networks of {path.parent} trained {trained} epochs, not {due}: nothing was measured.")
    return trained


def count_as_it_comes(workspace: Path, output: str, epochs: int) -> int:
    """Epochs that the stored run trained, however many early stopping left."""
    (path,) = workspace.glob("models/*/*/history.csv")
    with path.open(newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def count_backtest(workspace: Path, output: str, epochs: int) -> int:
    """Epochs that the backtest trained; it keeps no history, but its name is a hash of what decided them.

    Raises:
        SystemExit: it did not have the configuration with which no fit can stop early.
    """
    from forecast.config import make_config
    from forecast.walk_forward import Layout, make_backtest_id

    (found,) = json.loads(output)["runs"]
    config = make_config({"recipe": "classic", "n_seeds": 1, "epochs": epochs, "patience": epochs})
    due = make_backtest_id(SimpleNamespace(snapshot=found["snapshot"]), (), config, Layout(**found["layout"]))
    if found["run_id"] != due:
        raise SystemExit(f"{found['path']} is not the backtest with {epochs} epochs and no early stopping, {due}.")
    return epochs * len(config.networks)


COUNTS = {WHOLE: count_run, ONE_FIT: count_backtest, AS_IT_COMES: count_as_it_comes}


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
    """This project's seconds over each peer's, which has one end to end: below 1 it is faster."""
    own, twins = medians[OWN], {ONE_FIT: WHOLE, AS_IT_COMES: WHOLE}
    return {
        name: {
            what: round(seconds / peer[twins.get(what, what)], 3)
            for what, seconds in own.items() if twins.get(what, what) in peer
        }
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
