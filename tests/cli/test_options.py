import subprocess
import sys

import pytest
from typer.testing import CliRunner

from forecast.cli.app import app
from forecast.cli.options import complete_networks, known_tickers
from forecast.config import RECIPES


@pytest.fixture
def completed(environment, stored):
    """Completes a command as bash would ask for it."""

    def complete(words: str) -> list[str]:
        asked = {"_FORECAST_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        code = "import sys; sys.argv[0] = 'forecast'; from forecast.cli import main; main()"
        variables = environment | asked | {"FORECAST_HOME": str(stored)}
        return subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True).stdout.split()

    return complete


def test_commands_tickers_recipes_and_networks_are_completed(completed):
    assert completed("forecast comp") == ["compare"]
    assert completed("forecast predict D") == ["DEMO"]
    assert completed("forecast train DEMO --recipe cl") == ["classic"]
    assert completed("forecast train DEMO --networks simple_rnn,l") == ["simple_rnn,lstm"]


def test_the_help_shows_the_defaults_of_both_recipes():
    said = " ".join(CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).stdout.replace("│", " ").split())
    for name in ("lookback", "horizon", "units", "layers", "epochs", "batch_size", "learning_rate", "patience", "n_seeds"):
        own, classic = (getattr(RECIPES[recipe], name) for recipe in ("returns", "classic"))
        assert f"Default: {own}{'' if own == classic else f'; classic: {classic}'}." in said.partition(f"--{name.replace('_', '-')} ")[2]


def test_a_network_is_not_offered_twice():
    assert complete_networks("lstm,") == ["lstm,simple_rnn", "lstm,gru", "lstm,attention_lstm"]


def test_known_are_the_watchlist_what_is_stored_and_demo(tmp_path):
    for path in ("data/%5EGSPC/current.json", "models/KO/champion.json", "data/not a ticker/current.json"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    (tmp_path / "forecast.toml").write_text('watchlist = ["TSLA"]\n')
    assert known_tickers(tmp_path) == ["DEMO", "KO", "TSLA", "^GSPC"]
    (tmp_path / "forecast.toml").write_text("watchlist = 3\n")
    assert known_tickers(tmp_path) == ["DEMO", "KO", "^GSPC"]
