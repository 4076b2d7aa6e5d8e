"""What the fork server imports once, so that each worker starts with Keras at hand; the one module that works at import."""

from forecast.networks.backend import import_keras

import_keras()

import forecast.networks.builders  # noqa: E402, F401
import forecast.networks.training  # noqa: E402, F401
