import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from forecast.config import NETWORKS, Config
from forecast.errors import ConfigError
from forecast.networks.backend import wanted_backend
from forecast.networks.epochs import compile_epoch, initial_state, make_batches
from forecast.networks.parallel import fit_networks

CONFIG = replace(Config(), lookback=6, units=4, horizon=2, dropout=0.0, batch_size=8, learning_rate=0.01)
N_FEATURES, N_STEPS = 5, 12
rng = np.random.default_rng(5)
X, Y = rng.normal(size=(24, 6, N_FEATURES)).astype("float32"), rng.normal(size=(24, 2)).astype("float32")


def losses_of_steps(network: str, weights: list[np.ndarray]) -> list[float]:
    """Losses of consecutive steps of Adam from the same weights over the same batches, on the backend of this process."""
    state = initial_state(network, CONFIG, N_FEATURES, seed=1)._replace(weights=weights)
    run_epoch = compile_epoch(network, CONFIG, N_FEATURES)
    losses = []
    for step in range(N_STEPS):
        rows = slice(8 * (step % 3), 8 * (step % 3) + 8)
        batch = make_batches(X[rows], Y[rows], 8, 8)
        state, loss, _ = run_epoch(state, batch, batch)
        losses.append(float(loss))
    return losses


def weights_in(path) -> dict[str, list[np.ndarray]]:
    with np.load(path) as arrays:
        return {network: [arrays[name] for name in arrays.files if name.startswith(f"{network}-")] for network in NETWORKS}


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    """Losses by network of a process with KERAS_BACKEND=jax, and the weights that it started from."""
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    path = tmp_path_factory.mktemp("jax") / "weights.npz"
    starts = {network: initial_state(network, CONFIG, N_FEATURES, seed=1).weights for network in NETWORKS}
    np.savez(path, **{f"{name}-{i:02d}": each for name, weights in starts.items() for i, each in enumerate(weights)})
    command = [sys.executable, __file__, str(path)]
    done = subprocess.run(command, env={**os.environ, "KERAS_BACKEND": "jax"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), starts


@pytest.mark.parametrize("network", NETWORKS)
def test_each_step_loses_the_same_on_jax_as_on_tensorflow(on_jax, network):
    theirs, starts = on_jax
    np.testing.assert_allclose(losses_of_steps(network, starts[network]), theirs[network], rtol=1e-5)


def test_only_the_asked_backend_is_started(on_jax):
    assert not on_jax[0]["tensorflow"]


def test_a_backend_that_is_not_there_is_told_before_any_process_starts(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "abacus")
    with pytest.raises(ConfigError, match="KERAS_BACKEND is 'abacus'; choose from tensorflow, jax"):
        fit_networks([])
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"not installed. Type: pip install 'forecast\[jax\]'"):
        wanted_backend()


if __name__ == "__main__":
    found = {network: losses_of_steps(network, weights) for network, weights in weights_in(sys.argv[1]).items()}
    print(json.dumps({**found, "tensorflow": "tensorflow" in sys.modules}))
