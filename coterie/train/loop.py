"""Train: blocks of compiled iterations with a host in between. The one loop for every algorithm."""

import itertools
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key, PyTree

from coterie.errors import GameError, require
from coterie.files import sweep
from coterie.games.game import Game
from coterie.network import unstack
from coterie.policies import card, save_policy
from coterie.room import require_room
from coterie.train.batch import side_by_side
from coterie.train.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from coterie.train.evaluate import Scores, evaluator, explained
from coterie.train.fit import CENTRE, require_fit
from coterie.train.ledger import Ledger
from coterie.train.metrics import (
    Events,
    Row,
    Table,
    evaluation_row,
    require_sound,
    require_sound_state,
    require_tensorboard,
    training_row,
)
from coterie.train.rollout import open_stage
from coterie.train.run import Run, file_name
from coterie.train.settings import is_due
from coterie.train.team import Report, Team, assemble, iterations, known_specs
from coterie.train.units import units
from coterie.types import kinds


@runtime_checkable
class Watcher(Protocol):
    """Whoever wants to see a run while it happens."""

    def begun(self, held: int) -> None:
        """Training is about to start, with states of so many bytes in all."""

    def trained(self, seed: int, steps: int, row: Row) -> None:
        """A block is done."""

    def evaluated(self, seed: int, steps: int, row: Row) -> None:
        """An evaluation is done."""

    def stopping(self) -> bool:
        """Whether the run should stop after this block."""
        ...


class Silent:
    """A watcher that does not look."""

    def begun(self, held: int) -> None: ...

    def trained(self, seed: int, steps: int, row: Row) -> None: ...

    def evaluated(self, seed: int, steps: int, row: Row) -> None: ...

    def stopping(self) -> bool:
        return False


@dataclass
class Repetition:
    """One seed of a run while it trains."""

    seed: int
    team: Team
    block: int = 0
    seconds: float = 0.0
    kept: int = 0
    """The block after which its latest checkpoint was written."""
    ledger: Ledger = field(init=False)
    """What has crossed the links."""


