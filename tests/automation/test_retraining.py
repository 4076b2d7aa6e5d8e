import json
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

from forecast.automation.journal import load_entries
from forecast.automation.retraining import foresee, retrain
from forecast.prediction import predict
from forecast.store.champions import load_champion, rollback
from forecast.store.ledger import LEDGER, load_forecasts, verify_chain
from forecast.store.locks import retraining_lock
from forecast.store.runs import list_runs, load_forecasters, load_manifest
from tests.automation.drawn_fits import DrawnFits

POISONED = 1.0


def run(price_file, executor=None, **more):
    (entry,) = retrain([price_file.ticker], price_file.order(**more), executor or DrawnFits())
    return entry


def with_gate(order, gate: int):
    return replace(order, settings=replace(order.settings, gate=gate))


def champion(price_file):
    return load_champion(price_file.folder / "models", price_file.ticker)


def forecast(price_file):
    return predict(price_file.ticker, price_file.folder, record=False).forecast.quantile()


def test_first_retraining_leaves_a_champion_a_forecast_and_a_line(price_file):
    last = price_file.grow(20)
    entry = run(price_file)
    assert (entry.outcome, entry.exit_code, entry.session, entry.challenged) == ("promoted", 0, last, last)
    assert champion(price_file).name == entry.champion == entry.challenger
    rows = load_forecasts(price_file.folder / "models" / LEDGER)
    assert {(row.run_id, row.cutoff, row.horizon) for row in rows} == {(entry.champion, last, 1), (entry.champion, last, 2)}
    assert load_entries(price_file.folder / "models") == [entry]


def test_nothing_is_due_until_a_session_closes_or_the_file_changes(price_file):
    run(price_file)
    fits = DrawnFits()
    entry = run(price_file, fits)
    assert (entry.outcome, entry.exit_code, fits.submitted) == ("nothing_due", 0, [])
    assert len(load_entries(price_file.folder / "models")) == 1


def test_a_new_session_is_predicted_and_the_fifth_brings_a_challenger(price_file):
    run(price_file)
    for hidden in (19, 18, 17, 16):
        last = price_file.grow(hidden)
        entry = run(price_file)
        assert (entry.outcome, entry.session, entry.forecast, entry.challenger) == ("predicted", last, last, None)
    last = price_file.grow(15)
    entry = run(price_file)
    assert (entry.outcome, entry.challenged) == ("promoted", last)
    assert len(list_runs(price_file.folder / "models")) == 2
    assert verify_chain(price_file.folder / "models" / LEDGER).count == 2 * 6


def test_a_poisoned_challenger_is_kept_out_and_not_trained_again_the_next_day(price_file):
    first = run(price_file)
    before = forecast(price_file)
    price_file.grow(15)
    entry = run(price_file, DrawnFits(POISONED))
    assert (entry.outcome, entry.champion) == ("kept", first.champion)
    assert entry.losses["challenger"] > entry.losses["champion"] * (1 + entry.losses["tolerance"])
    assert champion(price_file).name == first.champion
    price_file.grow(14)
    assert run(price_file).outcome == "predicted"
    price_file.grow(20)
    assert (forecast(price_file) == before).all()


def test_a_better_challenger_is_promoted_and_rollback_restores_the_former_bit_for_bit(price_file):
    run(price_file, DrawnFits(POISONED))
    path = price_file.folder / "models" / price_file.ticker / "champion.json"
    before, forecast_before = path.read_bytes(), forecast(price_file)
    price_file.grow(15)
    entry = run(price_file)
    assert entry.outcome == "promoted" and entry.losses["challenger"] < entry.losses["champion"]
    price_file.grow(20)
    assert (forecast(price_file) != forecast_before).any()
    rollback(price_file.folder / "models", price_file.ticker)
    assert path.read_bytes() == before
    assert (forecast(price_file) == forecast_before).all()


