import numpy as np
import pytest

from forecast.explain.memory import gradient_norms, half_life, measure_memory
from forecast.explain.memory_task import LAG, fit_memory_task, make_memory_task


def make_simple_rnn(recurrent, input_weight=1.0):
    """A network of one unit that feels the past by a factor of `recurrent` a session, at rest."""
    return [np.array([[input_weight]]), np.array([[recurrent]]), np.zeros(1), np.ones((1, 1)), np.zeros(1)]


def make_lstm(forget):
    """A network of one unit whose forget gate is constant and whose output gate stands half open."""
    bias = np.array([0.0, np.log(forget / (1 - forget)), 0.0, 0.0])
    kernel = np.array([[0.0, 0.0, 1.0, 0.0]])
    return [kernel, np.zeros((1, 4)), bias, np.ones((1, 1)), np.zeros(1)]


@pytest.mark.parametrize("factor", [0.5, 0.8, 0.97])
def test_half_life_of_a_constant_loss_is_the_closed_form(factor):
    assert half_life(factor ** np.arange(60)) == pytest.approx(np.log(2) / -np.log(factor), rel=1e-9)


def test_half_life_counts_from_the_peak_and_to_the_last_time_it_is_passed():
    assert half_life(np.array([1.0, 8.0, 2.0, 4.0, 2.0, 1.0])) == pytest.approx(2.0)


def test_a_memory_that_never_halves_has_no_half_life():
    assert half_life(np.linspace(1.0, 0.6, 40)) is None
    assert half_life(np.zeros(5)) is None


def test_a_memory_that_is_cut_off_ends_at_its_last_lag():
    assert half_life(np.array([1.0, 1.0, 0.0, 0.0])) == 1.0


def test_lags_count_backwards_from_the_last_session():
    norms = gradient_norms("simple_rnn", 1, make_simple_rnn(0.5, 3.0), np.zeros((8, 1)))
    np.testing.assert_allclose(norms, 3.0 * 0.5 ** np.arange(8), rtol=1e-12)


def test_the_forget_gate_and_the_horizon_it_implies_are_those_of_the_lstm():
    memory = measure_memory("lstm", 1, [make_lstm(0.95)], np.zeros((2, 50, 1)))
    assert memory.keeping == pytest.approx(0.95)
    assert memory.kept_for == pytest.approx(20.0)
    assert memory.half_life == pytest.approx(np.log(2) / -np.log(0.95), rel=1e-6)
    assert memory.left_at(40) == pytest.approx(0.95**40)


def test_a_simple_rnn_has_no_gate_to_report():
    memory = measure_memory("simple_rnn", 1, [make_simple_rnn(0.5)], np.zeros((1, 5, 1)))
    assert (memory.keeping, memory.kept_for, memory.attention) == (None, None, None)


def test_memory_is_the_mean_over_seeds_and_windows():
    windows = np.random.default_rng(1).normal(size=(3, 12, 1))
    seeds = [make_simple_rnn(0.5), make_simple_rnn(0.9)]
    each = [gradient_norms("simple_rnn", 1, weights, window) for weights in seeds for window in windows]
    np.testing.assert_allclose(measure_memory("simple_rnn", 1, seeds, windows).norms, np.mean(each, axis=0))


def test_the_memory_task_hides_its_answer_in_the_first_step_alone():
    x, y = make_memory_task(4000, seed=3)
    correlations = [np.corrcoef(x[:, t, 0], y)[0, 1] for t in (0, 1, LAG)]
    assert correlations[0] == pytest.approx(1.0)
    assert np.abs(correlations[1:]).max() < 0.06  # four standard errors
    assert np.mean(y**2) == pytest.approx(1.0, abs=0.1)


def test_over_40_steps_the_simple_rnn_forgets_and_the_lstm_remembers():
    pytest.importorskip("keras")
    rnn, lstm = (fit_memory_task(network, seed=1) for network in ("simple_rnn", "lstm"))
    memory = {fit.network: measure_memory(fit.network, 1, [fit.weights], fit.windows) for fit in (rnn, lstm)}
    assert memory["simple_rnn"].left_at(LAG) < 1e-4
    assert memory["lstm"].left_at(LAG) > 0.5
    assert memory["simple_rnn"].half_life < 5.0
    assert lstm.error < 0.05 < 0.8 < rnn.error
