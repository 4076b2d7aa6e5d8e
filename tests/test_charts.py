import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.dates import date2num
from matplotlib.image import imread

from forecast.charts import NAMES, plot_fan, plot_losses, plot_predictions, png_from_figure
from forecast.config import NETWORKS
from forecast.store.runs import list_runs, load_run


@pytest.fixture(scope="module")
def both(stored):
    """The returns run and the classic run, as compare draws them."""
    return [load_run(path) for path in list_runs(stored / "models")]


@pytest.fixture
def run(both):
    """The run with ranges."""
    return next(run for run in both if run.manifest.config.is_distribution)


def line(axes, label):
    """The drawn line that the legend calls so."""
    return next(line for line in axes.lines if line.get_label() == label)


def test_losses_are_those_of_the_history(run):
    figure = plot_losses([run])
    axes = next(axes for axes in figure.axes if axes.get_title() == "LSTM")
    epochs = [e for e in run.results.history if e.network == "lstm" and e.fit == "evaluation"]
    np.testing.assert_allclose(line(axes, "training").get_ydata(), [e.loss for e in epochs])
    np.testing.assert_allclose(line(axes, "validation").get_ydata(), [e.validation_loss for e in epochs])


def test_networks_stand_side_by_side_on_shared_axes(run):
    axes = plot_losses([run]).axes
    assert [each.get_title() for each in axes] == [NAMES[name] for name in run.manifest.config.networks]
    assert len({each.get_ylim() for each in axes}) == 1 and len({each.get_xlim() for each in axes}) == 1


def test_predictions_show_what_came_beside_what_was_predicted_and_yesterday_s_close(run):
    forecasts = run.results.forecasts
    axes = next(a for a in plot_predictions([run]).axes if a.get_title() == "LSTM, all test sessions")
    days = date2num(forecasts.sessions[:, 0])
    for label, prices in (
        ("actual", forecasts.prices(forecasts.y_true)[:, 0]),
        ("predicted", forecasts.prices(forecasts.models["lstm"].location)[:, 0]),
        ("naive: yesterday's close", forecasts.last_close),
    ):
        drawn = line(axes, label)
        np.testing.assert_allclose(date2num(drawn.get_xdata()), days)
        np.testing.assert_allclose(drawn.get_ydata(), prices)


def test_ranges_are_drawn_where_there_are_any(both):
    drawn = {run.manifest.config.recipe: len(plot_predictions([run]).axes[0].collections) for run in both}
    assert drawn == {"returns": 2, "classic": 0}


def test_a_chart_says_whose_it_is_in_which_currency_and_that_it_is_simulated(both):
    cutoffs = [run.manifest.cutoffs for run in both]
    ends = max(each["validation_end"] for each in cutoffs), max(each["test_end"] for each in cutoffs)
    for plot, end in zip((plot_losses, plot_predictions), ends):
        title = plot(both).get_suptitle()
        assert all(word in title for word in ("DEMO", "returns", "classic", "SIMULATED", end))
    assert plot_predictions(both).axes[0].get_ylabel() == "close [USD]"


def test_what_is_not_simulated_is_not_stamped(run):
    real = replace(run, manifest=replace(run.manifest, simulated=False))
    texts = [text.get_text() for text in plot_losses([real]).texts] + [plot_losses([real]).get_suptitle()]
    assert not any("SIMULATED" in text for text in texts)


def test_dollar_signs_in_names_are_no_formulas(run):
    odd = replace(run, manifest=replace(run.manifest, ticker="$A_B$", listing=replace(run.manifest.listing, currency="$x_y$")))
    assert png_from_figure(plot_predictions([odd])).startswith(b"\x89PNG")


@pytest.mark.parametrize("plot", [plot_losses, plot_predictions])
def test_the_same_run_gives_the_same_bytes_and_a_picture_for_a_readme(run, plot):
    png = png_from_figure(plot([run]))
    assert png == png_from_figure(plot([run]))
    height, width, _ = imread(io.BytesIO(png)).shape
    assert width >= 1200 and height >= 500


def test_the_stored_charts_are_those_of_the_run(both, stored):
    for path, run in zip(list_runs(stored / "models"), both):
        assert (path / "loss.png").read_bytes() == png_from_figure(plot_losses([run]))


def test_a_fan_starts_at_the_last_close_and_opens(run, tiny_prices):
    forecast = run.results.forecasts.models["lstm"]
    last = type(forecast)(forecast.location[-1:], forecast.scale[-1:], forecast.df[-1:])
    sessions = tiny_prices.sessions[-1] + np.arange(1, 3)
    axes = plot_fan(tiny_prices, sessions, last, "DEMO").axes[0]
    median = line(axes, "median").get_ydata()
    assert median[0] == pytest.approx(tiny_prices.close[-1])
    np.testing.assert_allclose(median[1:], tiny_prices.close[-1] * np.exp(last.location[0]))
    widths = [np.ptp(band.get_paths()[0].vertices[:, 1]) for band in axes.collections]
    assert widths == sorted(widths, reverse=True) and len(widths) == 3


def test_every_network_has_a_name_to_be_shown():
    assert set(NAMES) == set(NETWORKS)
