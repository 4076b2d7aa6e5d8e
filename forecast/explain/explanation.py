"""One forecast of a stored run, opened: window, gates, memory and attribution of each of its networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecast.charts import NAMES
from forecast.errors import UsageError
from forecast.explain.attribution import Attribution, integrated_gradients
from forecast.explain.gates import WindowRecord, record_window
from forecast.explain.memory import Memory, measure_memory
from forecast.explain.pictures import plot_attribution, plot_gates, plot_memory
from forecast.networks.forecaster import Forecaster, features_of
from forecast.networks.heads import LOCATION_UNIT
from forecast.prices.table import Prices
from forecast.store.runs import SCHEMA, Manifest, load_forecasters, load_manifest
from forecast.windows.splits import first_cutoff
from forecast.windows.windows import make_windows, return_unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEMORY_WINDOWS = 30  # windows up to the date that the memory is averaged over


@dataclass(frozen=True)
class OpenedWindow:
    """What the networks of a run held over the window that led to one forecast.

    Args:
        manifest: of the run.
        sessions: dates of the window, the last is the cutoff, shape (lookback,).
        close: [currency], shape (lookback,).
        records: by network: what the first seed's last recurrent layer held; units of several seeds
            have nothing in common, so that they cannot be averaged.
    """

    manifest: Manifest
    sessions: np.ndarray
    close: np.ndarray
    records: dict[str, WindowRecord]


@dataclass(frozen=True)
class Explanation(OpenedWindow):
    """What led to one forecast.

    Args:
        step: sessions ahead, from 1: which of the forecasts is shared out.
        memories: by network: mean over seeds and the last windows.
        attributions: by network, then by what was shared out, with its unit; mean over seeds.
    """

    step: int
    memories: dict[str, Memory]
    attributions: dict[str, dict[str, Attribution]]

    @property
    def title(self) -> str:
        """Ticker, recipe and cutoff, for tables and pictures."""
        simulated = " · SIMULATED" if self.manifest.simulated else ""
        return f"{self.manifest.ticker} · {self.manifest.config.recipe} · window to {self.sessions[-1]}{simulated}"

    @property
    def ahead(self) -> str:
        """The step in words."""
        return "the next session" if self.step == 1 else f"{self.step} sessions ahead"


def explain_run(run: Path, prices: Prices, date: str | None = None, step: int = 1) -> Explanation:
    """Open the deployed networks of a run over the window that ends at a date.

    Args:
        run: folder of a stored run.
        prices: of its ticker.
        date: ISO date of the window's last session; the last session of the prices when None.
        step: sessions ahead, from 1 to the run's horizon.

    Raises:
        UsageError: the date is no session, the window before it is not whole, or the step is out of bounds.
        RunError: the run is damaged.
    """
    manifest = load_manifest(run)
    forecasters = load_forecasters(run, manifest, "deployed")
    cutoff = find_cutoff(prices, date, manifest.config.lookback)
    if not 1 <= step <= manifest.config.horizon:
        raise UsageError(f"--step is {step}; this run forecasts from 1 to {manifest.config.horizon} sessions ahead.")
    recent = np.arange(max(cutoff - MEMORY_WINDOWS + 1, first_cutoff(manifest.config.lookback)), cutoff + 1)
    windows = {name: scaled_windows(each, prices, recent) for name, each in forecasters.items()}
    opened = open_window(manifest, forecasters, prices, cutoff)
    layers = manifest.config.layers
    return Explanation(
        **vars(opened),
        step=step,
        memories={name: measure_memory(name, layers, f.weights, windows[name]) for name, f in forecasters.items()},
        attributions={name: attribute(f, prices, cutoff, windows[name][-1], step) for name, f in forecasters.items()},
    )


def open_window(
    manifest: Manifest, forecasters: Mapping[str, Forecaster], prices: Prices, cutoff: int
) -> OpenedWindow:
    """What networks held over the window that ends with a session.

    Args:
        manifest: of their run.
        forecasters: of one fit, by network.
        prices: of its ticker.
        cutoff: index of the window's last session, which `find_cutoff` has checked.
    """
    lookback, layers = manifest.config.lookback, manifest.config.layers
    shown = slice(cutoff - lookback + 1, cutoff + 1)
    records = {}
    for name, forecaster in forecasters.items():
        window = scaled_windows(forecaster, prices, np.array([cutoff]))[0]
        records[name] = record_window(name, layers, forecaster.weights[0], window)
    return OpenedWindow(manifest, prices.sessions[shown], prices.close[shown], records)


def find_cutoff(prices: Prices, date: str | None, lookback: int) -> int:
    """The index of the session that a window ends with.

    Raises:
        UsageError: no date, no session, or too early a session for a whole window.
    """
    if date is None:
        return len(prices) - 1
    try:
        day = np.datetime64(date, "D")
    except ValueError as error:
        raise UsageError(f"--date {date!r} is no date; write it as 2024-03-28.") from error
    index = int(np.searchsorted(prices.sessions, day, side="right")) - 1
    if index < 0 or prices.sessions[index] != day:
        nearest = prices.sessions[max(index, 0)]
        raise UsageError(f"{prices.ticker} has no session on {date}; the nearest one before is {nearest}.")
    earliest = first_cutoff(lookback)
    if index < earliest:
        raise UsageError(
            f"{prices.ticker} has {index + 1} sessions up to {date}; a window of {lookback} with the warm-up before it"
            f" needs {earliest + 1}. The earliest date is {prices.sessions[earliest]}."
        )
    return index


def scaled_windows(forecaster: Forecaster, prices: Prices, cutoffs: np.ndarray) -> np.ndarray:
    """Windows as the network sees them, shape (n_cutoffs, lookback, n_features)."""
    values = features_of(prices, forecaster.config).values
    return make_windows(forecaster.scaler.transform(values), cutoffs, forecaster.config.lookback)


def attribute(
    forecaster: Forecaster, prices: Prices, cutoff: int, window: np.ndarray, step: int
) -> dict[str, Attribution]:
    """Share out what a network says of one step ahead, by name with its unit.

    A distribution is compared with the one for a window in which every session was an average one
    of insample; a close with the one for a window that stood at its own mean all the time. What a
    unit of volatility is worth at the cutoff is not the network's doing, and counts as given.
    """
    config = forecaster.config
    shared_out = (forecaster.network, config.layers, forecaster.weights, window)
    if not config.is_distribution:
        flat = np.broadcast_to(window.mean(axis=0), window.shape)
        unit = forecaster.scaler.spread[config.features.index("close")]
        name = f"close [{prices.listing.currency}]" if prices.listing.currency else "close"
        return {name: integrated_gradients(*shared_out, flat, step - 1).scaled(unit)}
    average = np.zeros_like(window)
    volatility = features_of(prices, config).volatility[[cutoff]]
    unit = LOCATION_UNIT * forecaster.calibration.location_share * return_unit(volatility, config.horizon)[0]  # (horizon,)
    return {
        "location [% return]": integrated_gradients(*shared_out, average, step - 1).scaled(100.0 * unit[step - 1]),
        "log scale [%]": integrated_gradients(*shared_out, average, config.horizon + step - 1).scaled(100.0),
    }


def plot_explanation(explanation: Explanation) -> dict[str, Figure]:
    """Pictures by name: each network's gates and attribution, and the memory of all of them."""
    manifest, sessions, close = explanation.manifest, explanation.sessions, explanation.close
    currency = manifest.listing.currency
    figures = {}
    simple = explanation.records.get("simple_rnn")
    for network, record in explanation.records.items():
        beside = [simple] if simple is not None and simple is not record else []
        title = f"{explanation.title} · inside the {NAMES[network]}"
        figures[f"explain-{network}"] = plot_gates([record, *beside], sessions, close, title, currency)
        title = f"{explanation.title} · {NAMES[network]}, what moved {explanation.ahead}"
        parts = explanation.attributions[network]
        figures[f"explain-{network}-attribution"] = plot_attribution(
            parts, manifest.config.features, sessions, close, title, currency
        )
    title = f"{explanation.title} · what the end still feels of each session"
    figures["explain-memory"] = plot_memory(list(explanation.memories.values()), title)
    return figures


