import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from forecast.cli.app import app


def run(workspace, *words: str):
    return CliRunner().invoke(app, ["explain", *words, "--workspace", str(workspace)])


@pytest.fixture
def explain(tmp_path):
    """The command in a workspace without any run."""
    return lambda *words: run(tmp_path, *words)


def test_a_run_is_explained_in_tables_and_pictures(workspace):
    result = run(workspace, "DEMO")
    assert result.exit_code == 0
    for words in ("LSTM, forget gate", "memory", "overnight gap", "the answer", "SIMULATED"):
        assert words in result.stdout
    pictures = {path.name for path in (workspace / "models" / "DEMO").glob("*.png")}
    assert {"explain-lstm.png", "explain-lstm-attribution.png", "explain-memory.png"} <= pictures


def test_json_is_one_document_and_needs_no_tensorflow(workspace):
    code = (
        "import sys\nfrom forecast.cli import main\n"
        f"sys.argv = ['forecast', 'explain', 'DEMO', '--step', '2', '--json', '--workspace', {str(workspace)!r}]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "assert not {'tensorflow', 'keras', 'sklearn', 'yfinance'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["schema"], document["ticker"], document["step"]) == (1, "DEMO", 2)
    assert len(document["charts"]) == 9


def test_the_worked_example_needs_no_data(explain, tmp_path):
    result = explain("--worked-example")
    assert result.exit_code == 0
    for words in ("5.95", "0.997", "4.27", "2.03", "0.966", "2.948", "0.986"):
        assert words in result.stdout
    assert (tmp_path / "models" / "worked-example.png").read_bytes().startswith(b"\x89PNG")


def test_own_weights_and_memories_replace_the_example(explain):
    result = explain("--forget-gate", "0,0,0", "--long-term", "3", "--json")
    step = json.loads(result.stdout)["steps"][0]
    assert step["forget"] == 0.5
    assert step["long_term_before"] == 3.0
    assert step["long_term"] == pytest.approx(1.5 + step["input"] * step["candidate"])


def test_a_sequence_starts_empty_and_is_unrolled(explain, tmp_path):
    document = json.loads(explain("--inputs", "0,0.5,0.25,1", "--json").stdout)
    assert [step["x"] for step in document["steps"]] == [0.0, 0.5, 0.25, 1.0]
    assert document["steps"][0]["long_term_before"] == 0.0
    assert (tmp_path / "models" / "worked-example-unrolled.png").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Say what to explain"),
        (["--date", "2024-03-28"], "Say what to explain"),
        (["DEMO", "--inputs", "1"], "Say what to explain"),
        (["--worked-example", "--memory-task"], "Say what to explain"),
        (["--inputs", "1,two"], "could not convert string to float: 'two'. Write numbers and commas"),
        (["--forget-gate", "1,2"], "--forget-gate 1,2 is 2 numbers; it takes 3"),
        (["--long-term", "nan"], "finite numbers; nan is none"),
        (["../x"], "../x"),
    ],
)
def test_what_cannot_be_explained_is_told_in_one_sentence(explain, words, sentence):
    result = explain(*words)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stdout == ""


def test_a_ticker_without_a_run_says_how_to_make_one(explain):
    result = explain("TSLA")
    assert result.exit_code == 1
    assert "forecast train TSLA" in result.stderr
