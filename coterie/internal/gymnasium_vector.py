"""Gymnasium's vector environments: how they are made and reset, and one copy of them alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from coterie.errors import EnvError, require
from coterie.internal.imports import load

NEEDED = (
    *("reset", "step", "num_envs", "metadata"),
    *("single_observation_space", "single_action_space"),
)
MODES = ("NEXT_STEP", "SAME_STEP", "DISABLED")
"""Names of `gymnasium.vector.AutoresetMode`: when a copy begins its next episode."""


def make(id: str, num_envs: int, vectorization_mode: str, **options: Any) -> Any:
    """The vector environment of Gymnasium's `id`, made with these options.

    id: as `gymnasium.make_vec` reads it.
    vectorization_mode: `sync`, or `vector_entry_point`.

    Copies of `sync` are reset with seeds of their own, as those of worker processes are.
    """
    import gymnasium

    module, _, name = id.rpartition(":")
    if module:
        load(module)
    if vectorization_mode == "sync":
        # Gymnasium's own checker knows one agent: it warns of rewards that are lists.
        mode = {"vector_kwargs": {"autoreset_mode": "Disabled"}, "disable_env_checker": True}
        return gymnasium.make_vec(name, num_envs, vectorization_mode, **mode, **options)
    return gymnasium.make_vec(name, num_envs, vectorization_mode, **options)


def require_batch(factory: str, env: Any, copies: int) -> None:
    """Raise `EnvError` unless a factory has made a vector environment of so many copies."""
    for name in NEEDED:
        require(
            hasattr(env, name),
            f"{factory} makes a {type(env).__name__} without {name!r}: it must be a "
            "gymnasium.vector.VectorEnv.",
            EnvError,
        )
    mode = env.metadata.get("autoreset_mode")
    require(
        getattr(mode, "name", None) in MODES,
        f"{factory} makes a batch whose metadata has autoreset_mode={mode!r}: set it to a "
        "gymnasium.vector.AutoresetMode, which says when a copy begins its next episode.",
        EnvError,
    )
    require(
        env.num_envs == copies,
        f"{factory} makes {env.num_envs} copies where num_envs={copies}: make as many as asked.",
        EnvError,
    )


def reset(
    env: Any, seeds: Sequence[int] | np.ndarray, options: dict[str, Any] | None = None
) -> Any:
    """Reset a vector environment: observations and infos.

    seeds: one for each copy. A batch that restarts its copies by itself draws on from one stream,
           and is given the first.
    """
    each = env.metadata["autoreset_mode"].name == "DISABLED"
    return env.reset(seed=[int(s) for s in seeds] if each else int(seeds[0]), options=options)


class FirstCopy:
    """The first copy of a vector environment, alone: an environment of Gymnasium's plain kind."""

    def __init__(self, env: Any):
        self.env = env
        self.observation_space = env.single_observation_space
        self.action_space = env.single_action_space
        self.metadata = env.metadata
        self.render_mode = getattr(env, "render_mode", None)

    @property
    def unwrapped(self) -> Any:
        """Batch inside of all wrappers."""
        return getattr(self.env, "unwrapped", self.env)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode from a seed, by resetting the whole batch."""
        seen, info = reset(self.env, [0 if seed is None else seed] * self.env.num_envs, options)
        return self._first(seen), first_infos(info)

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Play an action: the last observation where the episode is over, also if the batch has
        begun the next one."""
        from gymnasium.vector.utils import concatenate, create_empty_array

        actions = concatenate(self.action_space, [action], create_empty_array(self.action_space, 1))
        seen, reward, ended, cut, info = self.env.step(actions)
        seen, told = self._first(seen), first_infos(info)
        last, closing = told.pop("final_obs", seen), told.pop("final_info", told)
        if np.any(ended[0]) or np.any(cut[0]):
            seen, told = last, closing
        return seen, reward[0], ended[0], cut[0], told

    def render(self) -> Any:
        """The first copy's picture."""
        return self.env.render()[0]

    def close(self) -> None:
        """Let the batch go."""
        self.env.close()

    def _first(self, seen: Any) -> Any:
        from gymnasium.vector.utils import iterate

        return next(iter(iterate(self.env.observation_space, seen)))


def first_infos(infos: dict[str, Any]) -> dict[str, Any]:
    """The first copy's infos out of a batch's: arrays by name, with masks `_name` of who has them.

    >>> first_infos({"far": [2, 0], "_far": [True, False], "why": "no array"})
    {'far': 2}
    >>> first_infos({"far": [0, 3], "_far": [False, True]})
    {}
    """
    return {
        name: first_infos(value) if isinstance(value, dict) else value[0]
        for name, value in infos.items()
        if _has_rows(value) and not name.startswith("_") and infos.get(f"_{name}", (True,))[0]
    }


def _has_rows(value: Any) -> bool:
    """True if a value can have a part for each copy."""
    return hasattr(value, "__len__") and not isinstance(value, str) and np.ndim(value) > 0
