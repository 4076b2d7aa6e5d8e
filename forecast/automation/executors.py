"""Who does the fits: processes of this machine under one supervisor, which replaces those that die."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from typing import Any

from forecast.errors import ForecastError

DEATHS = 2          # of processes at work for a ticker, after which it is given up
TASKS_A_LIFE = 48   # tasks after which a process is replaced: TensorFlow keeps some memory of each
PRELOAD = ("forecast.networks.preload",)
_listener: ContextVar[Callable[[Any], None]] = ContextVar("listener", default=lambda note: None)


@dataclass(eq=False)
class _Task:
    ticker: str
    payload: bytes      # pickled function and arguments
    future: Future


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection
    task: _Task | None = None
    n_tasks: int = 0


class Supervisor:
    """Runs functions in processes of its own, with one thread each, and gives futures of their results.

        with Supervisor(n_workers=2) as supervisor:
            future = supervisor.submit(fit, task, ticker="TSLA")

    A process that dies is replaced and its task runs again; a ticker that loses `DEATHS` processes
    or takes longer than its time is given up: all its futures raise. Leaving the block ends every
    process at once. The fork server imports TensorFlow once, before the first task.

    Args:
        n_workers: processes; as many as there are cores when None.
        time_limit: seconds from the start of a ticker's first task; None for no limit.
        preload: modules that the fork server imports.
        on_note: hears, in a thread of this process, what tasks `tell`.
    """

    def __init__(
        self,
        n_workers: int | None = None,
        time_limit: float | None = None,
        *,
        preload: tuple[str, ...] = PRELOAD,
        on_note: Callable[[Any], None] = lambda note: None,
    ):
        self.n_workers = n_workers or len(os.sched_getaffinity(0))
        self._time_limit = time_limit
        self._preload = preload
        self._on_note = on_note
        self._workers: list[_Worker] = []
        self._waiting: deque[_Task] = deque()
        self._submitted: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._started: dict[str, float] = {}     # by ticker, when its first task was handed out
        self._deaths: Counter[str] = Counter()   # by ticker
        self._given_up: dict[str, ForecastError] = {}
        self._awoken, self._wake = Pipe(duplex=False)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._wake.send_bytes(b"!")
        if self._thread is not None:
            self._thread.join()
        self._wake.close()
        self._awoken.close()

    def submit(self, function: Callable, *arguments: Any, ticker: str) -> Future:
        """A future of `function(*arguments)`, which is run in another process.

        Args:
            function: importable by name.
            ticker: what the task belongs to, for time limit and deaths.
        """
        task = _Task(ticker, pickle.dumps((function, arguments)), Future())
        self._submitted.put(task)
        if self._thread is None:
            self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
            self._thread.start()
        self._wake.send_bytes(b"!")
        return task.future

    def _supervise(self) -> None:
        """What the thread does: hand out, listen, replace, until the end; nobody is left waiting then."""
        error: BaseException = ForecastError("The retraining ended before this fit did.")
        try:
            while not self._closing.is_set():
                self._give_up_late_ones()
                self._hand_out()
                self._listen()
        except BaseException as bug:
            error = bug
            raise
        finally:
            for worker in list(self._workers):
                if worker.task is not None:
                    worker.task.future.set_exception(error)
                self._end(worker)
            self._take_in()
            for task in self._waiting:
                task.future.cancel()

    def _take_in(self) -> None:
        while not self._submitted.empty():
            task = self._submitted.get()
            if task.ticker in self._given_up:
                task.future.set_exception(self._given_up[task.ticker])
            else:
                self._waiting.append(task)

    def _hand_out(self) -> None:
        """Give a task to every process that has none; processes are started as they are needed."""
        self._take_in()
        while self._waiting:
            idle = next((worker for worker in self._workers if worker.task is None), None)
            if idle is None and len(self._workers) == self.n_workers:
                return
            task = self._waiting.popleft()
            # One that runs a second time, after a death, is running already.
            if task.future.running() or task.future.set_running_or_notify_cancel():
                self._hand(idle or self._start(), task)

    def _hand(self, worker: _Worker, task: _Task) -> None:
        self._started.setdefault(task.ticker, time.monotonic())
        worker.task = task
        try:
            worker.connection.send_bytes(task.payload)
        except OSError:
            self._bury(worker)

    def _listen(self) -> None:
        """Wait for results, deaths, new tasks or the next deadline, and deal with what came."""
        by_connection = {worker.connection: worker for worker in self._workers}
        for ready in wait([self._awoken, *by_connection], self._seconds_left()):
            if ready is self._awoken:
                self._awoken.recv_bytes()
                continue
            worker = by_connection[ready]
            if worker not in self._workers:  # ended a moment ago, with its ticker
                continue
            try:
                kind, value = worker.connection.recv()
            except (EOFError, OSError):
                self._bury(worker)
                continue
            if kind == "note":
                self._on_note(value)
            else:
                self._take_answer(worker, kind, value)

    def _take_answer(self, worker: _Worker, kind: str, value: Any) -> None:
        future, worker.task = worker.task.future, None
        if kind == "done":
            future.set_result(value)
        else:
            future.set_exception(value)
        worker.n_tasks += 1
        if worker.n_tasks == TASKS_A_LIFE:
            self._end(worker)

    def _bury(self, worker: _Worker) -> None:
        """Remove a process that died; its task runs again, or its ticker is given up."""
        self._end(worker)
        task = worker.task
        if task is None:
            return
        self._deaths[task.ticker] += 1
        if self._deaths[task.ticker] < DEATHS:
            self._waiting.appendleft(task)
            return
        code = worker.process.exitcode
        self._give_up(
            task.ticker,
            f"{task.ticker} was given up: {DEATHS} processes that trained it were ended (exit code {code}), most likely"
            " for want of memory. Use fewer --workers or a smaller --batch-size.",
            task,
        )

    def _give_up_late_ones(self) -> None:
        for ticker, started in list(self._started.items()):
            busy = any(worker.task is not None and worker.task.ticker == ticker for worker in self._workers)
            if busy and self._time_limit is not None and time.monotonic() - started >= self._time_limit:
                self._give_up(
                    ticker,
                    f"{ticker} was given up after {self._time_limit:g} s of training, its time limit."
                    " Use a longer --time-limit, fewer --epochs or fewer --n-seeds.",
                )

    def _give_up(self, ticker: str, message: str, *tasks: _Task) -> None:
        """Let every future of a ticker raise, and end the processes that work for it."""
        error = self._given_up[ticker] = ForecastError(message)
        running = [worker for worker in self._workers if worker.task is not None and worker.task.ticker == ticker]
        for worker in running:
            self._end(worker)
        waiting = [task for task in self._waiting if task.ticker == ticker]
        self._waiting = deque(task for task in self._waiting if task.ticker != ticker)
        for task in (*tasks, *(worker.task for worker in running), *waiting):
            if task.future.running() or task.future.set_running_or_notify_cancel():
                task.future.set_exception(error)

    def _seconds_left(self) -> float | None:
        """Until the next ticker's time is up; None where there is no limit or nothing to do."""
        busy = {worker.task.ticker for worker in self._workers if worker.task is not None}
        if self._time_limit is None or not busy:
            return None
        deadline = min(self._started[ticker] for ticker in busy) + self._time_limit
        return max(0.0, deadline - time.monotonic())

    def _start(self) -> _Worker:
        import multiprocessing

        context = multiprocessing.get_context("forkserver")  # fork after TensorFlow has run hangs
        context.set_forkserver_preload(list(self._preload))
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        process.start()
        theirs.close()  # so that the pipe ends with the process
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        """End a process at once: it holds nothing that is not in its task."""
        self._workers.remove(worker)
        worker.process.kill()
        worker.process.join()
        worker.connection.close()


def tell(note: Any) -> None:
    """Say something to whoever runs this task; outside of one nobody hears it."""
    _listener.get()(note)


@contextmanager
def heard_by(listener: Callable[[Any], None]) -> Iterator[None]:
    """Let `listener` hear what this thread tells within the block; what it raises ends the task."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def _serve(connection: Connection) -> None:
    """What a process does: tasks, one after the other, until its supervisor is gone."""
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to hear
    threading.Thread(target=lambda: (parent_process().join(), os._exit(1)), daemon=True).start()
    with heard_by(lambda note: connection.send(("note", note))):
        while True:
            try:
                payload = connection.recv_bytes()
            except EOFError:
                return
            connection.send(_answer(payload))


def _answer(payload: bytes) -> tuple[str, Any]:
    """("done", result) of a pickled function and its arguments, or ("raised", error)."""
    try:
        function, arguments = pickle.loads(payload)
        return "done", function(*arguments)
    except Exception as error:
        error.add_note(traceback.format_exc())
        return "raised", error
