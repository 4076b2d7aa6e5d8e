import json
import math
from dataclasses import replace

import pytest

from forecast.config import (
    FROM_RANDOM,
    NETWORKS,
    RECIPES,
    Config,
    Settings,
    config_from_dict,
    dict_from_config,
    load_settings,
    make_config,
)
from forecast.errors import ConfigError, UsageError


def settings_from(folder, text) -> Settings:
    (folder / "forecast.toml").write_text(text)
    return load_settings(folder)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_config_survives_json(recipe):
    config = RECIPES[recipe]
    assert config_from_dict(json.loads(json.dumps(dict_from_config(config)))) == config


def test_a_flag_beats_forecast_toml_which_beats_the_recipe(tmp_path):
    settings = settings_from(tmp_path, "units = 5\nlookback = 30\n")
    config = make_config({"units": 7, "lookback": None}, settings)
    assert (config.units, config.lookback, config.horizon) == (7, 30, Config().horizon)


def test_a_recipe_of_forecast_toml_holds_until_a_flag_names_another(tmp_path):
    settings = settings_from(tmp_path, 'recipe = "classic"\nepochs = 3\n')
    assert make_config({}, settings) == config_from_dict(dict_from_config(RECIPES["classic"]) | {"epochs": 3})
    assert make_config({"recipe": "returns"}, settings) == RECIPES["returns"]


def test_what_no_start_is_kept_for_is_trained_longer_from_random_weights():
    assert make_config({}).start == make_config({"horizon": 12, "lookback": 60, "dropout": 0.5}).start == "simulated"
    for flags in ({"units": 24}, {"layers": 2}, {"features": ["return"]}, {"half_life": 30}, {"start": "random"}):
        config = make_config(flags)
        assert config.start == "random"
        assert {name: getattr(config, name) for name in FROM_RANDOM["returns"]} == FROM_RANDOM["returns"]


def test_a_start_asked_for_is_there_or_refused():
    with pytest.raises(UsageError, match="units 32"):
        make_config({"units": 24, "start": "simulated"})
    with pytest.raises(ConfigError, match="units 32"):
        make_config({"units": 24}, Settings({"start": "simulated"}))
    assert make_config({"start": "simulated"}) == make_config({})


def test_a_pool_from_random_weights_keeps_its_few_epochs():
    config = make_config({"recipe": "pooled", "start": "random"})
    assert config == replace(RECIPES["pooled"], start="random", learning_rate=1e-3)


def test_what_is_given_beats_what_suits_random_weights(tmp_path):
    config = make_config({"epochs": 2, "networks": ["gru"]}, settings_from(tmp_path, "units = 24\npatience = 3\n"))
    assert (config.start, config.epochs, config.patience, config.learning_rate) == ("random", 2, 3, 1e-3)


def test_the_tutorial_trains_as_it_does_everywhere():
    assert make_config({"recipe": "classic", "units": 20}) == replace(RECIPES["classic"], units=20)


def test_forecast_toml_names_the_watchlist_and_the_retraining(tmp_path):
    settings = settings_from(tmp_path, 'watchlist = ["TSLA", "AAPL"]\nretrain_every = 3\ngate = 20\n')
    assert settings.watchlist == ("TSLA", "AAPL")
    assert (settings.retrain_every, settings.gate) == (3, 20)


def test_a_workspace_without_forecast_toml_has_the_defaults(tmp_path):
    assert load_settings(tmp_path) == Settings()
    assert make_config({}) == RECIPES["returns"]


def test_seeds_are_consecutive_from_the_first():
    assert Config(seed=7, n_seeds=3).seeds == (7, 8, 9)


def test_a_scalar_network_list_from_a_flag_stays_a_tuple():
    assert make_config({"networks": ["gru"]}).networks == ("gru",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("horizon", 0),
        ("lookback", 1),
        ("units", 0),
        ("epochs", 10_001),
        ("learning_rate", math.nan),
        ("dropout", 1.0),
        ("n_seeds", True),
        ("batch_size", 2.5),
        ("networks", ["transformer"]),
        ("networks", []),
        ("networks", ["lstm", "lstm"]),
        ("recipe", "magic"),
    ],
)
def test_a_flag_out_of_bounds_is_a_usage_error_that_quotes_it(name, value):
    with pytest.raises(UsageError, match=name) as raised:
        make_config({name: value})
    assert raised.value.exit_code == 2
    if value and not isinstance(value, list):
        assert repr(value) in str(raised.value)


@pytest.mark.parametrize(
    "line",
    [
        "lookbak = 30",                      # no such key
        "units = 0",
        "units = '16'",
        "networks = 'lstm'",                 # not a list: its letters are no networks
        "recipe = ['returns']",
        "features = ['return', 'moon']",
        "watchlist = 'TSLA'",
        "watchlist = 5",
        "watchlist = [1]",
        "retrain_every = 0",
        "gate = true",
        "ping_url = 5",
        "validation_fraction = 0.5\ntest_fraction = 0.5",    # nothing left to train on
        "target = 'close'",                  # needs the close among the features
        "units = ",                          # not TOML
    ],
)
def test_a_bad_forecast_toml_is_a_config_error(tmp_path, line):
    with pytest.raises(ConfigError) as raised:
        settings_from(tmp_path, line)
    assert raised.value.exit_code == 78


def test_an_unknown_key_is_told_beside_the_known_ones(tmp_path):
    with pytest.raises(ConfigError, match="lookbak") as raised:
        settings_from(tmp_path, "lookbak = 30")
    assert "lookback" in str(raised.value)


def test_forecast_toml_that_is_not_text_is_a_config_error(tmp_path):
    (tmp_path / "forecast.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="forecast.toml"):
        load_settings(tmp_path)


def test_the_classic_recipe_is_the_tutorial():
    classic = RECIPES["classic"]
    assert (classic.layers, classic.units, classic.scaler, classic.target) == (2, 50, "minmax", "close")
    assert not classic.is_distribution and RECIPES["returns"].is_distribution


def test_the_default_networks_are_among_the_known_ones():
    assert set(Config().networks) <= set(NETWORKS)
