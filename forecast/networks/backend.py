"""How Keras is brought up: on TensorFlow or JAX, in one thread, with the same bits every time, and quietly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from forecast.errors import ConfigError

BACKENDS = ("tensorflow", "jax")

# Each fit has one thread; the processes share the cores. oneDNN changes the last bits, so it is pinned.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # JAX would take most of a GPU's memory for each of several processes
}


def stock_layers_wanted() -> bool:
    """Whether FORECAST_STOCK_LAYERS=1 asks for Keras's own recurrent layers: slower, equal to about 1e-6."""
    return os.environ.get("FORECAST_STOCK_LAYERS", "0") == "1"


def wanted_backend() -> str:
    """What Keras is to run on: "tensorflow" unless KERAS_BACKEND says "jax".

    Raises:
        ConfigError: another backend, or JAX without its extra.
    """
    from importlib.util import find_spec

    backend = os.environ.get("KERAS_BACKEND", ENVIRONMENT["KERAS_BACKEND"])
    if backend not in BACKENDS:
        raise ConfigError(f"KERAS_BACKEND is {backend!r}; choose from {', '.join(BACKENDS)}.")
    if find_spec(backend) is None:
        raise ConfigError(f"KERAS_BACKEND is {backend}, which is not installed. Type: pip install 'forecast[{backend}]'")
    return backend


def import_keras():
    """The `keras` module; takes 2.5 s the first time, so only training asks for it.

    Raises:
        ConfigError: as `wanted_backend`.
    """
    wanted_backend()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with _quiet_stderr():
        import curl_cffi  # noqa: F401 - before TensorFlow, whose own libcurl would stand in for it: Yahoo refuses that one
        import keras
    return keras


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep file descriptor 2 from TensorFlow's greetings, which no log level silences; replay them on failure."""
    import tempfile

    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
