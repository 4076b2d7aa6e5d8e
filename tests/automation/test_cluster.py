"""A dask cluster on loopback: the same bits as here, and a worker that is killed costs nothing but time."""

import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from forecast.automation.challenge import fit
from forecast.automation.executors import Supervisor, tell
from forecast.config import make_config
from forecast.errors import ConfigError, ForecastError, TryAgainLater
from forecast.pipeline import make_study, make_tasks

pytest.importorskip("distributed", reason="the extra `dask` is not installed")
from forecast.automation.cluster import Cluster, _within  # noqa: E402

SMALL = {"networks": ["simple_rnn"], "n_seeds": 4, "units": 2, "lookback": 10, "horizon": 2, "epochs": 2}


@pytest.fixture
def scheduler():
    """The address of a scheduler on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with subprocess.Popen([sys.executable, "-m", "dask", *words], stderr=subprocess.DEVNULL) as process:
        wait_for(port)
        yield f"tcp://127.0.0.1:{port}"
        process.kill()


def wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"no scheduler on port {port} after 30 s")


def start_worker(scheduler: str) -> subprocess.Popen:
    words = ["worker", scheduler, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    return subprocess.Popen([sys.executable, "-m", "dask", *words], stderr=subprocess.DEVNULL)


def connect(scheduler: str, n_workers: int) -> Cluster:
    """The cluster, once its workers are there."""
    for _ in range(60):
        try:
            cluster = Cluster(scheduler)
        except TryAgainLater:
            time.sleep(0.5)
            continue
        if cluster.n_workers == n_workers:
            return cluster
        cluster.__exit__()
        time.sleep(0.5)
    raise AssertionError(f"no {n_workers} workers after 30 s")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed", "ignore::DeprecationWarning:tornado")
def test_fits_are_bit_identical_to_local_ones_though_a_worker_is_killed(tiny_prices, scheduler):
    tasks = make_tasks(make_study(tiny_prices, make_config(SMALL)))
    workers = [start_worker(scheduler) for _ in range(2)]
    try:
        with connect(scheduler, 2) as cluster:
            futures = [cluster.submit(fit, task, ticker="DEMO") for task in tasks]
            time.sleep(3.0)     # both are at work: importing TensorFlow alone takes as long
            workers[0].kill()
            remote = [future.result(timeout=200) for future in futures]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    with Supervisor(1) as supervisor:
        local = [supervisor.submit(fit, task, ticker="DEMO").result() for task in tasks]
    for ours, theirs in zip(local, remote, strict=True):
        assert ours.history == theirs.history
        for a, b in zip(ours.deployed_weights + ours.evaluation_weights, theirs.deployed_weights + theirs.evaluation_weights, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_scheduler_without_workers_is_told(scheduler):
    with pytest.raises(TryAgainLater, match="has no workers"):
        Cluster(scheduler)


def test_a_worker_with_other_versions_is_refused(monkeypatch):
    cluster = object.__new__(Cluster)
    cluster.n_workers = 1
    cluster._client = type("Client", (), {"run": lambda self, function: {"tcp://w": function() | {"numpy": "0.1"}}})()
    with pytest.raises(ConfigError, match="numpy 0.1, here"):
        cluster._check_workers("tcp://s")


def test_a_fit_over_its_time_ends_at_its_next_epoch():
    assert _within(None, "TSLA", abs, -1) == 1
    assert _within(60.0, "TSLA", tell, "an epoch") is None
    with pytest.raises(ForecastError, match="TSLA was given up after 0 s"):
        _within(0.0, "TSLA", tell, "an epoch")
