"""What several test modules share: real prices, and two small trained runs of the simulated share."""

import importlib.util
import os
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path

import curl_cffi  # noqa: F401 - before TensorFlow, whose own libcurl would stand in for it
import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a suite in the background hands its deafness to its commands
    signal.signal(signal.SIGINT, signal.default_int_handler)

TINY = dict(lookback=10, units=3, epochs=2, n_seeds=1, networks=["simple_rnn", "lstm", "gru", "attention_lstm"])


@pytest.fixture(scope="session")
def real_prices_folder() -> Path:
    """Folder of real prices, which stands beside the clone and is no part of it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not beside this clone")
    return folder


@pytest.fixture(scope="session")
def load_benchmark():
    """A function that loads a script of benchmarks/ as a module, by its name."""

    def load(name: str):
        path = Path(__file__).parents[1] / "benchmarks" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def tiny_prices():
    """400 simulated sessions: enough to cut, few enough to train on in a moment."""
    from forecast.prices.demo import simulate_demo

    return simulate_demo(400).prices


@pytest.fixture(scope="session")
def tiny_file(tiny_prices, tmp_path_factory) -> Path:
    """The tiny prices as a person's own file, ACME.csv."""
    columns = ("sessions", "open", "high", "low", "close", "volume")
    rows = zip(*(getattr(tiny_prices, column) for column in columns))
    path = tmp_path_factory.mktemp("prices") / "ACME.csv"
    path.write_text("Date,Open,High,Low,Close,Volume\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


@pytest.fixture(scope="session")
def tiny_configs():
    """Both recipes with all four networks, as small as they come."""
    from forecast.config import make_config

    return {"returns": make_config(TINY | {"horizon": 2}), "classic": make_config(TINY | {"recipe": "classic"})}


@pytest.fixture(scope="session")
def tiny_studies(tiny_prices, tiny_configs):
    """The tiny prices, cut and measured for each recipe."""
    from forecast.pipeline import make_study

    return {recipe: make_study(tiny_prices, config) for recipe, config in tiny_configs.items()}


@pytest.fixture(scope="session")
def tiny_fits(tiny_studies):
    """Every network of both recipes, trained once in two processes."""
    from forecast.pipeline import fit

    return dict(zip(tiny_studies, fit(list(tiny_studies.values()), workers=2)))


@pytest.fixture(scope="session")
def trained(tiny_studies, tiny_fits):
    """Both recipes, calibrated and scored."""
    from forecast.pipeline import assess

    return {recipe: assess(study, tiny_fits[recipe]) for recipe, study in tiny_studies.items()}


@pytest.fixture(scope="session")
def stored(trained, tmp_path_factory) -> Path:
    """A workspace with a run of each recipe: to be read, never written."""
    from forecast.library import store

    workspace = tmp_path_factory.mktemp("workspace")
    for each in trained.values():
        store(workspace / "models", each, datetime(2026, 1, 5, tzinfo=UTC))
    return workspace


@pytest.fixture
def workspace(stored, tmp_path) -> Path:
    """The same workspace, for tests that change something in it."""
    return shutil.copytree(stored, tmp_path / "workspace")


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """The variables of a command in a process of its own: 80 columns, and no workspace but a fresh one."""
    return os.environ | {"FORECAST_HOME": str(tmp_path), "COLUMNS": "80", "PYTHONWARNINGS": "error"}


@pytest.fixture(autouse=True, scope="session")
def user_cache(tmp_path_factory):
    """A cache folder of the test run's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
