"""Networks to open that nobody trained."""

import numpy as np
import pytest

FEATURES, UNITS, OUTPUTS = 4, 8, 3


@pytest.fixture
def make_weights():
    """Random weights of one-layer networks in Keras's order, none of them zero: `make_weights("lstm", seed=2)`."""

    def make(network: str, seed: int = 1) -> list[np.ndarray]:
        columns = UNITS * {"simple_rnn": 1, "gru": 3}.get(network, 4)
        shapes = [(FEATURES, columns), (UNITS, columns), (2, columns) if network == "gru" else (columns,)]
        if network == "attention_lstm":
            shapes += [(UNITS, 1, UNITS), (1, UNITS)] * 3 + [(1, UNITS, UNITS), (UNITS,)]
        rng = np.random.default_rng(seed)
        return [rng.normal(0, 0.5, shape).astype("float32") for shape in [*shapes, (UNITS, OUTPUTS), (OUTPUTS,)]]

    return make
