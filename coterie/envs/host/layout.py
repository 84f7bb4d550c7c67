"""Memory layout of an environment's arrays: sizes from its spaces, and one record per copy.

Unequal agents are padded: observations with zeros, actions with an `action_mask` that is False
beyond an agent's own. Agents stand in the order of `possible_agents`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from coterie.encoding import MASK, ActionEncoding, Bytes, Encoding, Fields, Numbers
from coterie.envs.host.encodings import acted_by, observed
from coterie.errors import EnvError, require

RESULTS = ("observations", "rewards", "terminations", "truncations", "infos")
NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating)


class Layout(NamedTuple):
    """The sizes of an environment, as plain values.

    agents:      the names of `possible_agents`, in their order.
    seen, acted: the encoding of each agent's observations, and of its actions.
    masked:      True if there is an `action_mask`.
    info:        the numbers that every agent reports in its `info`, at the reset or after the
                 first step.
    """

    agents: tuple[str, ...]
    seen: tuple[Encoding, ...]
    acted: tuple[ActionEncoding, ...]
    masked: bool
    info: tuple[str, ...]

    @property
    def observations(self) -> tuple[int, ...]:
        """The size of each agent's observation."""
        return tuple(encoding.size for encoding in self.seen)

    @property
    def image(self) -> tuple[int, ...]:
        """The shape `(height, width, channels)` of what every agent sees; empty if they see
        vectors, or images of several shapes."""
        shapes = {_image(encoding) for encoding in self.seen}
        return shapes.pop() if len(shapes) == 1 else ()

    @property
    def actions(self) -> tuple[int, ...]:
        """Each agent's number of actions, or the size of one."""
        return tuple(encoding.actions for encoding in self.acted)

    @property
    def discrete(self) -> bool:
        """True if all actions are integers; otherwise an action is a vector, which begins with the
        integer where an agent has one."""
        return not any(isinstance(encoding, Numbers) for encoding in self.acted)


def measure(env: Any) -> Layout:
    """The layout of `env`; resets it and plays a step, to see whether it gives masks and numbers in
    `info`."""
    agents = tuple(env.possible_agents)
    require(bool(agents), f"{env} has no agents: possible_agents is empty.", EnvError)
    seen = tuple(observed(agent, env.observation_space(agent)) for agent in agents)
    acted = {agent: acted_by(agent, env.action_space(agent)) for agent in agents}
    given = _first(env, acted)
    choosing = [agent for agent, coding in acted.items() if not isinstance(coding, Numbers)]
    told = (mask_of(seen.get(a), info.get(a, {})) for seen, info in given for a in choosing)
    masks = any(mask is not None for mask in told)
    masked = masks or len({coding.actions for coding in acted.values()}) > 1
    info = sorted(set().union(*(_numbers(info) for _, info in given)))
    return Layout(tuple(map(str, agents)), seen, tuple(acted.values()), masked, tuple(info))


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


def mask_of(observation: Any, info: Any) -> Any:
    """An agent's action mask, from its info or from a Dict observation; `None` if there is none."""
    if MASK in info:
        return info[MASK]
    if isinstance(observation, dict) and MASK in observation:
        return observation[MASK]
    return None


def number_in(infos: Any, agent: Any, key: str) -> float:
    """An agent's number of that name; NaN where there is none, or something else.

    >>> number_in({"a": {"far": 2, "note": "text"}}, "a", "far"), number_in({}, "a", "far")
    (2.0, nan)
    """
    value = infos.get(agent, {}).get(key)
    return float(value) if isinstance(value, NUMBERS) else np.nan


def _first(
    env: Any, acted: dict[Any, ActionEncoding]
) -> list[tuple[dict[Any, Any], dict[Any, Any]]]:
    """The observations and infos of a reset, and of the step after it."""
    first = env.reset(seed=0)
    _require_dictionaries(f"reset of {env}", first, ("observations", "infos"))
    masks = {a: mask_of(first[0].get(a), first[1].get(a, {})) for a in env.agents}
    if not masks:
        return [first]
    result = env.step({agent: _any_action(acted[agent], mask) for agent, mask in masks.items()})
    _require_dictionaries(f"step of {env}", result, RESULTS)
    return [first, (result[0], result[4])]


def _any_action(coding: ActionEncoding, mask: Any) -> Any:
    """An action that the mask allows: the first one, or the middle of a Box."""
    if isinstance(coding, Numbers):
        return coding.decode((np.array(coding.low) + coding.high) / 2)
    return coding.decode(0 if mask is None else int(np.argmax(coding.mask(mask))))


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


def _image(encoding: Encoding) -> tuple[int, ...]:
    """Shape of the image that is observed, or nothing."""
    match encoding:
        case Fields(parts=(only,)):
            return _image(only)
        case Numbers(shape) | Bytes(shape) if len(shape) == 3:
            return tuple(map(int, shape))
    return ()
