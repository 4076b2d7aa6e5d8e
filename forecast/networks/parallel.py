"""Fits side by side in processes of their own: workers = cores, one thread each, the same bits as one by one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from typing import TYPE_CHECKING

from forecast.errors import ForecastError
from forecast.networks.backend import wanted_backend
from forecast.networks.training import Epoch, Fit, FitResult, FitTask, fit_deployed, fit_evaluation, fit_network, join

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor


def fit_networks(
    tasks: Sequence[FitTask],
    workers: int | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_fit: Callable[[FitResult], None] = lambda fit: None,
) -> list[FitResult]:
    """The results of all tasks, in their order, whatever the number of workers.

    Args:
        tasks: fits that do not depend on each other.
        workers: processes; as many as there are cores when None.
        on_epoch: called at the end of every epoch, in a thread of this process.
        on_fit: called with each result, in the order of the tasks, while later ones are still at work.

    Raises:
        ConfigError: KERAS_BACKEND names what is not there.
        ForecastError: a worker was ended from outside.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = start_server()
    _wait_for_server(context)
    workers = workers or len(os.sched_getaffinity(0))
    halves = len(tasks) <= workers and all(task.everything for task in tasks)  # with more tasks, no core is idle anyway
    epochs, chosen = context.SimpleQueue(), context.Array("i", len(tasks), lock=False)
    others = set(multiprocessing.active_children())
    n_jobs = 2 * len(tasks) if halves else len(tasks)
    pool = ProcessPoolExecutor(min(workers, n_jobs), context, _start_worker, (epochs, chosen))
    try:
        with _heard(epochs, on_epoch):  # ends before the workers do: one that dies while it speaks keeps the queue's lock
            with _undisturbed():  # a worker whose start was interrupted would be unknown, and complain after the end
                if halves:
                    waits = _submit_halves(pool, tasks, chosen)
                else:
                    waits = [pool.submit(_fit_in_worker, task).result for task in tasks]
            results = []
            for wait in waits:
                results.append(wait())
                on_fit(results[-1])
            return results
    except BrokenProcessPool as error:
        raise ForecastError(
            "A training process was ended from outside, most likely for want of memory;"
            " use fewer --workers or a smaller --batch-size."
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        _end(set(multiprocessing.active_children()) - others)


def start_server() -> ForkServerContext:
    """Let the process that workers are forked from begin to import Keras, which takes 3 s, and do not wait for it.

    `fit_networks` does so itself; who has something else to do before that calls this first.

    Raises:
        ConfigError: KERAS_BACKEND names what is not there.
    """
    import multiprocessing
    from multiprocessing import forkserver, resource_tracker

    wanted_backend()
    context = multiprocessing.get_context("forkserver")  # fork after TensorFlow has run hangs
    context.set_forkserver_preload(["forecast.networks.preload"])
    resource_tracker.ensure_running()  # here, since it ends with signals unblocked
    with _undisturbed():  # the server is born deaf to Ctrl-C, and hears it again when it knows what to do
        forkserver.ensure_running()
    return context


def _wait_for_server(context: ForkServerContext) -> None:
    """Return once the server has Keras at hand, and a worker is started at once; Ctrl-C ends the wait."""
    first = context.Process(target=_do_nothing)
    first.start()
    first.join()


def _do_nothing() -> None:
    """What the first process of a server does: it shows that the server is there."""


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Within the block Ctrl-C waits, whichever thread it comes to; its end hears of it."""
    heard = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    is_main = threading.current_thread() is threading.main_thread()  # Python hears signals there alone
    handler = signal.signal(signal.SIGINT, lambda *caught: heard.append(caught)) if is_main else None
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if heard:
            signal.raise_signal(signal.SIGINT)


def _end(workers: set[BaseProcess]) -> None:
    """End workers, which are idle by now or interrupted, and see them gone."""
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()


@contextmanager
def _heard(queue: SimpleQueue, on_epoch: Callable[[Epoch], None]) -> Iterator[None]:
    """Epochs put into the queue reach `on_epoch` in a thread, until the block ends."""

    def listen() -> None:
        for epoch in iter(queue.get, None):
            on_epoch(epoch)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        queue.put(None)
        thread.join()


def _submit_halves(
    pool: ProcessPoolExecutor, tasks: Sequence[FitTask], chosen: MutableSequence[int]
) -> list[Callable[[], FitResult]]:
    """Two jobs for each task: its deployed fit comes after every task's evaluation fit, but need not wait for its own.

    Args:
        pool: of workers that know `chosen`.
        tasks: with sessions to deploy on.
        chosen: where the epoch that each task's validation chose is made known; 0 until then.

    Returns:
        By task, a function that waits for its result.
    """

    def choose(i: int, done: Future[Fit]) -> None:
        if not done.cancelled() and done.exception() is None:
            chosen[i] = done.result().n_epochs

    def wait(task: FitTask, evaluation: Future[Fit], deployed: Future[Fit]) -> FitResult:
        return join(task, evaluation.result(), deployed.result())

    evaluations = [pool.submit(_evaluate_in_worker, task) for task in tasks]
    for i, evaluation in enumerate(evaluations):
        evaluation.add_done_callback(partial(choose, i))
    slowest_first = reversed(range(len(tasks)))     # an LSTM comes after a SimpleRNN unless somebody says otherwise
    deployed = {i: pool.submit(_deploy_in_worker, tasks[i], i) for i in slowest_first}
    return [partial(wait, task, evaluations[i], deployed[i]) for i, task in enumerate(tasks)]


def _start_worker(epochs: SimpleQueue, chosen: MutableSequence[int]) -> None:
    """Leave Ctrl-C to the parent, end when it ends, and remember where it listens and what it has to say."""
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=lambda: (parent_process().join(), os._exit(1)), daemon=True).start()
    _start_worker.epochs, _start_worker.chosen = epochs, chosen


def _fit_in_worker(task: FitTask) -> FitResult:
    return fit_network(task, _start_worker.epochs.put)


def _evaluate_in_worker(task: FitTask) -> Fit:
    return fit_evaluation(task, _start_worker.epochs.put)


def _deploy_in_worker(task: FitTask, i: int) -> Fit:
    return fit_deployed(task, lambda: _start_worker.chosen[i], _start_worker.epochs.put)
