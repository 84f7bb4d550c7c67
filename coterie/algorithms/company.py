"""What the others would do, to whoever judges joint actions: guessed, said, or left out."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.algorithm import Information, Metrics
from coterie.algorithms.minds import Mind, Minds, Past, team_of_minds
from coterie.network import Network
from coterie.rl import replay
from coterie.rl.distributions import Categorical, Distribution
from coterie.rl.models import Memory as Recalled
from coterie.rl.models import Policy
from coterie.rl.optimizers import clipped_adams
from coterie.types import AgentSpec, View

POLICIES = "actions"


class Memory(NamedTuple):
    """A step as an agent keeps it: what it saw, did and was paid, and what its policy was.

    What the others saw and did is kept by them, and looked up.

    memory: what the policy remembered of the episode before it.
    over:   an episode ended with this step.
    """

    view: View
    action: Array
    choices: Distribution
    memory: Recalled
    reward: Float[Array, "*batch"]
    terminated: Bool[Array, "*batch"]
    over: Bool[Array, "*batch"]
    next_view: View

    @property
    def discrete(self) -> bool:
        """Whether actions are chosen among, and not numbers."""
        return isinstance(self.choices, Categorical)

    @property
    def acted(self) -> Float[Array, "*batch W"]:
        """The action as critics know it: a vector of zeros and a one if it was chosen among."""
        if not isinstance(self.choices, Categorical):
            return jnp.clip(self.action, -1.0, 1.0)
        return jax.nn.one_hot(self.action, self.choices.log_probs.shape[-1])


class Drawn(NamedTuple):
    """Own steps `[L, B, ...]` that lead up to `B` drawn ones; `real` ones are of the same episode.

    The last are the drawn ones.
    """

    steps: Memory
    real: Bool[Array, "L B"]


class Sample(NamedTuple):
    """Own steps to learn from, and, if others are guessed, those to learn of the others by."""

    drawn: Drawn
    latest: Drawn | None = None


class Scene(NamedTuple):
    """Drawn steps with what is known to all of them: `N` agents' views, and `M` agents' actions.

    drawn: the own part.
    seen, acted: of the steps that lead up to them and of themselves.
    next_seen: what everybody saw next.
    """

    drawn: Drawn
    seen: Float[Array, "L B N F"]
    acted: Float[Array, "L B M W"]
    next_seen: Float[Array, "B N F"]

    @staticmethod
    def of(drawn: Drawn, network: Network, information: Information) -> "Scene":
        """What an agent may know of its steps: everybody's part, or its own alone."""

        def alone(x: Array) -> Array:
            return x[..., None, :]

        def everybody(x: Array) -> Array:
            return jnp.moveaxis(network.public(x), 0, -2)

        look = everybody if information.state else alone
        hear = everybody if information.actions == "joint" else alone
        steps = drawn.steps
        after = look(steps.next_view.observation[-1])
        return Scene(drawn, look(steps.view.observation), hear(steps.acted), after)

    @property
    def step(self) -> Memory:
        """The own part of the drawn steps, `[B, ...]`."""
        return jax.tree.map(lambda x: x[-1], self.drawn.steps)

    @property
    def view(self) -> View:
        """The own view, with what critics see."""
        return self.step.view._replace(state=_flat(self.seen[-1]))

    @property
    def next_view(self) -> View:
        """The same for what the step led to."""
        return self.step.next_view._replace(state=_flat(self.next_seen))

    @property
    def actions(self) -> Float[Array, "B M W"]:
        """What was done."""
        return self.acted[-1]

    @property
    def before(self) -> Past:
        """What led up to the step."""
        return self._past(slice(None, -1))

    @property
    def until(self) -> Past:
        """What led up to what it led to."""
        return self._past(slice(1, None))

    def now(self, policy: Policy) -> Distribution:
        """What a policy would do at the drawn steps."""
        return policy.facing(self.view, self._remembered(policy))

    def next(self, policy: Policy) -> Distribution:
        """What it would do after them."""
        after = policy.step(self.view, self._remembered(policy))[1]
        return policy.facing(self.next_view, after)

    def _remembered(self, policy: Policy) -> Recalled:
        """What a policy would remember of an episode: stored where its steps begin, then as it is.

        Gradients pass through the steps that lead up to the drawn one.
        """
        steps, real = self.drawn
        if policy.body.cell is None:
            return ()
        stored = jnp.asarray(steps.memory)

        def advance(memory: Array, step: tuple[Array, Array, Array]) -> tuple[Array, None]:
            seen, goes_on, kept = step
            after = policy.body.step(seen, memory)[1]
            return jnp.where(goes_on[:, None], jnp.asarray(after), kept), None

        before = steps.view.observation[:-1], real[:-1], stored[1:]
        return jax.lax.scan(advance, stored[0], before)[0]

    def _past(self, cut: slice) -> Past:
        real = self.drawn.real[cut]
        return Past(self.seen[cut], self.acted[cut], jnp.zeros_like(real), real)


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
        first = Past(jnp.zeros((*shape, seen)), jnp.zeros((*shape, acted)), no, no)
        minds = team_of_minds(key, spec.agents, (seen, acted), self.width)
        return Known(minds, self._rule.init(eqx.filter(minds, eqx.is_array)), first)

    def introduced(self, known: Known, steps: Memory, new: Bool[Array, ""]) -> Known:
        """The same after the first steps `[T, G, ...]` of all, which are kept if they are `new`."""
        kept = known.first
        if kept is None:
            return known
        some = jax.tree.map(lambda x: x[:, : kept.over.shape[1]], steps)
        past = Past(some.view.observation, some.acted, some.over, jnp.ones_like(some.over))
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
            return Sample(_until(stored, places, length, games))
        newest = replay.latest(stored, jax.random.fold_in(key, 1), batch, self.latest)
        return Sample(*(_until(stored, p, length, games) for p in (places, newest)))

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
        past = jax.tree.map(lambda *x: jnp.concatenate(x, axis=1), scene.before, scene.until)
        told = _minds(known, network).drawn(seen, past, scene.step.discrete, key)
        return told.reshape(2, *scene.actions.shape), network

    def study(self, known: Known, scene: Scene, network: Network) -> tuple[Known, Metrics]:
        """Models after one step towards what the others did lately, in a scene of these steps."""
        minds = _minds(known, network)

        def loss(mind: Any) -> tuple[Float[Array, ""], Metrics]:
            told = scene.seen[-1], scene.actions, scene.before
            return minds._replace(minds=mind).loss(*told, network.index, scene.step.discrete)

        gradient, said = jax.grad(loss, has_aux=True)(minds.minds)
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
    mine = known.first
    seen, acted = (jnp.moveaxis(network.public(x), 0, -2) for x in (mine.seen, mine.acted))
    return Minds(known.minds, mine._replace(seen=seen, acted=acted))


def _until(stored: replay.Replay, places: Int[Array, " B"], length: int, games: int) -> Drawn:
    """The steps at these places, and so many before them."""
    found, kept = replay.before(stored, places, length, games)
    steps: Memory = jax.tree.map(lambda items: items[found], stored.items)
    # Of the same episode: none ended in between. Nothing is asked of the step itself.
    going = jnp.cumprod(~steps.over[:-1][::-1], axis=0)[::-1] > 0
    return Drawn(steps, jnp.concatenate([kept[:-1] & going, jnp.ones_like(kept[:1])]))


def _flat(seen: Float[Array, "B N F"]) -> Float[Array, "B S"]:
    return seen.reshape(len(seen), -1)
