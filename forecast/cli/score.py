"""`forecast score`: the ledger against what happened since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.options import Csv, Tickers
from forecast.cli.shared import Shared, command, finish
from forecast.cli.tables import print_json, print_table, print_text

if TYPE_CHECKING:
    from forecast.store.grading import Grade
    from forecast.store.chain import Head

SCHEMA = 1
Verify = Annotated[
    bool, typer.Option("--verify", help="Only check that no recorded forecast was changed, deleted or inserted.")
]
NARROW = (6, 4, 8)      # what a narrow terminal leaves out first: 50 % range, p, 95 % range


@command
def score(shared: Shared, tickers: Tickers = None, csv: Csv = None, verify: Verify = False) -> None:
    """Grade the recorded forecasts against what happened since. No ticker: every one in the ledger."""
    from forecast import scoring

    if verify:
        path, head = scoring.verify(shared.folder)
        if shared.json:
            print_json({"schema": SCHEMA, "ledger": str(path), "head": _dict_from_head(head)})
        else:
            print_text(format_head(head))
        return
    scored = scoring.score(
        tickers or [], shared.folder, csv=csv, offline=shared.offline, on_notice=shared.notice
    )  # fmt: skip
    if shared.json:
        print_document(scored)
    elif scored.grades:
        print_grades(scored.grades)
        print_text(format_head(scored.head))
    finish(scored.failures, len(scored.failures) + len({grade.ticker for grade in scored.grades}))


def print_document(scored) -> None:
    """The JSON document: the ledger's head, grades, failures."""
    from dataclasses import asdict

    failures = [{"ticker": f.ticker, "error": str(f.error), "exit_code": f.error.exit_code} for f in scored.failures]
    grades = [asdict(grade) for grade in scored.grades]
    print_json({"schema": SCHEMA, "head": _dict_from_head(scored.head), "grades": grades, "failures": failures})


def print_grades(grades: Sequence[Grade]) -> None:
    """A table for each ticker, with a row for each network and horizon; naive's error beside the network's."""
    columns = ["sessions ahead", "n", "MAE", "naive", "p", "CRPS", "in 50 %", "in 80 %", "in 95 %"]
    for ticker in dict.fromkeys(grade.ticker for grade in grades):
        own = [grade for grade in grades if grade.ticker == ticker]
        simulated = " SIMULATED" if own[0].simulated else ""
        left_out = format_left_out(own)
        graded = [_cells(grade) for grade in own if grade.n]
        if graded:
            title = f"{ticker}{simulated}: recorded forecasts against what happened [% of log return]"
            print_table(title, columns, graded, left_out and f"not graded: {left_out}", dropped=NARROW)
        else:
            print_text(f"{ticker}{simulated}: no recorded forecast can be graded yet: {left_out}.")
    if any(grade.n for grade in grades):
        print_text("naive: MAE of no change. p: Diebold-Mariano test of both, two-sided, once n is 20.")


def _cells(grade: Grade) -> list[str]:
    name = f"{grade.network} +{grade.horizon}"
    errors = [_figure(grade.mae, ".3f"), _figure(grade.naive_mae, ".3f"), _figure(grade.p_value, ".2f")]
    coverage = [_figure(c, ".1f", 100) for c in (grade.coverage_50, grade.coverage_80, grade.coverage_95)]
    return [name, str(grade.n), *errors, _figure(grade.crps, ".3f"), *coverage]


def _figure(value: float | None, digits: str, factor: float = 1.0) -> str:
    return "-" if value is None else format(factor * value, digits)


def format_left_out(grades: Sequence[Grade]) -> str:
    """How many forecasts are not graded, and why; empty where all are."""
    reasons = {
        "pending": "pending",
        "late": "late (written after the session had closed)",
        "repeated": "repeated",
        "without_price": "without a price",
    }
    counts = {words: sum(getattr(grade, name) for grade in grades) for name, words in reasons.items()}
    return ", ".join(f"{count} {words}" for words, count in counts.items() if count)


def format_head(head: Head) -> str:
    """How far the ledger reaches, after every row of it was checked."""
    if not head.count:
        return "The ledger is empty."
    return (
        f"The ledger holds {head.count} rows, none changed, deleted or inserted. Keep the hash of its last row"
        f" elsewhere, and nobody can rewrite them unseen: {head.hash}"
    )


def _dict_from_head(head: Head) -> dict[str, object]:
    return {"rows": head.count, "hash": head.hash}
