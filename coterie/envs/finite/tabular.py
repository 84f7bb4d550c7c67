"""Finite games that are written out as tables."""

import abc
import functools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from coterie.envs.finite.game import FiniteGame
from coterie.envs.finite.tables import Tables
from coterie.errors import EnvError, require


@dataclass(frozen=True)
class TabularGame(FiniteGame):
    """An environment of your own: derive a frozen dataclass from this one and give it `tables`.

    Its options are its fields, so that a run can be repeated from what is written of it; the
    arrays are made from them, or read from a file, once for all equal environments. They are
    checked then.
    A state that nobody leaves and that pays nothing is an end: an episode is over on arrival.

    >>> @dataclass(frozen=True)
    ... class Coin(TabularGame):
    ...     bias: float = 0.5
    ...     def tables(self):
    ...         heads = np.array([[[1 - self.bias, self.bias]]] * 2)
    ...         return Tables(heads, np.float32([[[0.0]], [[1.0]]]), (1,), np.float32([1, 0]))
    >>> Coin(bias=0.3).specs[0].states
    2
    """

    @abc.abstractmethod
    def tables(self) -> Tables:
        """Tables of the whole environment."""

    @property
    def table(self) -> Tables:
        """Tables of the environment, checked and cached; an `EnvError` names their fault."""
        return _checked(self)

    @property
    def states(self) -> int:
        return self.table.states

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.table.actions

    @property
    def start(self) -> Float[np.ndarray, " M"]:
        return self.table.start

    @property
    def final(self) -> Bool[np.ndarray, " M"]:
        return _facts(self)[0]

    @property
    def shared(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return _facts(self)[1]

    @property
    def on_demand(self) -> bool:
        return False

    def row(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " M"]:
        return jnp.asarray(self.table.transition, jnp.float32)[state, joint]

    def pay(self, state: Int[Array, ""], joint: Int[Array, ""]) -> Float[Array, " N"]:
        return jnp.asarray(self.table.reward, jnp.float32)[state, joint]

    def rows(
        self, states: Int[np.ndarray, " K"], joints: Int[np.ndarray, " K"]
    ) -> Float[np.ndarray, "K M"]:
        return self.table.transition[states, joints].astype(np.float32)

    def pays(
        self, states: Int[np.ndarray, " K"], joints: Int[np.ndarray, " K"]
    ) -> Float[np.ndarray, "K C"]:
        return self.table.reward[states, joints, : self.columns].astype(np.float32)


@functools.lru_cache(maxsize=4)
def _checked(env: TabularGame) -> Tables:
    tables = env.tables().checked()
    count = tables.transition.size
    require(
        count < 2**31,
        f"{count:,} probabilities are more than can be played from (2^31): write the environment "
        "as a FiniteGame, with `row` and `pay`.",
        EnvError,
    )
    return tables


@functools.lru_cache(maxsize=64)
def _facts(env: TabularGame) -> tuple[Bool[np.ndarray, " M"], bool]:
    """Return a mask of the final states, and True if every agent is always paid the same."""
    transition, reward = env.table.transition, env.table.reward
    stays = np.all(np.diagonal(transition, axis1=0, axis2=2) == 1.0, axis=0)
    unpaid = ~np.any(reward, axis=(1, 2))
    return stays & unpaid, bool(np.all(reward == reward[..., :1]))
