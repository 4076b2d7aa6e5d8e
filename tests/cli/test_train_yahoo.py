"""`forecast train` as a person types it: a process of its own, the real yfinance, Yahoo's answers on loopback."""

import json
import subprocess
import sys

from forecast.prices.sources import load_prices
from tests.yahoo_server import loopback_yahoo

SMALL = ("--networks", "simple_rnn", "--lookback", "10", "--units", "2", "--epochs", "1", "--n-seeds", "1")


def forecast(environment, *words: str):
    return subprocess.run([sys.executable, "-m", "forecast", *words], env=environment, capture_output=True, text=True)


def test_train_fetches_tesla_trains_and_compares(real_prices_folder, environment, tmp_path):
    file = real_prices_folder / "daily" / "TSLA.csv"
    with loopback_yahoo(tmp_path) as yahoo:
        yahoo.serve_csv("TSLA", file)
        variables = {name: value for name, value in environment.items() if name != "PYTHONWARNINGS"} | yahoo.environment
        trained = forecast(variables, "train", "TSLA", *SMALL, "--json")
        compared = forecast(variables, "compare", "TSLA", "--json", "--offline")
        unknown = forecast(variables, "train", "NOSUCH", *SMALL)
    [run] = json.loads(trained.stdout)["runs"]
    own = load_prices("TSLA", source=f"csv:{file}", folder=tmp_path / "own")
    assert run["currency"] == "USD" and run["cutoffs"]["last_session"] == str(own.sessions[-1])
    assert run["models"]["simple_rnn"]["overall"]["n"] == run["models"]["naive"]["overall"]["n"] > 1000
    assert json.loads(compared.stdout)["runs"][0]["run_id"] == run["run_id"]
    assert unknown.returncode == 65 and "NOSUCH" in unknown.stderr and not unknown.stdout
