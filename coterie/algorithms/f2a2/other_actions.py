"""What the others would do, to whoever judges joint actions: guessed, said, or left out."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key, PyTree

from coterie.algorithms.base.algorithm import Metrics
from coterie.algorithms.f2a2.joint_batch import JointBatch, Sample, SampledSequence, Transition
from coterie.algorithms.f2a2.opponent_model import (
    History,
    OpponentModel,
    OpponentModels,
    init_opponent_models,
)
from coterie.network import Network, chunked
from coterie.rl import replay
from coterie.rl.optimizers import clipped_adams
from coterie.types import AgentSpec

POLICIES = "actions"


class OpponentModelState(NamedTuple):
    """Models of the others, their optimiser, and the own part of what characters are formed by.

    `None` where nobody is guessed.
    """

    models: OpponentModel | None = None
    optimizer: PyTree = ()
    first: History | None = None


@dataclass(frozen=True)
class OpponentActions:
    """How an agent knows what the others would do.

    source: by "estimates" of its own models of them (section 5.2), by what their "policies" say
            when
          asked, or not at all ("none").
    hidden_size: of the networks of a model; trajectories, latest: see `F2A2OffPolicy`.
    lr, max_grad_norm: Adam's step size, and the largest norm of the gradient.
    """

    source: Literal["estimates", "policies", "none"]
    hidden_size: int
    num_character_trajectories: int
    window: int
    lr: float
    max_grad_norm: float

    def init(self, key: Key[Array, ""], spec: AgentSpec, steps: int) -> OpponentModelState:
        """Fresh models; their characters will be formed by trajectories of so many steps."""
        if self.source != "estimates":
            return OpponentModelState()
        seen, acted = spec.padded.observation, spec.padded.action.size
        shape = steps, min(self.num_character_trajectories, spec.num_envs)
        no = jnp.zeros(shape, bool)
        first = History(jnp.zeros((*shape, seen + acted)), no, no)
        minds = init_opponent_models(key, spec.agents, (seen, acted), self.hidden_size)
        return OpponentModelState(minds, self._rule.init(eqx.filter(minds, eqx.is_array)), first)

    def set_characters(
        self, known: OpponentModelState, steps: Transition, new: Bool[Array, ""]
    ) -> OpponentModelState:
        """The same after the first steps `[T, G, ...]` of all, which are kept if they are `new`."""
        kept = known.first
        if kept is None:
            return known
        some = jax.tree.map(lambda x: x[:, : kept.over.shape[1]], steps)
        mine = jnp.concatenate([some.view.observation, some.acted], axis=-1)
        if some.view.alive is not None:
            mine = jnp.where(some.view.alive[..., None], mine, 0.0)
        past = History(mine, some.over, jnp.ones_like(some.over))
        first = jax.tree.map(lambda old, now: jnp.where(new, now, old), kept, past)
        return known._replace(first=first)

    def draw(
        self, stored: replay.Replay, key: Key[Array, ""], batch: int, num_envs: int, length: int
    ) -> Sample:
        """Steps to learn from with so many before them, and others to learn of the others by.

        The key is everybody's.
        """
        capacity = jax.tree.leaves(stored.items)[0].shape[0]
        places = replay.latest(stored, key, batch, capacity)
        if self.source != "estimates":
            return Sample(SampledSequence.at(stored, places, length, num_envs))
        newest = replay.latest(stored, jax.random.fold_in(key, 1), batch, self.window)
        return Sample(*(SampledSequence.at(stored, p, length, num_envs) for p in (places, newest)))

    def predict(
        self,
        known: OpponentModelState,
        scene: JointBatch,
        network: Network,
        said: tuple[Float[Array, "B W"], Float[Array, "B W"]] | None,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, "2 B M W"], Network]:
        """Everybody's actions now and next; one's own place holds no answer.

        said: what this agent would do now and next, if it is to tell.
        """
        if self.source == "none":
            return jnp.zeros((2, *scene.actions.shape)), network
        if said is not None:
            return self._asked(scene, jnp.stack(said), network)
        # Both at once: what forms the others' characters is read once.
        seen = jnp.concatenate([scene.seen[-1], scene.next_seen])
        past = scene.before.beside(scene.until)
        discrete = scene.step.discrete

        def guessed(
            minds: OpponentModels, seen: Array, past: History, key: Key[Array, ""]
        ) -> Array:
            return minds.sample(seen, past, discrete, key)

        told = chunked(guessed, 1)(_minds(known, network), seen, past, key)
        return told.reshape(2, *scene.actions.shape), network

    def update(
        self, known: OpponentModelState, scene: JointBatch, network: Network
    ) -> tuple[OpponentModelState, Metrics]:
        """Models after one step towards what the others did lately, in a scene of these steps."""
        discrete = scene.step.discrete

        def loss(
            mind: OpponentModel,
            first: History,
            seen: Array,
            acted: Array,
            past: History,
            index: Array,
            there: Array | None,
        ) -> tuple[Float[Array, ""], Metrics]:
            return OpponentModels(mind, first).loss(seen, acted, past, index, discrete, there)

        minds = _minds(known, network)
        there = None if scene.there is None else scene.there[0]
        told = scene.seen[-1], scene.actions, scene.before, network.index, there
        gradient, said = chunked(jax.grad(loss, has_aux=True), 1)(*minds, *told)
        change, optimizer = self._rule.update(gradient, known.optimizer)
        return OpponentModelState(
            eqx.apply_updates(minds.models, change), optimizer, known.first
        ), said

    @property
    def _rule(self) -> optax.GradientTransformation:
        return clipped_adams({"minds": self.lr}, "minds", self.max_grad_norm)

    def _asked(
        self, scene: JointBatch, mine: Float[Array, "2 B W"], network: Network
    ) -> tuple[Float[Array, "2 B M W"], Network]:
        """What everybody says; whoever is not heard would do what it did."""
        heard, network = network.neighbors(mine, POLICIES)
        did = jnp.moveaxis(jnp.broadcast_to(scene.actions, (2, *scene.actions.shape)), 2, 0)
        arrived = heard.arrived[:, None, None, None]
        told = jnp.where(arrived, heard.received, did[network.neighbor])
        return jnp.moveaxis(did.at[network.neighbor].set(told), 0, 2), network


def _minds(known: OpponentModelState, network: Network) -> OpponentModels:
    """The models, with everybody's part of what forms characters."""
    assert known.models is not None and known.first is not None
    return OpponentModels(
        known.models, known.first._replace(steps=network.gather_public(known.first.steps))
    )
