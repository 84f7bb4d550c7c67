"""Setup of a run before its first block: algorithm, environments and communication, checked."""

from typing import NamedTuple

from coterie.algorithms import Algorithm
from coterie.envs.checks.shapes import faulty_shapes
from coterie.envs.game import Env, VectorEnv
from coterie.envs.timestep import PureEnv
from coterie.errors import EnvError, require
from coterie.network import Communication
from coterie.training.fit import CENTER, require_fit
from coterie.training.run import Run
from coterie.training.run_files import agent_file
from coterie.training.settings import Blocks, Settings
from coterie.training.state import resolve_specs
from coterie.types import LearnerSpec


class Setup(NamedTuple):
    """A run's parts, made from its configuration; they do not depend on its folder.

    environment:   the environment as it is played.
    communication: the graph, schedule and channels of the team.
    vector: the environments that are played side by side.
    judged: the environments of an evaluation.
    specs:  the agents' specs, with the global state and masks that they will really be shown.
    """

    algorithm: Algorithm
    env: Env
    settings: Settings
    communication: Communication
    vector: VectorEnv
    judged: VectorEnv
    specs: tuple[LearnerSpec, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The agents' names."""
        return self.env.names

    @property
    def blocks(self) -> Blocks:
        """The blocks of the run."""
        return self.settings.blocks(self.algorithm.rollout_length)


def set_up(run: Run) -> Setup:
    """The parts of a run.

    Raises `ConfigError`, `EnvError` or `GraphError` with one sentence if they do not fit.
    """
    algorithm, env, settings = run.algorithm, run.played, run.settings
    algorithm.check(settings.num_envs)
    _require_playable(run.env)
    require_files(env.names)
    env.for_seed(run.seeds[-1])  # the last environment that is drawn has to exist, too
    communication = CENTER if algorithm.information.central else settings.communication
    vector = env.vectorize(settings.num_envs)
    specs = resolve_specs(env, vector, algorithm)
    for spec in specs:
        algorithm.require_actions(spec.action)
    require_fit(communication, algorithm, specs, env.names)
    vector.reserve(settings.seeds)
    judged = env.vectorize(settings.eval_episodes)
    return Setup(algorithm, env, settings, communication, vector, judged, specs)


def _require_playable(env: Env) -> None:
    """Raise `EnvError` if an environment of a user's own cannot be played as it declares."""
    own = not type(env).__module__.startswith("coterie.")
    faults = faulty_shapes(env) if own and isinstance(env, PureEnv) else []
    if faults:
        raise EnvError(
            f"{type(env).__name__} cannot be played: {faults[0]} `coterie check` looks at the rest."
        )


def require_files(names: tuple[str, ...]) -> None:
    """Raise `EnvError` unless every agent has a file of its own, also where case is ignored."""
    require(
        len({agent_file(name).casefold() for name in names}) == len(names),
        f"agents need different names for their files, not {', '.join(map(repr, names))}.",
        EnvError,
    )
