"""Actions of the others, for critics of joint actions: estimated, communicated, or left out."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key, PyTree

from coterie.algorithms.base.algorithm import Information, Metrics
from coterie.algorithms.f2a2.joint_batch import JointBatch
from coterie.algorithms.f2a2.stored_steps import Sample, SampledSequence, Transition
from coterie.bounds import AtLeast
from coterie.internal.parts import Part
from coterie.network import Network, Payload, chunked
from coterie.rl import replay
from coterie.rl.opponent_model import (
    History,
    OpponentModel,
    OpponentModels,
    init_opponent_models,
)
from coterie.types import LearnerSpec

POLICIES = "actions"

Own = Callable[[], tuple[Float[Array, "B W"], Float[Array, "B W"]]]
"""Actions that an agent's policy would take now, and its target next."""


class OpponentModelState(NamedTuple):
    """Models of the others, their optimiser, and the own part of the steps that form characters."""

    models: OpponentModel
    optimizer: PyTree
    first: History


class Opponents(Part, abc.ABC):
    """Source of the other agents' actions."""

    def declared(
        self, information: Information, numbers: Callable[[LearnerSpec], int], updates: int
    ) -> Information:
        """Declaration of what an algorithm may know with this source; here what it knows anyway.

        numbers: those of a message, if actions are sent in each of so many updates.
        """
        return information

    @property
    def known(self) -> bool:
        """True if anything is known of the others at all."""
        return True

    @property
    def steps_before(self) -> int:
        """Steps of the running episode that are looked at before each drawn one."""
        return 0

    @abc.abstractmethod
    def init(
        self, key: Key[Array, ""], spec: LearnerSpec, steps: int, rule: optax.GradientTransformation
    ) -> PyTree:
        """Initial models of the others; trajectories have so many steps."""

    def set_characters(self, state: PyTree, steps: Transition, new: Bool[Array, ""]) -> PyTree:
        """Models with the first steps `[T, G, ...]` of all, which are kept if they are `new`."""
        return state

    def draw(
        self, stored: replay.Replay, key: Key[Array, ""], batch: int, num_envs: int, length: int
    ) -> Sample:
        """Steps to learn from, with so many before them; the key is everybody's."""
        capacity = jax.tree.leaves(stored.items)[0].shape[0]
        places = replay.latest(stored, key, batch, capacity)
        return Sample(SampledSequence.at(stored, places, length, num_envs))

    @abc.abstractmethod
    def predict(
        self, state: PyTree, batch: JointBatch, network: Network, own: Own, key: Key[Array, ""]
    ) -> tuple[Float[Array, "2 B M W"], Network]:
        """Actions of everybody now and next; the agent's own entry is not used."""

    def update(
        self,
        state: PyTree,
        sample: Sample,
        network: Network,
        information: Information,
        rule: optax.GradientTransformation,
    ) -> tuple[PyTree, Metrics]:
        """Models of the others after one gradient step towards what they did lately."""
        return state, {}


@dataclass(frozen=True)
class IgnoredOpponents(Opponents, name="ignored"):
    """No knowledge of the others: critics take the agent's own action alone."""

    @property
    def known(self) -> bool:
        return False

    def declared(
        self, information: Information, numbers: Callable[[LearnerSpec], int], updates: int
    ) -> Information:
        return replace(information, actions="own")

    def init(
        self, key: Key[Array, ""], spec: LearnerSpec, steps: int, rule: optax.GradientTransformation
    ) -> tuple[()]:
        return ()

    def predict(
        self, state: PyTree, batch: JointBatch, network: Network, own: Own, key: Key[Array, ""]
    ) -> tuple[Float[Array, "2 B M W"], Network]:
        return jnp.zeros((2, *batch.actions.shape)), network


@dataclass(frozen=True)
class CommunicatedActions(Opponents, name="communicated"):
    """Actions of the policies of others, sent by them; of those not heard, stored actions."""

    def declared(
        self, information: Information, numbers: Callable[[LearnerSpec], int], updates: int
    ) -> Information:
        told = Payload(POLICIES, messages=updates, numbers=lambda spec: 2 * numbers(spec))
        return replace(
            information, payloads=(*information.payloads, told), requires_complete_graph=True
        )

    def init(
        self, key: Key[Array, ""], spec: LearnerSpec, steps: int, rule: optax.GradientTransformation
    ) -> tuple[()]:
        return ()

    def predict(
        self, state: PyTree, batch: JointBatch, network: Network, own: Own, key: Key[Array, ""]
    ) -> tuple[Float[Array, "2 B M W"], Network]:
        heard, network = network.neighbors(jnp.stack(own()), POLICIES)
        did = jnp.moveaxis(jnp.broadcast_to(batch.actions, (2, *batch.actions.shape)), 2, 0)
        arrived = heard.arrived[:, None, None, None]
        told = jnp.where(arrived, heard.received, did[network.neighbor])
        everybody = did.at[network.neighbor].set(told).at[network.index].set(heard.sent)
        return jnp.moveaxis(everybody, 0, 2), network


