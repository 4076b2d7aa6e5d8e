"""What the index says: a row for each ticker, and in one sentence whether any of it is worth anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from forecast.charts import NAMES
from forecast.prices.tickers import folder_from_ticker
from forecast.report.scores import Cell
from forecast.report.stored import Summary

COLUMNS = (
    "ticker", "next", "median", "80 % range", "MAE against naive [%]", "CRPS against GARCH [%]", "in 80% [%]", "in 95% [%]",
    "network", "last session",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A ticker's row; without `href` it has no page."""

    ticker: str
    simulated: bool
    href: str | None
    cells: list[Cell]


def index_values(summaries: Sequence[Summary], pages: set[str], unserved: Mapping[str, str] = {}) -> dict[str, object]:
    """Everything that the template of the index asks for.

    Args:
        summaries: of every ticker that has a champion, in alphabetical order.
        pages: names of the pages that are there.
        unserved: by ticker without a champion: the command that gives it one.
    """
    return {
        "unserved": unserved,
        "simulated": False,
        "columns": COLUMNS,
        "verdict": format_verdict(summaries),
        "rows": [_row(summary, pages) for summary in summaries],
    }


def format_verdict(summaries: Sequence[Summary]) -> str:
    """On how many tickers a network beats yesterday's close, its ranges GARCH's, and luck would have done so."""
    if not summaries:
        return "Nothing forecasts yet."
    findings = [list(summary.findings["networks"].values()) for summary in summaries]
    better = [any(network["price"]["better"] for network in networks) for networks in findings]
    ranges = [any(network["ranges"] and network["ranges"]["better"] for network in networks) for networks in findings]
    luck = sum(summary.findings["claim_level"] * len(networks) for summary, networks in zip(summaries, findings))
    return (
        f"Of {len(summaries)} {'ticker' if len(summaries) == 1 else 'tickers'}, a network predicts the price significantly"
        f" better than yesterday's close on {sum(better)}, and its range significantly better than GARCH on {sum(ranges)}."
        f" Luck alone may give up to {luck:.1f} of each."
    )


def _row(summary: Summary, pages: set[str]) -> Row:
    manifest = summary.manifest
    finding = summary.findings["networks"][manifest.serving]
    coverage = finding["coverage"] or {}
    cells = [
        *_next_session(summary),
        _change(finding["price"]),
        _change(finding["ranges"]),
        *(Cell(f"{100 * coverage[level]:.1f}" if coverage else "-", False) for level in ("0.8", "0.95")),
        Cell(NAMES[manifest.serving], False),
        Cell(manifest.cutoffs["last_session"], False),
    ]
    name = f"{folder_from_ticker(manifest.ticker)}.html"
    return Row(manifest.ticker, manifest.simulated, quote(name) if name in pages else None, cells)


def _next_session(summary: Summary) -> list[Cell]:
    """Date, median and 80 % range of the newest forecast's first step."""
    if not summary.outlook:
        return [Cell("-", False)] * 3
    row = summary.outlook[0]
    low, median, high = (None if q is None else row.last_close * float(np.exp(q)) for q in (row.q100, row.q500, row.q900))
    interval = "-" if low is None else f"{low:.2f} to {high:.2f}"
    return [Cell(row.target, False), Cell(f"{median:.2f}", False), Cell(interval, False)]


def _change(finding: dict | None) -> Cell:
    """A difference to a baseline in percent; marked where it is better and not by luck."""
    if finding is None:
        return Cell("-", False)
    text = f"{100 * finding['change']:+.1f}"
    return Cell("0.0" if text in ("+0.0", "-0.0") else text, finding["better"])
