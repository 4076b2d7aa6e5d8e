import json
from dataclasses import replace

import numpy as np
import pytest

from forecast import library
from forecast.config import make_config
from forecast.errors import DataError, RunError, UsageError
from forecast.pipeline import make_study
from forecast.store.champions import load_champion
from forecast.store.runs import list_runs, load_manifest

ONE_NETWORK = make_config(dict(networks=["simple_rnn"], lookback=10, units=2, epochs=1, n_seeds=1))


def test_tickers_are_kept_once_in_upper_case_and_in_order():
    assert library.check_tickers(["tsla", "AAPL", "TSLA"]) == ["TSLA", "AAPL"]


@pytest.mark.parametrize("tickers", [[], ["../x"], ["TSLA", "-rf"], ["TSLA\nAAPL"], [""]])
def test_what_cannot_be_a_ticker_is_a_usage_error(tickers):
    with pytest.raises(UsageError):
        library.check_tickers(tickers)


def test_cutoffs_of_a_run_are_dates_in_order_with_gaps_between_the_parts(trained):
    study = trained["returns"].study
    dates = library.make_cutoffs(study)
    assert list(dates.values()) == sorted(dates.values())
    index = {name: int(np.searchsorted(study.prices.sessions, np.datetime64(date))) for name, date in dates.items()}
    assert index["validation_start"] - index["train_end"] == study.config.horizon + 1
    assert index["test_start"] - index["validation_end"] == study.config.horizon + 1
    assert index["test_end"] == index["last_session"] == len(study.prices) - 1


def test_the_newest_run_of_each_recipe_is_compared(workspace):
    compared = library.compare([], workspace)
    runs, charts = compared["DEMO"]
    assert [load_manifest(run).config.recipe for run in runs] == ["returns", "classic"]
    assert all(chart.read_bytes().startswith(b"\x89PNG") for chart in charts)


def test_comparing_nothing_says_how_to_begin(tmp_path):
    with pytest.raises(RunError, match="forecast train TSLA"):
        library.compare([], tmp_path)
    with pytest.raises(RunError, match="MSFT has no run"):
        library.compare(["MSFT"], tmp_path)


def test_the_champion_is_found_where_no_run_is_named(stored):
    champion = library.find("demo", None, stored)
    assert champion == load_champion(stored / "models", "DEMO") == library.find("DEMO", champion.name, stored)


def test_summaries_name_every_run_and_its_champion(stored):
    rows = library.summarise_runs([], stored)
    assert [(row["ticker"], row["recipe"], row["champion"]) for row in rows] == [
        ("DEMO", "returns", True),
        ("DEMO", "classic", False),
    ]
    json.dumps(rows)


def test_a_workspace_that_cannot_be_written_is_told_before_anything_is_fetched(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        library.train(["DEMO"], ONE_NETWORK, tmp_path / "file")


@pytest.fixture
def tiny_source(monkeypatch, tiny_prices):
    """Prices for every ticker but for two that have something wrong with them."""

    def load(ticker, **_):
        if ticker == "GONE":
            raise DataError("GONE is unknown.")
        if ticker == "SHORT":
            return replace(tiny_prices.until(tiny_prices.sessions[59]), ticker=ticker)
        return replace(tiny_prices, ticker=ticker)

    monkeypatch.setattr("forecast.library.load_prices", load)


def test_one_ticker_s_failure_does_not_stop_the_others(tiny_source, tmp_path, monkeypatch):
    """Neither one without prices, nor one with too few, nor one whose ranges cannot be calibrated after training."""
    from forecast import pipeline

    assess = pipeline.assess

    def refuse_late(study, fits):
        if study.prices.ticker == "LATE":
            raise DataError("LATE stands still.")
        return assess(study, fits)

    monkeypatch.setattr(pipeline, "assess", refuse_late)
    outcome = library.train(["LATE", "GONE", "GOOD", "SHORT"], ONE_NETWORK, tmp_path)
    assert [run.parent.name for run in outcome.runs] == ["GOOD"]
    assert [failure.ticker for failure in outcome.failures] == ["LATE", "GONE", "SHORT"]
    assert list_runs(tmp_path / "models") == outcome.runs


def test_the_same_training_twice_gives_the_same_weights_metrics_and_charts(tiny_source, tmp_path):
    (first,), (second,) = (library.train(["GOOD"], ONE_NETWORK, tmp_path / name).runs for name in "ab")
    one, other = load_manifest(first), load_manifest(second)
    assert one.files == other.files and len(one.files) >= 8
    assert replace(one, run_id="", created_at="", seconds={}) == replace(other, run_id="", created_at="", seconds={})


def test_a_classic_run_serves_until_one_with_ranges_comes(trained, tmp_path):
    from datetime import UTC, datetime

    models = tmp_path / "models"
    started = datetime(2026, 1, 5, tzinfo=UTC)
    classic = library.store(models, trained["classic"], started)
    assert load_champion(models, "DEMO") == classic
    returns = library.store(models, trained["returns"], started)
    library.store(models, trained["classic"], started)
    assert load_champion(models, "DEMO") == returns


def test_the_network_that_validation_liked_best_serves(trained):
    each = trained["returns"]
    losses = {
        name: min(e.validation_loss for e in each.results.history if e.network == name and e.validation_loss is not None)
        for name in each.study.config.networks
    }
    assert library.best_network(each) == min(losses, key=losses.get)


def test_versions_that_decide_the_bits_are_kept(trained, stored):
    versions = load_manifest(list_runs(stored / "models")[0]).versions
    assert {"python", "tensorflow", "keras", "numpy", "forecast"} <= set(versions)


def test_a_study_can_be_made_of_what_a_run_remembers(stored, tiny_prices, tiny_configs):
    manifest = load_manifest(list_runs(stored / "models")[0])
    again = library.make_cutoffs(make_study(tiny_prices, manifest.config))
    assert again == manifest.cutoffs
