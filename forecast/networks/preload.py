"""What the fork server imports once, so that each worker starts with Keras at hand; the one module that works at import."""

import atexit
import os
import signal

from forecast.networks.backend import import_keras

# Ctrl-C is the parent's to hear: in these seconds the server ends without a word, later on it goes on without one.
signal.signal(signal.SIGINT, lambda number, frame: os._exit(1))
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

import_keras()

import forecast.networks.layers  # noqa: E402, F401
import forecast.networks.training  # noqa: E402, F401

# The server holds nothing to tidy up, and Python takes 0.9 s to do so with TensorFlow in memory: for so long whoever reads
# what the command prints would wait, since the server has inherited where it is printed.
atexit.register(os._exit, 0)
signal.signal(signal.SIGINT, signal.SIG_IGN)
