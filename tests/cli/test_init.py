import json
import re

from typer.testing import CliRunner

from forecast.cli.app import app
from forecast.cli.init import format_settings
from forecast.config import _WORKSPACE_KEYS, Config, Settings, config_from_dict, dict_from_config, load_settings


def run(workspace, *words: str):
    return CliRunner().invoke(app, ["init", *words, "--workspace", str(workspace)])


def test_the_file_changes_nothing_but_the_watchlist(tmp_path):
    done = run(tmp_path, "tsla", "0700.HK")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'forecast.toml'}\n")
    assert load_settings(tmp_path) == Settings(watchlist=("TSLA", "0700.HK"))


def test_every_setting_stands_in_it_with_its_default(tmp_path):
    text = re.sub(r"^# (\w+ = )", r"\1", format_settings([]), flags=re.M)
    (tmp_path / "forecast.toml").write_text(text)
    settings = load_settings(tmp_path)
    assert set(settings.values) == set(dict_from_config(Config())) and config_from_dict(dict(settings.values)) == Config()
    assert all(f"\n{key} = " in text for key in _WORKSPACE_KEYS)
    assert (settings.retrain_every, settings.gate) == (Settings().retrain_every, Settings().gate)


def test_a_file_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "forecast.toml").write_text("horizon = 3\n")
    done = run(tmp_path)
    assert (done.exit_code, done.stdout) == (2, "") and "stays as it is" in done.stderr
    assert (tmp_path / "forecast.toml").read_text() == "horizon = 3\n"


def test_a_bad_ticker_leaves_no_file(tmp_path):
    assert run(tmp_path, "../x").exit_code == 2
    assert not (tmp_path / "forecast.toml").exists()


def test_json_names_the_file_and_the_next_command_stands_on_stderr(tmp_path):
    done = run(tmp_path / "new", "--json")
    assert json.loads(done.stdout) == {"schema": 1, "path": str(tmp_path / "new" / "forecast.toml")}
    assert "forecast train" in done.stderr