@dataclass(frozen=True)
class EstimatedActions(Opponents, name="estimated"):
    """Models of the others, learned from what they did (section 5.2; see `opponent_model`)."""

    hidden_size: Annotated[int, AtLeast(1)] = 32
    """Width of the networks that model another agent."""
    history: Annotated[int, AtLeast(1)] = 5
    """Steps of the running episode that its mental state is made of."""
    num_character_trajectories: Annotated[int, AtLeast(1)] = 8
    """Environments whose first `rollout_length` steps form its character."""
    window: Annotated[int, AtLeast(1)] = 1_200
    """Steps that its model learns from: the latest ones."""

    @property
    def steps_before(self) -> int:
        return self.history

    def init(
        self, key: Key[Array, ""], spec: LearnerSpec, steps: int, rule: optax.GradientTransformation
    ) -> OpponentModelState:
        seen, acted = spec.padded.observation, spec.padded.action.size
        shape = steps, min(self.num_character_trajectories, spec.num_envs)
        no = jnp.zeros(shape, bool)
        first = History(jnp.zeros((*shape, seen + acted)), no, no)
        models = init_opponent_models(key, spec.agents, (seen, acted), self.hidden_size)
        return OpponentModelState(models, rule.init(eqx.filter(models, eqx.is_array)), first)

    def set_characters(
        self, state: OpponentModelState, steps: Transition, new: Bool[Array, ""]
    ) -> OpponentModelState:
        kept = state.first
        some = jax.tree.map(lambda x: x[:, : kept.over.shape[1]], steps)
        mine = jnp.concatenate([some.seen, some.acted], axis=-1)
        if some.view.alive is not None:
            mine = jnp.where(some.view.alive[..., None], mine, 0.0)
        past = History(mine, some.over, jnp.ones_like(some.over))
        first = jax.tree.map(lambda old, now: jnp.where(new, now, old), kept, past)
        return state._replace(first=first)

    def draw(
        self, stored: replay.Replay, key: Key[Array, ""], batch: int, num_envs: int, length: int
    ) -> Sample:
        """Steps to learn from, and recent ones to train the models of the others on."""
        capacity = jax.tree.leaves(stored.items)[0].shape[0]
        places = replay.latest(stored, key, batch, capacity)
        newest = replay.latest(stored, jax.random.fold_in(key, 1), batch, self.window)
        return Sample(*(SampledSequence.at(stored, p, length, num_envs) for p in (places, newest)))

    def predict(
        self,
        state: OpponentModelState,
        batch: JointBatch,
        network: Network,
        own: Own,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, "2 B M W"], Network]:
        # Both at once: what forms the others' characters is read once.
        seen = jnp.concatenate([batch.seen[-1], batch.next_seen])
        past = batch.before.beside(batch.until)
        discrete = batch.step.discrete

        def sampled(
            models: OpponentModels, seen: Array, past: History, index: Array, key: Key[Array, ""]
        ) -> Array:
            return models.sample(seen, past, index, discrete, key)

        told = chunked(sampled, 1)(_everybodys(state, network), seen, past, network.index, key)
        return told.reshape(2, *batch.actions.shape), network

    def update(
        self,
        state: OpponentModelState,
        sample: Sample,
        network: Network,
        information: Information,
        rule: optax.GradientTransformation,
    ) -> tuple[OpponentModelState, Metrics]:
        assert sample.latest is not None
        batch = JointBatch.of(sample.latest, network, information)
        return self.learn(state, batch, network, rule)

    def learn(
        self,
        state: OpponentModelState,
        batch: JointBatch,
        network: Network,
        rule: optax.GradientTransformation,
    ) -> tuple[OpponentModelState, Metrics]:
        """Models after one step towards what the others did in these steps."""
        discrete = batch.step.discrete

        def gradient_of(
            models: OpponentModels,
            seen: Array,
            acted: Array,
            past: History,
            index: Array,
            there: Array | None,
        ) -> tuple[OpponentModel, Metrics]:
            return models.gradient(seen, acted, past, index, discrete, there)

        models = _everybodys(state, network)
        there = None if batch.there is None else batch.there[0]
        told = batch.seen[-1], batch.actions, batch.before, network.index, there
        gradient, metrics = chunked(gradient_of, 1)(models, *told)
        change, optimizer = rule.update(gradient, state.optimizer)
        models = eqx.apply_updates(models.models, change)
        return OpponentModelState(models, optimizer, state.first), metrics


def _everybodys(state: OpponentModelState, network: Network) -> OpponentModels:
    """Models of all agents, with everybody's part of the steps that form characters."""
    first = state.first._replace(steps=network.gather_public(state.first.steps))
    return OpponentModels(state.models, first)
