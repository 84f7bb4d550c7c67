"""Checkpoints: one file per agent and one for the world they play in, every array hashed."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jaxtyping import PyTree

from coterie.errors import RunError, require
from coterie.internal.files import (
    from_arrays,
    kinds_of,
    to_arrays,
    write_arrays,
    write_folder,
)
from coterie.internal.reading import (
    REMEDY,
    Arrays,
    Kind,
    Metadata,
    finite,
    read_arrays,
    require_finite,
)
from coterie.internal.typed import legible
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
        arrays = to_arrays(parts.world)
        said["endless"] = json.dumps([name for name in arrays if not finite(arrays[name])])
        write_arrays(part / "world.safetensors", arrays, said)

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
    return steps_before(run, int(found[-1].name))


def steps_before(run: Run, iteration: int) -> int:
    """The environment steps before an iteration of a run; the first has the number 1."""
    return (iteration - 1) * run.algorithm.rollout_length * run.settings.num_envs


def load_checkpoint(path: Path, like: TrainState, owner: Owner) -> tuple[TrainState, Progress]:
    """The team in a checkpoint, and the host's progress.

    like: a fresh team of the same configuration.

    Raises `RunError` naming the file and the array that is missing, damaged or somebody else's.
    """

    parts, iteration = _cut(like), int(path.name)
    mine = jax.tree.map(lambda x: x[0], parts.agents)
    kinds = kinds_of(mine)
    agents = []
    for i in range(len(like.keys)):
        file = path / f"agent-{i}.safetensors"
        arrays, _ = _read(file, _of(owner, iteration, f"agent {i}"), kinds)
        require_finite(arrays, str(file))
        agents.append(from_arrays(arrays, mine, str(file)))
    file = path / "world.safetensors"
    arrays, said = _read(file, _of(owner, iteration, "the world"), kinds_of(parts.world))
    world = from_arrays(arrays, parts.world, str(file))
    endless = _endless(said, file)
    require_finite({n: a for n, a in arrays.items() if n not in endless}, str(file))
    stacked = jax.tree.map(lambda *x: jax.numpy.stack(x), *agents)
    return _join(Parts(stacked, world)), _progress(said, file)


def _read(path: Path, owner: str, kinds: Mapping[str, Kind]) -> tuple[Arrays, Metadata]:
    """The arrays of a file, which has to be its owner's and to hold those of these kinds."""

    def wanted(said: Metadata) -> Mapping[str, Kind]:
        found = said.get("of")
        require(
            found == owner,
            f"{path} is of {legible(str(found))}, not of {owner}: it was swapped, or run.json was "
            f"changed; {REMEDY}.",
            RunError,
        )
        return kinds

    return read_arrays(path, wanted)


def _progress(said: Metadata, path: Path) -> Progress:
    try:
        return dict(json.loads(said["progress"]))
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise RunError(f"{path} does not say how far the run was: {error!r}; {REMEDY}.") from None


def _endless(said: Metadata, path: Path) -> set[str]:
    """The arrays of an environment's own state in which it had left an infinity or a NaN.

    What agents see and have earned is finite in any case.
    """
    try:
        names = json.loads(said["endless"])
        return {name for name in names if ".envs" in name}
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise RunError(f"{path} does not say what is not finite: {error!r}; {REMEDY}.") from None


def _of(owner: Owner, iteration: int, who: str) -> str:
    """Name the owner of a file in words."""
    where = " of ".join(f"{key} {value}" for key, value in owner.items())
    return f"{who} at update {iteration - 1} of {where}"


def _cut(team: TrainState) -> Parts:
    private = (team.agents, team.scales, team.start, team.keys, team.network, team.stage.memory)
    return Parts(private, (team.stage._replace(memory=()), team.env_key, team.iteration))


def _join(parts: Parts) -> TrainState:
    agents, scales, start, keys, network, memory = parts.agents
    stage, env_key, iteration = parts.world
    return TrainState(
        agents, scales, start, keys, network, stage._replace(memory=memory), env_key, iteration
    )
