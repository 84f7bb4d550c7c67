"""Checkpoints: one file per agent and one for the world they play in, every array hashed."""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jaxtyping import PyTree

from coterie.errors import RunError
from coterie.internal.files import (
    REMEDY,
    from_arrays,
    read_arrays,
    to_arrays,
    write_arrays,
    write_folder,
)
from coterie.training.run import Run
from coterie.training.state import TrainState

KEPT = 2

Owner = dict[str, Any]
Progress = dict[str, Any]


class Parts(NamedTuple):
    """A team, cut along its privacy: what is each agent's own, and what belongs to the world."""

    agents: PyTree
    world: PyTree


def save_checkpoint(folder: Path, team: TrainState, progress: Progress, owner: Owner) -> Path:
    """Write `folder/<iteration>`, whole or not at all, and keep the latest two.

    progress: numbers of the host that must continue, too; JSON.
    owner:    which run and repetition this is; every file says whose it is.
    """
    iteration = int(team.iteration)
    path = folder / f"{iteration:09d}"
    parts = jax.device_get(_cut(team))
    count = len(team.keys)

    def fill(part: Path) -> None:
        for agent in range(count):
            mine = jax.tree.map(lambda x, agent=agent: x[agent], parts.agents)
            said = {"of": _of(owner, iteration, f"agent {agent}")}
            write_arrays(part / f"agent-{agent}.safetensors", to_arrays(mine), said)
        said = {"of": _of(owner, iteration, "the world"), "progress": json.dumps(progress)}
        write_arrays(part / "world.safetensors", to_arrays(parts.world), said)

    write_folder(path, fill)
    for old in checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(p for p in folder.glob("*") if p.is_dir() and p.name.isdigit())


def kept_steps(run: Run, seed: int) -> int:
    """The environment steps after which a seed's latest checkpoint was written; -1 if there is
    none."""
    found = checkpoints(run.checkpoints(seed)) if run.saved else []
    if not found:
        return -1
    return (int(found[-1].name) - 1) * run.algorithm.rollout_length * run.settings.num_envs


def load_checkpoint(path: Path, like: TrainState, owner: Owner) -> tuple[TrainState, Progress]:
    """The team in a checkpoint, and the host's progress.

    like: a fresh team of the same configuration.

    Raises `RunError` naming the file and the array that is missing, damaged or somebody else's.
    """

    def read(name: str, who: str, like: PyTree) -> tuple[PyTree, dict[str, str]]:
        arrays, said = read_arrays(path / name)
        wanted = _of(owner, int(path.name), who)
        if said.get("of") != wanted:
            raise RunError(
                f"{path / name} is of {said.get('of')}, not of {wanted}: it was swapped, or "
                f"run.json was changed; {REMEDY}."
            )
        return from_arrays(arrays, like, str(path / name)), said

    parts, count = _cut(like), len(like.keys)
    mine = jax.tree.map(lambda x: x[0], parts.agents)
    agents = [read(f"agent-{i}.safetensors", f"agent {i}", mine)[0] for i in range(count)]
    world, said = read("world.safetensors", "the world", parts.world)
    stacked = jax.tree.map(lambda *x: jax.numpy.stack(x), *agents)
    return _join(Parts(stacked, world)), json.loads(said["progress"])


def _of(owner: Owner, iteration: int, who: str) -> str:
    """Name the owner of a file in words."""
    where = " of ".join(f"{key} {value}" for key, value in owner.items())
    return f"{who} at update {iteration - 1} of {where}"


def _cut(team: TrainState) -> Parts:
    private = (team.agents, team.start, team.keys, team.network, team.stage.memory)
    return Parts(private, (team.stage._replace(memory=()), team.env_key, team.iteration))


def _join(parts: Parts) -> TrainState:
    agents, start, keys, network, memory = parts.agents
    stage, env_key, iteration = parts.world
    return TrainState(
        agents, start, keys, network, stage._replace(memory=memory), env_key, iteration
    )