def test_neither_fit_has_seen_what_they_are_compared_on(price_file):
    run(price_file)
    price_file.grow(15)
    entry = run(price_file)
    former, challenger = (load_manifest(path) for path in list_runs(price_file.folder / "models"))
    first, last = entry.reason.split("forecasts of ")[1].split(" to ")
    assert max(former.cutoffs["validation_end"], challenger.cutoffs["validation_end"]) < first
    assert (first, last) == (challenger.cutoffs["test_start"], challenger.cutoffs["test_end"])
    assert entry.losses["n"] == 40 - 2 + 1


def test_losses_are_those_of_the_evaluation_fits_on_the_gate(price_file):
    from forecast.evaluation.metrics import crps
    from forecast.prices.sources import load_prices
    from forecast.windows.windows import make_targets

    run(price_file, DrawnFits(0.3))
    last = price_file.grow(15)
    entry = run(price_file, DrawnFits(0.1))
    path = list_runs(price_file.folder / "models")[0]
    prices = load_prices("KO", source=entry.source, folder=price_file.folder / "data")
    cutoffs = np.arange(len(prices) - 41, len(prices) - 2)
    forecasts = load_forecasters(path, load_manifest(path), "evaluation")["simple_rnn"].predict(prices, cutoffs)
    expected = crps(forecasts, make_targets(prices.close, 2)[list(cutoffs)]).mean()
    assert str(prices.sessions[-1]) == last
    assert entry.losses["champion"] == pytest.approx(expected, rel=1e-9)


def test_a_champion_that_has_learned_from_the_gate_gives_way_with_that_reason(price_file):
    list(retrain(["KO"], with_gate(price_file.order(flags={"horizon": 1}), 20), DrawnFits()))
    price_file.grow(19)
    entry = run(price_file, flags={"horizon": 5}, force=True)
    assert (entry.outcome, entry.losses) == ("promoted", None)
    assert "only 18 of the gate's 36 forecasts" in entry.reason


def test_forecasts_of_sessions_that_the_champion_has_learned_from_are_left_out(price_file):
    run(price_file)
    price_file.grow(19)
    (entry,) = retrain(["KO"], with_gate(price_file.order(force=True), 90), DrawnFits())
    assert entry.losses["n"] == (2 + 40 + 1) - 2 + 1  # steps within the old gap, the old gate and the new session


def test_too_short_a_gate_is_refused_with_what_it_needs(price_file):
    (entry,) = retrain([price_file.ticker], with_gate(price_file.order(), 20), DrawnFits())
    assert (entry.outcome, entry.exit_code) == ("failed", 78)
    assert "need at least 21" in entry.reason


def test_a_challenger_is_made_as_the_champion_was_unless_told_otherwise(price_file):
    run(price_file, flags={"horizon": 3, "units": 3})
    price_file.grow(15)
    run(price_file)
    first, second = (load_manifest(path).config for path in list_runs(price_file.folder / "models"))
    assert (first.horizon, first.units) == (3, 3)
    assert (second.horizon, second.units) == (2, 2)     # forecast.toml says so
    price_file.grow(10)
    run(price_file, flags={"half_life": 30})
    third = load_manifest(list_runs(price_file.folder / "models")[-1]).config
    assert (third.horizon, third.half_life) == (2, 30)


def test_failed_fits_leave_the_champion_serving_and_are_tried_again_a_session_later(price_file):
    first = run(price_file)
    last = price_file.grow(15)
    entry = run(price_file, DrawnFits(failing=("KO",)))
    assert (entry.outcome, entry.exit_code, entry.champion, entry.forecast) == ("failed", 1, first.champion, last)
    assert run(price_file).outcome == "nothing_due"
    price_file.grow(14)
    assert run(price_file).outcome == "promoted"


