"""Networks of one agent: policies and critics, each a body and a head."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from coterie.rl import forward
from coterie.rl.bodies import Body, RecurrentState
from coterie.rl.distributions import (
    Categorical,
    Distribution,
    Gaussian,
    MultiCategorical,
    TanhNormal,
)
from coterie.rl.hybrid import Hybrid
from coterie.rl.layers import ACTIVATIONS, JAX, Dense
from coterie.rl.models import MLP, Inputs, Model
from coterie.rl.scaling import InputScale
from coterie.types import Mixed, Observation, Space

FRESH_GAIN = 0.01
"""Gain of heads that say next to nothing at first, as those of action values. Policies follow the
differences between actions, and those of a fresh critic mean nothing: Adam would climb them at full
step size."""


class Policy(eqx.Module):
    """A stochastic policy: a body and a head for one action space.

    For a `Box` the head gives the means of a Gaussian in normalised units and `log_std` does not
    depend on the observation; for discrete spaces `log_std` is `None`. A squashed policy has a
    second head in its place: deviations that depend on the observation, within two bounds.

    model:   what the body was built from, to build it again for a policy file.
    several: how many actions there are for each choice, if several are made at once.
    numbered: in a team of both kinds, 1 if this agent's actions are numbered and 0 if not; no
             gradient reaches it.
    """

    body: Body
    head: Dense
    log_std: Float[Array, " D"] | Dense | None
    model: Model = eqx.field(static=True)
    deviations: tuple[float, float] | None = eqx.field(static=True, default=None)
    several: tuple[int, ...] = eqx.field(static=True, default=())
    numbered: Float[Array, ""] | None = None

    @staticmethod
    def init(
        keys: Key[Array, "2"],
        model: Model,
        inputs: Inputs,
        space: Space,
        gain: float = 0.01,
    ) -> "Policy":
        """A policy that starts out close to uniform (or to the standard normal)."""
        if isinstance(space, Mixed):
            return Policy.init(keys, model, inputs, space.own, gain).in_team(space)
        log_std = jnp.zeros(space.size) if space.continuous else None
        body = model.body(keys[0], inputs)
        head = model.head(keys[1], inputs, body, space.size, gain)
        return Policy(body, head, log_std, model, several=space.each)

    def in_team(self, space: Space) -> "Policy":
        """Form of a policy that agents of both kinds share; `alone` is the way back."""
        if not isinstance(space, Mixed):
            return self
        log_std = jnp.zeros(space.size) if self.log_std is None else self.log_std
        return dataclasses.replace(
            self, log_std=log_std, numbered=jnp.float32(1.0 if space.numbered else 0.0)
        )

    def alone(self, space: Space) -> "Policy":
        """Policy of an agent by itself, with actions of its own kind."""
        if not isinstance(space, Mixed):
            return self
        log_std = None if space.numbered else self.log_std
        return dataclasses.replace(self, log_std=log_std, numbered=None)

    @staticmethod
    def squashed(
        keys: Key[Array, "2"],
        model: Model,
        inputs: Inputs,
        space: Space,
        deviations: tuple[float, float],
    ) -> "Policy":
        """A policy of actions `tanh(mean + deviation xi)`, `xi` normal (Haarnoja et al. 2018).

        deviations: the least and the largest; it starts at their geometric mean. Between them their
                    logarithm follows a `tanh` of the second head, so that no gradient is cut off.
        """
        plain = Policy.init(keys, model, inputs, space)
        key = jax.random.fold_in(keys[1], 1)
        second = model.head(key, inputs, plain.body, space.size, 0.01)
        return dataclasses.replace(plain, log_std=second, deviations=deviations)

    @staticmethod
    def tabular(logits: Float[Array, "M A"]) -> "Policy":
        """The policy on `M` numbered observations with these unnormalised log-probabilities.

        >>> table = jnp.log(jnp.array([[0.25, 0.75], [1.0, 1.0]]))
        >>> policy, view = Policy.tabular(table), Observation(jnp.array([0.0]))
        >>> round(float(jnp.exp(policy.distribution(view).log_prob(jnp.array(1)))), 3)
        0.75
        """
        states, actions = logits.shape
        head = Dense(logits, jnp.zeros(actions), numbered=True)
        model = MLP(())
        body = model.build(jax.random.key(0), Inputs(states, numbered=True))
        return Policy(body, head, None, model)

    def distribution(self, view: Observation, memory: RecurrentState = ()) -> Distribution:
        """The distribution over actions, given what is remembered, if anything."""
        return self.step(view, memory)[0]

    def step(
        self, view: Observation, memory: RecurrentState
    ) -> tuple[Distribution, RecurrentState]:
        """The distribution over actions, and what is remembered after it."""
        features, memory = self.body.step(view.observation, memory)
        return self.choices(features, view), memory

    def choices(self, features: Float[Array, "*batch H"], view: Observation) -> Distribution:
        """The distribution over actions, given the body's features of `view`."""
        output, log_std = self.outputs(features)
        if self.several:
            return MultiCategorical.of(output, self.several, view.action_mask)
        if log_std is None:
            return Categorical.of(output, view.action_mask)
        gaussian = Gaussian(output, log_std, view.action_mask)
        if isinstance(self.log_std, Dense):
            return TanhNormal(gaussian)
        if self.numbered is None:
            return gaussian
        numbered = jnp.broadcast_to(self.numbered > 0.5, output.shape[:-1])
        return Hybrid(numbered, Categorical.of(output, view.action_mask), gaussian)

    def outputs(
        self, features: Float[Array, "*batch H"]
    ) -> tuple[Float[Array, "*batch A"], Float[Array, "*batch A"] | None]:
        """The numbers that say how actions are distributed, given the body's features: the logits
        of discrete ones and `None`, or means and the logarithms of deviations."""
        output = self.head(features)
        if self.log_std is None:
            return output, None
        if isinstance(self.log_std, Dense):
            bounds = self.deviations or (1.0, 1.0)
            return output, forward.log_deviation(self.log_std, features, bounds, JAX)
        return output, jnp.broadcast_to(self.log_std, output.shape)

    @property
    def inner_layers(self) -> list[PyTree]:
        """The layers between the first and the last."""
        return self.body.inner_layers


