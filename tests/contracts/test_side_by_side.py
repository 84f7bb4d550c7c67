"""Values of a hyper-parameter are tried side by side, in one program, as users would map them.

In a process without the tests' type checks, which ask for numbers where users may give arrays.
"""

import pytest

from coterie.catalogue import ALGORITHMS
from tests.runs import python

CODE = """
import dataclasses, sys
import jax, jax.numpy as jnp
from coterie.catalogue import ALGORITHMS
from coterie.network import lift
from tests.support import SMALL, assert_same, taught, touched, with_options

for name in sys.argv[1:]:
    algorithm = with_options(ALGORITHMS[name], **SMALL)
    lesson, learn, _ = taught(algorithm)
    rates = [n for n in ("actor_lr", "critic_lr", "lr", "max_kl") if hasattr(algorithm, n)]
    usual = getattr(algorithm, rates[0])

    def learned(value):
        return lift(dataclasses.replace(algorithm, **{rates[0]: value}).learn)(*lesson)[0]

    both = jax.jit(jax.vmap(learned))(jnp.array([usual, 0.5 * usual], jnp.float32))
    one, other = (jax.tree.map(lambda x, i=i: x[i], both) for i in (0, 1))
    assert_same(one, learn(*lesson)[0], 1e-3)
    assert touched(one, other) == {0, 1, 2, 3}, name
    print(name)
"""
FEW = ("ippo", "networked-ac", "iql")
# A step size is mapped over by the code of a class: one of its names stands for those that differ
# in numbers, or in what critics see. (The roots of `dpo-code` ask most of the precision.)
KIN = {
    *("dpo-no-kl", "ippo-kl", "mappo", "ctrpo", "central-ac"),
    *("f2a2-td3", "f2a2-isac", "coma", "central-actor-critic", "central-q"),
}
REST = [name for name in ALGORITHMS if name not in {*FEW, *KIN}]


def test_step_sizes_of_a_few_methods_are_mapped_over():
    assert python(CODE, *FEW).split() == [*FEW]


@pytest.mark.deep
@pytest.mark.parametrize("name", REST)
def test_step_sizes_are_mapped_over(name):
    assert python(CODE, name).split() == [name]
