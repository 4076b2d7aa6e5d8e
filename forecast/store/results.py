"""What a run found out: its training history, its forecasts of the test sessions, its scores."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

import numpy as np

from forecast.networks.distribution import QUANTILE_LEVELS, StudentT
from forecast.networks.training import Epoch


@dataclass(frozen=True)
class Forecasts:
    """Every model's forecasts of the test sessions, beside what happened.

    Args:
        cutoffs: last session that each forecast saw, datetime64[D], shape (n_cutoffs,).
        sessions: forecast sessions, datetime64[D], shape (n_cutoffs, horizon).
        last_close: close at each cutoff [currency], shape (n_cutoffs,).
        y_true: cumulative log returns that came, shape (n_cutoffs, horizon).
        models: forecasts by the model's name; networks first, then baselines.
    """

    cutoffs: np.ndarray
    sessions: np.ndarray
    last_close: np.ndarray
    y_true: np.ndarray
    models: dict[str, StudentT]

    def prices(self, log_returns: np.ndarray) -> np.ndarray:
        """Log returns from the last close as prices [currency], shape (n_cutoffs, horizon, ...)."""
        shape = (-1,) + (1,) * (log_returns.ndim - 1)
        return self.last_close.reshape(shape) * np.exp(log_returns)


@dataclass(frozen=True)
class Results:
    """What training and scoring one ticker found out.

    Args:
        history: every epoch of every fit.
        forecasts: of the test sessions.
        metrics: by model: its kind, its scores overall and by horizon, as the JSON output has them.
        verdict: the paragraph in plain words.
        findings: the numbers behind it.
    """

    history: tuple[Epoch, ...]
    forecasts: Forecasts
    metrics: dict[str, dict]
    verdict: str
    findings: dict[str, object]


_KEY = ("model", "cutoff", "session", "horizon", "last_close", "actual_return", "location", "scale", "df")
_QUANTILES = tuple(f"price_{level:g}" for level in QUANTILE_LEVELS)


def csv_from_history(history: tuple[Epoch, ...]) -> str:
    """One row an epoch."""
    return _csv([field.name for field in fields(Epoch)], map(astuple, history))


def history_from_csv(text: str) -> tuple[Epoch, ...]:
    """The inverse of `csv_from_history`."""
    return tuple(
        Epoch(
            ticker=row["ticker"],
            network=row["network"],
            seed=int(row["seed"]),
            fit=row["fit"],
            epoch=int(row["epoch"]),
            n_epochs=int(row["n_epochs"]),
            loss=float(row["loss"]),
            validation_loss=float(row["validation_loss"]) if row["validation_loss"] else None,
        )
        for row in csv.DictReader(io.StringIO(text))
    )


def csv_from_forecasts(forecasts: Forecasts) -> str:
    """One row for each model, cutoff and step; the price quantiles [currency] are there for people."""
    return _csv([*_KEY, *_QUANTILES], _forecast_rows(forecasts))


def forecasts_from_csv(text: str) -> Forecasts:
    """The inverse of `csv_from_forecasts`."""
    lines = text.splitlines()[1:]
    table = np.array([line.split(",")[: len(_KEY)] for line in lines])    # (n_models * n_cutoffs * horizon, n_key)
    names = list(dict.fromkeys(table[:, 0]))
    horizon = int(table[:, 3].astype(int).max())
    cube = table.reshape(len(names), -1, horizon, len(_KEY))              # (n_models, n_cutoffs, horizon, n_key)
    figures = cube[..., 4:].astype(float)
    return Forecasts(
        cutoffs=cube[0, :, 0, 1].astype("datetime64[D]"),
        sessions=cube[0, :, :, 2].astype("datetime64[D]"),
        last_close=figures[0, :, 0, 0],
        y_true=figures[0, :, :, 1],
        models={name: StudentT(*np.moveaxis(figures[i, :, :, 2:], -1, 0)) for i, name in enumerate(names)},
    )


def _forecast_rows(forecasts: Forecasts) -> Iterator[list]:
    for name, model in forecasts.models.items():
        prices = forecasts.prices(model.quantile(QUANTILE_LEVELS))        # (n_cutoffs, horizon, n_levels)
        for i, cutoff in enumerate(forecasts.cutoffs):
            for k, session in enumerate(forecasts.sessions[i]):
                own = (model.location[i, k], model.scale[i, k], model.df[i, k])
                key = (name, cutoff, session, k + 1, forecasts.last_close[i], forecasts.y_true[i, k], *own)
                yield [*key, *(f"{price:.6g}" for price in prices[i, k])]


def _csv(columns: list[str], rows) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
