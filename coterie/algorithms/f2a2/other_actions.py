"""What the others would do, to whoever judges joint actions: guessed, said, or left out."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key, PyTree

from coterie.algorithms.base.algorithm import Metrics
from coterie.algorithms.f2a2.joint_batch import Drawn, Memory, Sample, Scene
from coterie.algorithms.f2a2.opponent_model import Mind, Minds, Past, team_of_minds
from coterie.network import Network, few_at_a_time
from coterie.rl import replay
from coterie.rl.optimizers import clipped_adams
from coterie.types import AgentSpec

POLICIES = "actions"


class Known(NamedTuple):
    """Models of the others, their optimiser, and the own part of what characters are formed by.

    `None` where nobody is guessed.
    """

    minds: Mind | None = None
    optimizer: PyTree = ()
    first: Past | None = None


@dataclass(frozen=True)
class Company:
    """How an agent knows what the others would do.

    kind: by "estimates" of its own models of them (section 5.2), by what their "policies" say when
          asked, or not at all ("none").
    width: of the networks of a model; trajectories, latest: see `F2A2OffPolicy`.
    rate, clip: Adam's step size, and the largest norm of the gradient.
    """

    kind: Literal["estimates", "policies", "none"]
    width: int
    trajectories: int
    latest: int
    rate: float
    clip: float

    def init(self, key: Key[Array, ""], spec: AgentSpec, steps: int) -> Known:
        """Fresh models; their characters will be formed by trajectories of so many steps."""
        if self.kind != "estimates":
            return Known()
        seen, acted = spec.padded.observation, spec.padded.action.size
        shape = steps, min(self.trajectories, spec.games)
        no = jnp.zeros(shape, bool)
        first = Past(jnp.zeros((*shape, seen + acted)), no, no)
        minds = team_of_minds(key, spec.agents, (seen, acted), self.width)
        return Known(minds, self._rule.init(eqx.filter(minds, eqx.is_array)), first)

    def introduced(self, known: Known, steps: Memory, new: Bool[Array, ""]) -> Known:
        """The same after the first steps `[T, G, ...]` of all, which are kept if they are `new`."""
        kept = known.first
        if kept is None:
            return known
        some = jax.tree.map(lambda x: x[:, : kept.over.shape[1]], steps)
        mine = jnp.concatenate([some.view.observation, some.acted], axis=-1)
        if some.view.present is not None:
            mine = jnp.where(some.view.present[..., None], mine, 0.0)
        past = Past(mine, some.over, jnp.ones_like(some.over))
        first = jax.tree.map(lambda old, now: jnp.where(new, now, old), kept, past)
        return known._replace(first=first)

    def draw(
        self, stored: replay.Replay, key: Key[Array, ""], batch: int, games: int, length: int
    ) -> Sample:
        """Steps to learn from with so many before them, and others to learn of the others by.

        The key is everybody's.
        """
        capacity = jax.tree.leaves(stored.items)[0].shape[0]
        places = replay.latest(stored, key, batch, capacity)
        if self.kind != "estimates":
            return Sample(Drawn.at(stored, places, length, games))
        newest = replay.latest(stored, jax.random.fold_in(key, 1), batch, self.latest)
        return Sample(*(Drawn.at(stored, p, length, games) for p in (places, newest)))

    def would(
        self,
        known: Known,
        scene: Scene,
        network: Network,
        said: tuple[Float[Array, "B W"], Float[Array, "B W"]] | None,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, "2 B M W"], Network]:
        """Everybody's actions now and next; one's own place holds no answer.

        said: what this agent would do now and next, if it is to tell.
        """
        if self.kind == "none":
            return jnp.zeros((2, *scene.actions.shape)), network
        if said is not None:
            return self._asked(scene, jnp.stack(said), network)
        # Both at once: what forms the others' characters is read once.
        seen = jnp.concatenate([scene.seen[-1], scene.next_seen])
        past = scene.before.beside(scene.until)
        discrete = scene.step.discrete

        def guessed(minds: Minds, seen: Array, past: Past, key: Key[Array, ""]) -> Array:
            return minds.drawn(seen, past, discrete, key)

        told = few_at_a_time(guessed, 1)(_minds(known, network), seen, past, key)
        return told.reshape(2, *scene.actions.shape), network

    def study(self, known: Known, scene: Scene, network: Network) -> tuple[Known, Metrics]:
        """Models after one step towards what the others did lately, in a scene of these steps."""
        discrete = scene.step.discrete

        def loss(
            mind: Mind,
            first: Past,
            seen: Array,
            acted: Array,
            past: Past,
            index: Array,
            there: Array | None,
        ) -> tuple[Float[Array, ""], Metrics]:
            return Minds(mind, first).loss(seen, acted, past, index, discrete, there)

        minds = _minds(known, network)
        there = None if scene.there is None else scene.there[0]
        told = scene.seen[-1], scene.actions, scene.before, network.index, there
        gradient, said = few_at_a_time(jax.grad(loss, has_aux=True), 1)(*minds, *told)
        change, optimizer = self._rule.update(gradient, known.optimizer)
        return Known(eqx.apply_updates(minds.minds, change), optimizer, known.first), said

    @property
    def _rule(self) -> optax.GradientTransformation:
        return clipped_adams({"minds": self.rate}, "minds", self.clip)

    def _asked(
        self, scene: Scene, mine: Float[Array, "2 B W"], network: Network
    ) -> tuple[Float[Array, "2 B M W"], Network]:
        """What everybody says; whoever is not heard would do what it did."""
        heard, network = network.neighbours(mine, POLICIES)
        did = jnp.moveaxis(jnp.broadcast_to(scene.actions, (2, *scene.actions.shape)), 2, 0)
        arrived = heard.mask[:, None, None, None]
        told = jnp.where(arrived, heard.values, did[network.neighbour])
        return jnp.moveaxis(did.at[network.neighbour].set(told), 0, 2), network


def _minds(known: Known, network: Network) -> Minds:
    """The models, with everybody's part of what forms characters."""
    assert known.minds is not None and known.first is not None
    return Minds(known.minds, known.first._replace(steps=network.public(known.first.steps)))
