import os
import signal
import subprocess
import sys
import time

import pytest

from forecast.automation.executors import Supervisor, tell
from forecast.errors import ForecastError


def supervisor(n_workers: int = 1, time_limit: float | None = None, **more) -> Supervisor:
    return Supervisor(n_workers, time_limit, preload=(), **more)


def test_results_come_from_other_processes_and_are_those_of_the_function():
    with supervisor(2) as workers:
        futures = [workers.submit(divmod, n, 7, ticker="A") for n in range(20)]
        pids = {workers.submit(os.getpid, ticker="A").result() for _ in range(4)}
        assert [future.result() for future in futures] == [divmod(n, 7) for n in range(20)]
    assert os.getpid() not in pids and len(pids) <= 2


def test_what_a_task_raises_comes_back_with_its_traceback():
    with supervisor() as workers:
        error = workers.submit(divmod, 1, 0, ticker="A").exception()
        assert isinstance(error, ZeroDivisionError) and "Traceback" in error.__notes__[0]
        assert workers.submit(divmod, 1, 1, ticker="A").result() == (1, 0)


def test_what_a_task_tells_is_heard_before_its_result():
    heard = []
    with supervisor(on_note=heard.append) as workers:
        workers.submit(tell, "an epoch", ticker="A").result()
    assert heard == ["an epoch"]
    tell("nobody hears this")
    assert heard == ["an epoch"]


def test_a_dead_process_is_replaced_and_its_task_runs_again():
    with supervisor() as workers:
        pid = workers.submit(os.getpid, ticker="A").result()
        future = workers.submit(time.sleep, 0.5, ticker="A")
        os.kill(pid, signal.SIGKILL)
        assert future.result() is None
        assert workers.submit(os.getpid, ticker="A").result() != pid


def test_a_ticker_that_loses_two_processes_is_given_up_and_no_other():
    with supervisor(2) as workers:
        bad = [workers.submit(os._exit, 3, ticker="BAD"), workers.submit(abs, -1, ticker="GOOD")]
        bad.append(workers.submit(os._exit, 3, ticker="BAD"))
        for future in (bad[0], bad[2]):
            with pytest.raises(ForecastError, match=r"BAD was given up: 2 processes .*exit code 3"):
                future.result()
        assert bad[1].result() == 1
        assert workers.submit(abs, -2, ticker="GOOD").result() == 2


def test_a_ticker_given_up_gets_no_process_any_more():
    with supervisor() as workers:
        assert workers.submit(os._exit, 3, ticker="BAD").exception() is not None
        assert isinstance(workers.submit(abs, -1, ticker="BAD").exception(), ForecastError)


def test_a_ticker_over_its_time_is_given_up_with_all_that_waits_for_it():
    with supervisor(time_limit=0.5) as workers:
        started = time.monotonic()
        late = [workers.submit(time.sleep, 60, ticker="LATE") for _ in range(3)]
        for future in late:
            with pytest.raises(ForecastError, match="after 0.5 s"):
                future.result()
        assert workers.submit(abs, -1, ticker="NEXT").result() == 1
        assert time.monotonic() - started < 30


def test_a_cancelled_task_is_never_begun():
    with supervisor() as workers:
        busy = workers.submit(time.sleep, 0.5, ticker="A")
        waiting = workers.submit(os._exit, 3, ticker="A")
        assert waiting.cancel()
        assert busy.result() is None
        assert workers.submit(abs, -1, ticker="A").result() == 1


def test_leaving_the_block_ends_what_is_at_work_at_once():
    with supervisor() as workers:
        pid = workers.submit(os.getpid, ticker="A").result()
        at_work, waiting = (workers.submit(time.sleep, 60, ticker="A") for _ in range(2))
        while not at_work.running():
            time.sleep(0.01)
    assert isinstance(at_work.exception(), ForecastError) and waiting.cancelled()
    assert not is_alive(pid)


def test_what_cannot_be_sent_is_told_to_the_caller():
    with supervisor() as workers, pytest.raises(Exception, match="pickle"):
        workers.submit(lambda: None, ticker="A")


def test_no_process_outlives_a_killed_parent():
    code = (
        "import os, time\n"
        "from forecast.automation.executors import Supervisor\n"
        "with Supervisor(1, preload=()) as workers:\n"
        "    print(workers.submit(os.getpid, ticker='A').result(), flush=True)\n"
        "    workers.submit(time.sleep, 60, ticker='A').result()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    for _ in range(500):
        if not is_alive(pid):
            return
        time.sleep(0.02)
    raise AssertionError(f"worker {pid} is alive ten seconds after its parent's death")


def is_alive(pid: int) -> bool:
    """False too for a zombie, which has ended and waits for its exit code to be read."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
