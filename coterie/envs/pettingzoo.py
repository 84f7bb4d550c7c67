"""Environments written for PettingZoo, or for its interface, played by worker processes.

The same keys give the same bits, however many workers there are.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from coterie.bounds import AtLeast, AtMost, Between
from coterie.envs.checks import host
from coterie.envs.checks.checks import Checks
from coterie.envs.host.factory import Options, arguments, build
from coterie.envs.host.layout import Layout
from coterie.envs.host.rehearsal import rehearsed
from coterie.envs.host.sessions import Players, count_workers
from coterie.envs.host.workers import Workers
from coterie.envs.host_env import COPY, HostEnv, layout_of
from coterie.errors import EnvError
from coterie.internal.imports import PETTINGZOO
from coterie.internal.memory import require_room
from coterie.internal.parts import IN_NAME
from coterie.internal.trust import require_trusted

WORKERS = 1_024
"""Most worker processes of a run."""
WORKER = 30_000_000
"""Bytes that a worker process takes at the very least."""
DAYS = 1e6
"""Longest step, in seconds, of which a system call waits for no more than 2^31 thousandths."""
TIMEOUT = 60.0
"""Seconds that a step may take if nothing else is said."""


@dataclass(frozen=True)
class PettingZooEnv(HostEnv):
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
    step_timeout: Annotated[float, Between(0, DAYS, open=True)] = TIMEOUT
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
    def layout(self) -> Layout:
        return layout_of(PettingZooEnv, self.factory, self.env_kwargs)

    def build(self, **more: Any) -> Any:
        return build(self.factory, self.arguments, **more)

    def hire(self, copies: int) -> Callable[[], Players]:
        number = count_workers(self.workers, copies)
        require_room(
            WORKER * number + COPY * copies,
            f"{copies:,} copies of {self.factory} in {number:,} processes",
            "lower --num-envs, --eval-episodes or --workers",
            EnvError,
        )
        told = (self.factory, self.env_kwargs, self.layout, copies, number, self.step_timeout)
        return partial(Workers, *told)

    def checks(self) -> Checks:
        try:
            used, fresh = self.build(), self.build()
            _ = self.layout
        except EnvError as error:
            return Checks([str(error)])
        return host.checks(used, fresh)

    def rehearse(self) -> str | None:
        return rehearsed(self.factory, self.env_kwargs, self.step_timeout)

    def catalogue_name(self) -> str:
        return f"{PETTINGZOO}{self.factory}"
