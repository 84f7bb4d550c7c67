"""Gymnasium's environments as PettingZoo's: teams of one, or of as many as their Tuples have parts.

Neither JAX nor `coterie.envs` is imported here, for it is workers that make these environments.
"""

from typing import Any

import numpy as np

from coterie.errors import require
from coterie.internal.imports import load


def make(id: str, **options: Any) -> "GymnasiumTeam":
    """The team that plays Gymnasium's environment `id`, made with these options.

    id: as `gymnasium.make` reads it: `CartPole-v1`, or with the module that registers it,
        `rware:rware-tiny-2ag-v2`.
    """
    import gymnasium

    module, _, name = id.rpartition(":")
    if module:
        load(module)
    # Gymnasium's own checker knows one agent: it warns of rewards that are lists.
    return GymnasiumTeam(gymnasium.make(name, disable_env_checker=True, **options))


class GymnasiumTeam:
    """A Gymnasium environment as a `ParallelEnv`.

    Where observations and actions are Tuples of one length, each part belongs to an agent, and so
    does each part of a reward or of a flag that has parts. Any other environment has one agent.
    """

    def __init__(self, env: Any):
        spaces = env.observation_space, env.action_space
        self.env = env
        self.team = are_tuples(*spaces)
        self.possible_agents = [f"agent-{i}" for i in range(len(spaces[0]) if self.team else 1)]
        self.agents: list[str] = []
        self.metadata = env.metadata
        self.render_mode = env.render_mode

    @property
    def unwrapped(self) -> Any:
        """Environment inside of all wrappers."""
        return getattr(self.env, "unwrapped", self.env)

    def observation_space(self, agent: str) -> Any:
        """Space of an agent's observations."""
        return self._parts(self.env.observation_space)[agent]

    def action_space(self, agent: str) -> Any:
        """Space of an agent's actions."""
        return self._parts(self.env.action_space)[agent]

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict, dict]:
        """Begin an episode: observations and infos by agent."""
        seen, info = self.env.reset(seed=seed, options=options)
        self.agents = list(self.possible_agents)
        return self._parts(seen), self._infos(info)

    def step(self, actions: dict[str, Any]) -> tuple[dict, dict, dict, dict, dict]:
        """Play the actions: observations, rewards, two flags and infos by agent.

        The episode is over for all when it is for one: Gymnasium knows no agent that leaves.
        """
        chosen = tuple(actions[agent] for agent in self.possible_agents)
        seen, reward, ended, cut, info = self.env.step(chosen if self.team else chosen[0])
        over, ended = bool(np.any(ended) or np.any(cut)), self._each(ended)
        cut = {agent: over and not ended[agent] for agent in self.possible_agents}
        self.agents = [] if over else self.agents
        return self._parts(seen), self._each(reward), ended, cut, self._infos(info)

    def render(self) -> Any:
        """A picture, in the environment's own `render_mode`."""
        return self.env.render()

    def close(self) -> None:
        """Let the environment go."""
        self.env.close()

    def _parts(self, value: Any) -> dict[str, Any]:
        """Return the agents' parts of what the environment gives."""
        return dict(zip(self.possible_agents, value if self.team else (value,), strict=True))

    def _each(self, value: Any) -> dict[str, Any]:
        """Return the agents' numbers, of which there may be one for all."""
        numbers = np.broadcast_to(np.asarray(value), len(self.possible_agents))
        return {a: number.item() for a, number in zip(self.possible_agents, numbers, strict=True)}

    def _infos(self, info: dict[str, Any]) -> dict[str, Any]:
        return {agent: info for agent in self.possible_agents}


def are_tuples(seen: Any, acted: Any) -> bool:
    """True if both spaces are Tuples, whose parts belong to the agents of a team."""
    from gymnasium.spaces import Tuple

    both = isinstance(seen, Tuple) and isinstance(acted, Tuple)
    if both:
        require(
            len(seen) == len(acted),
            f"observations have {len(seen)} parts and actions {len(acted)}: a team has one of each "
            "for every agent.",
        )
    return both
