"""The script on both sides, and on the side that it is for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs.skirmish import Skirmish
from coterie.envs.skirmish.battle import fight
from coterie.envs.skirmish.deployment import beaten, deployed, script
from coterie.envs.skirmish.forces import forces
from coterie.envs.skirmish.state import rules


def battles(name, games, reaction=0.0, steps=120):
    """Which of some battles of two scripts each side has lost, the least energy, and the end."""
    there = Skirmish(name).battlefield
    constants = forces(there.allies, there.enemies)
    law = rules(constants, there.arena, reaction)
    given = script(constants, there.arena)

    def step(units, _):
        units = fight(law, units, given)
        return units, jnp.sum(jnp.where(constants.heals, units.hit >= 0, False))

    @jax.jit
    @jax.vmap
    def play(key):
        units, heals = jax.lax.scan(step, deployed(law, there, key), length=steps)
        return *beaten(constants, units), units.energy, jnp.sum(heals)

    return map(np.asarray, play(jax.random.split(jax.random.key(7), games)))


@pytest.mark.deep
@pytest.mark.parametrize("name", ["3m", "2s3z", "MMM"])
def test_equal_armies_of_one_script_win_alike(name):
    games = 400
    lost, won, _, _ = battles(name, games)
    decided = lost != won
    assert np.mean(decided) > 0.9
    share = np.mean(won[decided])
    assert abs(share - 0.5) < 3 * 0.5 / np.sqrt(np.sum(decided))


def test_medivacs_heal_on_mmm2():
    lost, won, energy, heals = battles("MMM2", 2, steps=45)
    assert np.all(lost) and not np.any(won), "the larger army wins"
    healers = energy[:, [9, 21]]
    assert np.all(heals > 5) and np.all(healers < 50 + 45 * 0.5 * 0.5625 - 5)


@pytest.mark.deep
def test_a_slow_enemy_is_a_weaker_one():
    """The allies' orders are the same; the enemy alone needs time."""
    won = {}
    for reaction in (0.0, 2.0):
        env = Skirmish("3m", reaction=reaction)

        def step(carry, _, env=env):
            state, view, won = carry
            mask = view.action_mask
            first = jnp.argmax(mask[:, 6:], axis=1) + 6
            able = jnp.any(mask[:, 6:], axis=1)
            action = jnp.where(mask[:, 0], 0, jnp.where(able, first, 1))
            state, timestep = env.step(state, action)
            return (state, timestep.view, won | (timestep.info["won"] > 0)), None

        @jax.jit
        @jax.vmap
        def play(key, env=env, step=step):
            state, view = env.reset(key)
            (_, _, won), _ = jax.lax.scan(step, (state, view, jnp.array(False)), length=60)
            return won

        won[reaction] = float(jnp.mean(play(jax.random.split(jax.random.key(0), 200))))
    assert won[2.0] > won[0.0] + 0.2
