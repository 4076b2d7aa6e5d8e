"""Processor seconds of a training epoch by lookback, horizon and units: in turns, in one process and one thread.

    .venv/bin/python benchmarks/own_shapes.py --rounds 15

Every shape trains on the same 2,800 windows of noise: seconds do not depend on what the numbers are.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from forecast.config import Config, make_config
from forecast.networks.epochs import capacity_for, compile_epoch, initial_state, make_batches
from forecast.windows.windows import Samples

NETWORKS = ("simple_rnn", "lstm")
N_WINDOWS = 2800
AXES = {"lookback": (30, 60, 120, 240), "horizon": (5, 1, 20), "units": (16, 8, 32, 64)}  # the defaults come first


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    for axis, values in AXES.items():
        parser.add_argument(f"--{axis}", type=int, nargs="+", default=values)
    options = parser.parse_args()
    cases = make_cases({axis: getattr(options, axis) for axis in AXES})
    epochs = [prepare(case["network"], make_config({"start": "random", **case["shape"]})) for case in cases]
    seconds = [[measure(epoch) for epoch in epochs] for _ in range(options.rounds)]
    print(json.dumps([case | {"seconds": statistics.median(column)} for case, column in zip(cases, zip(*seconds))]))


def make_cases(axes: dict[str, list[int]]) -> list[dict]:
    """The default shape, and all that differ from it along one axis, for each network."""
    default = {axis: values[0] for axis, values in AXES.items()}
    shapes = [default]
    shapes += [default | {axis: value} for axis, values in axes.items() for value in values if value != default[axis]]
    return [{"network": network, "shape": shape} for network in NETWORKS for shape in shapes]


def prepare(network: str, config: Config) -> Callable[[], None]:
    """An epoch that is compiled, and planned by TensorFlow, which takes its first two runs."""
    n_features, rng = len(config.features), np.random.default_rng(1)
    cutoffs = max(AXES["lookback"]) + np.arange(N_WINDOWS)
    values, targets = (
        rng.standard_normal((cutoffs[-1] + 1, width)).astype("float32") for width in (n_features, config.horizon)
    )
    windows = Samples(values, targets, cutoffs, config.lookback).arrays()
    train = make_batches(*windows, config.batch_size, capacity_for(N_WINDOWS))
    nothing = train._replace(n_batches=np.int32(0))
    run_epoch = compile_epoch(network, config, n_features)
    state = initial_state(network, config, n_features, seed=1)

    def epoch() -> None:
        float(run_epoch(state, train, nothing)[1])      # asking for the loss waits for it

    epoch()
    epoch()
    return epoch


def measure(epoch: Callable[[], None]) -> float:
    """Processor seconds of one run."""
    started = time.process_time()
    epoch()
    return time.process_time() - started


if __name__ == "__main__":
    main()
