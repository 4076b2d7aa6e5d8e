import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from forecast.networks.parallel import _undisturbed, fit_networks
from forecast.pipeline import make_tasks


@pytest.fixture(scope="module")
def tasks(tiny_studies):
    """Two evaluation fits of both processes' length."""
    return [replace(task, everything=()) for task in make_tasks(tiny_studies["returns"])[:2]]


@pytest.fixture(scope="module")
def one_by_one(tasks):
    """Their results from one worker, and the epochs that were heard of."""
    heard = []
    return fit_networks(tasks, workers=1, on_epoch=heard.append), heard


def test_one_worker_gives_the_bits_of_two(one_by_one, tiny_fits):
    side_by_side = {fit.network: fit for fit in tiny_fits["returns"]}
    for fit in one_by_one[0]:
        for one, other in zip(fit.evaluation_weights, side_by_side[fit.network].evaluation_weights, strict=True):
            np.testing.assert_array_equal(one, other)


def test_results_come_in_the_order_of_the_tasks(one_by_one, tasks, tiny_fits, tiny_configs):
    assert [(fit.network, fit.seed) for fit in one_by_one[0]] == [(task.network, task.seed) for task in tasks]
    for recipe, fits in tiny_fits.items():
        assert [fit.network for fit in fits] == list(tiny_configs[recipe].networks)


def test_every_epoch_is_heard_of_before_the_results_are_there(one_by_one):
    fits, heard = one_by_one
    assert heard == [epoch for fit in fits for epoch in fit.history]


def test_no_worker_is_left_behind(one_by_one):
    assert not multiprocessing.active_children()


def test_a_failing_task_tells_its_reason_and_leaves_no_worker(tasks):
    broken = replace(tasks[0], network="transformer")
    with pytest.raises(KeyError, match="transformer"):
        fit_networks([broken], workers=1)
    assert not multiprocessing.active_children()


def test_ctrl_c_waits_while_workers_are_started():
    survived, over = False, threading.Event()
    threading.Thread(target=over.wait, daemon=True).start()      # it may be the one that the signal comes to
    with pytest.raises(KeyboardInterrupt):
        with _undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            survived = True
    over.set()
    assert survived
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_the_server_ends_without_tidying_up(environment):
    code = "import atexit; atexit.register(print, 'tidied up')\nimport forecast.networks.preload"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_training_does_not_bring_tensorflow_into_the_parent(environment):
    code = (
        "import sys, forecast.networks.parallel, forecast.library, forecast.pipeline\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'matplotlib', 'yfinance'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
