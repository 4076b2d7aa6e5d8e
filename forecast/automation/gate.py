"""Whether a challenger takes the champion's place: both are scored on sessions that neither fit has seen.

    session      ... |------- challenger: train, validation -------|gap|---- gate ----| last
                 ... |--- champion: train, validation ---|gap| ....... |---- gate ----|

The fits scored are the evaluation fits; what is promoted is the challenger's deployed fit, made the
same way with the gate's sessions added.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forecast.evaluation.evidence import ModelLosses, make_losses
from forecast.evaluation.significance import MIN_OUTCOMES
from forecast.library import best_network
from forecast.networks.forecaster import Forecaster
from forecast.pipeline import Study, Trained
from forecast.store.runs import load_forecasters, load_manifest

# A fit that has seen newer sessions takes over unless it is clearly worse. Over 60 sessions the mean
# CRPS of three seeds of one network lay 0.9 % apart, 1.4 % at most (ABT, ADBE, ADP, AIG, both networks).
TOLERANCE = 0.02


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger is promoted, why, and the losses that decided."""

    promoted: bool
    reason: str
    losses: dict[str, object] | None = None


def judge(trained: Trained, champion: Path) -> Verdict:
    """Compare the challenger's serving network with the champion's.

    Both forecast the gate sessions with their evaluation fits. A forecast counts only where all the
    sessions it speaks of come after the last one that the champion's fit learned from; the
    challenger's split sees to its own side.

    Args:
        trained: the challenger; the test of its split is the gate.
        champion: folder of the champion's run.

    Raises:
        RunError: the champion's run is damaged.
    """
    study, manifest = trained.study, load_manifest(champion)
    if manifest.config.is_distribution and not study.config.is_distribution:
        return Verdict(False, f"the champion {champion.name} has ranges, the challenger has none")
    seen = np.datetime64(manifest.cutoffs["validation_end"])
    cutoffs = study.split.test[study.prices.sessions[study.split.test] >= seen]
    if len(cutoffs) < MIN_OUTCOMES:
        return Verdict(
            True,
            f"the champion {champion.name} has learned from sessions up to {seen}, so that only"
            f" {len(cutoffs)} of the gate's {len(study.split.test)} forecasts can be compared;"
            f" {MIN_OUTCOMES} are needed",
        )
    old = load_forecasters(champion, manifest, "evaluation")[manifest.serving]
    return compare(study, cutoffs, trained.evaluation[best_network(trained)], old)


def compare(study: Study, cutoffs: np.ndarray, challenger: Forecaster, champion: Forecaster) -> Verdict:
    """Mean losses over the steps that both forecast: CRPS, or the absolute error where one has points only.

    Args:
        study: prices and returns.
        cutoffs: of the forecasts to compare, shape (n_cutoffs,).
        challenger, champion: evaluation fits.
    """
    steps = min(challenger.config.horizon, champion.config.horizon)
    new, old = (_losses(study, cutoffs, forecaster, steps) for forecaster in (challenger, champion))
    points = new.crps is None or old.crps is None
    ours, theirs = (float((each.absolute_error if points else each.crps).mean()) for each in (new, old))
    promoted = ours <= theirs * (1.0 + TOLERANCE)
    name = "mean absolute error" if points else "mean CRPS"
    unit = (study.prices.listing.currency or "price") if points else "%"
    days = study.prices.sessions[[cutoffs[0] + 1, cutoffs[-1] + steps]]
    reason = (
        f"{name} {ours:.4g} {unit} against the champion's {theirs:.4g} {unit}"
        f" ({100 * (ours / theirs - 1):+.1f} %, allowed +{100 * TOLERANCE:g} %) in {len(cutoffs)} forecasts"
        f" of {days[0]} to {days[1]}"
    )
    losses = {"measure": "absolute_error" if points else "crps", "unit": unit, "challenger": ours, "champion": theirs}
    return Verdict(promoted, reason, losses | {"tolerance": TOLERANCE, "n": len(cutoffs)})


def _losses(study: Study, cutoffs: np.ndarray, forecaster: Forecaster, steps: int) -> ModelLosses:
    forecast = forecaster.predict(study.prices, cutoffs).first(steps)
    return make_losses(forecast, study.returns[cutoffs, :steps], study.prices.close[cutoffs])
