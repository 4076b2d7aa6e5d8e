"""What each section of a ticker's page says, as values for its template."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from forecast.config import RECIPES, Config, dict_from_config
from forecast.charts import NAMES
from forecast.prices.sources import CSV_PREFIX
from forecast.report.gates import picture_gates
from forecast.report.pictures import (
    picture_calibration,
    picture_folds,
    picture_losses,
    picture_outlook,
    picture_predictions,
)
from forecast.report.scores import Cell, headers, rows_of, scores_at
from forecast.report.stored import Stored
from forecast.store.grading import Grade
from forecast.store.ledger import LedgerRow
from forecast.store.runs import Manifest

# Settings that are options of `forecast train`; others stand in forecast.toml.
OPTIONS = (
    "networks", "lookback", "horizon", "units", "layers", "start",
    "epochs", "batch_size", "learning_rate", "patience", "n_seeds", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table of text: the first column names the row."""

    caption: str
    columns: tuple[str, ...]
    rows: list[list[str]]


@dataclass(frozen=True)
class ScoreTable:
    """Scores of every model, at one step or over all."""

    caption: str
    rows: list[tuple[str, list[Cell]]]


def page_values(stored: Stored) -> dict[str, object]:
    """Everything that the template of a page asks for."""
    manifest, results = stored.manifest, stored.run.results
    return {
        "ticker": manifest.ticker,
        "name": manifest.listing.name,
        "simulated": manifest.simulated,
        "recipe": manifest.config.recipe,
        **{name: manifest.cutoffs[name] for name in ("test_start", "test_end", "last_session")},
        "verdict": results.verdict,
        **_outlook_values(stored),
        "losses": picture_losses(stored.run),
        "predictions": picture_predictions(stored.run),
        "headers": headers(manifest.listing),
        "tables": make_score_tables(results.metrics, manifest.config.horizon),
        "calibration": picture_calibration(stored.run),
        "folds": picture_folds(stored.folds) if stored.folds else None,
        "live": make_live_table(stored.grades),
        "opened_until": str(stored.opened.sessions[-1]) if stored.opened else None,
        "gates": picture_gates(stored.opened) if stored.opened else [],
        **_data_values(stored),
        "command": format_command(manifest),
        "run_id": manifest.run_id,
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
        "settings": json.dumps(dict_from_config(manifest.config), indent=2),
    }


def make_outlook_table(rows: Sequence[LedgerRow], unit: str) -> Table:
    """Median and ranges of each of the next sessions, in currency."""
    caption = (
        f"{NAMES[rows[0].network]}, put on record on {rows[0].made_at[:16].replace('T', ' ')} UTC;"
        f" last close {rows[0].last_close:.2f}{unit} on {rows[0].cutoff}"
    )
    n_late = sum(row.is_late for row in rows)
    if n_late:
        caption += f"; {n_late} of these {len(rows)} sessions had closed already by then: no test of the forecast"
    columns = ("session", "median", "50 % range", "80 % range", "95 % range", "up [%]")
    return Table(caption, columns, [_outlook_row(row) for row in rows])


def make_score_tables(metrics: dict[str, dict], horizon: int) -> list[ScoreTable]:
    """Scores of the next session, and of all steps together where there are several."""
    captions = {"1": "Next session"} | ({None: f"1 to {horizon} sessions ahead"} if horizon > 1 else {})
    tables = []
    for step, caption in captions.items():
        scores = scores_at(metrics, step)
        n = next(iter(scores.values()))["n"]
        tables.append(ScoreTable(f"{caption}, {n} forecasts", rows_of(scores)))
    return tables


def make_live_table(grades: Sequence[Grade]) -> Table | None:
    """How recorded forecasts turned out; None where none has yet."""
    graded = [grade for grade in grades if grade.n]
    if not graded:
        return None
    columns = ("network", "ahead", "graded", "pending", "MAE [%]", "naive [%]", "p", "CRPS [%]", "in 80% [%]", "in 95% [%]")
    rows = [
        [
            NAMES.get(each.network, each.network), str(each.horizon), str(each.n), str(each.pending),
            _figure(each.mae), _figure(each.naive_mae), _figure(each.p_value), _figure(each.crps),
            _figure(each.coverage_80, 100.0), _figure(each.coverage_95, 100.0),
        ]
        for each in graded
    ]  # fmt: skip
    return Table("Forecasts that were on record before their session closed, against what came; % of log return", columns, rows)


def format_command(manifest: Manifest) -> str:
    """The command that makes such a run, with what differs from its recipe; a person's folders stay out of it."""
    config, recipe = manifest.config, RECIPES[manifest.config.recipe]
    words = ["forecast", "train", manifest.ticker, "--recipe", config.recipe]
    if manifest.source.startswith(CSV_PREFIX):
        words += ["--csv", Path(manifest.source).name]
    for name in OPTIONS:
        if getattr(config, name) != getattr(recipe, name):
            words += [f"--{name.replace('_', '-')}", _as_option(getattr(config, name))]
    lines = [shlex.join(words)]
    if config.recipe in ("pooled", "tuned"):
        lines.append(f"# {config.recipe}: with the tickers, or the run, that it was trained from")
    return "\n".join([*lines, *_settings_lines(config, recipe)])


def _settings_lines(config: Config, recipe: Config) -> list[str]:
    """Lines of forecast.toml for what differs and is no option."""
    others = [each.name for each in fields(Config) if each.name not in (*OPTIONS, "recipe")]
    values = dict_from_config(config)
    lines = [f"{name} = {json.dumps(values[name])}" for name in others if getattr(config, name) != getattr(recipe, name)]
    return ["", "# in forecast.toml", *lines] if lines else []


def _outlook_values(stored: Stored) -> dict[str, object]:
    rows, currency = stored.outlook, stored.manifest.listing.currency
    if not rows:
        return {"outlook": None, "outlook_chart": None}
    chart = picture_outlook(rows, stored.prices, f"[{currency}]" if currency else "") if stored.prices else None
    return {"outlook": make_outlook_table(rows, f" {currency}" if currency else ""), "outlook_chart": chart}


def _outlook_row(row: LedgerRow) -> list[str]:
    q025, q100, q250, q500, q750, q900, q975 = (
        None if each is None else row.last_close * float(np.exp(each)) for each in row.quantiles
    )
    ranges = ["-" if low is None else f"{low:.2f} to {high:.2f}" for low, high in ((q250, q750), (q100, q900), (q025, q975))]
    return [row.target, f"{q500:.2f}", *ranges, "-" if row.probability_up is None else f"{100 * row.probability_up:.0f}"]


def _data_values(stored: Stored) -> dict[str, object]:
    manifest, prices = stored.manifest, stored.prices
    source = manifest.source
    words = {"yahoo": "from Yahoo", "demo": "simulated"}.get(source) or f"from {Path(source).name}"
    first, last = manifest.cutoffs["first_session"], manifest.cutoffs["last_session"]
    newer = prices.notices if prices else ("The newest prices are gone or damaged: forecast data fetch takes new ones.",)
    return {
        "source": f"Sessions from {first} to {last}, {words}",
        "snapshot": manifest.snapshot,
        "notices": list(dict.fromkeys([*manifest.notices, *newer])),
    }


def _as_option(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _figure(value: float | None, factor: float = 1.0) -> str:
    return "-" if value is None else f"{factor * value:.3g}"
