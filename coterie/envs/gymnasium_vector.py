"""Batches of Gymnasium's `VectorEnv`, one object that steps all copies, in this process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from coterie.envs.checks import host, two_copies
from coterie.envs.checks.checks import Checks
from coterie.envs.host.batch import Batches
from coterie.envs.host.factory import arguments, build_batch
from coterie.envs.host.layout import Layout
from coterie.envs.host.sessions import Players
from coterie.envs.host_env import COPY, HostEnv, layout_of
from coterie.errors import EnvError
from coterie.internal.gymnasium_team import GymnasiumTeam
from coterie.internal.gymnasium_vector import FirstCopy
from coterie.internal.imports import GYMNASIUM_VECTOR
from coterie.internal.memory import require_room
from coterie.internal.parts import IN_NAME
from coterie.internal.trust import require_trusted


@dataclass(frozen=True)
class GymnasiumVectorEnv(HostEnv):
    """A batch of environments: a `gymnasium.vector.VectorEnv` that a function `make(num_envs, ...)`
    returns.

    factory: `"my.module:make"` or `"my.module.make"`.

    Where the single observations and actions are Tuples of one length, each part belongs to an
    agent; any other batch has a team of one. Rewards and flags have a number for each copy, or
    `[num_envs, agents]`, one for each agent. The batch steps in the process that trains: nothing
    interrupts a step that hangs.
    """

    factory: str = field(metadata=IN_NAME)
    """Function that makes the batch."""
    env_kwargs: tuple[str, ...] = ()
    """Arguments of the function beside num_envs: size=5 map=maze; Python's plain values, or else
    text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_trusted(self.catalogue_name(), self.factory.partition(":")[0])
        arguments(("num_envs=1", *self.env_kwargs))

    @property
    def layout(self) -> Layout:
        return layout_of(GymnasiumVectorEnv, self.factory, self.env_kwargs)

    def build(self, **more: Any) -> Any:
        env = build_batch(self.factory, arguments(self.env_kwargs), 1, **more)
        return GymnasiumTeam(FirstCopy(env))

    def hire(self, copies: int) -> Callable[[], Players]:
        require_room(
            COPY * copies,
            f"{copies:,} copies of {self.factory}",
            "lower --num-envs or --eval-episodes",
            EnvError,
        )
        return partial(Batches, self.factory, self.env_kwargs, self.layout, copies)

    def checks(self) -> Checks:
        try:
            used, fresh = self.build(), self.build()
            layout = self.layout
        except EnvError as error:
            return Checks([str(error)])
        found = host.checks(used, fresh)
        return found._replace(faults=[*found.faults, *two_copies.faults(layout, self.hire)])

    def catalogue_name(self) -> str:
        return f"{GYMNASIUM_VECTOR}{self.factory}"
