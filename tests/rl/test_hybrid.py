"""A hybrid's numbers are those of the distribution that it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.rl.distributions import Categorical, Gaussian
from coterie.rl.hybrid import Hybrid

KEY = jax.random.key(0)
OUTPUT = jnp.array([[0.5, -1.0, 2.0], [0.1, 0.3, -0.2]])
MASK = jnp.array([[True, True, False], [True, True, True]])


def parts(output):
    return Categorical.of(output, MASK), Gaussian(output, jnp.full_like(output, -0.5), MASK)


@pytest.mark.parametrize("numbered", [True, False])
def test_every_number_is_that_of_one_of_both(numbered):
    (choice, vector), (other, away) = parts(OUTPUT), parts(OUTPUT + jnp.arange(3.0))
    flag = jnp.full(2, numbered)
    mine, yours = Hybrid(flag, choice, vector), Hybrid(flag, other, away)
    mine_alone, yours_alone = (choice, other) if numbered else (vector, away)
    number = choice.sample(KEY)
    action = np.zeros((2, 3)) if numbered else vector.sample(KEY)
    if numbered:
        action[:, 0] = number
    np.testing.assert_array_equal(mine.sample(KEY), action)
    plain = number if numbered else action
    np.testing.assert_array_equal(mine.log_prob(jnp.asarray(action)), mine_alone.log_prob(plain))
    np.testing.assert_array_equal(mine.encode(jnp.asarray(action)), mine_alone.encode(plain))
    np.testing.assert_array_equal(mine.entropy(), mine_alone.entropy())
    np.testing.assert_array_equal(mine.kl(yours), mine_alone.kl(yours_alone))
    np.testing.assert_array_equal(mine.output_l2(), mine_alone.output_l2())
    gradient = jax.grad(lambda x: jnp.sum(Hybrid(flag, *parts(x)).log_prob(jnp.asarray(action))))
    alone = jax.grad(lambda x: jnp.sum(parts(x)[not numbered].log_prob(plain)))
    np.testing.assert_allclose(gradient(OUTPUT), alone(OUTPUT), rtol=1e-6)
