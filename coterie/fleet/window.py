"""World as one process of a fleet sees it: its own agents' views and rewards, and no others'."""

import struct
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms import Algorithm
from coterie.envs.game import Env, VectorEnv
from coterie.envs.timestep import Timestep
from coterie.errors import EnvError
from coterie.fleet.frames import Frame, number_of
from coterie.fleet.mailbox import Mailbox
from coterie.fleet.wire import FleetWire, Send, arrays
from coterie.internal.count import Count
from coterie.network.wire import over_wire
from coterie.types import Observation

SEEN, ACTED, JOIN, NOW, ROUNDS = map(
    number_of, ("world/seen", "world/acted", "world/join", "world/now", "world/rounds")
)
"""Numbers of the messages between a world and its agents."""
PLACE = struct.Struct("<Qq")
"""A number of updates, and the rounds of exchange in each; -1 where they are not known."""

START = 300.0
"""Seconds that the processes of a fleet may take to start."""
GIVEN_UP = 30.0
"""Seconds after which an agent gives up a world that does not answer."""


class Sight(NamedTuple):
    """Views, rewards and ends that a step shows the agents of one process, `[G, k, ...]`.

    states: the global state after the step, and where the next one begins, `[2, G, S]`, for methods
            that declare it; `None` for others.
    """

    reward: Float[Array, "G k"]
    terminated: Bool[Array, "G k"]
    truncated: Bool[Array, "G k"]
    final: Observation
    following: Observation
    over: Bool[Array, " G"]
    states: Float[Array, "2 G S"] | None = None

    @staticmethod
    def of(
        timestep: Timestep, following: Observation, states: Array | None, who: Sequence[int]
    ) -> "Sight":
        """Cut out of a step what these agents are shown."""
        rows = np.asarray(who)

        def own(tree: PyTree) -> PyTree:
            return jax.tree.map(lambda x: x[:, rows], tree)

        return Sight(
            own(timestep.reward),
            own(timestep.terminated),
            own(timestep.truncated),
            own(timestep.view),
            own(following),
            timestep.over,
            states,
        )


class Clock(NamedTuple):
    """State of a window: the steps that the world has made, and its global state if it is shown."""

    steps: Int[Array, ""]
    state: Float[Array, "G S"] | None

    @staticmethod
    def of(steps: Int[Array, ""], sight: Sight) -> "Clock":
        """The state once something was seen."""
        return Clock(steps, None if sight.states is None else sight.states[1])


def stepped(
    vector: VectorEnv, shown: bool, state: PyTree, action: Array, key: Key[Array, ""]
) -> tuple[PyTree, Timestep, Observation, Array | None]:
    """Step a world: its state, the step, what follows, and the global states if they are shown."""
    state, timestep, following = vector.step(state, action, key)
    if not shown:
        return state, timestep, following, None
    after = vector.global_state(state, timestep.view) if timestep.state is None else timestep.state
    return state, timestep, following, jnp.stack([after, vector.global_state(state, following)])


def shows_state(algorithm: Algorithm) -> bool:
    """Whether a method declares that all know the global state."""
    return bool(algorithm.information.state) and algorithm.information.state != "observations"


def sight_of(algorithm: Algorithm, env: Env, copies: int, who: Sequence[int]) -> Sight:
    """Shapes of what agents are shown."""
    vector = env.vectorize(copies)

    def shown(key: Key[Array, ""]) -> Sight:
        state, _ = vector.reset(key)
        action = jnp.zeros(action_shape(env, copies), action_type(env))
        return Sight.of(*stepped(vector, shows_state(algorithm), state, action, key)[1:], who)

    return jax.eval_shape(shown, jax.random.key(0))


def action_shape(env: Env, copies: int) -> tuple[int, ...]:
    """Shape of everybody's actions in the environment's units."""
    space = env.specs[0].action
    return (copies, len(env.specs), *((space.size,) if space.continuous else ()))


def action_type(env: Env) -> Any:
    """Type of actions."""
    return np.float32 if env.specs[0].action.continuous else np.int32


class Window(VectorEnv):
    """The environments of a fleet's world, for the agents of one process.

    What an agent is not shown is not sent to its process.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        env: Env,
        copies: int,
        wire: FleetWire,
        world: int,
        send: Send,
        mailbox: Mailbox,
        incarnation: int,
    ):
        self.copies, self._wire, self._size = copies, wire, len(env.specs)
        self._sight = sight_of(algorithm, env, copies, wire.agents)
        self._world, self._send, self._mailbox = world, send, mailbox
        self._incarnation, self._patience = incarnation, START
        self._failure: EnvError | None = None

    def reset(self, key: Key[Array, ""]) -> tuple[Clock, Observation]:
        """Look at a world that begins."""
        return self.look(jnp.int32(0))

    def look(self, steps: Int[Array, ""]) -> tuple[Clock, Observation]:
        """Look at the world after so many steps."""
        sight: Sight = io_callback(self._hear, self._sight, steps, ordered=True)
        return Clock.of(steps, sight), sight.following

    def step(
        self, state: Clock, action: Array, key: Key[Array, ""]
    ) -> tuple[Clock, Timestep, Observation]:
        """Act, and see what came of everybody's actions."""
        sight: Sight = io_callback(self._act, self._sight, state.steps, action, ordered=True)
        flags = sight.reward, sight.terminated, sight.truncated
        known = None if sight.states is None else sight.states[0]
        timestep = Timestep(sight.final, *flags, info={}, state=known, ended=sight.over)
        return Clock.of(state.steps + 1, sight), timestep, sight.following

    @property
    def failure(self) -> EnvError | None:
        """Error of a world that does not answer."""
        return self._failure

    def global_state(self, state: Clock, view: Observation) -> Float[Array, "G S"]:
        """Return the global state that the world has shown."""
        assert state.state is not None  # it is declared
        return state.state

    def everybody(self, state: Clock, value: PyTree, name: str) -> PyTree:
        """Tell all what a method declares to be known to all."""
        clock = Count(jnp.uint32(0), state.steps.astype(jnp.uint32))
        return over_wire(self._wire.publish, name, clock, value, self._size)[0]

    def seats(self, agents: int) -> Int[np.ndarray, " k"]:
        """Places in the team of those who play here."""
        return np.asarray(self._wire.agents)

    def _act(self, clock: np.ndarray, action: np.ndarray) -> Sight:
        frame = Frame(
            ACTED, min(self._wire.agents), self._incarnation, int(clock), 0, _bytes(action)
        )
        self._send(self._world, frame)
        sight = self._hear(clock + 1)
        self._patience = GIVEN_UP  # from here on: the others may take long to start
        return sight

    def _hear(self, clock: np.ndarray) -> Sight:
        until = time.monotonic() + self._patience
        found = self._mailbox.take(SEEN, (int(clock), 0), [self._world], lambda _: until)
        leaves, shape = jax.tree.flatten(self._sight)
        like = [np.zeros(1, leaf.dtype) for leaf in leaves]
        body = found.get(self._world, b"")
        values = arrays(body, [leaf.shape for leaf in leaves], like)
        if values is None:
            self._failure = EnvError(
                f"the world has not answered for {self._patience:.0f} s: its process has ended "
                "or hangs."
            )
            raise self._failure
        return jax.tree.unflatten(shape, values)


def _bytes(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def body_of(sight: Sight) -> bytes:
    """A sight as the body of a frame."""
    return b"".join(_bytes(np.asarray(leaf)) for leaf in jax.tree.leaves(sight))
