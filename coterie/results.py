"""Results of runs: their tables as curves, their teams as pictures and scores."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from coterie.errors import RunError, require
from coterie.internal.memory import require_room
from coterie.network import stack
from coterie.policies.saving import read_policy
from coterie.report.curve import Curve, gather
from coterie.rl.networks import Policy
from coterie.training.action_scaling import action_scaling
from coterie.training.checkpoint import kept_steps
from coterie.training.evaluate import Scores, evaluator, reraise_env_error
from coterie.training.loggers.table import read_table
from coterie.training.play import StepKeys, play_episode, policy_player
from coterie.training.recording import exports
from coterie.training.run import Run
from coterie.training.run_files import RunFiles
from coterie.training.setup import set_up
from coterie.training.sizes import reset_bytes


def curve(
    run: RunFiles, column: str = "episode_return", label: str | None = None, training: bool = False
) -> Curve:
    """One column of a run over all its seeds, from its evaluations (or its training table)."""
    return curves_of(run, {column: label or run.method}, training)[0]


def curves_of(run: RunFiles, labels: Mapping[str, str], training: bool = False) -> list[Curve]:
    """Curves of several columns, by their labels; tables are read once, however large the team."""
    paths: list[Path] = []
    for seed in run.seeds:
        path = run.metrics(seed) if training else run.evaluations(seed)
        paths.append(path)
        require(
            path.is_file(),
            f"{path} is missing: train the run, or `coterie resume {run.folder}`.",
            RunError,
        )
    read = functools.cache(read_table)

    def known(path: Path, column: str) -> tuple[np.ndarray, np.ndarray]:
        table = read(path)
        require(
            column in table,
            f"{path} has no column {column!r}; it has {', '.join(table)}.",
            RunError,
        )
        kept = np.isfinite(table[column])
        return table["steps"][kept], table[column][kept]

    # Seeds side by side share the machine, so this is the time of one among them.
    seconds = _end("seconds", map(run.metrics, run.seeds), read)
    sent = _end("bytes", map(run.evaluations, run.seeds), read)
    return [
        replace(gather(label, [known(path, column) for path in paths], seconds), sent=sent)
        for column, label in labels.items()
    ]


def agents_in(run: RunFiles, columns: Sequence[str]) -> dict[str, list[str]]:
    """The agents that have a number of their own in the training table, for each of its columns."""
    path = run.metrics(run.seeds[0])
    table = read_table(path) if path.is_file() else {}
    return {
        name: [each.removeprefix(f"{name}/") for each in table if each.startswith(f"{name}/")]
        for name in columns
    }


def by_bytes(run: RunFiles, column: str = "episode_return", label: str | None = None) -> Curve:
    """Curve of a column over the bytes that one agent has sent, a mean over agents and seeds.

    The curve of a run that sends nothing is one point, its end, at 0 bytes.
    """
    shown, sent = curve(run, column, label), curve(run, "bytes").values.mean(axis=0)
    if not np.any(sent):
        note = f"{shown.label} sends nothing: the dot is its end"
        return replace(shown, steps=np.zeros(1), values=shown.values[:, -1:], note=note)
    return replace(shown, steps=sent)


def _end(
    column: str, paths: Iterable[Path], read: Callable[[Path], Mapping[str, np.ndarray]]
) -> float | None:
    """The mean over seeds of a column's last number; `None` if nothing was written yet."""
    tables = [read(path) for path in paths if path.is_file()]
    ends = [table[column][-1] for table in tables if len(table.get(column, []))]
    return float(np.mean(ends)) if ends else None


def trained_team(run: Run, seed: int) -> Policy:
    """The policies of a trained team, stacked `[N, ...]`, read from its policy files.

    `RunError` unless every file is the agent's own, of this run, this seed and its last checkpoint.
    """
    step, policies = kept_steps(run, seed), []
    for wanted, space, shape in exports(run, set_up(run), seed, step):
        path = run.policy_file(seed, wanted.name)
        require(
            path.exists(),
            f"{path} is missing: policies come with checkpoints; train on with "
            f"`coterie resume {run.folder}`.",
            RunError,
        )
        policy, about = read_policy(path, replace(wanted, step=step), shape.alone(space))
        step = about.step  # without a checkpoint the first file says it
        policies.append(policy.in_team(space))
    return stack(policies)


def score(run: Run, seed: int, episodes: int, key: int = 0) -> Scores:
    """Play `episodes` episodes with a trained team.

    Environments outside JAX are no more at a time than in training: they play one batch after the
    other, of which the last one is played to the end and counted in part.
    """
    env, team = run.played.for_seed(seed), trained_team(run, seed)
    outside = not env.vectorize(1).resumable
    copies = min(episodes, run.settings.num_envs) if outside else episodes
    vector, first = env.vectorize(copies), jax.random.key(key)
    require_room(2 * reset_bytes(vector), f"{copies:,} episodes side by side", "lower --episodes")
    scale, greedy = action_scaling(run.played.specs), run.algorithm.deterministic_eval

    @jax.jit
    def play(team: Policy, key: Key[Array, ""], world: Any) -> Scores:
        return evaluator(vector.with_constants(world), scale, greedy)(team, key)

    batches = range(-(-episodes // copies))
    keys = [jax.random.fold_in(first, batch) if batch else first for batch in batches]
    try:
        with reraise_env_error(vector):
            scores = [jax.tree.map(np.asarray, play(team, k, vector.constants)) for k in keys]
    finally:
        vector.shutdown()
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:episodes], *scores)


def film(run: Run, seed: int, key: int = 0) -> list[Any]:
    """One episode of a trained team, to look at: scenes to draw, or the pictures `[H, W, 3]` of an
    environment that paints itself; `EnvError` if it has neither."""
    env, policies = run.played, trained_team(run, seed)
    vector = env.single()
    try:
        scale, greedy = action_scaling(env.specs), run.algorithm.deterministic_eval
        player = policy_player(policies, vector, scale, greedy)
        stage = player.begin(jax.random.key(key))
        first = env.render(stage.envs)
        draws = vector.agent_keys(key, len(env.specs))
        keys = (StepKeys(agents, agents[0]) for agents in draws)  # such environments draw nothing
        states = play_episode(player, stage, keys, lambda moment: moment.envs)
        return [first, *map(env.render, states)]
    finally:
        vector.close(())
