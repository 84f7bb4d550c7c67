"""Process of one agent of a fleet: it plays, talks to its neighbors, learns, and keeps what it may
know in a folder of its own."""

import dataclasses
import itertools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coterie.errors import EnvError
from coterie.fleet.frames import Frame
from coterie.fleet.link import Link
from coterie.fleet.mailbox import Mailbox
from coterie.fleet.plan import Plan
from coterie.fleet.window import JOIN, NOW, PLACE, ROUNDS, START, Window
from coterie.fleet.wire import FleetWire
from coterie.internal.count import Count
from coterie.network import Network, unstack
from coterie.policies.saving import save_policy
from coterie.training.action_scaling import action_scaling
from coterie.training.checkpoint import checkpoints, load_checkpoint, save_checkpoint, steps_before
from coterie.training.evaluate import reraise_env_error
from coterie.training.loggers.table import Csv
from coterie.training.metrics import require_sound, training_row
from coterie.training.programs import fetched
from coterie.training.recording import exports
from coterie.training.rollout import rollout
from coterie.training.setup import set_up
from coterie.training.state import (
    IterationStats,
    Phases,
    TrainState,
    advance,
    init_state,
    keys_of,
    phases,
)
from coterie.types import ObservationEncoder, common_step

LONGEST = 2**30
"""Bytes of the longest message."""


