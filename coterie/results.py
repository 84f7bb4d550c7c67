"""What finished runs say: their tables as curves, their teams as pictures and scores."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coterie.errors import GameError, RunError, require
from coterie.games.game import JaxGame, Scene
from coterie.network import lift, stack
from coterie.policies import load_policy, read_policy
from coterie.report.curve import Curve, gather
from coterie.rl.models import Policy
from coterie.train.evaluate import LONGEST, Scores, decide, evaluator
from coterie.train.metrics import read_table
from coterie.train.run import Run
from coterie.train.units import units


def curve(
    run: Run, column: str = "return", label: str | None = None, training: bool = False
) -> Curve:
    """One column of a run over all its seeds, from its evaluations (or its training table)."""
    tables = []
    for seed in run.seeds:
        path = run.metrics(seed) if training else run.evaluations(seed)
        require(
            path.is_file(),
            f"{path} is missing: train the run, or `coterie resume {run.folder}`.",
            RunError,
        )
        table = read_table(path)
        require(
            column in table,
            f"{path} has no column {column!r}; it has {', '.join(table)}.",
            RunError,
        )
        known = np.isfinite(table[column])
        tables.append((table["steps"][known], table[column][known]))
    return gather(label or run.method, tables, wall_time(run))


def wall_time(run: Run) -> float | None:
    """Seconds that one seed took, on average; seeds side by side share the machine."""
    tables = [read_table(run.metrics(seed)) for seed in run.seeds if run.metrics(seed).is_file()]
    ends = [table["seconds"][-1] for table in tables if len(table.get("seconds", []))]
    return float(np.mean(ends)) if ends else None


def trained_team(run: Run, seed: int) -> Policy:
    """The policies of a trained team, stacked `[N, ...]`, read from its policy files."""
    return stack([read_policy(run.policy_file(seed, name))[0] for name in run.game.names])


def score(run: Run, seed: int, episodes: int, key: int = 0) -> Scores:
    """Play `episodes` games with a trained team."""
    vector = run.game.vectorize(episodes)
    play = evaluator(vector, units(run.game.specs), run.algorithm.plays_mode)
    scores = jax.jit(play)(trained_team(run, seed), jax.random.key(key))
    return jax.tree.map(np.asarray, scores)


def scenes(run: Run, seed: int, key: int = 0) -> list[Scene]:
    """One episode of a trained team, ready to draw; `GameError` if the game has no picture."""
    game = run.game
    if not isinstance(game, JaxGame):
        raise GameError(f"{run.world} draws itself: use `frames`.")
    team, scale, greedy = trained_team(run, seed), units(game.specs), run.algorithm.plays_mode
    agents = len(game.specs)
    memory = stack([read_policy(run.policy_file(seed, n))[0].body.start() for n in game.names])
    alone = jax.tree.map(lambda m: m[:, None], memory)

    @jax.jit
    def step(state: Any, view: Any, memory: Any, key: Any) -> Any:
        shown = jax.tree.map(lambda x: x[:, None], view)
        keys = jax.random.split(key, agents)
        action, memory = lift(lambda p, m, v, k: decide(p, m, v, k, greedy))(
            team, memory, shown, keys
        )
        state, timestep = game.step(state, scale.of_game(action)[0])
        return state, timestep, memory

    reset_key, play_key = jax.random.split(jax.random.key(key))
    state, view = game.reset(reset_key)
    drawn = [game.scene(state)]
    for when in range(LONGEST):
        state, timestep, alone = step(state, view, alone, jax.random.fold_in(play_key, when))
        view = timestep.view
        drawn.append(game.scene(state))
        if bool(timestep.over):
            break
    return drawn


def frames(run: Run, seed: int, key: int = 0) -> list[np.ndarray]:
    """One episode of a trained team in a game that draws itself, as pictures `[H, W, 3]`."""
    game: Any = run.game
    env = game.render_env()
    players = {
        agent: load_policy(run.policy_file(seed, name), seed=key + i)
        for i, (agent, name) in enumerate(zip(env.possible_agents, game.names, strict=True))
    }
    seen, infos = env.reset(seed=key)
    pictures = [env.render()]
    while env.agents and len(pictures) <= LONGEST:
        actions = {
            agent: players[agent](_flat(seen[agent]), infos[agent].get("action_mask"))
            for agent in env.agents
        }
        seen, *_, infos = env.step(actions)
        pictures.append(env.render())
    env.close()
    return pictures


def _flat(observation: Any) -> np.ndarray:
    return np.asarray(observation, np.float32).reshape(-1)