class Trainer:
    """A run in progress: what is compiled, and the repetitions that it is compiled for."""

    def __init__(self, run: Run, watcher: Watcher | None = None):
        self.run = run
        self.watcher = watcher or Silent()
        algorithm, game, settings = run.algorithm, run.played, run.settings
        algorithm.check(settings.games)
        self.names = game.names
        files = [file_name(name) for name in self.names]
        require(
            len(set(files)) == len(files),
            f"agents need different names for their files, not {', '.join(self.names)}.",
            GameError,
        )
        if settings.tensorboard:
            require_tensorboard()
        talk = CENTRE if algorithm.information.central else settings.communication
        self.vector = game.vectorize(settings.games)
        self.blocks = settings.blocks(algorithm.horizon)
        self.block_steps = settings.block_steps(algorithm.horizon)
        self.specs = known_specs(game, self.vector, algorithm.information)
        require_fit(talk, algorithm, self.specs, self.names)
        self.judged = game.vectorize(settings.evaluation_games)
        self._assemble = jax.jit(partial(assemble, algorithm, game, self.vector, talk))
        self._advance = jax.jit(self._block, donate_argnums=0)
        self._evaluate = jax.jit(self._play)
        self._sound = jax.jit(_sound)
        self._events: dict[int, Events] = {}
        self._worlds: dict[tuple[Game, Any], PyTree] = {}

    @property
    def held(self) -> int:
        """How many bytes all seeds' states take: what learns, and what it remembers."""
        team = jax.eval_shape(self._assemble, jax.random.key(0))
        each = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(team))
        return each * len(self.run.seeds)

    def fresh(self, seed: int) -> Repetition:
        """A repetition before its first block."""
        repetition = Repetition(seed, self._placed(seed, self._assemble(jax.random.key(seed))))
        neighbour = np.asarray(repetition.team.network.neighbour)
        repetition.ledger = Ledger(neighbour, self.names)
        return repetition

    def restored(self, seed: int) -> Repetition:
        """A repetition as its latest checkpoint left it, its tables cut back to there."""
        found = checkpoints(self.run.checkpoints(seed))
        repetition = self.fresh(seed)
        if found:
            like, owner = self._savable(repetition.team), self.run.owner(seed)
            team, progress = load_checkpoint(found[-1], like, owner)
            repetition.team = self._placed(seed, self._restaged(team))
            repetition.block = repetition.kept = int(progress["block"])
            repetition.seconds = progress["seconds"]
            repetition.ledger.restore(progress["sent"])
            self._export(repetition)
        trained = repetition.block * self.block_steps
        for path in (self.run.metrics(seed), self.run.evaluations(seed)):
            Table(path).cut(trained if found else -1)
        return repetition

    def train(self, repetitions: list[Repetition]) -> bool:
        """Train until every repetition is done; False if the watcher stopped it before."""
        self.watcher.begun(self.held)
        try:
            for repetition in repetitions:
                if repetition.block == 0:
                    self._score(repetition)
            while waiting := [r for r in repetitions if r.block < self.blocks]:
                self._train_block(waiting)
                if self.watcher.stopping():
                    for repetition in waiting:
                        self._keep(repetition)
                    break
        finally:
            for events in self._events.values():
                events.close()
        return all(repetition.block == self.blocks for repetition in repetitions)

    def _train_block(self, repetitions: list[Repetition]) -> None:
        started = time.perf_counter()
        reports = []
        groups = self._groups(repetitions)
        for group in groups:
            # Only dispatched here: groups on different devices run at the same time.
            worlds = _distinct([self._world(repetition.seed) for repetition in group])
            teams, said = self._advance([repetition.team for repetition in group], worlds)
            for repetition, team in zip(group, teams, strict=True):
                repetition.team = team
            reports += said
        for repetition, report in zip(itertools.chain(*groups), reports, strict=True):
            report = self._fetched(report)
            require_sound(report, self.names, repetition.block * self.run.settings.block + 1)
            repetition.block += 1
            repetition.ledger.add(report)
            self._log(repetition, training_row(report, self.names), time.perf_counter() - started)
        for repetition in repetitions:
            self._look(repetition)

    def _log(self, repetition: Repetition, row: Row, seconds: float) -> None:
        repetition.seconds += seconds
        steps = repetition.block * self.block_steps
        timed = {"steps": float(steps), "seconds": round(repetition.seconds, 3), **row}
        Table(self.run.metrics(repetition.seed)).append(timed)
        self._tell(repetition, "training", timed)
        self.watcher.trained(repetition.seed, steps, timed)

    def _look(self, repetition: Repetition) -> None:
        """Evaluate and write a checkpoint where one is due."""
        settings, block = self.run.settings, repetition.block
        if is_due(settings.evaluations, block, self.blocks):
            self._score(repetition)
        if is_due(settings.checkpoints, block, self.blocks):
            self._keep(repetition)

    def _score(self, repetition: Repetition) -> None:
        steps = repetition.block * self.block_steps
        self._require_sound(repetition)
        key = jax.random.fold_in(jax.random.key(repetition.seed), 2**31 + repetition.block)
        world = self._world(repetition.seed)
        scores = self._fetched(self._evaluate(repetition.team, key, world))
        sent = repetition.ledger.bytes
        row = {"steps": float(steps), **evaluation_row(scores, self.names, sent)}
        Table(self.run.evaluations(repetition.seed)).append(row)
        self._tell(repetition, "evaluation", row)
        self.watcher.evaluated(repetition.seed, steps, row)

    def _keep(self, repetition: Repetition) -> None:
        """Write a checkpoint and the policies, unless they are; games may have to start afresh."""
        if repetition.kept == repetition.block:
            return
        self._require_sound(repetition)
        repetition.team = self._restaged(repetition.team)
        team, seed = self._savable(repetition.team), repetition.seed
        progress = {
            "block": repetition.block,
            "seconds": repetition.seconds,
            "sent": repetition.ledger.saved(),
        }
        save_checkpoint(self.run.checkpoints(seed), team, progress, self.run.owner(seed))
        repetition.kept = repetition.block
        repetition.ledger.write(self.run.traffic(seed))
        self._export(repetition)

    def _require_sound(self, repetition: Repetition) -> None:
        sound = self._fetched(self._sound(repetition.team.agents))
        require_sound_state(sound, self.names, repetition.block * self.run.settings.block)

    def _tell(self, repetition: Repetition, kind: str, row: Row) -> None:
        """Write a row for TensorBoard, if it is wanted."""
        if not self.run.settings.tensorboard:
            return
        seed = repetition.seed
        if seed not in self._events:
            after = repetition.kept * self.block_steps
            self._events[seed] = Events(self.run.seed_folder(seed) / "tensorboard", after)
        self._events[seed].append(kind, row)

    def _export(self, repetition: Repetition) -> None:
        algorithm = self.run.algorithm
        policies = jax.device_get(self._policies(repetition.team))
        shapes = {
            spec: jax.eval_shape(
                lambda spec=spec: algorithm.policy(algorithm.init(jax.random.key(0), spec)[0])
            )
            for spec in kinds(self.specs)
        }
        for agent, (name, spec) in enumerate(zip(self.names, self.specs, strict=True)):
            mine = unstack(policies, agent, shapes[spec])
            about = card(name, self.run.world, spec, mine, algorithm.plays_mode)
            save_policy(self.run.policy_file(repetition.seed, name), mine, about)

    def _restaged(self, team: Team) -> Team:
        """Games that a checkpoint cannot hold start afresh there, stopped or not."""
        if self.vector.resumable:
            return team
        key = jax.random.fold_in(team.game_key, np.uint32(2**31 + int(team.iteration)))
        return team._replace(stage=open_stage(self.vector, team.start, key))

    def _savable(self, team: Team) -> Team:
        """A team without what only this process understands."""
        return team if self.vector.resumable else team._replace(stage=team.stage._replace(games=()))

    def _policies(self, team: Team) -> Any:
        return jax.vmap(self.run.algorithm.policy)(team.agents)

    def _block(self, teams: list[Team], worlds: list[PyTree]) -> tuple[list[Team], list[Report]]:
        """A block of iterations of every team, in the world that they share or in their own."""

        def block(team: Team, world: PyTree) -> tuple[Team, Report]:
            vector, updates = self.vector.within(world), self.run.settings.block
            return iterations(self.run.algorithm, self.run.played, vector, updates)(team)

        return side_by_side(block, teams, worlds)

    def _play(self, team: Team, key: Key[Array, ""], world: PyTree) -> Scores:
        """One episode in each of the games that the team is judged by."""
        algorithm, judged = self.run.algorithm, self.judged.within(world)
        play = evaluator(judged, units(self.run.played.specs), algorithm.plays_mode)
        return play(self._policies(team), key)

    def _groups(self, repetitions: list[Repetition]) -> list[list[Repetition]]:
        """Repetitions that advance as one program: those of a device, if that is faster.

        It is on an accelerator, which one team of small networks leaves idle.
        """
        idle = jax.default_backend() != "cpu" and self.vector.resumable
        if not (idle or self.run.algorithm.batches_seeds):
            return [[repetition] for repetition in repetitions]
        groups: dict[Any, list[Repetition]] = {}
        for repetition in repetitions:
            groups.setdefault(self._device(repetition.seed), []).append(repetition)
        return list(groups.values())

    def _device(self, seed: int) -> Any:
        devices = jax.local_devices() if self.vector.resumable else jax.local_devices()[:1]
        return devices[(seed - self.run.settings.seed) % len(devices)]

    def _world(self, seed: int) -> PyTree:
        """What the games of a repetition never change, on its device; equal games share it."""
        game, device = self.run.played.for_seed(seed), self._device(seed)
        if (game, device) not in self._worlds:
            same = game == self.run.played
            vector = self.vector if same else game.vectorize(self.run.settings.games)
            self._worlds[game, device] = jax.device_put(vector.world, device)
        return self._worlds[game, device]

    def _placed(self, seed: int, team: Team) -> Team:
        return jax.device_put(team, self._device(seed))

    def _fetched(self, values: Any) -> Any:
        return jax.tree.map(np.asarray, jax.device_get(values))