class Member:
    """One agent of a fleet, in a process of its own."""

    def __init__(self, plan: Plan, agent: int, incarnation: int):
        self._plan, self._agent, self._incarnation = plan, agent, incarnation
        self._run, self._seed = plan.member_run(agent), plan.run.settings.seed
        self._setup = set_up(plan.run)
        others = tuple(i for i in plan.seats if i != agent)
        self._mailbox = Mailbox(plan.fingerprint, (*others, plan.world), LONGEST)
        self._link = Link(plan, agent, (*others, plan.world), self._mailbox)
        self.wire = FleetWire(
            plan.seats,
            agent,
            plan.neighbors(agent),
            self._link.send,
            self._mailbox,
            incarnation,
            (plan.patience, START),
        )
        settings = plan.run.settings
        self._window = Window(
            plan.run.algorithm,
            plan.run.played,
            settings.num_envs,
            self.wire,
            plan.world,
            self._link.send,
            self._mailbox,
            incarnation,
        )
        self._iterate = jax.jit(self._iteration)
        self._table, self._begun = Csv(), time.monotonic()

    def train(self, stopping: Callable[[], bool]) -> bool:
        """Train to the end of the run, from the latest checkpoint if there is one; False if it was
        stopped before."""
        team, blocks = self._restored(), self._run.blocks
        self._table.start(self._run)
        compiled = self._iterate.lower(team).compile()  # before anybody waits for this agent
        team, reports = self._joined(team), []
        ends = {blocks.updates_after(block): block for block in range(1, blocks.number + 1)}
        while (done := int(team.iteration) - 1) < blocks.updates:
            if stopping():
                return False
            with reraise_env_error(self._window):
                team, report = jax.block_until_ready(compiled(team))
            self._tell_rounds(team)
            reports.append(jax.tree.map(lambda x: x[None], fetched(report)))
            require_sound(reports[-1], (self._name,), done + 1)
            if done + 1 in ends:
                self._end_block(ends[done + 1], team, reports)
                reports = []
        return True

    def _end_block(self, block: int, team: TrainState, reports: list[IterationStats]) -> None:
        self._log(reports, team)
        if self._run.blocks.is_due(self._run.settings.num_checkpoints, block):
            self._keep(team)

    def close(self) -> None:
        """End the session, once what was sent is on its way."""
        time.sleep(1.0)
        self._link.close()

    @property
    def _name(self) -> str:
        return self._plan.agents[self._agent]

    def _fresh(self) -> TrainState:
        """This agent's part of the team that the run begins with; the world is elsewhere."""
        setup, rows = self._setup, np.array(self.wire.agents)
        key = jax.random.key(self._seed)
        parts = setup.algorithm, setup.env, setup.vector, setup.communication
        team = jax.jit(init_state, static_argnums=(0, 1, 2, 3))(*parts, key)
        unseen = jax.eval_shape(self._window.reset, key)[0]
        stage = team.stage._replace(
            envs=jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), unseen),
            view=jax.tree.map(lambda x: x[:, rows], team.stage.view),
            memory=jax.tree.map(lambda x: x[rows], team.stage.memory),
            returns=team.stage.returns[:, rows],
        )
        every = team.agents, team.scales, team.start, team.keys, team.network
        agents, scales, start, keys, network = jax.tree.map(lambda x: x[rows], every)
        return TrainState(agents, scales, start, keys, network, stage, team.env_key, team.iteration)

    def _restored(self) -> TrainState:
        team = self._fresh()
        found = checkpoints(self._run.checkpoints(self._seed))
        if found:
            team, _ = load_checkpoint(found[-1], team, self._run.owner(self._seed))
        return team

    def _joined(self, team: TrainState) -> TrainState:
        """The team where the run is now: at its beginning, or at the update after the present
        one."""
        done = int(team.iteration) - 1
        following, rounds = self._ask(done)
        clock = Count.of(np.full(len(self.wire.agents), following * rounds))
        envs, view = self._window.look(jnp.int32(following * self._run.algorithm.rollout_length))
        stage = team.stage._replace(envs=envs, view=view)
        network = team.network if following == done else _at(team.network, clock)
        return team._replace(stage=stage, network=network, iteration=jnp.int32(following + 1))

    def _ask(self, done: int) -> tuple[int, int]:
        """Ask the world for the number of updates after which this agent can take part, and for the
        rounds of exchange in each; who has missed some needs both."""
        me, until = (self._agent, self._incarnation, self._incarnation), time.monotonic() + START
        for turn in itertools.count():
            self._link.send(self._plan.world, Frame(JOIN, *me, turn, b""))
            soon = time.monotonic() + 1.0
            place = self._incarnation, turn
            found = self._mailbox.take(NOW, place, [self._plan.world], lambda _, soon=soon: soon)
            if found:
                following, rounds = PLACE.unpack(found[self._plan.world])
                if following == done or rounds >= 0:
                    return following, rounds
                time.sleep(1.0)
            if time.monotonic() > until:
                break
        raise EnvError(f"the world has not answered for {START:.0f} s: is its process running?")

    def _tell_rounds(self, team: TrainState) -> None:
        """Tell the world, for those who join later, how many rounds an update has."""
        clock, done = int(team.network.clock.whole()[0]), int(team.iteration) - 1
        body = PLACE.pack(0, clock // done)
        self._link.send(
            self._plan.world, Frame(ROUNDS, self._agent, self._incarnation, done, 0, body)
        )

    def _iteration(self, team: TrainState) -> tuple[TrainState, IterationStats]:
        team = team._replace(network=_wired(team.network, self.wire))
        keys = keys_of(team, self._run.algorithm.rollout_length, 1)[0]
        team, report = advance(self._phases(), team, keys)
        return team._replace(network=_wired(team.network, None)), report

    def _phases(self) -> Phases:
        """Phases of an iteration, played through the window and reported for this agent."""
        setup, rows = self._setup, list(self.wire.agents)
        usual = phases(setup.algorithm, setup.env, setup.vector)
        specs = setup.env.specs
        scale = action_scaling(tuple(specs[i] for i in rows))
        encoder, step = ObservationEncoder.of(specs), common_step(specs)

        def play(team: TrainState, keys: Any) -> Any:
            world = self._window, scale, encoder, step, team.agents, team.start, team.stage
            return rollout(setup.algorithm.act, setup.algorithm.information, *world, keys)

        def report(*told: Any) -> IterationStats:
            said = usual.report(*told)
            sent, observed = jax.tree.map(lambda x: x[np.array(rows)], (said.sent, said.observed))
            return said._replace(sent=sent, observed=observed, consensus_error={})

        return usual._replace(play=play, report=report)

    def _log(self, reports: list[IterationStats], team: TrainState) -> None:
        together = jax.tree.map(lambda *parts: np.concatenate(parts), *reports)
        steps = steps_before(self._run, int(team.iteration))
        row = {
            "steps": steps,
            "seconds": round(time.monotonic() - self._begun, 3),
            **training_row(together, (self._name,)),
            "messages/lost": float(self.wire.counts["lost"]),
            "frames/dropped": float(sum(self._mailbox.dropped.values())),
            "incarnation": float(self._incarnation),
        }
        self._table.log("training", self._seed, steps, row)

    def _keep(self, team: TrainState) -> None:
        """Write a checkpoint of this agent alone, and its policy."""
        folder, owner = self._run.checkpoints(self._seed), self._run.owner(self._seed)
        save_checkpoint(folder, team, {"blocks_done": 0}, owner)
        policies = jax.device_get(jax.vmap(self._setup.algorithm.policy)(team.agents))
        step = steps_before(self._run, int(team.iteration))
        for about, space, shape in exports(self._run, self._setup, self._seed, step):
            if about.name == self._name:
                policy = unstack(policies, 0, shape).alone(space)
                save_policy(self._run.policy_file(self._seed, self._name), policy, about)


def _wired(network: Network, wire: FleetWire | None) -> Network:
    return dataclasses.replace(network, wire=wire)


def _at(network: Network, clock: Count) -> Network:
    """The network at another round."""
    return dataclasses.replace(network, clock=clock)
