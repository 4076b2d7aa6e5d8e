import json
from pathlib import Path

import numpy as np
import pytest

from forecast.errors import UsageError
from forecast.explain.explanation import dict_from_explanation, explain_run, find_cutoff, plot_explanation
from forecast.store.runs import list_runs, load_forecasters, load_manifest

NETWORKS = ["simple_rnn", "lstm", "gru", "attention_lstm"]


@pytest.fixture(scope="module")
def prices(tiny_prices):
    return tiny_prices


@pytest.fixture(scope="module")
def runs(stored) -> dict[str, Path]:
    """Folder of a stored run by recipe."""
    return {load_manifest(path).config.recipe: path for path in list_runs(stored / "models")}


@pytest.fixture(scope="module")
def explanation(runs, prices):
    return explain_run(runs["returns"], prices)


def test_attributions_add_up_to_the_forecast_that_predict_makes(runs, prices):
    explanation = explain_run(runs["returns"], prices, step=2)
    forecasters = load_forecasters(runs["returns"], load_manifest(runs["returns"]), "deployed")
    for network in NETWORKS:
        forecast = forecasters[network].predict(prices, np.array([len(prices) - 1]))
        location = explanation.attributions[network]["location [% return]"]
        assert location.output == pytest.approx(100.0 * forecast.location[0, 1], rel=1e-4)
        assert location.baseline_output + location.shares.sum() == pytest.approx(location.output, rel=0.01)


def test_a_close_is_shared_out_in_currency_against_a_flat_window(runs, prices):
    explanation = explain_run(runs["classic"], prices)
    forecasters = load_forecasters(runs["classic"], load_manifest(runs["classic"]), "deployed")
    for network in NETWORKS:
        close = explanation.attributions[network]["close [USD]"]
        forecaster = forecasters[network]
        location = forecaster.predict(prices, np.array([len(prices) - 1])).location[0, 0]
        shift = forecaster.scaler.center[0]  # what the scaler took away is nobody's share
        assert close.output + shift == pytest.approx(prices.close[-1] * np.exp(location), rel=1e-5)
        assert close.shares.sum() == pytest.approx(close.output - close.baseline_output, rel=0.01)


def test_the_log_scale_is_the_one_of_the_forecast(runs, prices):
    cutoffs = np.array([len(prices) - 40, len(prices) - 1])
    forecaster = load_forecasters(runs["returns"], load_manifest(runs["returns"]), "deployed")["lstm"]
    scales = forecaster.predict(prices, cutoffs).scale[:, 0]
    outputs, volatilities = [], []
    for cutoff in cutoffs:
        explanation = explain_run(runs["returns"], prices, str(prices.sessions[cutoff]))
        outputs.append(explanation.attributions["lstm"]["log scale [%]"].output / 100.0)
        returns = np.diff(np.log(prices.close[: cutoff + 1]))
        weights = 0.5 ** (np.arange(len(returns))[::-1] / 60)
        volatilities.append(np.sqrt(np.average(returns**2, weights=weights)))
    assert scales[0] / scales[1] == pytest.approx(
        np.exp(outputs[0] - outputs[1]) * volatilities[0] / volatilities[1], rel=1e-4
    )


def test_nothing_after_the_date_changes_an_explanation(runs, prices):
    date = prices.sessions[-30]
    whole = explain_run(runs["returns"], prices, str(date))
    cut = explain_run(runs["returns"], prices.until(date))
    assert json.dumps(dict_from_explanation(whole)) == json.dumps(dict_from_explanation(cut))


def test_the_window_ends_with_the_date_and_has_the_price_beside_it(runs, prices):
    explanation = explain_run(runs["returns"], prices, str(prices.sessions[-30]))
    assert explanation.sessions[-1] == prices.sessions[-30]
    assert len(explanation.sessions) == len(explanation.close) == 10
    assert explanation.close[-1] == prices.close[-30]
    assert explanation.records["lstm"].panels["forget gate"].shape == (10, 3)


def test_the_document_holds_every_number_and_is_plain_json(explanation):
    document = dict_from_explanation(explanation)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    lstm = document["networks"]["lstm"]
    assert np.shape(lstm["held"]["cell_state"]) == (10, 3)
    assert np.shape(lstm["attribution"]["log scale [%]"]["shares"]) == (10, 8)
    assert lstm["memory"]["kept_for"] == pytest.approx(1.0 / (1.0 - np.mean(lstm["memory"]["mean_gate"])))
    assert lstm["widest_input_session"] in document["sessions"]
    assert sum(document["networks"]["attention_lstm"]["attention"]) == pytest.approx(1.0, abs=1e-5)


def test_every_network_has_its_pictures(explanation):
    figures = plot_explanation(explanation)
    pictures = {f"explain-{network}{kind}" for network in NETWORKS for kind in ("", "-attribution")}
    assert set(figures) == pictures | {"explain-memory"}
    assert all("SIMULATED" in figure.get_suptitle() for figure in figures.values())


def test_a_date_without_a_session_names_the_nearest_one(prices):
    sessions = prices.sessions[200:]
    gap = sessions[:-1][np.diff(sessions) > np.timedelta64(2, "D")][0]
    with pytest.raises(UsageError, match=f"no session on {gap + 1}; the nearest one before is {gap}"):
        find_cutoff(prices, str(gap + 1), 60)


def test_a_date_too_early_for_a_window_names_the_earliest_one(prices):
    with pytest.raises(UsageError, match=f"needs 80. The earliest date is {prices.sessions[79]}"):
        find_cutoff(prices, str(prices.sessions[78]), 60)
    assert find_cutoff(prices, str(prices.sessions[79]), 60) == 79


def test_what_is_no_date_and_no_step_is_refused(runs, prices):
    with pytest.raises(UsageError, match="'yesterday' is no date"):
        find_cutoff(prices, "yesterday", 60)
    with pytest.raises(UsageError, match="--step is 3; this run forecasts from 1 to 2"):
        explain_run(runs["returns"], prices, step=3)
