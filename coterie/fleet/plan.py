"""Plan of a fleet: its run, its processes, and where each of them listens."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coterie.envs.game import Env
from coterie.errors import ConfigError, RunError, require
from coterie.internal.files import write_whole
from coterie.internal.reading import read_json
from coterie.network.schedules import union
from coterie.training.run import Run, open_run
from coterie.training.run_files import file_name

FILE = "fleet.json"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Plan:
    """Plan of a fleet.

    run:       the run that it trains; `run.folder` is the fleet's.
    addresses: where each process listens, `host:port`: those of the agents, then the world's.
    patience:  seconds that a message is waited for.
    """

    run: Run
    addresses: tuple[str, ...]
    patience: float = 10.0

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents' names; agent `i` lives in process `i`."""
        return self.run.env.names

    @property
    def world(self) -> int:
        """Place of the process that has the world."""
        return len(self.agents)

    @property
    def seats(self) -> dict[int, tuple[int, ...]]:
        """Agents of each process that has some."""
        return {i: (i,) for i in range(len(self.agents))}

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that every frame of this run carries."""
        told = json.dumps(self.run.describe(), sort_keys=True)
        return hashlib.sha256(told.encode()).digest()[:16]

    def neighbors(self, agent: int) -> tuple[int, ...]:
        """Agents that are linked to one in some round."""
        talk = self.run.settings.communication
        links = union(talk.schedule, talk.among(len(self.agents))).adjacency[agent]
        return tuple(other for other in range(len(self.agents)) if links[other])

    def member_run(self, agent: int) -> Run:
        """Run in the folder of one agent, for what it may know."""
        folder = self.run.folder / "agents" / file_name(self.agents[agent])
        return dataclasses.replace(self.run, folder=folder)

    def write(self) -> None:
        """Write the run's configuration and the plan."""
        self.run.create()
        told = {"addresses": list(self.addresses), "patience": self.patience}
        write_whole(self.run.folder / FILE, json.dumps(told, indent=2) + "\n")


def read_plan(folder: Path) -> Plan:
    """Read the plan in a fleet's folder."""
    path = folder / FILE
    require(
        path.is_file(),
        f"{folder} is no fleet's folder: it has no {FILE}; `coterie fleet` makes one.",
        RunError,
    )
    run, told = open_run(folder), read_json(path)
    addresses, patience = told.get("addresses"), told.get("patience")
    fits = isinstance(addresses, list) and len(addresses) == len(run.env.names) + 1
    require(
        fits and isinstance(patience, int | float) and patience > 0,
        f"{path} needs an address for each of {len(run.env.names)} agents and for the world, and "
        "`patience` in seconds.",
        RunError,
    )
    for address in map(str, addresses):
        require(
            address.rpartition(":")[0] in LOOPBACK,
            f"{address} is not on this machine: frames are not encrypted yet, and go no further "
            f"than {LOOPBACK[0]}.",
        )
    return Plan(run, tuple(map(str, addresses)), float(patience))


def require_fleet(run: Run) -> None:
    """Raise `ConfigError` if a run cannot be trained by a process for each agent."""
    information: Any = run.algorithm.information
    declared = {
        "acts at a centre": information.joint_control,
        "learns at a centre": information.central,
        "is paid the team's reward": information.reward == "team",
    }
    for what, holds in declared.items():
        require(
            not holds,
            f"{run.method} {what}, which no agent of a fleet can: `coterie list` shows the methods "
            "whose agents know their own rewards only.",
        )
    require(run.settings.seeds == 1, "a fleet trains one seed: leave out --seeds.")
    _require_equal(run.env)


def _require_equal(env: Env) -> None:
    kinds = {(spec.size, spec.action) for spec in env.specs}
    if len(kinds) > 1:
        raise ConfigError(
            f"agents of a fleet see and do the same kinds of things, and here are {len(kinds)} "
            "kinds: train this team with `coterie train`."
        )
