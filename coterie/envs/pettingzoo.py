"""Environments written for PettingZoo, or for its interface, in the same compiled training loop.

`step` leaves the compiled program through an ordered callback; worker processes play all copies
and answer in shared memory. Everything random in an environment follows from the seeds it is reset
with, and these follow from the keys: the same keys give the same bits, however many workers there
are.
"""

import functools
import logging
from dataclasses import dataclass, field
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback
from jaxtyping import Array, Float, Key, PyTree, UInt32

from coterie.bounds import AtLeast, AtMost, Between
from coterie.encoding import MASK, ActionEncoding, Encoding, Numbers
from coterie.envs.checks import host
from coterie.envs.checks.checks import Checks
from coterie.envs.game import Env, SingleEnv, Timestep, VectorEnv
from coterie.envs.host.factory import RAISED, Options, arguments, build, close, describe
from coterie.envs.host.layout import Layout, measure, record
from coterie.envs.host.sessions import ANSWERS, Sessions, count_workers, shapes
from coterie.envs.host.workers import Workers
from coterie.envs.painted import PaintedEpisode
from coterie.errors import EnvError, require
from coterie.internal.imports import PETTINGZOO
from coterie.internal.memory import require_room
from coterie.internal.parts import IN_NAME
from coterie.internal.trust import require_trusted
from coterie.types import AgentSpec, Box, Discrete, Observation, Space

WORKERS = 1_024
"""Most worker processes of a run."""
WORKER, COPY = 30_000_000, 20_000
"""Bytes that a process, and an environment in it, take at the very least."""
DAYS = 1e6
"""Longest step, in seconds, of which a system call waits for no more than 2^31 thousandths."""


@dataclass(frozen=True)
class PettingZooEnv(Env):
    """An environment that a factory of PettingZoo's `ParallelEnv`s makes.

    factory:  `"mpe2.simple_spread_v3"` (a module with `parallel_env`), `"my.module:function"` or
              `"my.module.function"`.
    """

    factory: str = field(metadata=IN_NAME)
    """Factory of the environment."""
    env_kwargs: tuple[str, ...] = ()
    """Arguments of the factory: N=3 max_cycles=25; Python's plain values, or else text."""
    workers: Annotated[int | None, AtLeast(1), AtMost(WORKERS)] = None
    """Number of worker processes; as many as there are cores, and no more than environments, if
    None."""
    step_timeout: Annotated[float, Between(0, DAYS, open=True)] = 60.0
    """Seconds that a step of all environments may take before the environment counts as
    hung."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_trusted(self.catalogue_name(), self.factory.partition(":")[0])
        arguments(self.env_kwargs)

    @property
    def arguments(self) -> Options:
        """The options as the factory is given them, by name.

        >>> PettingZooEnv("mpe2.simple_spread_v3", ("N=3", "shape=(2, 3)", "map=maze")).arguments
        (('N', 3), ('shape', (2, 3)), ('map', 'maze'))
        """
        return arguments(self.env_kwargs)

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        layout = self.layout
        pairs = zip(layout.observations, map(space_of, layout.acted), strict=True)
        return tuple(AgentSpec(layout.image or size, action) for size, action in pairs)

    @property
    def encodings(self) -> tuple[tuple[Encoding, ActionEncoding], ...]:
        return tuple(zip(self.layout.seen, self.layout.acted, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        return self.layout.agents

    @property
    def layout(self) -> Layout:
        """The sizes of the environment; it is built once to find them."""
        return _layout(self.factory, self.env_kwargs)

    def vectorize(self, copies: int) -> "HostVector":
        require(copies >= 1, f"num_envs must be at least 1, not {copies}.")
        return HostVector(self, copies)

    def single(self) -> SingleEnv:
        return PaintedEpisode(self.render_env(), self.layout)

    def render(self, state: Any) -> np.ndarray:
        return state

    def checks(self) -> Checks:
        try:
            used, fresh = self.build(), self.build()
            _ = self.layout
        except EnvError as error:
            return Checks([str(error)])
        return host.checks(used, fresh)

    def catalogue_name(self) -> str:
        return f"{PETTINGZOO}{self.factory}"

    def build(self) -> Any:
        """A fresh `ParallelEnv`, in this process."""
        return build(self.factory, self.arguments)

    def render_env(self) -> Any:
        """A fresh `ParallelEnv` whose `render()` gives a picture `[H, W, 3]`."""
        return build(self.factory, self.arguments, render_mode="rgb_array")


def space_of(coding: ActionEncoding) -> Space:
    """Space of an agent's actions, as learners know them."""
    if isinstance(coding, Numbers):
        return Box(coding.size, coding.low, coding.high)
    return Discrete(coding.actions)


