from dataclasses import replace

import numpy as np
import pytest

from forecast.networks.training import FitTask, fit_deployed, fit_network
from forecast.pipeline import make_study, make_tasks


def silent(epoch) -> None:
    """Nobody listens."""


def evaluation_task(study, network) -> FitTask:
    """The network's task without its deployed fit."""
    task = next(task for task in make_tasks(study) if task.network == network)
    return replace(task, everything=())


def assert_same_bits(weights, others):
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def alone(tiny_studies):
    """The SimpleRNN's evaluation fit, trained in this process, and the epochs that were noted."""
    noted = []
    return fit_network(evaluation_task(tiny_studies["returns"], "simple_rnn"), noted.append), noted


def test_the_same_seed_gives_the_same_bits_in_another_process(alone, tiny_fits):
    elsewhere = next(fit for fit in tiny_fits["returns"] if fit.network == "simple_rnn")
    assert_same_bits(alone[0].evaluation_weights, elsewhere.evaluation_weights)


def test_another_seed_gives_other_weights(alone, tiny_studies):
    task = replace(evaluation_task(tiny_studies["returns"], "simple_rnn"), seed=2)
    other = fit_network(task, silent)
    assert not np.array_equal(other.evaluation_weights[0], alone[0].evaluation_weights[0])


def test_nothing_after_the_validation_changes_a_weight(alone, tiny_studies, tiny_prices):
    study = tiny_studies["returns"]
    later = np.arange(len(tiny_prices)) > study.split.validation[-1] + study.config.horizon
    columns = ("open", "high", "low", "close", "volume")
    changed = replace(tiny_prices, **{n: np.where(later, 9 * getattr(tiny_prices, n), getattr(tiny_prices, n)) for n in columns})
    again = make_study(changed, study.config)
    assert not np.array_equal(again.returns, study.returns, equal_nan=True)
    result = fit_network(evaluation_task(again, "simple_rnn"), silent)
    assert_same_bits(result.evaluation_weights, alone[0].evaluation_weights)
    assert [epoch.validation_loss for epoch in result.history] == [epoch.validation_loss for epoch in alone[1]]


def test_training_lowers_the_loss(tiny_studies):
    study = tiny_studies["classic"]
    task = evaluation_task(replace(study, config=replace(study.config, epochs=8, layers=1, learning_rate=0.01)), "simple_rnn")
    losses = [epoch.loss for epoch in fit_network(task, silent).history]
    assert losses[-1] < 0.5 * losses[0]


def test_the_evaluation_fit_returns_to_its_best_epoch(tiny_studies):
    """With a learning rate that overshoots, the weights kept are those of the best epoch, not the last."""
    study = tiny_studies["classic"]
    config = replace(study.config, epochs=6, patience=2, layers=1, learning_rate=0.3)
    task = evaluation_task(replace(study, config=config), "simple_rnn")
    result = fit_network(task, silent)
    losses = [epoch.validation_loss for epoch in result.history]
    assert result.best_epoch == 1 + int(np.argmin(losses))
    assert len(losses) == min(config.epochs, result.best_epoch + config.patience) and len(losses) > result.best_epoch
    assert validation_loss(result.evaluation_weights, task) == pytest.approx(min(losses), rel=1e-4)


def validation_loss(weights, task) -> float:
    """Mean squared error of the cell equations on the validation windows."""
    from forecast.networks.cells import forward

    x, y = task.validation[0].arrays()
    return float(np.mean((forward(task.network, task.config.layers, weights, x) - y) ** 2))


def test_the_deployed_fit_trains_on_everything_for_as_many_epochs(tiny_fits):
    for fit in (fit for fits in tiny_fits.values() for fit in fits):
        deployed = [epoch for epoch in fit.history if epoch.fit == "deployed"]
        assert [epoch.epoch for epoch in deployed] == list(range(1, fit.best_epoch + 1))
        assert all(epoch.validation_loss is None for epoch in deployed)
        assert not np.array_equal(fit.deployed_weights[0], fit.evaluation_weights[0])


def test_a_deployed_fit_gives_back_the_chosen_epoch_however_late_it_hears_of_it(tiny_studies):
    (task, *_) = make_tasks(tiny_studies["returns"])
    task = replace(task, config=replace(task.config, epochs=4))
    heard = []
    late = fit_deployed(task, lambda: 2 if len(heard) >= 3 else 0, heard.append)
    at_once = fit_deployed(task, lambda: 2, silent)
    assert (late.n_epochs, late.history, len(heard)) == (2, at_once.history, 3)
    assert_same_bits(late.weights, at_once.weights)


def test_without_sessions_for_it_there_is_no_deployed_fit(alone):
    assert alone[0].deployed_weights == []
    assert {epoch.fit for epoch in alone[1]} == {"evaluation"}


def test_history_is_what_the_listener_heard(alone):
    assert list(alone[0].history) == alone[1]
    assert [epoch.epoch for epoch in alone[1]] == [1, 2]
