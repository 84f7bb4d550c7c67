"""Memory layout of an environment's arrays: sizes from its spaces, and one record per copy.

Unequal agents are padded: observations with zeros, actions with an `action_mask` that is False
beyond an agent's own. Agents stand in the order of `possible_agents`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from coterie.errors import EnvError, require

MASK = "action_mask"


class Layout(NamedTuple):
    """The sizes of an environment, as plain values.

    agents:       as `possible_agents` has them.
    observations: the size of each agent's observation.
    actions:      each agent's number of actions, or the size of one.
    bounds:       the lowest and highest value of each of those numbers; empty if discrete.
    masked:       True if there is an `action_mask`.
    info:         the numbers that every agent reports in its `info`.
    """

    agents: tuple[Any, ...]
    observations: tuple[int, ...]
    actions: tuple[int, ...]
    bounds: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]
    masked: bool
    info: tuple[str, ...]

    @property
    def discrete(self) -> bool:
        """True if actions are integers."""
        return not self.bounds


class Sense(NamedTuple):
    """Encoding of an agent's observation as a vector: its `size`, its `shape` (if it is an array),
    and `encode`, from the environment's observation to that vector."""

    size: int
    shape: tuple[int, ...] | None
    encode: Callable[[Any], np.ndarray]


def measure(env: Any) -> Layout:
    """The layout of `env`; resets it, to see whether it gives masks and numbers in `info`."""
    agents = tuple(env.possible_agents)
    require(bool(agents), f"{env} has no agents: possible_agents is empty.", EnvError)
    senses = [sense(agent, env.observation_space(agent)) for agent in agents]
    actions = [env.action_space(agent) for agent in agents]
    discrete = _all_discrete(agents, actions)
    sizes = tuple(_action_size(agent, space) for agent, space in zip(agents, actions, strict=True))
    bounds = () if discrete else tuple(_bounds(*pair) for pair in zip(agents, actions, strict=True))
    observation, info = _first(env)
    masks = any(mask_of(observation.get(a), info.get(a, {})) is not None for a in agents)
    masked = len(set(sizes)) > 1 or (discrete and masks)
    return Layout(agents, tuple(s.size for s in senses), sizes, bounds, masked, _numbers(info))


def record(layout: Layout) -> np.dtype:
    """Return the record of one copy in shared memory: its inputs and its answers.

    `view` holds the views after the last step, `next` the views to act on next: equal unless an
    agent left or an episode began. `busy` is True, and `step` counts, while the copy computes.
    """
    agents, size, actions = len(layout.agents), max(layout.observations), max(layout.actions)
    view = [("observation", np.float32, (agents, size)), ("present", np.bool_, (agents,))]
    if layout.masked:
        view.append((MASK, np.bool_, (agents, actions)))
    action = (np.int32, (agents,)) if layout.discrete else (np.float32, (agents, actions))
    fields = [
        ("seed", np.uint32),
        ("step", np.int32),
        ("busy", np.bool_),
        ("action", *action),
        ("view", np.dtype(view, align=True)),
        ("next", np.dtype(view, align=True)),
        ("reward", np.float32, (agents,)),
        ("terminated", np.bool_, (agents,)),
        ("truncated", np.bool_, (agents,)),
        ("info", np.float32, (agents, len(layout.info))),
    ]
    return np.dtype(fields, align=True)


def sense(agent: Any, space: Any) -> Sense:
    """Return the encoding of `agent`'s observations: arrays flattened, numbers of a choice one-hot.

    A Dict with an `action_mask` is read as PettingZoo means it: the mask is not perceived.
    """
    from gymnasium import spaces
    from gymnasium.spaces.utils import flatdim, flatten

    if isinstance(space, spaces.Dict) and MASK in space.spaces:
        return _without_mask(agent, space)
    require(
        space.is_np_flattenable,
        f"agent {agent!r} observes {space}, which is not a vector of fixed size: use a Box.",
        EnvError,
    )
    if isinstance(space, spaces.Box):
        return Sense(int(np.prod(space.shape)), space.shape, np.ravel)
    return Sense(flatdim(space), None, lambda value: np.asarray(flatten(space, value)))


def mask_of(observation: Any, info: Any) -> Any:
    """An agent's action mask, from its info or from a Dict observation; `None` if there is none."""
    if MASK in info:
        return info[MASK]
    if isinstance(observation, dict) and MASK in observation:
        return observation[MASK]
    return None


def _without_mask(agent: Any, space: Any) -> Sense:
    rest = {key: part for key, part in space.spaces.items() if key != MASK}
    if len(rest) == 1:
        (key,) = rest
        inner = sense(agent, rest[key])
        return inner._replace(shape=None, encode=lambda value: inner.encode(value[key]))
    inner = sense(agent, type(space)(rest))
    return inner._replace(encode=lambda value: inner.encode({key: value[key] for key in rest}))


def _all_discrete(agents: tuple[Any, ...], actions: list[Any]) -> bool:
    """True if all actions are discrete; a team of both kinds, or of another kind, is refused."""
    from gymnasium import spaces

    kinds = [_kind(*pair, spaces) for pair in zip(agents, actions, strict=True)]
    odd = next((i for i, kind in enumerate(kinds) if kind is not kinds[0]), None)
    require(
        odd is None,
        f"agent {agents[0]!r} acts by {actions[0]} but agent {agents[odd or 0]!r} by "
        f"{actions[odd or 0]}: a team is either all Discrete or all Box.",
        EnvError,
    )
    return kinds[0] is spaces.Discrete


def _kind(agent: Any, space: Any, spaces: Any) -> type:
    if isinstance(space, spaces.Discrete):
        return spaces.Discrete
    usable = isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating)
    require(
        usable,
        f"agent {agent!r} acts by {space}, which is neither Discrete nor a Box of floats: "
        "change it in a factory of your own.",
        EnvError,
    )
    return spaces.Box


def _action_size(agent: Any, space: Any) -> int:
    return int(space.n) if hasattr(space, "n") else int(np.prod(space.shape))


def _bounds(agent: Any, space: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    low, high = space.low.ravel(), space.high.ravel()
    require(
        bool(np.isfinite(low).all() and np.isfinite(high).all()),
        f"agent {agent!r} acts by {space}, which has no bounds: "
        "give the Box a finite low and high (gymnasium's RescaleAction shows how).",
        EnvError,
    )
    return tuple(map(float, low)), tuple(map(float, high))


def _first(env: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    result = env.reset(seed=0)
    require(
        isinstance(result, tuple) and len(result) == 2,
        f"reset of {env} gives {type(result).__name__}, not (observations, infos): "
        "the ParallelEnv interface has two dictionaries.",
        EnvError,
    )
    return result


def _numbers(infos: dict[Any, Any]) -> tuple[str, ...]:
    """The keys under which all agents report one number each."""
    kinds = (bool, int, float, np.bool_, np.integer, np.floating)
    keys = [{k for k, v in info.items() if isinstance(v, kinds)} for info in infos.values()]
    if not keys or any(other != keys[0] for other in keys):
        return ()
    return tuple(sorted(key for key in keys[0] if isinstance(key, str)))
