"""Small battles that are set up by hand, for the tests beside."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from coterie.envs.skirmish import Skirmish
from coterie.envs.skirmish.skirmish import Battle

STOP, NORTH, SOUTH, EAST, WEST, FIRST = 1, 2, 3, 4, 5, 6


@functools.lru_cache(maxsize=32)
def stepped(env):
    """The compiled step of an environment."""
    return jax.jit(env.step)


def placed(env, places, **changed):
    """A battle with units at their places, allies first; `changed` replaces their numbers."""
    state, _ = env.reset(jax.random.key(0))
    x, y = np.array(places, np.float32).T
    units = state.units._replace(x=jnp.asarray(x), y=jnp.asarray(y))
    numbers = {name: jnp.asarray(value, jnp.float32) for name, value in changed.items()}
    return Battle(units._replace(**numbers), state.last, state.clock)


def after(env, state, *actions):
    """The units, and the last time step, after joint actions."""
    timestep = None
    for action in actions:
        state, timestep = stepped(env)(state, jnp.array(action))
    return state.units, timestep


def duel(ally, enemy, **options):
    """One unit against another."""
    return Skirmish(allies=(f"{ally}=1",), enemies=(f"{enemy}=1",), **options)
