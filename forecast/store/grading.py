"""How recorded forecasts turned out: the ledger against the prices that came.

What happened is the log return from cutoff to target in the prices of today, and a forecast was
recorded as log returns of its own last close. So a split in between changes nothing: today's closes
of both sessions are adjusted for it alike. All errors are in percent of log return.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecast.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from forecast.networks.distribution import StudentT
    from forecast.prices.table import Prices
    from forecast.store.ledger import LedgerRow

_PERCENT = 100.0


@dataclass(frozen=True)
class Grade:
    """How one network did for one ticker at one horizon.

    Args:
        ticker, network, horizon: whose forecasts these are; horizon in sessions.
        simulated: True for DEMO.
        n: forecasts that came true or not: those which the figures below are of.
        pending: their target session is yet to come.
        late: written after their target session had closed; not graded.
        repeated: for a cutoff that an earlier forecast had spoken of; the earlier one counts.
        without_price: the cutoff or the target session is missing from the prices.
        mae: mean absolute error of the median [% of log return].
        naive_mae: the same of "no change".
        p_value: Diebold-Mariano test of both, two-sided; None for too few forecasts.
        n_ranges: graded forecasts that have ranges and not just a point.
        crps: their mean continuous ranked probability score [% of log return].
        coverage_50, coverage_80, coverage_95: share of outcomes within the recorded ranges.
    """

    ticker: str
    network: str
    horizon: int
    simulated: bool
    n: int
    pending: int
    late: int
    repeated: int
    without_price: int
    mae: float | None = None
    naive_mae: float | None = None
    p_value: float | None = None
    n_ranges: int = 0
    crps: float | None = None
    coverage_50: float | None = None
    coverage_80: float | None = None
    coverage_95: float | None = None


def grade(rows: Iterable[LedgerRow], prices: Mapping[str, Prices]) -> list[Grade]:
    """Grade recorded forecasts, by ticker, network and horizon.

    Args:
        rows: the ledger's, in its order.
        prices: of today, of every ticker among the rows.
    """
    groups: dict[tuple[str, str, int], list[LedgerRow]] = {}
    for row in rows:
        groups.setdefault((row.ticker, row.network, row.horizon), []).append(row)
    return [_grade_group(groups[key], prices[key[0]]) for key in sorted(groups)]


def _grade_group(rows: list[LedgerRow], prices: Prices) -> Grade:
    """The grade of rows of one ticker, network and horizon."""
    import numpy as np

    in_time = [row for row in rows if not row.is_late]
    first = {row.cutoff: row for row in reversed(in_time)}  # the earliest is put in last
    last_session = str(prices.sessions[-1])
    due = [row for _, row in sorted(first.items()) if row.target <= last_session]
    outcomes = _log_returns(due, prices)
    known = np.isfinite(outcomes)
    graded = [row for row, is_known in zip(due, known, strict=True) if is_known]
    return Grade(
        rows[0].ticker,
        rows[0].network,
        rows[0].horizon,
        prices.simulated,
        n=len(graded),
        pending=len(first) - len(due),
        late=len(rows) - len(in_time),
        repeated=len(in_time) - len(first),
        without_price=len(due) - len(graded),
        **(_figures(graded, outcomes[known]) if graded else {}),
    )


def _log_returns(rows: list[LedgerRow], prices: Prices) -> np.ndarray:
    """Log returns from cutoff to target, shape (n,); NaN where one of both has no price."""
    import numpy as np

    cutoffs, targets = (
        _closes_on([getattr(row, name) for row in rows], prices) for name in ("cutoff", "target")
    )
    return np.log(targets / cutoffs)


def _closes_on(days: list[str], prices: Prices) -> np.ndarray:
    """Closes of these days [currency], shape (n,); NaN for a day that is no session."""
    import numpy as np

    days = np.array(days, dtype="datetime64[D]")
    at = np.minimum(np.searchsorted(prices.sessions, days), len(prices) - 1)
    return np.where(prices.sessions[at] == days, prices.close[at], np.nan)


def _figures(rows: list[LedgerRow], y_true: np.ndarray) -> dict[str, float | int | None]:
    """Errors and scores of graded rows against their outcomes, shape (n,)."""
    import numpy as np

    miss = np.abs(y_true - np.array([row.location for row in rows]))
    naive_miss = np.abs(y_true)
    has_ranges = np.array([row.scale is not None for row in rows])
    with_ranges = [row for row in rows if row.scale is not None]
    return {
        "mae": _PERCENT * float(miss.mean()),
        "naive_mae": _PERCENT * float(naive_miss.mean()),
        "p_value": _p_value(miss, naive_miss, rows[0].horizon),
        "n_ranges": len(with_ranges),
        **(_range_figures(with_ranges, y_true[has_ranges]) if with_ranges else {}),
    }


def _range_figures(rows: list[LedgerRow], y_true: np.ndarray) -> dict[str, float]:
    """CRPS and coverage of rows that have ranges, from what was recorded."""
    import numpy as np

    from forecast.evaluation.metrics import crps

    quantiles = np.array([row.quantiles for row in rows])  # (n, 7)
    within = (quantiles[:, :3] <= y_true[:, None]) & (y_true[:, None] <= quantiles[:, :3:-1])
    coverage_95, coverage_80, coverage_50 = within.mean(axis=0).tolist()
    return {
        "crps": float(crps(_distribution(rows), y_true).mean()),
        "coverage_50": coverage_50,
        "coverage_80": coverage_80,
        "coverage_95": coverage_95,
    }


def _distribution(rows: list[LedgerRow]) -> StudentT:
    """The recorded distributions, shape (n,)."""
    import numpy as np

    from forecast.networks.distribution import StudentT

    return StudentT(
        *(np.array([getattr(row, name) for row in rows]) for name in ("location", "scale", "df"))
    )


def _p_value(loss: np.ndarray, naive_loss: np.ndarray, horizon: int) -> float | None:
    """Of equal accuracy; None where there are too few forecasts for the test."""
    from forecast.evaluation.significance import diebold_mariano

    try:
        return diebold_mariano(loss, naive_loss, horizon).p_value
    except DataError:
        return None
