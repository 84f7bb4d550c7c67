"""Temperatures of soft actor-critics: what a nat of a policy's entropy is worth."""

import abc
import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, PyTree

from coterie.algorithms.base.algorithm import Metrics
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between
from coterie.internal.parts import Part
from coterie.rl.distributions import Categorical, Distribution
from coterie.rl.masked_stats import mean

Present = Bool[Array, " B"] | None


class Temperature(Part, abc.ABC):
    """Rule for the temperature alpha; each agent has its own, and tells nobody."""

    @abc.abstractmethod
    def start(self) -> PyTree:
        """Initial state of the rule."""

    @abc.abstractmethod
    def alpha(self, state: PyTree) -> Float[Array, ""]:
        """The temperature now."""

    @abc.abstractmethod
    def excess(self, choices: Distribution, present: Present) -> Float[Array, ""]:
        """Entropy of a policy above what is aimed at, as a share of the largest."""

    @abc.abstractmethod
    def updated(self, state: PyTree, excess: Float[Array, ""]) -> tuple[PyTree, Metrics]:
        """State after an update in which the policy had so much entropy too much."""


@dataclass(frozen=True)
class FixedTemperature(Temperature, name="fixed"):
    """A temperature that stays as it is."""

    value: Annotated[float, AtLeast(0)] = 0.002
    """alpha."""

    def start(self) -> tuple[()]:
        return ()

    def alpha(self, state: tuple[()]) -> Float[Array, ""]:
        return jnp.asarray(self.value, jnp.float32)

    def excess(self, choices: Distribution, present: Present) -> Float[Array, ""]:
        return jnp.zeros(())

    def updated(self, state: tuple[()], excess: Float[Array, ""]) -> tuple[tuple[()], Metrics]:
        return state, {}


class TemperatureState(NamedTuple):
    """Logarithm of alpha, and its optimizer."""

    log_alpha: Float[Array, ""]
    optimizer: PyTree


@dataclass(frozen=True)
class AutomaticTemperature(Temperature, name="automatic"):
    """A temperature that holds the policy's entropy at a target (Haarnoja et al. 2018b, eq. 18).

    Adam steps down `log alpha (H(pi) - target log|A|) / log|A|`, with `|A|` the number of actions
    that are possible: alpha falls while the policy is more random than the target, and rises while
    it is less so. Choices among a single action are not counted.
    """

    target: Annotated[float, Between(0, 1)] = 0.3
    """Entropy that is aimed at, as a share of that of all possible actions alike."""
    lr: Annotated[float, Above(0), AtMost(RATE)] = 1e-3
    """Adam's step size for the logarithm of alpha."""
    initial: Annotated[float, Above(0)] = 0.002
    """alpha at first."""

    def start(self) -> TemperatureState:
        log_alpha = jnp.asarray(math.log(self.initial), jnp.float32)
        return TemperatureState(log_alpha, optax.adam(self.lr).init(log_alpha))

    def alpha(self, state: TemperatureState) -> Float[Array, ""]:
        return jnp.exp(state.log_alpha)

    def excess(self, choices: Distribution, present: Present) -> Float[Array, ""]:
        assert isinstance(choices, Categorical)  # a method of soft actor-critics declares so
        most = choices.largest_entropy()
        several = most > 0.0 if present is None else (most > 0.0) & present
        return mean(choices.entropy() / jnp.where(most > 0.0, most, 1.0) - self.target, several)

    def updated(
        self, state: TemperatureState, excess: Float[Array, ""]
    ) -> tuple[TemperatureState, Metrics]:
        change, optimizer = optax.adam(self.lr).update(excess, state.optimizer)
        log_alpha = state.log_alpha + jnp.asarray(change)
        return TemperatureState(log_alpha, optimizer), {"temperature": jnp.exp(log_alpha)}
