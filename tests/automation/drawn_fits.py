"""Fits without TensorFlow: weights that are zero, the naive forecast, with as much noise as is asked for.

    retrain(["KO"], order, DrawnFits(noise=0.0))
"""

from concurrent.futures import Future

import numpy as np

from forecast.errors import ForecastError
from forecast.networks.heads import n_outputs
from forecast.networks.training import Epoch, FitResult, FitTask


class DrawnFits:
    """An executor of the retraining that trains nothing.

    Args:
        noise: standard deviation of every weight.
        failing: tickers whose fits raise.
    """

    n_workers = 1

    def __init__(self, noise: float = 0.0, failing: tuple[str, ...] = ()):
        self.noise = noise
        self.failing = failing
        self.submitted: list[str] = []

    def submit(self, function, task: FitTask, ticker: str) -> Future:
        self.submitted.append(ticker)
        future = Future()
        if ticker in self.failing:
            future.set_exception(ForecastError(f"{ticker} was given up."))
        else:
            future.set_result(self.draw(task))
        return future

    def draw(self, task: FitTask) -> FitResult:
        """Weights of a single layer SimpleRNN in Keras's order."""
        units, n_features = task.config.units, task.train[0].values.shape[1]
        answers = n_outputs(task.config.is_distribution, task.config.horizon)
        shapes = [(n_features, units), (units, units), (units,), (units, answers), (answers,)]
        rng = np.random.default_rng(task.seed)
        weights = [(self.noise * rng.standard_normal(shape)).astype(np.float32) for shape in shapes]
        epochs = [Epoch(task.ticker, task.network, task.seed, fit, 1, 1, 1.0, loss) for fit, loss in FITS]
        return FitResult(task.network, task.seed, weights, weights, tuple(epochs), 1, 0.1)


FITS = (("evaluation", 1.0), ("deployed", None))
