"""Random actions in a `ParallelEnv`, of those that its masks allow."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from coterie.encoding import ActionEncoding, Numbers
from coterie.envs.host.encodings import acted_by
from coterie.envs.host.layout import mask_of


def masks_in(env: Any, raw: Any, infos: Any) -> dict[Any, np.ndarray]:
    """The actions that are possible, by agent, as far as the environment tells them."""
    masks = {agent: mask_of(raw.get(agent), infos.get(agent, {})) for agent in env.possible_agents}
    return {
        agent: _possible(acted_by(agent, env.action_space(agent)), mask)
        for agent, mask in masks.items()
        if mask is not None
    }


def random_actions(
    env: Any, agents: Iterable[Any], masks: Mapping[Any, np.ndarray], random: np.random.Generator
) -> dict[Any, Any]:
    """An action for each of some agents; not `space.sample()`, whose generator may be the
    environment's own."""
    return {
        agent: _action(acted_by(agent, env.action_space(agent)), masks.get(agent), random)
        for agent in agents
    }


def _possible(coding: ActionEncoding, mask: Any) -> np.ndarray:
    return np.array(mask) if isinstance(coding, Numbers) else coding.mask(mask)


def _action(coding: ActionEncoding, mask: np.ndarray | None, random: np.random.Generator) -> Any:
    if isinstance(coding, Numbers):
        return coding.decode(random.uniform(coding.low, coding.high))
    possible = np.arange(coding.actions) if mask is None else np.flatnonzero(mask)
    return coding.decode(int(random.choice(possible)) if len(possible) else 0)