def test_a_challenger_that_cannot_be_scored_is_not_trained_again_every_half_hour(price_file, monkeypatch):
    first = run(price_file)
    price_file.grow(15)
    monkeypatch.setattr("forecast.automation.challenge.assess", lambda *_: 1 / 0)
    entry = run(price_file)
    assert (entry.outcome, entry.champion) == ("failed", first.champion) and "ZeroDivisionError" in entry.reason
    assert run(price_file).outcome == "nothing_due"
    assert "Traceback" in (price_file.folder / "models" / "retrain.log").read_text()


def test_one_failing_ticker_never_stops_the_others(price_file):
    (price_file.csv / "BAD.csv").write_text("Date,Close\n2020-01-01,none\n")
    order = price_file.order()
    entries = retrain(["BAD", "KO", "ABSENT"], order, DrawnFits())
    found = {entry.ticker: (entry.outcome, entry.exit_code) for entry in entries}
    assert found == {"BAD": ("failed", 65), "KO": ("promoted", 0), "ABSENT": ("failed", 2)}


def test_an_unforeseen_error_of_one_ticker_is_logged_with_its_traceback(price_file):
    class Surprised(DrawnFits):
        def draw(self, task):
            raise ZeroDivisionError("surprise")

    entry = run(price_file, Surprised())
    assert (entry.outcome, entry.exit_code) == ("failed", 1) and "surprise" in entry.reason
    assert "in draw" in (price_file.folder / "models" / "retrain.log").read_text()


def test_a_failure_before_the_session_was_dealt_with_is_tried_again_at_once(price_file):
    run(price_file)
    path = price_file.csv / "KO.csv"
    good = path.read_text()
    path.write_text("Date,Close\n2020-01-01,none\n")
    assert run(price_file).outcome == "failed"
    assert run(price_file).outcome == "failed"
    path.write_text(good)
    assert run(price_file).outcome == "nothing_due"


def test_who_finds_the_ticker_locked_tries_again_later_and_writes_nothing(price_file):
    with retraining_lock(price_file.folder / "models", "KO"):
        entry = run(price_file)
    assert (entry.outcome, entry.exit_code) == ("failed", 75)
    assert load_entries(price_file.folder / "models") == []
    assert run(price_file).outcome == "promoted"


def test_force_trains_a_challenger_though_nothing_is_due(price_file):
    run(price_file)
    assert run(price_file, force=True).outcome == "promoted"


def test_what_a_retraining_would_do_is_said_without_doing_it(price_file):
    assert "train a first champion" in foresee("KO", price_file.order())
    run(price_file)
    before = {path: path.stat().st_mtime_ns for path in price_file.folder.rglob("*")}
    assert foresee("KO", price_file.order()).startswith("nothing due")
    assert "train a challenger" in foresee("KO", price_file.order(force=True))
    assert {path: path.stat().st_mtime_ns for path in price_file.folder.rglob("*")} == before


def test_an_entry_is_json_that_says_when_it_is_due_again(price_file):
    run(price_file)
    (line,) = (price_file.folder / "models" / "journal.jsonl").read_text().splitlines()
    document = json.loads(line)
    assert document["started"] <= document["ended"] < document["due_at"]
    assert document["seconds"]["total"] > 0 and document["schema"] == 1


def test_studies_are_made_only_when_workers_will_soon_have_room(price_file):
    begun = []

    class Busy(DrawnFits):
        def submit(self, function, task, ticker):
            begun.append(ticker)
            if len(begun) == 2:
                raise KeyboardInterrupt  # what would come next is waiting for ever
            return Future()

    order = price_file.order(flags={"n_seeds": 2})
    with pytest.raises(KeyboardInterrupt):
        list(retrain(["KO", "KO2", "KO3"], order, Busy()))
    assert begun == ["KO", "KO"]
    with retraining_lock(price_file.folder / "models", "KO"):
        pass  # an interrupted retraining holds no lock


def test_a_source_that_is_no_longer_there_is_a_failure_that_says_so(price_file):
    run(price_file)
    (price_file.csv / "KO.csv").unlink()
    entry = run(price_file)
    assert entry.outcome == "failed" and "KO.csv" in entry.reason
    assert champion(price_file) is not None
