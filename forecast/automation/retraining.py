"""What `forecast retrain` does, ticker by ticker: due? fetch, challenge, promote or keep, predict, write down.

    lock ── due? ── fetch ── challenger ── gate ── promote or keep ── predict ── journal
              │        │         └ every `retrain_every` sessions          (ledger)
              └ no     └ nothing new: the journal alone

Each step that lasts is one atomic write, in this order: snapshot, run, champion, ledger, journal. A
death between two of them leaves a champion that serves; the next retraining starts again at "due?",
and the journal, written last, says what is behind it. Nothing here imports pandas or TensorFlow
until a ticker is due.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from logging import Logger
from typing import TYPE_CHECKING, Any, Protocol

from forecast.automation.due import stamp_of, when_due, why_due
from forecast.automation.journal import LOG, Entry, append_entry, load_last_entries, open_log
from forecast.automation.order import Order
from forecast.errors import ForecastError, RunError, TryAgainLater
from forecast.store.champions import promote
from forecast.store.locks import retraining_lock

if TYPE_CHECKING:
    from forecast.automation.challenge import Challenge
    from forecast.networks.training import FitResult
    from forecast.prices.table import Prices

_CARRIED = ("source", "file", "session", "challenged", "due_at", "champion", "forecast")
AHEAD = 2  # fits in hand for each worker: one at work, one waiting; more studies would only fill the memory


class Executor(Protocol):
    """Where fits are made: `Supervisor` or `Cluster`."""

    n_workers: int

    def __enter__(self) -> Executor: ...

    def __exit__(self, *_: object) -> None: ...

    def submit(self, function: Callable, *arguments: Any, ticker: str) -> Future:
        """What `function(*arguments)` will give back, run in a process of the ticker's own."""
        ...


@dataclass
class Attempt:
    """One ticker on its way: what is known so far, and so what its journal entry will say.

    Args:
        ticker: checked symbol.
        started: when it was begun.
        told: fields of that entry; what is `_CARRIED` begins as the last entry has it, and moves on as steps succeed.
        stamp: size and time of a person's own price file before it was read.
        fit_seconds: wall time of the fits together.
        challenge: what is to be trained and compared.
        futures: its fits.
        held: the ticker's lock.
    """

    ticker: str
    started: datetime
    told: dict[str, object] = field(default_factory=dict)
    stamp: str | None = None
    fit_seconds: float = 0.0
    clock: float = field(default_factory=time.perf_counter)
    challenge: Challenge | None = None
    futures: list[Future] = field(default_factory=list)
    held: ExitStack = field(default_factory=ExitStack)

    def entry(self, outcome: str, reason: str, exit_code: int = 0) -> Entry:
        """The journal's line, as things stand."""
        seconds = {"total": round(time.perf_counter() - self.clock, 3), "fits": round(self.fit_seconds, 3)}
        return Entry(
            self.ticker, _iso(self.started), _iso(datetime.now(UTC)), outcome, reason, exit_code,
            **self.told, seconds=seconds,
        )  # fmt: skip


def retrain(tickers: Sequence[str], order: Order, executor: Executor) -> Iterator[Entry]:
    """Retrain what is due, and give back what became of each ticker as soon as it is known.

    Args:
        tickers: checked symbols.
        order: what was asked for.
        executor: makes the fits; studies are made shortly before it has room for them.

    Yields:
        One entry a ticker. Those that asked a source are in the journal by then; those that were not
        due, or found the ticker locked, are not.

    Raises:
        RunError: the models folder cannot be written.
    """
    log = open_log(order.models)
    waiting, at_work = list(tickers), []
    try:
        while waiting or at_work:
            attempt, step = _next_step(waiting, at_work, executor)
            entry = _guarded(attempt, order, step, log)
            if entry is not None:
                at_work.remove(attempt)
                attempt.held.close()
                log.info("%s %s: %s", entry.ticker, entry.outcome, entry.reason)
                yield entry
    finally:
        for attempt in at_work:
            attempt.held.close()


def foresee(ticker: str, order: Order) -> str:
    """What a retraining would do now, in words; asks no source and changes nothing.

    Raises:
        RunError: the champion is damaged.
    """
    last = load_last_entries(order.models, [ticker]).get(ticker)
    why = "--force" if order.force else why_due(last, datetime.now(UTC))
    if why is None:
        return f"nothing due: {last.session} was dealt with; no more before {last.due_at}"
    from forecast.automation.challenge import describe_plan

    return f"{why}; would {describe_plan(ticker, order, last)}"


def _next_step(waiting: list[str], at_work: list[Attempt], executor: Executor) -> tuple[Attempt, Callable]:
    """Begin a ticker where the workers will soon want one, else conclude one whose fits are there."""
    while True:
        in_hand = sum(not future.done() for attempt in at_work for future in attempt.futures)
        if waiting and in_hand < AHEAD * executor.n_workers:
            at_work.append(Attempt(waiting.pop(0), datetime.now(UTC)))
            return at_work[-1], partial(_begin, executor=executor)
        for attempt in at_work:
            if all(future.done() for future in attempt.futures) or any(map(_has_failed, attempt.futures)):
                return attempt, _conclude
        wait([future for attempt in at_work for future in attempt.futures if not future.done()], None, FIRST_COMPLETED)


