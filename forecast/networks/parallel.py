"""Fits side by side in processes of their own: workers = cores, one thread each, the same bits as one by one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue

from forecast.errors import ForecastError
from forecast.networks.backend import wanted_backend
from forecast.networks.training import Epoch, FitResult, FitTask, fit_network


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
    workers = min(workers or len(os.sched_getaffinity(0)), len(tasks))
    epochs = context.SimpleQueue()
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, context, _start_worker, (epochs,))
    try:
        with _heard(epochs, on_epoch):  # ends before the workers do: one that dies while it speaks keeps the queue's lock
            with _undisturbed():  # a worker whose start was interrupted would be unknown, and complain after the end
                futures = [pool.submit(_fit_in_worker, task) for task in tasks]
            results = []
            for future in futures:
                results.append(future.result())
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


def _start_worker(epochs) -> None:
    """Leave Ctrl-C to the parent, end when it ends, and remember where it listens."""
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=lambda: (parent_process().join(), os._exit(1)), daemon=True).start()
    _fit_in_worker.epochs = epochs


def _fit_in_worker(task: FitTask) -> FitResult:
    return fit_network(task, _fit_in_worker.epochs.put)
