import numpy as np
import pytest
from scipy import stats

from forecast.networks import heads
from forecast.networks.heads import (
    DF_AT_ZERO,
    DF_FLOOR,
    SCALE_AT_ZERO,
    n_outputs,
    points_from_outputs,
    student_t_from_outputs,
    student_t_loss,
)

HORIZON = 3


@pytest.fixture(scope="module")
def keras():
    from forecast.networks.backend import import_keras

    return import_keras()


@pytest.fixture
def outputs():
    return np.random.default_rng(5).normal(0, 1, (40, 3 * HORIZON)).astype("float32")


def test_an_answer_of_zero_is_the_naive_forecast_with_the_recent_volatility():
    unit = np.array([[0.02, 0.03, 0.04]])
    forecast = student_t_from_outputs(np.zeros((1, 3 * HORIZON)), unit)
    assert (forecast.location == 0.0).all()
    np.testing.assert_allclose(forecast.standard_deviation(), unit)
    np.testing.assert_allclose(forecast.df, 6.0, atol=0.01)


def test_a_larger_answer_means_a_higher_median_a_wider_range_and_thinner_tails():
    zero, one = (student_t_from_outputs(np.full((1, 3), value), np.array([[0.02]])) for value in (0.0, 1.0))
    assert one.location > zero.location and one.scale > zero.scale and one.df > zero.df


def test_a_student_t_has_a_variance_whatever_the_network_answers():
    forecast = student_t_from_outputs(np.full((1, 3), -50.0), np.array([[0.02]]))
    assert forecast.df > 2.0 and np.isfinite(forecast.standard_deviation())


def test_the_loss_is_the_negative_log_likelihood_of_scipy_each_step_weighing_less(keras, outputs):
    y = np.random.default_rng(6).standard_t(4, (40, HORIZON)).astype("float32")
    forecast = student_t_from_outputs(outputs, np.ones((40, HORIZON)))
    losses = -stats.t.logpdf(y, forecast.df, forecast.location, forecast.scale)
    expected = np.average(losses, axis=1, weights=[1, 1 / 2, 1 / 3]).mean()
    assert np.mean(student_t_loss(y, outputs)) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_the_log_of_the_gamma_function_is_that_of_scipy(keras):
    from scipy.special import gammaln

    x = np.linspace(DF_FLOOR / 2, 500, 5000)
    np.testing.assert_allclose(np.asarray(heads._log_gamma(x)), gammaln(x), rtol=1e-6, atol=1e-6)


def test_the_loss_has_the_gradient_that_small_steps_measure(keras, outputs):
    import tensorflow as tf

    y = tf.constant(np.random.default_rng(7).standard_t(4, (40, HORIZON)))
    at = tf.Variable(outputs.astype("float64"))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(student_t_loss(y, at))
    gradient = tape.gradient(loss, at).numpy()
    for row, column in ((0, 0), (1, HORIZON), (2, 2 * HORIZON), (3, 3 * HORIZON - 1)):
        step = np.zeros_like(gradient)
        step[row, column] = 1e-5
        slope = np.mean(student_t_loss(y, at + step) - student_t_loss(y, at - step)) / 2e-5
        assert slope == pytest.approx(gradient[row, column], rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("answer", [-20.0, 0.0, 20.0])
@pytest.mark.parametrize("y", [0.0, 1e-8, -50.0])
def test_the_gradient_is_finite_far_from_everything_likely(keras, answer, y):
    import tensorflow as tf

    at = tf.Variable(np.full((1, 3), answer, "float32"))
    with tf.GradientTape() as tape:
        loss = student_t_loss(tf.constant([[y]], "float32"), at)
    assert np.isfinite(loss) and np.isfinite(tape.gradient(loss, at)).all()


def test_a_scaled_close_becomes_the_log_return_from_the_last_close():
    outputs = np.array([[0.5, 1.0]])                  # closes 60 and 70 with center 50 and spread 20
    forecast = points_from_outputs(outputs, last_close=np.array([60.0]), center=50.0, spread=20.0)
    np.testing.assert_allclose(forecast.location, [[0.0, np.log(70 / 60)]])
    assert forecast.is_point and np.isnan(forecast.df).all()


def test_a_close_below_zero_is_a_loss_of_nearly_everything():
    forecast = points_from_outputs(np.array([[-9.0]]), np.array([60.0]), center=50.0, spread=20.0)
    np.testing.assert_allclose(np.exp(forecast.location), 1e-8)


def test_a_distribution_needs_three_numbers_a_step_and_a_point_one():
    assert (n_outputs(True, HORIZON), n_outputs(False, HORIZON)) == (9, 3)


def test_the_scale_at_zero_gives_a_standard_deviation_of_one():
    assert stats.t.std(DF_AT_ZERO, scale=SCALE_AT_ZERO) == pytest.approx(1.0)