def rehearse(run: Run) -> None:
    """Raise what `train` would raise of the configuration, at next to no cost."""
    trainer = Trainer(run)
    _require_room(trainer)


def train(run: Run, watcher: Watcher | None = None) -> bool:
    """Train a new run in its own folder; False if it was stopped before the end."""
    run.require_new()
    trainer = Trainer(run, watcher)
    _require_room(trainer)
    with explained(trainer.vector, trainer.judged):
        repetitions = [trainer.fresh(seed) for seed in run.seeds]
        run.create()
        return trainer.train(repetitions)


def resume(run: Run, watcher: Watcher | None = None) -> bool:
    """Continue a run from its latest checkpoints, bit for bit as if it had never stopped."""
    trainer = Trainer(run, watcher)
    _require_room(trainer)
    sweep(run.folder)
    with explained(trainer.vector, trainer.judged):
        return trainer.train([trainer.restored(seed) for seed in run.seeds])


def _require_room(trainer: Trainer) -> None:
    """Raise `ConfigError` if the states would not fit the machine; a GPU says so itself."""
    if jax.default_backend() == "cpu":
        seeds = len(trainer.run.seeds)
        what = f"what {len(trainer.names)} agents learn and remember, with {seeds} seeds,"
        require_room(trainer.held, what, "lower --capacity, --seeds or --agents")


def _distinct(worlds: list[PyTree]) -> list[PyTree]:
    """Every world once."""
    return list({id(world): world for world in worlds}.values())


def _sound(agents: PyTree) -> dict[str, Bool[Array, " N"]]:
    """Whether each array of the agents' states is finite."""
    named = jax.tree_util.tree_flatten_with_path(agents)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): jnp.all(
            jnp.isfinite(leaf), axis=tuple(range(1, leaf.ndim))
        )
        for path, leaf in named
        if jnp.issubdtype(leaf.dtype, jnp.floating)
    }
