import base64
import hashlib
import json
import re
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from forecast.config import RECIPES, Settings, make_config
from forecast.errors import ForecastError, RunError
from forecast.explain.explanation import explain_run
from forecast.library import find
from forecast.report.gates import picture_gates
from forecast.report.index import index_values
from forecast.report.pages import format_page, make_environment, make_policy, write_report
from forecast.report.sections import format_command, make_live_table, make_outlook_table, page_values
from forecast.report.stored import load_stored, load_summary
from forecast.store.grading import Grade
from forecast.store.ledger import LEDGER, load_forecasts
from forecast.store.runs import list_runs
from tests.report.conftest import INJECTED

NOW = datetime(2026, 1, 6, 12, tzinfo=UTC)


class Markup(HTMLParser):
    """Elements, scripts and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements, self.scripts, self.words, self._in_script = [], [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._in_script = tag == "script"

    def handle_endtag(self, tag):
        self._in_script = False

    def handle_data(self, data):
        (self.scripts if self._in_script else self.words).append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture
def page(report) -> Markup:
    return Markup(report.pages["DEMO"].read_text(encoding="utf-8"))


def test_the_policy_allows_the_page_s_own_scripts_and_no_request(page):
    policy = next(attributes["content"] for tag, attributes in page.elements if tag == "meta" and "http-equiv" in attributes)
    _, *scripts = page.scripts
    hashes = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == hashes and len(hashes) == 2
    assert policy.startswith("default-src 'none'") and "http" not in policy and "unsafe-eval" not in policy
    assert "script-src 'none'" in make_policy()


def test_nothing_on_a_page_points_outside(page, report):
    index = Markup(report.index.read_text(encoding="utf-8"))
    addresses = [value for tag, attributes in page.elements + index.elements for name, value in attributes.items() if name in ("src", "href")]
    assert addresses and all(re.match(r"data:|[\w%]+\.html$", address) for address in addresses)


def test_every_score_stands_as_it_is_stored(page, told):
    (name, lstm) = "LSTM", load_stored("DEMO", told).run.results.metrics["lstm"]
    rows = re.findall(rf"{name} ([\d.*-]+) ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)", page.text)
    for row, scores in zip(rows, (lstm["by_horizon"]["1"], lstm["overall"]), strict=True):
        names = ("mae", "rmse", "mase", "directional_accuracy", "crps", "coverage_80", "coverage_95")
        units = (1, 1, 1, 100, 1, 100, 100)
        assert [float(text) for text in row] == pytest.approx([scores[n] * u for n, u in zip(names, units)], rel=5e-3, abs=0.05)


def test_the_next_sessions_are_those_on_record(page, told):
    rows = [row for row in load_forecasts(told / "models" / LEDGER) if row.network == load_stored("DEMO", told).manifest.serving]
    assert len(rows) == 2
    for row in rows:
        low, median, high = (row.last_close * np.exp(q) for q in (row.q100, row.q500, row.q900))
        assert re.search(rf"{row.target} {median:.2f} \S+ to \S+ {low:.2f} to {high:.2f} ", page.text)


def test_every_chart_has_a_place_words_and_data(page):
    charts = json.loads(page.scripts[0])
    places = {attributes["id"]: attributes["aria-label"] for tag, attributes in page.elements if attributes.get("class") == "chart"}
    networks = ("simple_rnn", "lstm", "gru", "attention_lstm")
    wanted = {f"{kind}-{network}" for kind in ("loss", "prediction") for network in networks}
    gates = {f"gates-{network}" for network in networks[1:]}
    assert set(charts) == set(places) == wanted | {"outlook", "levels", "pit", "over-time", "folds"} | gates
    assert all(re.search(r"\d", words) for words in places.values())
    traces = [trace for chart in charts.values() for trace in chart["data"]]
    assert all(len(trace["x"]) == len(trace["y"]) > 0 for trace in traces if trace["type"] != "heatmap")
    assert all(np.shape(trace["z"]) == (len(trace["y"]), len(trace["x"])) for trace in traces if trace["type"] == "heatmap")


def test_a_simulated_share_is_stamped_in_words_and_across_the_page(page):
    assert "SIMULATED: a made-up share" in page.text
    assert ("body", {"class": "simulated"}) in page.elements


def test_markup_from_outside_stays_text_and_folders_stay_private(injected):
    page = format_page(make_environment(NOW), page_values(injected))
    markup = Markup(page)
    assert len(markup.scripts) == 3 and not [tag for tag, _ in markup.elements if tag == "img"]
    assert INJECTED in "".join(markup.words) and INJECTED not in page
    assert "/home/" not in page.replace(markup.scripts[1], "")


def test_a_recipe_of_points_has_no_ranges_to_calibrate(told):
    stored = load_stored("DEMO", told)
    classic = load_stored_recipe(told, "classic")
    page = Markup(format_page(make_environment(NOW), page_values(replace(stored, run=classic, outlook=[]))))
    assert "predicts points only" in page.text and "forecast predict DEMO" in page.text
    assert not {"levels", "pit", "over-time", "outlook"} & set(json.loads(page.scripts[0]))


def load_stored_recipe(workspace, recipe):
    """The run of a recipe."""
    from forecast.store.runs import list_runs, load_run

    return next(run for run in map(load_run, list_runs(workspace / "models")) if run.manifest.config.recipe == recipe)


def test_the_gates_are_those_that_explain_opens(told):
    stored = load_stored("DEMO", told)
    run = find("DEMO", None, told)
    explanation = explain_run(run, stored.prices, stored.outlook[0].cutoff)
    charts = {chart.id: chart for chart in page_values(stored)["gates"]}
    assert set(charts) == {"gates-lstm", "gates-gru", "gates-attention_lstm"}
    for network in ("lstm", "gru", "attention_lstm"):
        record, chart = explanation.records[network], charts[f"gates-{network}"]
        price, *maps = [trace["z" if trace["type"] == "heatmap" else "y"] for trace in chart.data]
        held = [*([] if record.attention is None else [100.0 * record.attention]), *(panel.T for panel in record.panels.values())]
        held.append(explanation.records["simple_rnn"].panels["hidden state"].T)
        assert price == pytest.approx(explanation.close, abs=5e-4)
        assert chart.data[0]["x"] == [str(session) for session in explanation.sessions]
        for shown, values in zip(maps, held, strict=True):
            assert np.array(shown) == pytest.approx(values, abs=5e-4)


def test_a_simple_rnn_alone_shows_its_hidden_state(told):
    opened = load_stored("DEMO", told).opened
    alone = replace(opened, records={"simple_rnn": opened.records["simple_rnn"]})
    (chart,) = picture_gates(alone)
    assert [trace["type"] for trace in chart.data] == ["scatter", "heatmap"]
    assert all(picture.data for picture in picture_gates(replace(opened, records={"lstm": opened.records["lstm"]})))


def test_the_panels_of_the_gates_stand_below_each_other(told):
    for chart in picture_gates(load_stored("DEMO", told).opened):
        domains = [axis["domain"] for name, axis in chart.layout.items() if name.startswith("yaxis")]
        edges = [edge for bottom, top in domains for edge in (top, bottom)]
        assert len(domains) == len(chart.data) and edges == sorted(edges, reverse=True) and edges[-1] == 0.0 < edges[0] < 1.0


def test_without_its_prices_nothing_is_opened(told):
    for path in (told / "data" / "DEMO").glob("*.csv"):
        path.unlink()
    values = page_values(load_stored("DEMO", told))
    assert values["gates"] == [] and values["opened_until"] is None


def test_recorded_forecasts_stand_beside_yesterday_s_close_once_they_are_graded():
    pending = Grade("TSLA", "lstm", 1, False, n=0, pending=3, late=0, repeated=0, without_price=0)
    graded = replace(pending, horizon=2, n=40, mae=1.25, naive_mae=1.5, p_value=0.04, n_ranges=40, crps=0.9, coverage_80=0.775)
    assert make_live_table([pending]) is None
    (row,) = make_live_table([pending, graded]).rows
    assert row == ["LSTM", "2", "40", "3", "1.25", "1.5", "0.04", "0.9", "77.5", "-"]


def test_a_forecast_recorded_too_late_is_called_no_test(told):
    rows = load_stored("DEMO", told).outlook
    late = [replace(row, last_closed=rows[0].target) for row in rows]
    assert "closed already" not in make_outlook_table(rows, "").caption
    assert "1 of these 2 sessions had closed already" in make_outlook_table(late, "").caption


@pytest.mark.parametrize("recipe", ["returns", "classic"])
def test_the_command_makes_the_same_configuration(stored, recipe):
    manifest = load_stored_recipe(stored, recipe).manifest
    manifest = replace(manifest, source="csv:/somewhere/ACME.csv", config=replace(manifest.config, dropout=0.5))
    command, _, settings = format_command(manifest).partition("\n\n# in forecast.toml\n")
    words = shlex.split(command)
    assert words[:3] == ["forecast", "train", "DEMO"] and "--csv" in words and "/somewhere" not in command
    flags = {word[2:].replace("-", "_"): value for word, value in zip(words[3::2], words[4::2], strict=True)}
    del flags["csv"]
    numbers = {name: json.loads(value) for name, value in flags.items() if name not in ("recipe", "networks", "start")}
    values = json.loads("{" + re.sub(r"(\w+) = ", r'"\1": ', settings).replace("\n", ",") + "}")
    assert values == {"dropout": 0.5}
    flags |= numbers | {"networks": flags["networks"].split(",")}
    assert make_config(flags, Settings(values | {"recipe": recipe})) == manifest.config != RECIPES[recipe]


def test_a_report_changes_nothing_else_in_the_workspace(told):
    def everything():
        return {p: p.read_bytes() for p in told.rglob("*") if p.is_file() and "report" not in p.parts and ".sqlite-" not in p.name}

    before = everything()
    write_report(["DEMO"], told)
    assert everything() == before


def test_a_damaged_run_has_no_page_and_the_index_says_why(told):
    for path in (told / "models" / "DEMO").glob("*/metrics.json"):
        path.write_text("{}")
    report = write_report([], told)
    assert not report.pages and "was changed after the run was stored" in str(report.failures[0].error)
    assert "was changed after the run was stored" in report.index.read_text()


def test_the_index_links_a_page_whatever_the_ticker(told):
    summary = load_summary("DEMO", told)
    index = replace(summary, manifest=replace(summary.manifest, ticker="^GSPC"))
    linked, alone = index_values([index, summary], {"%5EGSPC.html"})["rows"]
    assert (linked.href, alone.href) == ("%255EGSPC.html", None)


def test_the_index_names_what_no_champion_serves_and_the_command_that_changes_it(told):
    (told / "forecast.toml").write_text('watchlist = ["TSLA", "DEMO"]\n')
    index = Markup(write_report([], told).index.read_text())
    assert "TSLA: forecast train TSLA" in index.text and "DEMO:" not in index.text
    (told / "models" / "DEMO" / "champion.json").unlink()
    newest = list_runs(told / "models")[-1].name
    report = write_report([], told)
    assert (report.pages, report.failures) == ({}, [])
    assert f"DEMO: forecast runs promote DEMO {newest}" in Markup(report.index.read_text()).text
    (failure,) = write_report(["DEMO"], told).failures
    assert f"forecast runs promote DEMO {newest}" in str(failure.error)


def test_an_empty_workspace_and_missing_packages_name_the_next_command(told, tmp_path, monkeypatch):
    with pytest.raises(RunError, match="Type: forecast train TSLA"):
        write_report([], tmp_path)
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ForecastError, match=r"needs plotly. Type: pip install 'forecast\[report\]'"):
        write_report([], told)