def dict_from_explanation(explanation: Explanation) -> dict[str, object]:
    """Plain values, ready for JSON."""
    manifest = explanation.manifest
    return {
        "schema": SCHEMA,
        "ticker": manifest.ticker,
        "run_id": manifest.run_id,
        "recipe": manifest.config.recipe,
        "simulated": manifest.simulated,
        "currency": manifest.listing.currency,
        "cutoff": str(explanation.sessions[-1]),
        "step": explanation.step,
        "sessions": [str(session) for session in explanation.sessions],
        "close": explanation.close.tolist(),
        "features": list(manifest.config.features),
        "networks": {network: _dict_from_network(explanation, network) for network in explanation.records},
    }


def _dict_from_network(explanation: Explanation, network: str) -> dict[str, object]:
    record, memory = explanation.records[network], explanation.memories[network]
    return {
        "units": record.units.tolist(),
        "held": {title.replace(" ", "_"): values.tolist() for title, values in record.panels.items()},
        "widest_input_session": None if record.widest_input is None else str(explanation.sessions[record.widest_input]),
        "attention": None if record.attention is None else record.attention.tolist(),
        "memory": dict_from_memory(memory),
        "attribution": {
            name: {
                "output": attribution.output,
                "baseline_output": attribution.baseline_output,
                "gap": attribution.gap if np.isfinite(attribution.gap) else None,
                "shares": attribution.shares.tolist(),
            }
            for name, attribution in explanation.attributions[network].items()
        },
    }


def dict_from_memory(memory: Memory) -> dict[str, object]:
    """Plain values, ready for JSON; what would be infinite is null."""
    kept_for = memory.kept_for
    return {
        "norms": memory.norms.tolist(),
        "half_life": memory.half_life,
        "mean_gate": memory.keeping,
        "kept_for": kept_for if kept_for is not None and np.isfinite(kept_for) else None,
        "attention": None if memory.attention is None else memory.attention.tolist(),
    }
