"""A team of trained policies, for an environment with dictionaries of agents."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coterie.encoding import MASK
from coterie.errors import EnvError, RunError, require
from coterie.policies.loading import load_policy
from coterie.policies.metadata import SUFFIX, PolicyMetadata
from coterie.policies.trained import TrainedPolicy


class Team(Mapping[str, TrainedPolicy]):
    """The policies of a team by their agents' names.

    Call it with what a parallel environment of PettingZoo gives, and it answers with what that
    environment takes; each policy is shown its own agent's part alone.
    """

    def __init__(self, policies: Mapping[str, TrainedPolicy]):
        self._policies = dict(policies)

    def __getitem__(self, agent: Any) -> TrainedPolicy:
        require(
            str(agent) in self._policies,
            f"there is no policy of {agent!r}: the team has {', '.join(self._policies)}.",
            EnvError,
        )
        return self._policies[str(agent)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def __len__(self) -> int:
        return len(self._policies)

    def reset(self) -> None:
        """Forget the episode."""
        for policy in self._policies.values():
            policy.reset()

    def __call__(
        self, observations: Mapping[Any, Any], infos: Mapping[Any, Any] | None = None
    ) -> dict[Any, int | np.ndarray]:
        """The actions of the agents that observations are given of.

        infos: what the environment told beside them; an `"action_mask"` in an agent's info says
               which of its actions are possible, as it does in an observation.
        """
        told = infos or {}
        return {
            agent: self[agent](seen, told.get(agent, {}).get(MASK))
            for agent, seen in observations.items()
        }


def load_team(run: str | Path, seed: int = 0, greedy: bool | None = None, stream: int = 0) -> Team:
    """Load the policies of one seed of a run; NumPy is all that they need.

    run:    the run's folder; `seed-<seed>/policies` in it is all that is read.
    stream: the seed of the agents' random streams, of which each has its own.
    greedy: as in `load_policy`.

    Raises `RunError` if a file is missing, damaged, or of another run, seed or step than the rest.

    >>> team = load_team("run")  # doctest: +SKIP
    >>> team({"agent-0": [0.0] * 18, "agent-1": [0.0] * 18})  # doctest: +SKIP
    """
    folder = Path(run) / f"seed-{seed}" / "policies"
    files = sorted(folder.glob(f"[!.]*{SUFFIX}"))
    require(bool(files), f"{folder} holds no policies: name the folder of a run.", RunError)
    policies = [load_policy(file, greedy, stream) for file in files]
    pairs = sorted(zip(policies, files, strict=True), key=lambda pair: pair[0].metadata.agent)
    require_one_team([policy.metadata for policy, _ in pairs], folder)
    return Team({policy.metadata.name: policy for policy, _ in pairs})


def require_one_team(found: Sequence[PolicyMetadata], folder: Path) -> None:
    """Raise `RunError` unless policies, in the order of their agents, are a whole team of one run
    and step."""
    first = found[0]
    for about in found:
        require(
            (about.run, about.step, about.agents) == (first.run, first.step, first.agents),
            f"{folder / about.file} is of {about.identity}, and the first of the team of "
            f"{first.identity}: they are not of one run and step.",
            RunError,
        )
    agents = [about.agent for about in found]
    require(
        agents == list(range(first.agents)),
        f"{folder} holds the policies of the agents {agents}, and the team has {first.agents}: "
        "restore what is missing.",
        RunError,
    )
