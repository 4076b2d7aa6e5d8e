import csv
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from forecast.errors import UsageError
from forecast.library import store
from forecast.prediction import dict_from_prediction, predict
from forecast.prices.table import Listing, Prices
from forecast.store.ledger import load_forecasts, verify_chain


def write_csv(path: Path, prices: Prices) -> None:
    columns = (prices.sessions, prices.open, prices.high, prices.low, prices.close, prices.volume)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Date", "Open", "High", "Low", "Close", "Volume"])
        writer.writerows(zip(*columns))


@pytest.fixture
def own(trained, tmp_path) -> tuple[Path, Path, Prices]:
    """A workspace with a run of ABC, whose prices come from a person's own file, and that file."""
    each = trained["returns"]
    path = tmp_path / "ABC.csv"
    prices = replace(each.study.prices, ticker="ABC", source=f"csv:{path}", simulated=False)
    write_csv(path, prices)
    store(tmp_path / "models", replace(each, study=replace(each.study, prices=prices)), datetime(2026, 1, 5, tzinfo=UTC))
    return tmp_path, path, prices


def evening_of(session) -> datetime:
    return datetime.fromisoformat(str(session)).replace(tzinfo=UTC) + timedelta(hours=22)


def test_quantiles_are_the_last_close_times_the_quantiles_of_the_log_return(own):
    workspace, _, prices = own
    prediction = predict("ABC", workspace)
    document = dict_from_prediction(prediction)
    assert document["last_close"] == prices.close[-1] and document["as_of"] == str(prices.sessions[-1])
    for k, step in enumerate(document["steps"]):
        expected = prices.close[-1] * np.exp(prediction.forecast.quantile()[0, k])
        np.testing.assert_allclose(list(step["quantiles"].values()), expected)
        assert 0.0 < step["probability_up"] < 1.0


def test_sessions_that_have_closed_already_are_told(own):
    workspace, _, prices = own
    heard: list[str] = []
    predict("ABC", workspace, now=evening_of(prices.sessions[-1]), on_notice=heard.append)
    assert not [sentence for sentence in heard if "closed already" in sentence]
    predict("ABC", workspace, on_notice=heard.append)
    assert [s for s in heard if "closed already" in s] == [
        f"The prices of ABC end on {prices.sessions[-1]}: 2 of the 2 sessions forecast have closed already."
    ]


def test_a_rise_is_likelier_than_not_where_the_median_lies_above_the_last_close(own):
    for network in ("simple_rnn", "lstm", "gru", "attention_lstm"):
        document = dict_from_prediction(predict("ABC", own[0], network=network, record=False))
        for step in document["steps"]:
            assert (step["probability_up"] > 0.5) == (step["quantiles"]["0.5"] > document["last_close"])


def test_a_forecast_from_the_past_is_the_one_of_a_workspace_without_later_prices(own, tmp_path_factory):
    workspace, path, prices = own
    cutoff = prices.sessions[-20]
    looked_back = predict("ABC", workspace, as_of=str(cutoff))
    write_csv(path, prices.until(cutoff))
    bare = tmp_path_factory.mktemp("bare")
    (bare / "models").symlink_to(workspace / "models")
    then = predict("ABC", bare, record=False)
    assert then.fit == looked_back.fit == "evaluation"
    for network, forecast in then.networks.items():
        np.testing.assert_array_equal(forecast.quantile(), looked_back.networks[network].quantile())


def test_the_past_is_forecast_by_the_fit_that_has_not_seen_what_came(own):
    workspace, _, prices = own
    notices = []
    assert predict("ABC", workspace, record=False, on_notice=notices.append).fit == "deployed"
    assert not [notice for notice in notices if "fit" in notice]
    predict("ABC", workspace, as_of=str(prices.sessions[-10]), on_notice=notices.append)
    assert "evaluation fit, which has seen none after" in " ".join(notices)
    predict("ABC", workspace, as_of=str(prices.sessions[150]), on_notice=notices.append)
    assert "this forecast is no test of them" in " ".join(notices)


def test_a_forecast_is_on_record_before_it_is_given_back_unless_told_otherwise(own):
    workspace, _, prices = own
    ledger = workspace / "models" / "ledger.sqlite"
    predict("ABC", workspace, record=False)
    predict("ABC", workspace, as_of=str(prices.sessions[-3]))
    assert not load_forecasts(ledger)
    prediction = predict("ABC", workspace, now=evening_of(prices.sessions[-1]))
    rows = load_forecasts(ledger)
    assert len(rows) == len(prediction.networks) * len(prediction.sessions)
    assert {row.network for row in rows} == set(prediction.networks)
    assert not any(row.is_late for row in rows)
    verify_chain(ledger)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"horizon": 3}, "forecasts 1 to 2 sessions ahead"),
        ({"network": "transformer"}, "this run has simple_rnn, lstm"),
        ({"as_of": "yesterday"}, "a date such as 2024-03-01"),
        ({"as_of": "1999-01-01"}, "begin on"),
    ],
)
def test_what_the_run_or_the_prices_do_not_have_is_a_usage_error(own, wrong, sentence):
    with pytest.raises(UsageError, match=sentence):
        predict("ABC", own[0], **wrong)


