"""Process of a fleet's simulated world: every agent is told its own views and rewards, and no
others'."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coterie.envs.timestep import Timestep
from coterie.fleet.frames import Frame
from coterie.fleet.link import Link
from coterie.fleet.mailbox import Mailbox
from coterie.fleet.plan import Plan
from coterie.fleet.window import (
    ACTED,
    JOIN,
    NOW,
    PLACE,
    ROUNDS,
    SEEN,
    START,
    Sight,
    action_shape,
    action_type,
    body_of,
    shows_state,
    stepped,
)
from coterie.fleet.wire import arrays


class World:
    """The environments of a fleet, in step with its agents.

    Who does not act in time goes on with its last action, and is not waited for until it is heard
    again.
    """

    def __init__(self, plan: Plan):
        self._plan, run = plan, plan.run
        self._vector = run.played.vectorize(run.settings.num_envs)
        self._count = len(plan.agents)
        shape = action_shape(run.env, run.settings.num_envs)
        self._shape = (shape[0], 1, *shape[2:])
        self._action = np.zeros(shape, action_type(run.env))
        self._mailbox = Mailbox(
            plan.fingerprint, range(self._count), PLACE.size + self._action.nbytes
        )
        self._link = Link(plan, plan.world, tuple(range(self._count)), self._mailbox)
        self._shown = shows_state(run.algorithm)
        self._steps, self._rounds, self._begun = 0, -1, False
        self._away: dict[int, float] = {}
        self._last: dict[int, bytes] = {}
        self._step = jax.jit(self._all_sights)
        self._mailbox.answers(ROUNDS, self._note_rounds)
        self._mailbox.answers(JOIN, self._joined)

    def serve(self, stopping: Callable[[], bool]) -> None:
        """Step the environments until the run is over."""
        run, length = self._plan.run, self._plan.run.algorithm.rollout_length
        _, env_key, stage_key, *_ = jax.random.split(jax.random.key(run.settings.seed), 5)
        state, view = jax.jit(self._vector.reset)(stage_key)
        self._show(jax.device_get(self._first(state, view)))
        fold = jax.jit(jax.random.fold_in)
        while self._steps < run.blocks.updates * length and not stopping():
            action = self._actions()
            update, step = divmod(self._steps, length)
            key = fold(env_key, (update + 1) * (length + 1) + 1 + step)
            state, sights = self._step(state, action, key)
            self._steps += 1
            self._show(jax.device_get(sights))

    def close(self) -> None:
        """End the session, once what was sent is on its way."""
        time.sleep(1.0)
        self._link.close()

    def _all_sights(self, state: Any, action: Any, key: Any) -> tuple[Any, list[Sight]]:
        state, timestep, following, states = stepped(self._vector, self._shown, state, action, key)
        everybody = range(self._count)
        return state, [Sight.of(timestep, following, states, (i,)) for i in everybody]

    def _first(self, state: Any, view: Any) -> list[Sight]:
        """Show the agents how the episodes begin."""
        copies = view.observation.shape[0]
        no, zero = jnp.zeros((copies, self._count), bool), jnp.zeros((copies, self._count))
        states = None
        if self._shown:
            states = jnp.stack([self._vector.global_state(state, view)] * 2)
        told = Timestep(view, zero, no, no, {}), view, states
        return [Sight.of(*told, (i,)) for i in range(self._count)]

    def _show(self, sights: list[Sight]) -> None:
        for agent, sight in enumerate(sights):
            self._last[agent] = body_of(sight)
            self._send(agent, SEEN, self._steps, self._last[agent])

    def _send(self, agent: int, name: int, clock: int, body: bytes) -> None:
        self._link.send(agent, Frame(name, self._plan.world, 0, clock, 0, body))

    def _actions(self) -> np.ndarray:
        """Everybody's actions at this step."""
        now, patience = time.monotonic(), self._plan.patience if self._begun else START

        def until(agent: int) -> float:
            gone = self._away.get(agent)
            away = gone is not None and self._mailbox.heard[agent] <= gone
            return now if away else now + patience

        everybody = range(self._count)
        found = self._mailbox.take(ACTED, (self._steps, 0), everybody, until)
        self._begun = True
        for agent in everybody:
            if agent not in found:
                self._away.setdefault(agent, time.monotonic())
                continue
            self._away.pop(agent, None)
            values = arrays(found[agent], [self._shape], [self._action])
            if values is not None:
                self._action[:, agent : agent + 1] = values[0]
        return self._action.copy()

    def _joined(self, frame: Frame) -> None:
        """Tell an agent that starts where the run is: it takes part from the next update on."""
        length, agent = self._plan.run.algorithm.rollout_length, frame.sender
        following = -(-self._steps // length)
        body = PLACE.pack(following, self._rounds)
        about = NOW, self._plan.world, 0, frame.incarnation, frame.turn
        self._link.send(agent, Frame(*about, body))
        if following * length == self._steps and agent in self._last:
            self._send(agent, SEEN, self._steps, self._last[agent])

    def _note_rounds(self, frame: Frame) -> None:
        """Note how many rounds an update has."""
        if len(frame.body) == PLACE.size:
            self._rounds = PLACE.unpack(frame.body)[1]
