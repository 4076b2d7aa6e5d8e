"""What the findings of a test mean, in plain words."""

from __future__ import annotations

from forecast.config import NETWORK_NAMES
from forecast.evaluation.evidence import (
    CHECKED_LEVELS,
    CLAIM_LEVEL,
    Comparison,
    Findings,
    NetworkFindings,
)

COVERAGE_TOLERANCE = 0.035  # share by which a measured coverage may miss the nominal one
OUTSIDE_TOLERANCE = 0.1  # share of test closes outside the insample range that explains a failure


def verdict(findings: Findings) -> str:
    """One paragraph: each network's price, ranges, coverage and echo, then LSTM and SimpleRNN.

    Percentages of losses are differences: CRPS -0.8 % is a loss lower by 0.8 %, which is better.
    """
    sentences = []
    for name, found in findings.networks.items():
        subject = NETWORK_NAMES.get(name, name)
        sentences.append(f"{subject}: {_price_sentence(found, findings.claim_level)}")
        if found.ranges is None:
            sentences.append(_failure_sentence(found, findings.share_outside))
        else:
            sentences.append(_range_sentence(found, findings.claim_level))
            sentences += _coverage_warnings(found)
        sentences += _echo_sentences(found)
    return " ".join([*sentences, *_rival_sentences(findings)])


def _price_sentence(found: NetworkFindings, level: float) -> str:
    """Absolute error against yesterday's close."""
    claim = "no evidence that it predicts the price better"
    if found.price.better or found.price.worse:
        claim = f"predicts the price {'better' if found.price.better else 'worse'}"
    return f"{claim} than yesterday's close (MAE {_outcome(found.price, level)})."


def _failure_sentence(found: NetworkFindings, outside: float) -> str:
    """How many times the RMSE of yesterday's close a network of points has, and why."""
    sentence = f"Its RMSE is {found.rmse_ratio:.2f} times that of yesterday's close"
    if found.price.worse and outside > OUTSIDE_TOLERANCE:
        sentence += (
            f": {_percent(outside)} of the test prices lie outside the range of the prices it was"
            " fitted on, where it has learned nothing"
        )
    return f"{sentence}."


def _range_sentence(found: NetworkFindings, level: float) -> str:
    """CRPS against GARCH's, and what the widest range covers."""
    relation = "no better than"
    if found.ranges.better or found.ranges.worse:
        relation = "better than" if found.ranges.better else "worse than"
    widest = CHECKED_LEVELS[-1]
    return (
        f"Its ranges are {relation} GARCH's (CRPS {_outcome(found.ranges, level)}) and cover"
        f" {_percent(found.coverage[str(widest)], 1)} of {_percent(widest)}."
    )


def _coverage_warnings(found: NetworkFindings) -> list[str]:
    """One sentence for each range that holds more or less than it promises."""
    warnings = []
    for level in CHECKED_LEVELS:
        covered = found.coverage[str(level)]
        if abs(covered - level) > COVERAGE_TOLERANCE:
            fault = "too narrow" if covered < level else "too wide"
            warnings.append(
                f"Warning: its {_percent(level)} ranges are {fault}, they hold"
                f" {_percent(covered, 1)} of the outcomes."
            )
    return warnings


def _echo_sentences(found: NetworkFindings) -> list[str]:
    """Whether the predicted line is only the past drawn again; nothing of one that was better."""
    echo = found.echo
    if found.price.better:
        return []
    if echo.predicts_no_change:
        return ["It predicts next to no change."]
    if not echo.is_echo:
        return []
    past = "yesterday's close" if echo.best_lag == 1 else f"the close {echo.best_lag} sessions old"
    return [f"It is an echo: its line is {past} drawn again, with no relation to what came."]


def _rival_sentences(findings: Findings) -> list[str]:
    """LSTM and SimpleRNN against the spread of their seeds."""
    if findings.rivals is None:
        return []
    spreads = [findings.networks[name].seed_spread for name in ("lstm", "simple_rnn")]
    if None in spreads:
        outcome = "with one seed a better network cannot be told from a luckier one"
    elif abs(findings.rivals.change) <= max(spreads):
        outcome = "the difference lies within the spread of the seeds"
    else:
        relation = "no significant difference, yet"
        if findings.rivals.better or findings.rivals.worse:
            relation = "better," if findings.rivals.better else "worse,"
        numbers = _outcome(findings.rivals, findings.claim_level)
        outcome = f"{relation} beyond the spread of the seeds (loss {numbers})"
    return [f"LSTM against SimpleRNN: {outcome}."]


def _outcome(comparison: Comparison, level: float) -> str:
    """As in "-0.8 %, p = 0.01"; a p-value that just fails says what was needed."""
    p = comparison.p_value
    digits = "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
    missed = f", significant below {level:.3g}" if level <= p < CLAIM_LEVEL else ""
    percent = round(100.0 * comparison.change, 1) + 0.0     # no signed zero
    return f"{percent:+.1f} %, {digits}{missed}"


def _percent(share: float, digits: int = 0) -> str:
    """As in "94.6 %"."""
    return f"{100.0 * share:.{digits}f} %"
