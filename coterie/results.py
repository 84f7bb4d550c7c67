"""Results of runs: their tables as curves, their teams as pictures and scores."""

import difflib
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from coterie.envs.game import Env
from coterie.errors import RunError, advise, require
from coterie.internal.memory import require_room
from coterie.network import stack
from coterie.policies.saving import read_policy
from coterie.report.columns import column_of
from coterie.report.curve import Curve, gather
from coterie.rl.networks import Policy
from coterie.training.action_scaling import action_scaling
from coterie.training.checkpoint import kept_steps
from coterie.training.evaluate import Scores, evaluator, reraise_env_error
from coterie.training.loggers.table import read_table
from coterie.training.play import LONGEST, StepKeys, play_episode, policy_player
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
    read = functools.cache(read_table)
    paths = _tables(run, training)
    tables = [read(path) for path in paths]
    for column in labels:
        for path, table in zip(paths, tables, strict=True):
            if column not in table:  # the sentence compares all names: not for each that is there
                raise RunError(_missing(path, column, table))
    # Seeds side by side share the machine, so this is the time of one among them.
    seconds = _end("seconds", map(run.metrics, run.seeds), read)
    sent = _end("bytes", map(run.evaluations, run.seeds), read)
    return [
        replace(
            gather(label, [_points(table, column) for table in tables], seconds),
            sent=sent,
            lower_is_better=column_of(column).lower_is_better,
        )
        for column, label in labels.items()
    ]


def _points(table: Mapping[str, np.ndarray], column: str) -> tuple[np.ndarray, np.ndarray]:
    kept = np.isfinite(table[column])
    return table["steps"][kept], table[column][kept]


def _tables(run: RunFiles, training: bool) -> list[Path]:
    paths: list[Path] = []
    for seed in run.seeds:
        path = run.metrics(seed) if training else run.evaluations(seed)
        paths.append(path)
        require(
            path.exists(),
            f"{path} is missing: train the run, or `coterie resume {run.folder}`.",
            RunError,
        )
    return paths


def having(runs: Sequence[RunFiles], column: str) -> tuple[list[RunFiles], bool]:
    """The runs that have a column, and whether it is of their training tables alone.

    Warns of the runs that do not have it; `RunError` with the nearest names if none has it.
    """
    evaluated, trained = ([_columns(run, training) for run in runs] for training in (False, True))
    training = not any(column in table for table in evaluated)
    tables = trained if training else evaluated
    found = [run for run, table in zip(runs, tables, strict=True) if column in table]
    known = dict.fromkeys([*evaluated[0], *trained[0]])
    place = runs[0].seed_folder(runs[0].seeds[0])
    if not found:
        raise RunError(_missing(place, column, known))
    left = [str(run.folder) for run in runs if run not in found]
    advise(not left, f"{', '.join(left)}: left out, for there is no column {column!r}.")
    return found, training


def _columns(run: RunFiles, training: bool) -> list[str]:
    """The columns of one of the tables of a run's first seed; none of a table not yet begun."""
    path = run.metrics(run.seeds[0]) if training else _tables(run, training=False)[0]
    return list(read_table(path)) if path.exists() else []


def _missing(place: Path, column: str, known: Iterable[str]) -> str:
    """The sentence about a column that a table, or the tables of a folder, do not have."""
    names = list(known) if "/" in column else [n for n in known if not _of_agent(n, known)]
    near = sorted(names, key=lambda name: -_likeness(name, column))[:2]
    near = [name for name in near if _likeness(name, column) > 0.6]
    meant = f"did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"{place} has no column {column!r}: " + (meant or f"it has {', '.join(names)}.")


def _likeness(name: str, typed: str) -> float:
    """Similarity from 0 to 1 of what was typed to a name, or to the most similar of its words."""
    words = [name, *re.split("[_/]", name)]
    return max(difflib.SequenceMatcher(None, word, typed).ratio() for word in words)


def _of_agent(name: str, known: Iterable[str]) -> bool:
    return name.rpartition("/")[0] in known


def agents_in(run: RunFiles, columns: Sequence[str]) -> dict[str, list[str]]:
    """The agents that have a number of their own in the training table, for each of its columns."""
    table = _columns(run, training=True)
    return {
        name: [each.removeprefix(f"{name}/") for each in table if each.startswith(f"{name}/")]
        for name in columns
    }


