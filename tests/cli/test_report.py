import json
import webbrowser

from typer.testing import CliRunner

from forecast.cli.app import app


def run(workspace, *words: str):
    return CliRunner().invoke(app, ["report", *words, "--workspace", str(workspace)])


def test_paths_of_the_pages_and_the_index_are_the_result(workspace):
    done = run(workspace)
    folder = workspace / "models" / "report"
    assert (done.exit_code, done.stderr, done.stdout.split()) == (0, "", [str(folder / "DEMO.html"), str(folder / "index.html")])


def test_json_is_one_document(workspace):
    done = run(workspace, "DEMO", "TSLA", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 10 and document["schema"] == 1
    assert [page["ticker"] for page in document["pages"]] == ["DEMO"]
    assert document["failures"][0]["ticker"] == "TSLA" and "forecast train TSLA" in document["failures"][0]["error"]


def test_open_shows_the_page_of_one_ticker(workspace, monkeypatch):
    shown = []
    monkeypatch.setattr(webbrowser, "open", shown.append)
    run(workspace, "DEMO", "--open")
    assert shown == [(workspace / "models" / "report" / "DEMO.html").as_uri()]


def test_an_empty_workspace_says_how_to_begin(tmp_path):
    done = run(tmp_path)
    assert (done.exit_code, done.stdout) == (1, "") and "forecast train TSLA" in done.stderr
