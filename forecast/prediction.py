"""What `forecast predict` does: the champion's distributions of the next sessions, put on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from forecast.errors import DataError, RunError, UsageError
from forecast.library import find
from forecast.networks.distribution import StudentT
from forecast.prices.calendar import calendar_notice, last_closed_session, next_sessions
from forecast.prices.sources import load_prices
from forecast.prices.table import Prices
from forecast.store.ledger import LEDGER, make_rows, record_forecasts
from forecast.store.runs import Manifest, load_file, load_forecasters, load_manifest
from forecast.windows.splits import first_cutoff


@dataclass(frozen=True)
class Prediction:
    """A run's forecast of the sessions after the last one it was given.

    Args:
        manifest: of the run.
        network: whose forecast this is; the others of the run are in `networks`.
        fit: "deployed", or "evaluation" where the deployed fit has seen what came after.
        prices: up to the last session that the forecast has seen.
        sessions: the next sessions, datetime64[D], shape (horizon,).
        networks: forecasts by network, arrays of shape (1, horizon).
        coverage: measured on the run's test sessions, by network: "coverage_80" and the like; None for points.
    """

    manifest: Manifest
    network: str
    fit: str
    prices: Prices
    sessions: np.ndarray
    networks: dict[str, StudentT]
    coverage: dict[str, dict[str, float | None]]

    @property
    def forecast(self) -> StudentT:
        """The chosen network's forecast."""
        return self.networks[self.network]

    @property
    def last_close(self) -> float:
        """Close of the last session that the forecast has seen [currency]."""
        return float(self.prices.close[-1])


def predict(
    ticker: str,
    workspace: Path,
    *,
    run_id: str | None = None,
    network: str | None = None,
    horizon: int | None = None,
    as_of: str | None = None,
    offline: bool = False,
    record: bool = True,
    now: datetime | None = None,
    on_notice: Callable[[str], None] = lambda sentence: None,
) -> Prediction:
    """Forecast the next sessions with a stored run, and put the forecast on record before it is given back.

    Args:
        ticker: a symbol with a run.
        workspace: folder of data/ and models/.
        run_id: the champion when None.
        network: of the run's networks; the one that validation liked best when None.
        horizon: sessions ahead, at most what the run was trained for; all of them when None.
        as_of: ISO date of the last session to be seen, to forecast from the past; never put on record.
        offline: never ask the network.
        record: write to the ledger.
        now: the present, for tests; UTC.
        on_notice: hears what a person should know.

    Raises:
        UsageError: a horizon, network or date that the run or the prices do not have.
        RunError: no such run, or a damaged one.
        DataError, SourceUnavailable, TryAgainLater: the prices cannot be had.
    """
    path = find(ticker, run_id, workspace)
    manifest = load_manifest(path)
    chosen = _chosen(manifest, network)
    steps = _checked_horizon(manifest, horizon)
    now = now or datetime.now(UTC)
    prices = load_prices(manifest.ticker, source=manifest.source, folder=workspace / "data", offline=offline, now=now)
    for notice in prices.notices:
        on_notice(notice)
    if as_of is not None:
        prices = _until(prices, as_of)
    fit = _honest_fit(manifest, prices, on_notice)
    prediction = _forecast(path, manifest, chosen, fit, prices, steps)
    notice = calendar_notice(prices.listing.exchange, prediction.sessions)
    if notice:
        on_notice(notice)
    if as_of is None and not prices.simulated:
        n_closed = int((prediction.sessions <= last_closed_session(prices.listing.exchange, now)).sum())
        if n_closed:
            on_notice(
                f"The prices of {prices.ticker} end on {prices.sessions[-1]}: {n_closed} of the {steps} sessions forecast"
                " have closed already."
            )
    if record and as_of is None:
        _record(workspace / "models" / LEDGER, prediction, now)
    return prediction


def dict_from_prediction(prediction: Prediction) -> dict[str, object]:
    """One forecast of the JSON document; prices in currency."""
    quantiles = prediction.last_close * np.exp(prediction.forecast.quantile())[0]        # (horizon, n_levels)
    rises = probability_up(prediction.forecast)
    return {
        "ticker": prediction.manifest.ticker,
        "run_id": prediction.manifest.run_id,
        "network": prediction.network,
        "fit": prediction.fit,
        "as_of": str(prediction.prices.sessions[-1]),
        "last_close": prediction.last_close,
        "currency": prediction.prices.listing.currency,
        "simulated": prediction.prices.simulated,
        "coverage": prediction.coverage[prediction.network],
        "steps": [
            {
                "session": str(session),
                "horizon": k + 1,
                "quantiles": _named(quantiles[k]),
                "probability_up": rises[k],
            }
            for k, session in enumerate(prediction.sessions)
        ],
    }