def of_payloads(run: RunFiles, kinds: Sequence[str]) -> list[str]:
    """The columns of these kinds (`consensus_error`, `lost`) of the payloads that a run sends."""
    table = _columns(run, training=True)
    return [name for kind in kinds for name in table if name.endswith(f"/{kind}")]


def over_bytes(shown: Curve, run: RunFiles) -> Curve:
    """The curve over the bytes that one agent has sent, a mean over agents and seeds.

    The curve of a run that sends nothing is one point, its end, at 0 bytes.
    """
    sent = curve(run, "bytes")
    spent = np.interp(shown.steps, sent.steps, sent.values.mean(axis=0))
    if not np.any(spent):
        note = f"{shown.label} sends nothing: the dot is its end"
        return replace(shown, steps=np.zeros(1), values=shown.values[:, -1:], note=note)
    return replace(shown, steps=spent)


def _end(
    column: str, paths: Iterable[Path], read: Callable[[Path], Mapping[str, np.ndarray]]
) -> float | None:
    """The mean over seeds of a column's last number; `None` if nothing was written yet."""
    tables = [read(path) for path in paths if path.exists()]
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


def carried_team(run: Run, seed: int, env: Env) -> Policy:
    """The policies of a trained team in another environment, stacked: of `n` of them agent `i`
    plays policy `i mod n`.

    `ConfigError` unless each agent sees and does what the policy's agent did.
    """
    team, trained, specs = trained_team(run, seed), run.played.specs, env.specs
    count = len(trained)
    if env == run.played:
        return team
    for agent, (name, spec) in enumerate(zip(env.names, specs, strict=True)):
        known = trained[agent % count]
        require(
            spec == known,
            f"the policy of {run.played.names[agent % count]} sees {list(known.shape)} and has "
            f"{known.action.size} actions, and {name} would see {list(spec.shape)} and have "
            f"{spec.action.size}: change only what leaves both as they were.",
        )
    require(
        len(specs) >= count or len(set(trained)) == 1,
        f"{len(specs)} agents of several kinds cannot play the policies of {count}: play at least "
        "as many.",
    )
    return jax.tree.map(lambda x: x[np.arange(len(specs)) % count], team)


def score(run: Run, seed: int, episodes: int, key: int = 0, env: Env | None = None) -> Scores:
    """Play `episodes` episodes with a trained team, in its own environment or in another (see
    `carried_team`).

    Environments outside JAX are no more at a time than in training: they play one batch after the
    other, of which the last one is played to the end and counted in part.
    """
    world = run if env is None else replace(run, env=env)
    played, team = world.played.for_seed(seed), carried_team(run, seed, world.played)
    outside = not played.vectorize(1).resumable
    copies = min(episodes, run.settings.num_envs) if outside else episodes
    vector, first = played.vectorize(copies), jax.random.key(key)
    require_room(2 * reset_bytes(vector), f"{copies:,} episodes side by side", "lower --episodes")
    scale, greedy = action_scaling(played.specs), run.algorithm.deterministic_eval

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


def film(
    run: Run, seed: int, key: int = 0, longest: int = LONGEST, env: Env | None = None
) -> list[Any]:
    """The first `longest` steps of an episode of a trained team, to look at: scenes to draw, or the
    pictures `[H, W, 3]` of an environment that paints itself; `EnvError` if it has neither.

    env: another environment than its own, see `carried_team`.
    """
    played = (run if env is None else replace(run, env=env)).played
    policies, vector = carried_team(run, seed, played), played.single()
    try:
        scale, greedy = action_scaling(played.specs), run.algorithm.deterministic_eval
        player = policy_player(policies, vector, scale, greedy)
        stage = player.begin(jax.random.key(key))
        first = played.render(stage.envs)
        draws = vector.agent_keys(key, len(played.specs))
        keys = (StepKeys(agents, agents[0]) for agents in draws)  # such environments draw nothing
        states = play_episode(player, stage, keys, lambda moment: moment.envs, longest)
        return [first, *map(played.render, states)]
    finally:
        vector.close(())
