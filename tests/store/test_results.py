import csv
import io

import numpy as np
import pytest

from forecast.networks.distribution import StudentT
from forecast.networks.training import Epoch
from forecast.store.results import (
    Forecasts,
    csv_from_forecasts,
    csv_from_history,
    forecasts_from_csv,
    history_from_csv,
)


@pytest.fixture
def forecasts() -> Forecasts:
    rng = np.random.default_rng(8)
    shape = (4, 3)
    unknown = np.full(shape, np.nan)
    models = {
        "lstm": StudentT(rng.normal(0, 0.02, shape), rng.uniform(0.01, 0.05, shape), rng.uniform(3, 9, shape)),
        "historical_normal": StudentT(np.zeros(shape), np.full(shape, 0.02), np.full(shape, np.inf)),
        "ets": StudentT(rng.normal(0, 0.02, shape), unknown, unknown),
    }
    first = np.datetime64("2024-02-27")
    sessions = first + 1 + np.arange(4)[:, None] + np.arange(3)
    return Forecasts(first + np.arange(4), sessions, rng.uniform(50, 60, 4), rng.normal(0, 0.02, shape), models)


def test_forecasts_survive_csv_to_the_last_bit(forecasts):
    again = forecasts_from_csv(csv_from_forecasts(forecasts))
    for name in ("cutoffs", "sessions", "last_close", "y_true"):
        np.testing.assert_array_equal(getattr(again, name), getattr(forecasts, name))
    assert list(again.models) == list(forecasts.models)
    for name, model in forecasts.models.items():
        for part in ("location", "scale", "df"):
            np.testing.assert_array_equal(getattr(again.models[name], part), getattr(model, part))


def test_price_quantiles_stand_beside_what_they_are_made_of(forecasts):
    rows = list(csv.DictReader(io.StringIO(csv_from_forecasts(forecasts))))
    assert len(rows) == 3 * 4 * 3
    row = next(r for r in rows if (r["model"], r["cutoff"], r["horizon"]) == ("lstm", "2024-02-28", "2"))
    assert row["session"] == "2024-03-01"                       # 2024 has a 29th of February
    expected = forecasts.last_close[1] * np.exp(forecasts.models["lstm"].location[1, 1])
    assert float(row["price_0.5"]) == pytest.approx(expected, rel=1e-5)
    assert float(row["price_0.025"]) < float(row["price_0.1"]) < float(row["price_0.975"])


def test_prices_are_the_last_close_times_the_growth(forecasts):
    prices = forecasts.prices(np.full((4, 3), np.log(2.0)))
    np.testing.assert_allclose(prices, 2 * forecasts.last_close[:, None] * np.ones(3))
    assert forecasts.prices(np.zeros((4, 3, 7))).shape == (4, 3, 7)


def test_history_survives_csv_to_the_last_bit():
    history = (
        Epoch("TSLA", "lstm", 1, "evaluation", 1, 60, 1 / 3, 2 / 3),
        Epoch("TSLA", "lstm", 1, "deployed", 1, 1, 0.1, None),
    )
    assert history_from_csv(csv_from_history(history)) == history
