import subprocess
import sys

import numpy as np
import pytest

import forecast
from forecast import api
from forecast.errors import RunError, UsageError
from forecast.prediction import dict_from_prediction


def in_a_process(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_import_loads_nothing_but_itself():
    code = "import sys; before = set(sys.modules); import forecast; print(*sorted(set(sys.modules) - before))"
    assert in_a_process(code) == "forecast"


def test_a_notebook_is_offered_the_four_functions():
    assert set(forecast.__all__) <= set(dir(forecast))
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        forecast.magic


def test_the_table_has_the_figures_of_the_run(stored):
    (run, _) = api.compare("DEMO", workspace=stored).runs
    for name, model in run.run.results.metrics.items():
        assert run.table.loc[name, "mae"] == model["overall"]["mae"]
        assert run.table_by_horizon.loc[(2, name), "crps"] == model["by_horizon"]["2"]["crps"]
    assert set(run.table["kind"]) == {"network", "baseline"}


def test_forecasts_and_history_are_what_was_stored(stored):
    (run, _) = api.compare("DEMO", workspace=stored).runs
    forecasts = run.run.results.forecasts
    own = run.forecasts.query("model == 'lstm' and horizon == 1")
    np.testing.assert_array_equal(own["location"], forecasts.models["lstm"].location[:, 0])
    np.testing.assert_array_equal(own["session"], forecasts.sessions[:, 0])
    assert len(run.history) == len(run.run.results.history)


def test_a_comparison_stands_recipe_beside_recipe_in_table_and_figure(stored):
    comparison = api.compare("DEMO", workspace=stored)
    assert list(comparison.table.index.unique("recipe")) == ["returns", "classic"]
    assert len(comparison.plot_losses().axes) == 2 * 4


def test_an_outlook_has_the_quantiles_of_the_command(workspace):
    outlook = api.predict("DEMO", workspace=workspace, record=False)
    steps = dict_from_prediction(outlook.prediction)["steps"]
    assert [str(day.date()) for day in outlook.table.index] == [step["session"] for step in steps]
    assert outlook.table["0.9"].tolist() == [step["quantiles"]["0.9"] for step in steps]
    assert not (workspace / "models" / "ledger.sqlite").exists()
    assert "SIMULATED" in outlook.plot().axes[0].get_title()


def test_an_unknown_setting_and_a_ticker_without_a_run_are_refused_with_the_fix(tmp_path):
    with pytest.raises(UsageError, match="'unit' is no setting"):
        forecast.train("DEMO", workspace=tmp_path, unit=3)
    with pytest.raises(RunError, match="Type: forecast train TSLA"):
        forecast.compare("TSLA", workspace=tmp_path)
    with pytest.raises(UsageError, match="not a ticker"):
        forecast.predict("../x", workspace=tmp_path)
