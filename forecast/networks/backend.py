"""How Keras is brought up: on TensorFlow, in one thread, with the same bits every time, and quietly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Each fit has one thread; the processes share the cores. oneDNN changes the last bits, so it is pinned.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}


def stock_layers_wanted() -> bool:
    """Whether FORECAST_STOCK_LAYERS=1 asks for Keras's own recurrent layers: slower, equal to about 1e-6."""
    return os.environ.get("FORECAST_STOCK_LAYERS", "0") == "1"


def import_keras():
    """The `keras` module; takes 2.5 s the first time, so only training asks for it."""
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
