"""Environments of Gymnasium, played by workers as those of PettingZoo are."""

from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np

from coterie.bounds import AtLeast, AtMost, Between
from coterie.encoding import ActionEncoding, Encoding
from coterie.envs import library
from coterie.envs.checks.checks import Checks
from coterie.envs.game import Env, SingleEnv, VectorEnv
from coterie.envs.host.factory import arguments, describe
from coterie.envs.pettingzoo import DAYS, WORKERS, PettingZooEnv
from coterie.errors import EnvError
from coterie.internal.imports import GYMNASIUM, load, module_in
from coterie.internal.parts import IN_NAME
from coterie.internal.trust import require_trusted
from coterie.types import AgentSpec

FACTORY = "coterie.internal.gymnasium_team:make"
"""Factory of the `ParallelEnv`; it is no part of `envs`, with which workers would import JAX."""


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
    workers: Annotated[int | None, AtLeast(1), AtMost(WORKERS)] = None
    """Number of worker processes; as many as there are cores, and no more than environments, if
    None."""
    step_timeout: Annotated[float, Between(0, DAYS, open=True)] = 60.0
    """Seconds that a step of all environments may take before the environment counts as
    hung."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_trusted(self.catalogue_name(), module_in(self.catalogue_name()))
        arguments(self._arguments)

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

    @property
    def host(self) -> PettingZooEnv:
        """The environment by its other interface; `CoterieError` if Gymnasium does not know it."""
        _require_known(self.name)
        return PettingZooEnv(FACTORY, self._arguments, self.workers, self.step_timeout)

    @property
    def _arguments(self) -> tuple[str, ...]:
        return (f"id={self.name!r}", *self.env_kwargs)


def _require_known(name: str) -> None:
    """Raise a `CoterieError` unless Gymnasium, or the module that is named, has registered it."""
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