@functools.lru_cache(maxsize=64)
def _layout(factory: str, env_kwargs: tuple[str, ...]) -> Layout:
    env = PettingZooEnv(factory, env_kwargs).build()
    try:
        return measure(env)
    except EnvError:
        raise
    except RAISED as error:
        raise EnvError(f"{factory} cannot be reset and stepped: {describe(error)}.") from error
    finally:
        close(env)


class HostVector(VectorEnv):
    """Copies of a `PettingZooEnv`, played by worker processes.

    A state is a number that stands for a set of copies in the workers, so that one vector
    environment, and one compiled program, serves several seeds. Ordered callbacks cannot be
    batched: play seeds one after the other (`lax.map`, a loop), and on one device.
    """

    def __init__(self, env: PettingZooEnv, copies: int):
        layout = env.layout
        number = count_workers(env.workers, copies)
        require_room(
            WORKER * number + COPY * copies,
            f"{copies:,} copies of {env.factory} in {number:,} processes",
            "lower --num-envs, --eval-episodes or --workers",
            EnvError,
        )
        told = (env.factory, env.env_kwargs, layout, copies, number, env.step_timeout)
        self.copies = copies
        self.info = layout.info
        self.sessions = Sessions(functools.partial(Workers, *told))
        self.shapes = shapes(record(layout), copies, jax.ShapeDtypeStruct)

    @property
    def resumable(self) -> bool:
        return False

    @property
    def failure(self) -> EnvError | None:
        return self.sessions.failure

    def reset(self, key: Key[Array, ""]) -> tuple[PyTree, Observation]:
        results = (jax.ShapeDtypeStruct((), jnp.int32), self.shapes["next"])
        state, view = io_callback(self.sessions.start, results, self._seeds(key), ordered=True)
        return state, _view(view)

    def step(
        self, state: PyTree, action: Array, key: Key[Array, ""]
    ) -> tuple[PyTree, Timestep, Observation]:
        told = (state, action.astype(self.shapes["action"].dtype), self._seeds(key))
        results = {name: self.shapes[name] for name in ANSWERS}
        given = io_callback(self.sessions.step, results, *told, ordered=True)
        flags = (given["reward"], given["terminated"], given["truncated"])
        info = {name: given["info"][..., k] for k, name in enumerate(self.info)}
        return state, Timestep(_view(given["view"]), *flags, info), _view(given["next"])

    def close(self, state: PyTree) -> None:
        io_callback(self.sessions.close, None, state, ordered=True)

    def reserve(self, states: int) -> None:
        self.sessions.alive = max(self.sessions.alive, states)

    def shutdown(self) -> None:
        self.sessions.shutdown()

    def global_state(self, state: PyTree, view: Observation) -> Float[Array, "G S"]:
        """All observations side by side."""
        return view.observation.reshape(self.copies, -1)

    def _seeds(self, key: Key[Array, ""]) -> UInt32[Array, " G"]:
        """One seed per copy. 31 bits: some environments pass them on to C as signed integers."""
        return jax.random.bits(key, (self.copies,), jnp.uint32) >> 1


def _view(fields: dict[str, Array]) -> Observation:
    return Observation(fields["observation"], fields.get(MASK), fields["present"])


def _unexpected(entry: logging.LogRecord) -> bool:
    """True if JAX should log an exception of a callback: an `EnvError` is reported by the loop."""
    return not (entry.exc_info and isinstance(entry.exc_info[1], EnvError))


logging.getLogger("jax._src.callback").addFilter(_unexpected)
