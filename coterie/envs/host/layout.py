"""Memory layout of an environment's arrays: sizes from its spaces, and one record per copy.

Unequal agents are padded: observations with zeros, actions with an `action_mask` that is False
beyond an agent's own. Agents stand in the order of `possible_agents`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from coterie.envs.host.actions import any_action, bounds, count
from coterie.errors import EnvError, require

MASK = "action_mask"
RESULTS = ("observations", "rewards", "terminations", "truncations", "infos")
NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating)


class Layout(NamedTuple):
    """The sizes of an environment, as plain values.

    agents:       the names of `possible_agents`, in their order.
    observations: the size of each agent's observation.
    image:        the shape `(height, width, channels)` of what every agent sees; empty if they see
                  vectors, or images of several shapes.
    actions:      each agent's number of actions, or the size of one.
    bounds:       the lowest and highest value of each of those numbers; empty where they are
                  numbered.
    masked:       True if there is an `action_mask`.
    info:         the numbers that every agent reports in its `info`, at the reset or after the
                  first step.
    """

    agents: tuple[str, ...]
    observations: tuple[int, ...]
    image: tuple[int, ...]
    actions: tuple[int, ...]
    bounds: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]
    masked: bool
    info: tuple[str, ...]

    @property
    def discrete(self) -> bool:
        """True if all actions are integers; otherwise an action is a vector, which begins with the
        integer where an agent has one."""
        return not any(low for low, _ in self.bounds)

    def numbered(self, agent: int) -> bool:
        """True if this agent's actions are integers."""
        return not self.bounds[agent][0]


class Sense(NamedTuple):
    """Encoding of an agent's observation as a vector: its `size`, its `shape` (if it is an array),
    `encode`, from the environment's observation to that vector, and the shape of that one array
    which it `shows`, if it is one."""

    size: int
    shape: tuple[int, ...] | None
    encode: Callable[[Any], np.ndarray]
    shows: tuple[int, ...] = ()


def measure(env: Any) -> Layout:
    """The layout of `env`; resets it and plays a step, to see whether it gives masks and numbers in
    `info`."""
    agents = tuple(env.possible_agents)
    require(bool(agents), f"{env} has no agents: possible_agents is empty.", EnvError)
    senses = [sense(agent, env.observation_space(agent)) for agent in agents]
    actions = {agent: env.action_space(agent) for agent in agents}
    ends = tuple(bounds(*pair) for pair in actions.items())
    sizes = tuple(count(*pair) for pair in actions.items())
    given = _first(env, actions)
    choosing = [agent for agent, (low, _) in zip(agents, ends, strict=True) if not low]
    told = (mask_of(seen.get(a), info.get(a, {})) for seen, info in given for a in choosing)
    masks = any(mask is not None for mask in told)
    masked = len(set(sizes)) > 1 or masks
    info = sorted(set().union(*(_numbers(info) for _, info in given)))
    names, seen = tuple(map(str, agents)), tuple(s.size for s in senses)
    return Layout(names, seen, _image(senses), sizes, ends, masked, tuple(info))


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
    """Return the encoding of `agent`'s observations: arrays flattened, numbers of a choice one-hot,
    bytes from 0 to 255 as numbers from 0 to 1.

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
        encode = _brightness if is_bytes(space) else np.ravel
        return Sense(int(np.prod(space.shape)), space.shape, encode, space.shape)
    return Sense(flatdim(space), None, lambda value: np.asarray(flatten(space, value)))


def is_bytes(space: Any) -> bool:
    """True for arrays of bytes from 0 to 255, such as images."""
    whole = getattr(space, "dtype", None) == np.uint8 and hasattr(space, "high")
    return whole and space.high.size > 0 and int(space.high.max()) == 255


def _brightness(value: Any) -> np.ndarray:
    """Bytes as numbers from 0 to 1."""
    return np.ravel(value).astype(np.float32) / 255.0


def _image(senses: list[Sense]) -> tuple[int, ...]:
    """Shape of the images that all agents see, or nothing."""
    shapes = {sense.shows for sense in senses}
    (shape,) = shapes if len(shapes) == 1 else ((),)
    return tuple(map(int, shape)) if len(shape) == 3 else ()


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


def number_in(infos: Any, agent: Any, key: str) -> float:
    """An agent's number of that name; NaN where there is none, or something else.

    >>> number_in({"a": {"far": 2, "note": "text"}}, "a", "far"), number_in({}, "a", "far")
    (2.0, nan)
    """
    value = infos.get(agent, {}).get(key)
    return float(value) if isinstance(value, NUMBERS) else np.nan


def _first(env: Any, spaces: dict[Any, Any]) -> list[tuple[dict[Any, Any], dict[Any, Any]]]:
    """The observations and infos of a reset, and of the step after it."""
    first = env.reset(seed=0)
    _require_dictionaries(f"reset of {env}", first, ("observations", "infos"))
    masks = {a: mask_of(first[0].get(a), first[1].get(a, {})) for a in env.agents}
    if not masks:
        return [first]
    result = env.step({agent: any_action(spaces[agent], mask) for agent, mask in masks.items()})
    _require_dictionaries(f"step of {env}", result, RESULTS)
    return [first, (result[0], result[4])]


def _require_dictionaries(what: str, given: Any, names: tuple[str, ...]) -> None:
    """Raise `EnvError` unless a method gave as many dictionaries as the interface has."""
    several = isinstance(given, tuple)
    require(
        several and len(given) == len(names),
        f"{what} gives {f'{len(given)} values' if several else type(given).__name__}, not "
        f"({', '.join(names)}): these are the dictionaries of the ParallelEnv interface.",
        EnvError,
    )
    for name, value in zip(names, given, strict=True):
        require(
            isinstance(value, Mapping),
            f"{what} gives {name} as {type(value).__name__}, not as a dictionary by agents.",
            EnvError,
        )


def _numbers(infos: dict[Any, Any]) -> set[str]:
    """The keys under which all agents report one number each."""
    keys = [
        {k for k, v in info.items() if isinstance(k, str) and isinstance(v, NUMBERS)}
        for info in infos.values()
    ]
    return set.intersection(*keys) if keys else set()
