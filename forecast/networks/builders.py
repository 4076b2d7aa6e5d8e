"""The Keras networks: recurrent layers, a dropout, and a last layer that starts at zero."""

from __future__ import annotations

from forecast.config import Config
from forecast.networks.heads import n_outputs


def build_network(network: str, config: Config, n_features: int):
    """A `keras.Model` with random weights that answers zero to everything: the naive forecast.

        window -> SimpleRNN | LSTM | GRU, `layers` of them -> last step -> dropout -> dense
        window -> LSTM at every step -> attention over its own steps -> last step -> dropout -> dense

    Args:
        network: one of `forecast.config.NETWORKS`.
        config: layers, units, dropout, lookback, horizon.
        n_features: columns of a window.

    Returns:
        A model from (n_windows, lookback, n_features) to (n_windows, n_outputs).
    """
    import keras

    window = keras.Input((config.lookback, n_features))
    state = _last_state(network, config, window)                 # (n_windows, units)
    state = keras.layers.Dropout(config.dropout)(state)
    width = n_outputs(config.is_distribution, config.horizon)
    start = "zeros" if config.is_distribution else "glorot_uniform"
    answer = keras.layers.Dense(width, kernel_initializer=start)(state)
    return keras.Model(window, answer, name=network)


def _last_state(network: str, config: Config, window):
    from forecast.networks.layers import FAST_LAYERS

    attends = network == "attention_lstm"
    layer = FAST_LAYERS[network]
    states = window
    for depth in range(1, config.layers + 1):
        states = layer(config.units, return_sequences=attends or depth < config.layers)(states)
    return _attend(states, config.units) if attends else states


def _attend(states, units: int):
    """Every step picks what to look at among the steps before it, and adds it; the last step answers."""
    import keras

    attention = keras.layers.MultiHeadAttention(num_heads=1, key_dim=units)
    picked = attention(states, states, use_causal_mask=True)     # (n_windows, lookback, units)
    return keras.layers.Add()([states, picked])[:, -1]