def _begin(attempt: Attempt, order: Order, executor: Executor) -> Entry | None:
    """From the lock to the fits; an entry where no challenger is needed."""
    try:
        attempt.held.enter_context(retraining_lock(order.models, attempt.ticker))
    except TryAgainLater as held:  # whoever holds it writes the journal
        return attempt.entry("failed", str(held), held.exit_code)
    last = load_last_entries(order.models, [attempt.ticker]).get(attempt.ticker)
    if last is not None:
        attempt.told = {name: getattr(last, name) for name in _CARRIED}
    why = "--force" if order.force else why_due(last, attempt.started)
    if why is None:
        return attempt.entry("nothing_due", f"{last.session} was dealt with; no more before {last.due_at}")
    return _pursue(attempt, order, executor)


def _pursue(attempt: Attempt, order: Order, executor: Executor) -> Entry | None:
    """Fetch, and hand out the fits of a challenger where one is due."""
    from forecast.automation import challenge
    from forecast.store.runs import remove_leftovers

    remove_leftovers(order.models, attempt.ticker)
    champion = challenge.find_champion(order.models, attempt.ticker)
    source = challenge.choose_source(attempt.ticker, champion, order.csv)
    attempt.stamp = stamp_of(source)  # before it is read: a change after that is seen next time
    prices = challenge.fetch(attempt.ticker, source, order)
    known = attempt.told.get("session")
    if not order.force and known is not None and str(prices.sessions[-1]) <= known:
        _deal_with(attempt, prices)
        return _noted(order, attempt.entry("nothing_due", f"the source has nothing newer than {known}"))
    attempt.challenge = challenge.prepare(prices, champion, attempt.told.get("challenged"), order)
    if attempt.challenge.study is None:
        return _finish(attempt, order, "predicted", attempt.challenge.reason)
    tasks = challenge.make_fits(attempt.challenge)
    attempt.futures = [executor.submit(challenge.fit, task, ticker=attempt.ticker) for task in tasks]
    return None


def _conclude(attempt: Attempt, order: Order) -> Entry:
    """From the fits to the journal; where there is no challenger to judge, the champion goes on serving."""
    from forecast.automation import challenge

    try:
        fits = _fits_of(attempt)
        trained = challenge.score(attempt.challenge, fits)
    except Exception as failure:
        error = _translated(failure, attempt.ticker)
        open_log(order.models).error("%s", attempt.ticker, exc_info=error.__cause__)
        return _finish(attempt, order, "failed", str(error), error.exit_code)
    attempt.fit_seconds = sum(fit.seconds for fit in fits)
    run, verdict = challenge.decide(attempt.challenge, trained, order.models, attempt.started)
    challenged = str(attempt.challenge.prices.sessions[-1])
    attempt.told |= {"challenger": run.name, "losses": verdict.losses, "challenged": challenged}
    if verdict.promoted:
        promote(run, verdict.reason)
    return _finish(attempt, order, "promoted" if verdict.promoted else "kept", verdict.reason)


def _finish(attempt: Attempt, order: Order, outcome: str, reason: str, exit_code: int = 0) -> Entry:
    """Predict, and write the journal's line: from then on the session is dealt with."""
    from forecast.automation import challenge

    for future in attempt.futures:
        future.cancel()
    prices = attempt.challenge.prices
    champion, last = challenge.predict_next(attempt.ticker, str(prices.sessions[-1]), order)
    attempt.told |= {"champion": champion, "forecast": last}
    _deal_with(attempt, prices)
    return _noted(order, attempt.entry(outcome, reason, exit_code))


def _deal_with(attempt: Attempt, prices: Prices) -> None:
    """What the journal is to say once nothing is left to do with these prices."""
    due_at = when_due(prices, datetime.now(UTC))
    attempt.told |= {"source": prices.source, "file": attempt.stamp, "session": str(prices.sessions[-1]), "due_at": due_at}


def _guarded(attempt: Attempt, order: Order, step: Callable, log: Logger) -> Entry | None:
    """A step of one ticker, whose failure stops no other: it is logged and written down."""
    try:
        return step(attempt, order)
    except ForecastError as failure:
        error = failure
    except OSError as failure:
        error = RunError(f"{failure.filename or order.workspace} cannot be used: {failure.strerror}.")
    except Exception as bug:  # months unattended: one ticker's surprise is no reason to leave the others alone
        log.exception("%s", attempt.ticker)
        error = ForecastError(f"{attempt.ticker} met an unforeseen {bug!r}; its traceback is in models/{LOG}.")
    entry = attempt.entry("failed", str(error), error.exit_code)
    try:
        return _noted(order, entry)
    except RunError as full:
        log.error("%s", full)
        return entry


def _noted(order: Order, entry: Entry) -> Entry:
    append_entry(order.models, entry)
    return entry


def _has_failed(future: Future) -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)


def _fits_of(attempt: Attempt) -> list[FitResult]:
    """The results of all fits; raises as the first one that failed did, though others are still at work."""
    failed = [future for future in attempt.futures if _has_failed(future)]
    return [future.result() for future in failed or attempt.futures]


def _translated(failure: Exception, ticker: str) -> ForecastError:
    """Why there is no challenger, as an error that a person can read."""
    if isinstance(failure, ForecastError):
        return failure
    error = ForecastError(f"{ticker} could not be trained: {failure!r}; its traceback is in models/{LOG}.")
    error.__cause__ = failure
    return error


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
