"""Checkpoints: one file per agent and one for the world they play in, every array hashed."""

import json
from pathlib import Path
from typing import NamedTuple

import jax
from jaxtyping import PyTree

from coterie.errors import RunError
from coterie.files import from_arrays, read_arrays, read_json, to_arrays, write_arrays, write_folder
from coterie.train.team import Team

KEPT = 2


class Parts(NamedTuple):
    """A team, cut along its privacy: what is each agent's own, and what belongs to the world."""

    agents: PyTree
    world: PyTree


def save_checkpoint(folder: Path, team: Team, progress: dict[str, float]) -> Path:
    """Write `folder/<iteration>`, whole or not at all, and keep the latest two.

    progress: numbers of the host that must continue, too; JSON.
    """
    iteration = int(team.iteration)
    path = folder / f"{iteration:09d}"
    parts = jax.device_get(_cut(team))
    count = len(team.keys)

    def fill(part: Path) -> None:
        for agent in range(count):
            mine = jax.tree.map(lambda x, agent=agent: x[agent], parts.agents)
            write_arrays(part / f"agent-{agent}.safetensors", to_arrays(mine), {})
        write_arrays(part / "world.safetensors", to_arrays(parts.world), {})
        manifest = {"iteration": iteration, "agents": count, "progress": progress}
        (part / "manifest.json").write_text(json.dumps(manifest, indent=1))

    write_folder(path, fill)
    for old in checkpoints(folder)[:-KEPT]:
        _remove(old)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(p for p in folder.glob("*") if p.is_dir() and p.name.isdigit())


def load_checkpoint(path: Path, like: Team) -> tuple[Team, dict[str, float]]:
    """The team in a checkpoint, and the host's progress.

    like: a fresh team of the same configuration.

    Raises `RunError` naming the file and the array that is missing, damaged or of another run.
    """
    manifest = read_json(path / "manifest.json")
    count = len(like.keys)
    if manifest.get("agents") != count:
        raise RunError(f"{path} holds {manifest.get('agents')} agents, but the game has {count}.")
    parts = _cut(like)
    mine = jax.tree.map(lambda x: x[0], parts.agents)
    agents = [_read(path / f"agent-{i}.safetensors", mine) for i in range(count)]
    world = _read(path / "world.safetensors", parts.world)
    stacked = jax.tree.map(lambda *x: jax.numpy.stack(x), *agents)
    return _join(Parts(stacked, world)), manifest["progress"]


def _read(path: Path, like: PyTree) -> PyTree:
    arrays, _ = read_arrays(path)
    return from_arrays(arrays, like, str(path))


def _cut(team: Team) -> Parts:
    private = (team.agents, team.start, team.keys, team.network, team.stage.memory)
    return Parts(private, (team.stage._replace(memory=()), team.game_key, team.iteration))


def _join(parts: Parts) -> Team:
    agents, start, keys, network, memory = parts.agents
    stage, game_key, iteration = parts.world
    return Team(agents, start, keys, network, stage._replace(memory=memory), game_key, iteration)


def _remove(path: Path) -> None:
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
