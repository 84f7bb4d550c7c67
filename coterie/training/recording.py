"""Recording of a run's teams: rows come first, then a checkpoint, then policies."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import jax

from coterie.algorithms import InitKeys
from coterie.errors import RunError, require
from coterie.network import unstack
from coterie.policies.metadata import PolicyMetadata
from coterie.policies.saving import policy_metadata, save_policy
from coterie.rl.networks import Policy
from coterie.training.checkpoint import (
    checkpoints,
    load_checkpoint,
    save_checkpoint,
    steps_before,
)
from coterie.training.programs import Programs
from coterie.training.run import Run
from coterie.training.seeds import SeedRun
from coterie.training.setup import Setup
from coterie.training.state import TrainState
from coterie.types import Space, kinds


@runtime_checkable
class Recorder(Protocol):
    """Protocol for recorders, which keep the teams of a run."""

    def keep(self, repetition: SeedRun) -> None:
        """Keep a repetition as it is now."""

    def restore(self, repetition: SeedRun) -> TrainState | None:
        """Return the team that was kept last, if any; the repetition goes on from there."""
        ...


class OnDisk:
    """Recorder in a run's folder: checkpoints, traffic, and a policy file for each agent."""

    def __init__(self, run: Run, programs: Programs):
        self._run, self._programs = run, programs

    def keep(self, repetition: SeedRun) -> None:
        """Write a checkpoint first: policies can be made from it again."""
        require(
            self._run.configuration.is_file(),
            f"{self._run.configuration} is gone: it, or its folder, was moved or deleted during "
            "the training; put it back and continue with `coterie resume`, or train anew.",
            RunError,
        )
        team, seed = self._programs.savable(repetition.team), repetition.seed
        progress = {
            "blocks_done": repetition.blocks_done,
            "seconds": repetition.seconds,
            "sent": repetition.ledger.saved(),
        }
        save_checkpoint(self._run.checkpoints(seed), team, progress, self._run.owner(seed))
        repetition.kept = repetition.blocks_done
        repetition.ledger.write(self._run.traffic(seed))
        self.export(seed, repetition.team)

    def restore(self, repetition: SeedRun) -> TrainState | None:
        """Read the latest checkpoint, and write the policies that belong to it."""
        seed = repetition.seed
        found = checkpoints(self._run.checkpoints(seed))
        if not found:
            return None
        like = self._programs.savable(repetition.team)
        team, progress = load_checkpoint(found[-1], like, self._run.owner(seed))
        if not self._programs.setup.vector.resumable:
            stage = team.stage._replace(envs=repetition.team.stage.envs)
            team = team._replace(stage=stage)
        repetition.blocks_done = repetition.kept = int(progress["blocks_done"])
        repetition.seconds = progress["seconds"]
        repetition.ledger.restore(progress["sent"])
        self.export(seed, team)
        return team

    def export(self, seed: int, team: TrainState) -> None:
        """Write every agent's policy file."""
        for name, policy, about in exported(self._run, self._programs, team, seed):
            save_policy(self._run.policy_file(seed, name), policy, about)


def exported(
    run: Run, programs: Programs, team: TrainState, seed: int
) -> Iterator[tuple[str, Policy, PolicyMetadata]]:
    """Every agent's name, its policy without the others' padding, and its metadata."""
    policies = jax.device_get(programs.policies(team))
    step = steps_before(run, int(team.iteration))
    for agent, (about, space, shape) in enumerate(exports(run, programs.setup, seed, step)):
        yield about.name, unstack(policies, agent, shape).alone(space), about


def exports(
    run: Run, setup: Setup, seed: int, step: int
) -> Iterator[tuple[PolicyMetadata, Space, Policy]]:
    """Metadata of every agent's policy after some environment steps; its space of actions and its
    arrays' shapes in the team. A file has those of `alone`."""
    algorithm, specs, names = setup.algorithm, setup.specs, run.played.names
    shapes = {
        spec: jax.eval_shape(
            lambda spec=spec: algorithm.policy(
                algorithm.init(InitKeys.of(jax.random.key(0)), spec)[0]
            )
        )
        for spec in kinds(specs)
    }
    encodings = run.played.encodings or [None] * len(specs)
    for agent, (name, spec) in enumerate(zip(names, specs, strict=True)):
        about = policy_metadata(
            spec,
            shapes[spec],
            algorithm.deterministic_eval,
            encodings[agent],
            name=name,
            agent=agent,
            agents=len(specs),
            env=run.env_name,
            method=run.method,
            run=run.owner(seed)["run"] if run.saved else "",
            seed=seed,
            step=step,
            file=run.policy_file(seed, name).name,
        )
        yield about, spec.action, shapes[spec]
