"""Memory layout of an environment's arrays: sizes from its spaces, and one record per copy.

Unequal agents are padded: observations with zeros, actions with an `action_mask` that is False
beyond an agent's own. Agents stand in the order of `possible_agents`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from coterie.encoding import (
    MASK,
    Choice,
    Choices,
    Either,
    Encoding,
    Fields,
    Letters,
    Numbers,
    Row,
)
from coterie.errors import EnvError, require


class Layout(NamedTuple):
    """The sizes of an environment, as plain values.

    agents:       as `possible_agents` has them.
    observations: the size of each agent's observation.
    actions:      each agent's number of actions, or the size of one.
    bounds:       the lowest and highest value of each of those numbers; empty if discrete.
    masked:       True if there is an `action_mask`.
    info:         the numbers that every agent reports in its `info`.
    seen, acted:  the encoding of each agent's observations, and of its actions.
    """

    agents: tuple[Any, ...]
    observations: tuple[int, ...]
    actions: tuple[int, ...]
    bounds: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]
    masked: bool
    info: tuple[str, ...]
    seen: tuple[Encoding, ...]
    acted: tuple[Encoding, ...]

    @property
    def discrete(self) -> bool:
        """True if actions are integers."""
        return not self.bounds


def measure(env: Any) -> Layout:
    """The layout of `env`; resets it, to see whether it gives masks and numbers in `info`."""
    agents = tuple(env.possible_agents)
    require(bool(agents), f"{env} has no agents: possible_agents is empty.", EnvError)
    seen = tuple(observed(agent, env.observation_space(agent)) for agent in agents)
    actions = [env.action_space(agent) for agent in agents]
    discrete = _all_discrete(agents, actions)
    sizes = tuple(_action_size(agent, space) for agent, space in zip(agents, actions, strict=True))
    bounds = () if discrete else tuple(_bounds(*pair) for pair in zip(agents, actions, strict=True))
    observation, info = _first(env)
    masks = any(mask_of(observation.get(a), info.get(a, {})) is not None for a in agents)
    masked = len(set(sizes)) > 1 or (discrete and masks)
    ends = bounds or [()] * len(agents)
    acted = tuple(encoding_of(*pair) for pair in zip(actions, ends, strict=True))
    observations = tuple(encoding.size for encoding in seen)
    return Layout(agents, observations, sizes, bounds, masked, _numbers(info), seen, acted)


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


def observed(agent: Any, space: Any) -> Encoding:
    """Return the encoding of `agent`'s observations: arrays flattened, numbers of a choice one-hot.

    A Dict with an `action_mask` is read as PettingZoo means it: the mask is not perceived.
    """
    require(
        space.is_np_flattenable,
        f"agent {agent!r} observes {space}, which is not a vector of fixed size: use a Box.",
        EnvError,
    )
    encoding = encoding_of(space)
    if isinstance(encoding, Fields) and MASK in encoding.keys:
        parts = {k: p for k, p in zip(encoding.keys, encoding.parts, strict=True) if k != MASK}
        return Fields(tuple(parts), tuple(parts.values()))
    return encoding


def encoding_of(space: Any, bounds: Sequence[Any] = ()) -> Encoding:
    """Return the encoding of one of Gymnasium's spaces; with the `bounds` of actions."""
    from gymnasium import spaces

    match space:
        case spaces.Box():
            return Numbers(space.shape, space.dtype.name, *bounds)
        case spaces.MultiBinary():
            return Numbers(space.shape, space.dtype.name)
        case spaces.Discrete():
            return Choice(int(space.n), int(space.start))
        case spaces.MultiDiscrete():
            counts, starts = space.nvec.ravel().tolist(), space.start.ravel().tolist()
            return Choices(space.nvec.shape, tuple(counts), tuple(starts), space.dtype.name)
        case spaces.Text():
            return Letters(space.max_length, "".join(space.character_list))
        case spaces.Dict():
            return Fields(tuple(space.spaces), tuple(map(encoding_of, space.spaces.values())))
        case spaces.Tuple():
            return Row(tuple(map(encoding_of, space.spaces)))
        case spaces.OneOf():
            return Either(tuple(map(encoding_of, space.spaces)))
    raise EnvError(f"{space} is no space that Coterie knows: use a Box.")


def mask_of(observation: Any, info: Any) -> Any:
    """An agent's action mask, from its info or from a Dict observation; `None` if there is none."""
    if MASK in info:
        return info[MASK]
    if isinstance(observation, dict) and MASK in observation:
        return observation[MASK]
    return None


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
