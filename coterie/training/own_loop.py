"""One compiled iteration, for a training loop of one's own."""

from collections.abc import Callable

import jax
from jaxtyping import Array, Key

from coterie.algorithms import Algorithm
from coterie.envs.game import Env
from coterie.training.programs import Programs
from coterie.training.run import MEMORY, new_run
from coterie.training.settings import Settings
from coterie.training.setup import set_up
from coterie.training.state import IterationStats, TrainState, iteration


def make_update(
    algorithm: str | Algorithm,
    env: str | Env,
    settings: Settings = Settings(),
) -> tuple[
    Callable[[Key[Array, ""]], TrainState],
    Callable[[TrainState], tuple[TrainState, IterationStats]],
]:
    """Compile the start of a team, and one iteration of its training.

    An iteration plays `rollout_length` steps in each of `settings.num_envs` environments and learns
    from them. Team and report are trees of arrays, so that both functions may be mapped over seeds,
    scanned, or transformed otherwise. With the key `jax.random.key(seed)`, a team learns what that
    seed learns in `train`. `jax.vmap(algorithm.policy)(team.agents)` are its policies.

    algorithm, env: names (`coterie list`) or values.
    settings:        the number of environments, and who talks to whom; budgets are the loop's own.

    Raises `ConfigError`, `EnvError` or `GraphError` with one sentence if these do not fit.

    >>> start, update = make_update("ippo", "spread", Settings(num_envs=4))
    >>> team = start(jax.random.key(0))
    >>> team, report = update(team)
    >>> int(team.iteration), report.metrics["entropy"].shape
    (2, (3,))
    """
    setup = set_up(new_run(algorithm, env, settings, MEMORY))
    update = iteration(setup.algorithm, setup.env, setup.vector)
    return Programs(setup).start, jax.jit(update)