def probability_up(forecast: StudentT) -> list[float | None]:
    """Probability that each step closes above the last close; None for points."""
    if forecast.is_point:
        return [None] * forecast.location.shape[1]
    return (1.0 - forecast.cdf(np.zeros_like(forecast.location)))[0].tolist()


def _forecast(
    path: Path, manifest: Manifest, network: str, fit: str, prices: Prices, steps: int
) -> Prediction:
    needed = first_cutoff(manifest.config.lookback) + 1
    if len(prices) < needed:
        raise DataError(
            f"{manifest.ticker} has {len(prices)} sessions up to {prices.sessions[-1]}; the run's lookback"
            f" {manifest.config.lookback} needs at least {needed}. Use a later date, or more prices."
        )
    cutoff = np.array([len(prices) - 1])
    forecasts = {
        name: forecaster.predict(prices, cutoff).first(steps)
        for name, forecaster in load_forecasters(path, manifest, fit).items()
    }
    sessions = next_sessions(prices.listing.exchange, prices.sessions[-1], steps)
    return Prediction(manifest, network, fit, prices, sessions, forecasts, _measured_coverage(path, manifest))


def _honest_fit(manifest: Manifest, prices: Prices, on_notice: Callable[[str], None]) -> str:
    """The fit to forecast with: the deployed one, unless it was trained on what the forecast is about."""
    last, trained = str(prices.sessions[-1]), manifest.cutoffs
    if last >= trained["last_session"]:
        return "deployed"
    if last >= trained["validation_end"]:
        on_notice(
            f"The deployed fit has seen the sessions up to {trained['last_session']}; this forecast comes from the"
            f" evaluation fit, which has seen none after {trained['validation_end']}."
        )
    else:
        on_notice(
            f"Both fits of this run have seen sessions up to {trained['validation_end']}, later than {last}:"
            " this forecast is no test of them."
        )
    return "evaluation"


def _until(prices: Prices, as_of: str) -> Prices:
    """The prices without anything after a date."""
    try:
        cutoff = np.datetime64(as_of, "D")
    except ValueError as error:
        raise UsageError(f"--as-of is {as_of!r}; it is a date such as 2024-03-01.") from error
    kept = prices.until(cutoff)
    if not len(kept):
        raise UsageError(f"--as-of is {cutoff}; the prices of {prices.ticker} begin on {prices.sessions[0]}.")
    return kept


def _chosen(manifest: Manifest, network: str | None) -> str:
    if network is None:
        return manifest.serving
    if network not in manifest.config.networks:
        raise UsageError(f"--network is {network!r}; this run has {', '.join(manifest.config.networks)}.")
    return network


def _checked_horizon(manifest: Manifest, horizon: int | None) -> int:
    trained = manifest.config.horizon
    if horizon is not None and horizon > trained:
        raise UsageError(
            f"--horizon is {horizon}; run {manifest.run_id} forecasts 1 to {trained} sessions ahead."
            f" Type: forecast train {manifest.ticker} --horizon {horizon}"
        )
    return horizon or trained


def _measured_coverage(path: Path, manifest: Manifest) -> dict[str, dict[str, float | None]]:
    import json

    metrics = json.loads(load_file(path, manifest, "metrics.json"))["models"]
    levels = ("coverage_50", "coverage_80", "coverage_95")
    return {name: {level: metrics[name]["overall"][level] for level in levels} for name in manifest.config.networks}


def _record(ledger: Path, prediction: Prediction, now: datetime) -> None:
    """Every network's forecast, before anything is printed; a simulated share's clock stands at its last session."""
    prices = prediction.prices
    closed = prices.sessions[-1] if prices.simulated else last_closed_session(prices.listing.exchange, now)
    rows = [
        row
        for network, forecast in prediction.networks.items()
        for row in make_rows(
            forecast,
            prices,
            prediction.sessions,
            network=network,
            run_id=prediction.manifest.run_id,
            made_at=now,
            last_closed=closed,
        )
    ]
    record_forecasts(ledger, rows)


def _named(quantiles: np.ndarray) -> dict[str, float | None]:
    from forecast.networks.distribution import QUANTILE_LEVELS

    return {f"{q:g}": None if np.isnan(v) else float(v) for q, v in zip(QUANTILE_LEVELS, quantiles)}
