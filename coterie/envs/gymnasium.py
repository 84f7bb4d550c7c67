"""Environments of Gymnasium, by their ids: played by workers as those of PettingZoo are, or as a
batch in this process."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np

from coterie.bounds import AtLeast, AtMost, Between
from coterie.encoding import ActionEncoding, Encoding
from coterie.envs import library
from coterie.envs.checks.checks import Checks
from coterie.envs.game import Env, SingleEnv, VectorEnv
from coterie.envs.gymnasium_vector import GymnasiumVectorEnv
from coterie.envs.host.factory import arguments, describe
from coterie.envs.host_env import HostEnv
from coterie.envs.pettingzoo import DAYS, TIMEOUT, WORKERS, PettingZooEnv
from coterie.errors import EnvError, require
from coterie.internal.imports import GYMNASIUM, load, module_in
from coterie.internal.parts import IN_NAME
from coterie.internal.trust import require_trusted
from coterie.types import AgentSpec

FACTORY = "coterie.internal.gymnasium_team:make"
"""Factory of the `ParallelEnv`; it is no part of `envs`, with which workers would import JAX."""
BATCH = "coterie.internal.gymnasium_vector:make"
"""Factory of the batch."""

Vectorization = Literal["workers", "sync", "vector_entry_point"]


@dataclass(frozen=True)
class GymnasiumEnv(Env):
    """An environment of Gymnasium, by its id: `CartPole-v1`, or `rware:rware-tiny-2ag-v2` with the
    module that registers it.

    Where observations and actions are Tuples of one length, each part belongs to an agent; any
    other environment has a team of one.
    """

    name: str = field(metadata=IN_NAME)
    """Id of the environment."""
    env_kwargs: tuple[str, ...] = ()
    """Arguments of gymnasium.make: max_episode_steps=100; Python's plain values, or else text."""
    vectorization: Vectorization = "workers"
    """Player of the copies: worker processes; or, in the process that trains, Gymnasium's
    SyncVectorEnv, one copy after the other, or the batch that the environment brings itself, all
    copies at once."""
    workers: Annotated[int | None, AtLeast(1), AtMost(WORKERS)] = None
    """Number of worker processes; as many as there are cores, and no more than environments, if
    None."""
    step_timeout: Annotated[float, Between(0, DAYS, open=True)] = TIMEOUT
    """Seconds that a step of all environments may take before the environment counts as hung; only
    worker processes can be interrupted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_trusted(self.catalogue_name(), module_in(self.catalogue_name()))
        arguments(self._arguments)
        own = self.vectorization == "workers"
        require(
            own or (self.workers is None and self.step_timeout == TIMEOUT),
            f"--vectorization {self.vectorization} has no worker processes, so --workers and "
            "--step-timeout mean nothing to it: leave them out, or take --vectorization workers.",
        )

    def catalogue_name(self) -> str:
        return f"{GYMNASIUM}{self.name}"

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        return self.host.specs

    @property
    def encodings(self) -> tuple[tuple[Encoding, ActionEncoding], ...]:
        return self.host.encodings

    @property
    def names(self) -> tuple[str, ...]:
        return self.host.names

    def vectorize(self, copies: int) -> VectorEnv:
        return self.host.vectorize(copies)

    def single(self) -> SingleEnv:
        return self.host.single()

    def render(self, state: Any) -> np.ndarray:
        return self.host.render(state)

    def checks(self) -> Checks:
        try:
            return self.host.checks()
        except EnvError as error:
            return Checks([str(error)])

    def rehearse(self) -> str | None:
        if self.vectorization != "workers":
            return None
        return PettingZooEnv(FACTORY, self._arguments, step_timeout=self.step_timeout).rehearse()

    @property
    def host(self) -> HostEnv:
        """The environment by its other interface; `CoterieError` if Gymnasium does not know it."""
        _require_known(self.name, self.vectorization)
        if self.vectorization == "workers":
            return PettingZooEnv(FACTORY, self._arguments, self.workers, self.step_timeout)
        mode = f"vectorization_mode={self.vectorization!r}"
        return GymnasiumVectorEnv(BATCH, (*self._arguments, mode))

    @property
    def _arguments(self) -> tuple[str, ...]:
        return (f"id={self.name!r}", *self.env_kwargs)


def _require_known(name: str, vectorization: Vectorization) -> None:
    """Raise a `CoterieError` unless Gymnasium, or the module that is named, has registered it, with
    a batch of its own where that is asked for."""
    gymnasium = library.load("gymnasium", "gymnasium")
    module, _, own = name.rpartition(":")
    try:
        if module:
            load(module)
    except ModuleNotFoundError as error:
        raise EnvError(
            f"{GYMNASIUM}{name} needs {error.name}, which is not installed: pip install it, or "
            "check the spelling."
        ) from None
    except Exception as error:
        raise EnvError(f"importing {module} failed: {describe(error)}.") from error
    if own not in gymnasium.registry:
        raise library.unknown("Gymnasium", "environment", own, gymnasium.registry)
    require(
        vectorization != "vector_entry_point" or bool(gymnasium.registry[own].vector_entry_point),
        f"{own} is registered without a vector_entry_point: take --vectorization workers, or sync.",
        EnvError,
    )