def test_a_network_of_points_has_medians_and_no_ranges(workspace):
    run = next(path for path in (workspace / "models" / "DEMO").iterdir() if path.is_dir() and "classic" in (path / "manifest.json").read_text())
    document = dict_from_prediction(predict("DEMO", workspace, run_id=run.name, record=False))
    (step,) = document["steps"]
    assert step["quantiles"]["0.5"] > 0.0
    assert step["quantiles"]["0.1"] is None and step["probability_up"] is None


@pytest.mark.parametrize(
    ("exchange", "last", "expected"),
    [
        ("XNYS", "2024-11-26", ["2024-11-27", "2024-11-29"]),   # Thanksgiving
        ("XNYS", "2024-03-27", ["2024-03-28", "2024-04-01"]),   # Good Friday
        ("XHKG", "2024-04-30", ["2024-05-02", "2024-05-03"]),   # Labour Day
        ("24/7", "2024-11-29", ["2024-11-30", "2024-12-01"]),   # a weekend
    ],
)  # fmt: skip
def test_forecast_dates_are_sessions_of_the_exchange(trained, tmp_path, exchange, last, expected):
    each = trained["returns"]
    ending = np.datetime64(last) - each.study.prices.sessions[-1]
    shifted = replace(each.study.prices, sessions=each.study.prices.sessions + ending, listing=Listing(exchange))
    study = replace(each.study, prices=shifted)
    from forecast.prediction import next_sessions

    assert list(map(str, next_sessions(study.prices.listing.exchange, shifted.sessions[-1], 2))) == expected


def test_predict_needs_numpy_alone(own):
    predict("ABC", own[0])  # the exchange's calendar is built, and kept for what follows
    heavy = ("tensorflow", "keras", "sklearn", "matplotlib", "scipy", "pandas", "multiprocessing", "importlib.metadata")
    program = (
        "import sys; from forecast.prediction import predict; from pathlib import Path\n"
        f"predict('ABC', Path({str(own[0])!r}))\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", json.dumps(done.stdout)


@pytest.mark.slow
def test_a_year_of_evenings_on_record_is_graded_as_raw_rows_say(trained, real_prices_folder, tmp_path):
    """One forecast an evening through a year of TSLA, then the score, beside figures from the rows themselves."""
    import scoringrules

    from forecast.prices.sources import load_prices
    from forecast.scoring import score

    file, each = tmp_path / "TSLA.csv", trained["returns"]
    whole = load_prices("TSLA", source=f"csv:{real_prices_folder / 'daily' / 'TSLA.csv'}", folder=tmp_path / "whole")
    end = int(np.searchsorted(whole.sessions, np.datetime64("2025-12-31")))
    prices = whole.until("2024-12-31")
    study = replace(each.study, prices=replace(prices, source=f"csv:{file}"))
    store(tmp_path / "models", replace(each, study=study), datetime(2025, 1, 1, tzinfo=UTC))
    for last in range(end - 251, end + 1):
        write_csv(file, whole.rows(slice(last - 199, last + 1)))
        predict("TSLA", tmp_path, now=evening_of(whole.sessions[last]))
    scored = score(["TSLA"], tmp_path, csv=real_prices_folder / "daily")
    rows = [row for row in load_forecasts(tmp_path / "models" / "ledger.sqlite") if row.network == "lstm"]
    close = dict(zip(whole.sessions.astype(str), whole.close))
    for grade in (grade for grade in scored.grades if grade.network == "lstm"):
        own = [row for row in rows if row.horizon == grade.horizon]
        y = np.array([np.log(close[row.target] / close[row.cutoff]) for row in own])
        location, scale, df = (np.array([getattr(row, name) for row in own]) for name in ("location", "scale", "df"))
        assert grade.n == len(own) == 252
        assert grade.crps == pytest.approx(100 * scoringrules.crps_t(y, df, location, scale).mean(), rel=1e-6)
        inside = [row.quantiles[1] <= value <= row.quantiles[5] for row, value in zip(own, y)]
        assert grade.coverage_80 == pytest.approx(np.mean(inside))