class Critic(eqx.Module):
    """A value function: a body and one number."""

    body: Body
    head: Dense

    @staticmethod
    def init(keys: Key[Array, "2"], model: Model, inputs: Inputs, gain: float = 1.0) -> "Critic":
        """A critic with an orthogonal head of this gain."""
        body = model.body(keys[0], inputs)
        return Critic(body, model.head(keys[1], inputs, body, 1, gain))

    def value(self, features: Float[Array, "*batch H"]) -> Float[Array, " *batch"]:
        """The value, given the body's features."""
        return self.head(features)[..., 0]

    @property
    def inner_layers(self) -> list[PyTree]:
        """The layers between the first and the last."""
        return self.body.inner_layers


class ActionCritic(eqx.Module):
    """A value of actions: one layer adds what it is told of the action to what is seen.

    They have weights of their own, so that both may be padded.
    """

    seen: Dense
    acted: Float[Array, "D H"]
    body: Body
    head: Dense
    front: Body | None
    scale: InputScale | None
    activation: str = eqx.field(static=True)

    @staticmethod
    def init(keys: Key[Array, "2"], model: Model, inputs: Inputs, actions: int) -> "ActionCritic":
        """A critic of `actions` numbers; its model has no memory."""
        body_key, head_key = jax.random.split(keys[1])
        front, seen, acted, body, activation, width = model.fuse(
            jnp.stack([keys[0], body_key]), inputs, actions
        )
        head = Dense.init(head_key, width, 1, FRESH_GAIN)
        return ActionCritic(seen, acted, body, head, front, inputs.scale, activation)

    def value(
        self, x: Float[Array, "*batch I"], action: Float[Array, "*batch D"]
    ) -> Float[Array, " *batch"]:
        """The value of an action, given an observation or a state."""
        known = x if self.scale is None else self.scale(x)
        known = known if self.front is None else self.front.step(known, ())[0]
        features = ACTIVATIONS[self.activation](self.seen(known) + action @ self.acted)
        return self.head(self.body.step(features, ())[0])[..., 0]

    @property
    def inner_layers(self) -> list[PyTree]:
        """The layers between the first and the last."""
        if self.front is None:
            return [self.body] if jax.tree.leaves(self.body) else []
        return [*self.front.inner_layers, self.seen, self.acted]


def polyak_update(target: PyTree, model: PyTree, rate: float | Float[Array, ""]) -> PyTree:
    """A target network after one step towards a model: `(1 - rate) target + rate model`.

    >>> float(polyak_update(jnp.array(1.0), jnp.array(3.0), 0.25))
    1.5
    """
    return jax.tree.map(lambda old, new: old + rate * (new - old), target, model)
