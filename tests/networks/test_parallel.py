import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from forecast.errors import ForecastError
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


@pytest.fixture(scope="module")
def early(tiny_studies):
    """Two tasks that overshoot, and whose validation therefore stops before the epochs are over."""
    study = tiny_studies["classic"]
    config = replace(study.config, epochs=6, patience=2, layers=1, learning_rate=0.3)
    return make_tasks(replace(study, config=config))[:2]


def test_deployed_fits_that_wait_for_nothing_are_those_that_come_afterwards(early):
    afterwards, beside = fit_networks(early, workers=1), fit_networks(early, workers=4)
    assert any(fit.best_epoch < 6 for fit in afterwards)
    for one, other in zip(afterwards, beside, strict=True):
        assert (one.network, one.seed, one.best_epoch, one.history) == (other.network, other.seed, other.best_epoch, other.history)
        for weights in ("evaluation_weights", "deployed_weights"):
            for a, b in zip(getattr(one, weights), getattr(other, weights), strict=True):
                np.testing.assert_array_equal(a, b)


def test_a_deployed_fit_does_not_wait_for_a_choice_that_never_comes(early):
    never = replace(early[0], validation=(_not_finite(early[0]),))
    with pytest.raises(ForecastError, match="never finite"):
        fit_networks([never], workers=2)
    assert not multiprocessing.active_children()


def _not_finite(task):
    """Validation windows whose answers are no numbers."""
    (validation,) = task.validation
    return replace(validation, targets=np.full_like(validation.targets, np.nan))


def test_ctrl_c_waits_while_workers_are_started():
    survived, over = False, threading.Event()
    threading.Thread(target=over.wait, daemon=True).start()      # it may be the one that the signal comes to
    with pytest.raises(KeyboardInterrupt):
        with _undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)         # by now it has come to one of them
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
