"""An enemy that plays the trained policies of a run, which learn no more."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, Key, PyTree

from coterie.envs.battle.combat import ACTIONS
from coterie.envs.battle.opponents import Front, Opponent, Random, Script
from coterie.errors import ConfigError, brief, nearest, require
from coterie.policies.metadata import SUFFIX, PolicyMetadata
from coterie.policies.saving import restore_policy
from coterie.policies.team import require_one_team
from coterie.spaces import Discrete
from coterie.types import Observation


@dataclass(frozen=True)
class Frozen(Opponent):
    """The trained policies of a run's first seed, which learn no more: of `n` of them unit `i`
    plays policy `i mod n`."""

    run: str
    units: int

    @property
    def team(self) -> "Trained":
        """The policies."""
        return trained(self.run)

    @property
    def constants(self) -> PyTree:
        which = np.arange(self.units) % self.team.count
        with jax.ensure_compile_time_eval():
            return jax.tree.map(lambda x: x[which], self.team.policies)

    def start(self, constants: PyTree) -> PyTree:
        return jax.vmap(lambda policy: policy.body.start())(constants)

    def act(
        self, constants: PyTree, front: Front, memory: PyTree, key: Key[Array, ""]
    ) -> tuple[Int32[Array, " N"], PyTree]:
        greedy = self.team.about.greedy

        def one(policy: Any, seen: Array, memory: PyTree, key: Key[Array, ""]) -> tuple:
            choices, memory = policy.step(Observation(seen[None]), _batched(memory))
            action = choices.mode() if greedy else choices.sample(key)
            return action[0].astype(jnp.int32), jax.tree.map(lambda x: x[0], memory)

        flat, keys = front.view.reshape(self.units, -1), jax.random.split(key, self.units)
        return jax.vmap(one)(constants, flat, memory, keys)


def _batched(memory: PyTree) -> PyTree:
    return jax.tree.map(lambda x: x[None], memory)


class Trained(NamedTuple):
    """Policies of the agents of a run's first seed, and what their files say.

    policies: stacked, `[n, ...]`.
    about:    the metadata of the first.
    """

    policies: PyTree
    about: PolicyMetadata
    count: int


def opponent_of(name: str, units: int, shape: tuple[int, int, int]) -> Opponent:
    """The enemy of a name: `script`, `random`, or a run's folder.

    Raises `ConfigError` for a name that is none of them, and for policies of another game.
    """
    known: dict[str, Opponent] = {"script": Script(), "random": Random()}
    if name in known:
        return known[name]
    hint = nearest(name, known) or "it is script, random, or the folder of a run of battle."
    require(Path(name).is_dir(), f"unknown opponent {brief(repr(name))}: {hint}")
    about = trained(name).about
    sees = about.shape or (about.observation,)
    require(
        sees == shape and about.action == Discrete(ACTIONS),
        f"the policies of {name} see {list(sees)} and have {about.action.size} actions, as "
        f"{about.env} has them, but units of this battle see {list(shape)} and have {ACTIONS}: "
        "name a run of battle that had the same --minimap and --last-action.",
    )
    return Frozen(name, units)


def trained(run: str) -> Trained:
    """The policies of a run's first seed; a `RunError` if they are missing or damaged."""
    folders = sorted(Path(run).glob("seed-*/policies"))
    files = [file for folder in folders[:1] for file in folder.glob(f"[!.]*{SUFFIX}")]
    require(bool(files), f"{run} holds no policies: name the folder of a trained run.", ConfigError)
    return _restored(tuple(sorted((file, file.stat().st_mtime_ns) for file in files)))


@lru_cache(maxsize=4)
def _restored(files: tuple[tuple[Path, int], ...]) -> Trained:
    with jax.ensure_compile_time_eval():
        found = sorted((restore_policy(file) for file, _ in files), key=lambda one: one[1].agent)
        policies = jax.tree.map(lambda *each: jnp.stack(each), *(policy for policy, _ in found))
    require_one_team([about for _, about in found], files[0][0].parent)
    return Trained(policies, found[0][1], len(found))
