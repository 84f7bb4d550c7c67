"""Advantages by hand, jitted and not; means over the samples that count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.rl.masked_stats import mean, standardize
from coterie.rl.returns import generalized_advantage, n_step_return

NO, YES = False, True
# reward, value, next value of three steps; discount 1/2 and trace 1/2, so that each later error
# counts a quarter. The errors are r + v'/2 - v, without v' after a termination.
STREAMS = {
    # errors 1 + 1 - 1 = 1,  2 + 2 - 2 = 2,  4 + 4 - 4 = 4
    "runs on": ([NO, NO, NO], [NO, NO, NO], [1 + 2 / 4 + 4 / 16, 2 + 4 / 4, 4]),
    # the second step is the last: its error loses v'/2 = 2, and nothing comes back over the end
    "terminated": ([NO, YES, NO], [NO, YES, NO], [1 + 0 / 4, 0, 4]),
    # cut off: v' still counts, but nothing comes back over the end
    "truncated": ([NO, NO, NO], [NO, YES, NO], [1 + 2 / 4, 2, 4]),
    "terminated last": ([NO, NO, YES], [NO, NO, YES], [1 + 2 / 4 + 0 / 16, 2 + 0 / 4, 0]),
    "truncated last": ([NO, NO, NO], [NO, NO, YES], [1 + 2 / 4 + 4 / 16, 2 + 4 / 4, 4]),
}


def advantage(terminated, ended, discount=0.5, trace=0.5):
    reward, value, next_value = jnp.array([[1.0, 2, 4], [1, 2, 4], [2, 4, 8]])
    return generalized_advantage(
        reward, value, next_value, jnp.array(terminated), jnp.array(ended), discount, trace
    )


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("case", STREAMS)
def test_generalized_advantage(case, jit):
    terminated, ended, expected = STREAMS[case]
    function = jax.jit(advantage, static_argnums=(2, 3)) if jit else advantage
    np.testing.assert_allclose(function(jnp.array(terminated), jnp.array(ended)), expected)


def test_the_trace_goes_from_one_step_to_all_of_them():
    never = [NO, NO, NO]
    np.testing.assert_allclose(advantage(never, never, trace=0.0), [1, 2, 4])
    whole = advantage(never, never, trace=1.0)  # discounted rewards and the last v', less v
    np.testing.assert_allclose(whole[0], 1 + 2 / 2 + 4 / 4 + 8 / 8 - 1)


def test_streams_side_by_side_do_not_mix():
    cases = [STREAMS[name] for name in ("runs on", "terminated", "truncated")]
    reward, value, following = (
        jnp.broadcast_to(jnp.array(x)[:, None], (3, 3))
        for x in ([1.0, 2, 4], [1.0, 2, 4], [2.0, 4, 8])
    )
    terminated, ended = (jnp.array([case[k] for case in cases]).T for k in (0, 1))
    result = generalized_advantage(reward, value, following, terminated, ended, 0.5, 0.5)
    np.testing.assert_allclose(result.T, [case[2] for case in cases])


@pytest.mark.parametrize(
    ("where", "average", "standard"),
    [
        (None, 4.0, [-1.224745, 0.0, 1.224745]),
        ([YES, YES, NO], 3.0, [-1.0, 1.0, 3.0]),
        ([NO, YES, NO], 4.0, [-2e8, 0.0, 2e8]),
        ([NO, NO, NO], 0.0, [2e8, 4e8, 6e8]),
    ],
)
def test_averages(where, average, standard):
    values, where = jnp.array([2.0, 4.0, 6.0]), where if where is None else jnp.array(where)
    for wrap in (jax.jit, lambda function: function):
        assert float(wrap(mean)(values, where)) == average
        np.testing.assert_allclose(wrap(standardize)(values, where), standard, rtol=1e-5)


def test_a_sample_that_does_not_count_may_be_anything():
    values, where = jnp.array([1.0, jnp.nan, 3.0]), jnp.array([True, False, True])
    assert float(mean(values, where)) == 2.0
    np.testing.assert_allclose(standardize(values, where)[::2], [-1.0, 1.0], rtol=1e-6)


CHAIN = np.array([1.0, -2.0, 4.0, 0.5, 3.0, 8.0])
"""Rewards of a chain that is walked from left to right."""


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 6, 9])
def test_targets_of_exact_values_are_exact_whatever_the_number_of_steps(n, jit):
    """On a chain whose third step terminates, and which is recorded up to its fifth."""
    ends = np.array([NO, NO, YES, NO, NO])
    value = np.zeros(7)
    for state in (5, 4, 3):
        value[state] = CHAIN[state] + 0.9 * value[state + 1]
    for state in (2, 1, 0):  # nothing follows the third step
        value[state] = CHAIN[state] + 0.9 * (state < 2) * value[state + 1]
    function = jax.jit(n_step_return, static_argnums=(2, 3)) if jit else n_step_return
    found = function(jnp.array(CHAIN[:5], jnp.float32), jnp.array(ends), 0.9, n)
    goes_on = ~found.at_last(jnp.array(ends))
    target = found.reward + found.discount * goes_on * value[1:][np.asarray(found.last)]
    np.testing.assert_allclose(target, value[:5], rtol=1e-6)
    steps = np.minimum(n, [3, 2, 1, 2, 1])
    np.testing.assert_array_equal(found.last, np.arange(5) + steps - 1)
    np.testing.assert_allclose(found.discount, 0.9**steps, rtol=1e-6)


def test_sums_of_streams_side_by_side_do_not_mix():
    reward, ends = jnp.array([[1.0, 8.0], [2.0, 4.0]]), jnp.array([[NO, YES], [NO, NO]])
    found = n_step_return(reward, ends, 0.5, 2)
    assert found.reward.tolist() == [[2.0, 8.0], [2.0, 4.0]]
    picture = jnp.arange(8.0).reshape(2, 2, 2)
    assert found.at_last(picture).tolist() == [[[4, 5], [2, 3]], [[4, 5], [6, 7]]]
