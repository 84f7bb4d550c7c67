"""What the others would do, to whoever judges joint actions: guessed, said, or left out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.algorithm import Metrics
from coterie.algorithms.minds import Minds, Past
from coterie.errors import require
from coterie.network import Network
from coterie.rl import replay
from coterie.rl.distributions import Categorical, Distribution
from coterie.rl.optimizers import clipped_adams
from coterie.types import AgentSpec, View

POLICIES = "actions"
BEFORE, UNTIL = slice(None, -1), slice(1, None)


class Memory(NamedTuple):
    """A step: what an agent saw and was paid, what everybody did, and what its own policy was.

    actions: everybody's, `[N W]`, or its own alone, `[1 W]`.
    over:    an episode ended with this step.
    """

    view: View
    actions: Float[Array, "*batch M W"]
    action: Array
    choices: Distribution
    reward: Float[Array, "*batch"]
    terminated: Bool[Array, "*batch"]
    over: Bool[Array, "*batch"]
    next_view: View

    @property
    def discrete(self) -> bool:
        """Whether actions are chosen among, and not numbers."""
        return isinstance(self.choices, Categorical)

    def everybody(self, view: View) -> Float[Array, "*batch M F"]:
        """What each agent sees of a view."""
        return view.judged.reshape(*self.actions.shape[:-1], -1)


class Recalled(NamedTuple):
    """Drawn steps, and what happened in their episodes before them, and until they were over."""

    step: Memory
    before: Past
    until: Past


class Sample(NamedTuple):
    """Drawn steps `[B, ...]`; if others are guessed, with their past, and so the latest steps."""

    step: Memory
    recalled: Recalled | None = None
    latest: Recalled | None = None


class Known(NamedTuple):
    """Models of the others and their optimiser; `None` where nobody is guessed."""

    minds: Minds | None = None
    optimizer: PyTree = ()


@dataclass(frozen=True)
class Company:
    """How an agent knows what the others would do.

    kind: by "estimates" of its own models of them (section 5.2), by what their "policies" say when
          asked, or not at all ("none").
    width: of the networks of a model; mental, trajectories, latest: see `F2A2`.
    rate, clip: Adam's step size, and the largest norm of the gradient.
    """

    kind: Literal["estimates", "policies", "none"]
    width: int
    mental: int
    trajectories: int
    latest: int
    rate: float
    clip: float

    def init(self, key: Key[Array, ""], spec: AgentSpec, steps: int) -> Known:
        """Fresh models; their characters will be formed by trajectories of so many steps."""
        if self.kind != "estimates":
            return Known()
        seen, acted, agents = spec.state // spec.agents, max(spec.sizes), spec.agents
        shape = steps, min(self.trajectories, spec.games)
        zeros, no = jnp.zeros((*shape, agents, seen)), jnp.zeros(shape, bool)
        first = Past(zeros, jnp.zeros((*shape, agents, acted)), no, no)
        minds = Minds.init(key, agents, (seen, acted), self.width, first)
        return Known(minds, self._rule.init(eqx.filter(minds.minds, eqx.is_array)))

    def introduced(self, known: Known, steps: Memory, new: Bool[Array, ""]) -> Known:
        """The same after the first steps `[T, G, ...]` of all, which are kept if they are `new`."""
        if known.minds is None:
            return known
        kept = known.minds.first
        games = kept.over.shape[1]
        some = jax.tree.map(lambda x: x[:, :games], steps)
        past = Past(some.everybody(some.view), some.actions, some.over, jnp.ones_like(some.over))
        first = jax.tree.map(lambda old, now: jnp.where(new, now, old), kept, past)
        return known._replace(minds=known.minds._replace(first=first))

    def draw(self, stored: replay.Replay, key: Key[Array, ""], batch: int, games: int) -> Sample:
        """Steps to learn from, and others to learn of the others by; the key is everybody's."""
        capacity = jax.tree.leaves(stored.items)[0].shape[0]
        places = replay.latest(stored, key, batch, capacity)
        if self.kind != "estimates":
            return Sample(_at(stored, places))
        newest = replay.latest(stored, jax.random.fold_in(key, 1), batch, self.latest)
        recalled, latest = (self._recalled(stored, p, games) for p in (places, newest))
        return Sample(recalled.step, recalled, latest)

    def would(
        self,
        known: Known,
        sample: Sample,
        network: Network,
        say: Callable[[View, Key[Array, ""]], Float[Array, "B W"]],
        key: Key[Array, ""],
    ) -> tuple[Float[Array, "2 B M W"], Network]:
        """Everybody's actions now and next; one's own place holds no answer.

        say: what this agent would do, for others who ask.
        """
        step, keys = sample.step, jax.random.split(key)
        if self.kind == "none":
            return jnp.zeros((2, *step.actions.shape)), network
        if known.minds is None or sample.recalled is None:
            told = [say(view, k) for view, k in zip((step.view, step.next_view), keys, strict=True)]
            return self._asked(step, jnp.stack(told), network)
        seen = step.everybody(step.view), step.everybody(step.next_view)
        pasts = sample.recalled.before, sample.recalled.until
        guessed = [
            known.minds.drawn(s, past, step.discrete, k)
            for s, past, k in zip(seen, pasts, keys, strict=True)
        ]
        return jnp.stack(guessed), network

    def study(self, known: Known, sample: Sample, index: Int[Array, ""]) -> tuple[Known, Metrics]:
        """Models after one step towards what the others did lately."""
        if known.minds is None or sample.latest is None:
            return known, {}
        step, before, minds = sample.latest.step, sample.latest.before, known.minds

        def loss(mind: Any) -> tuple[Float[Array, ""], Metrics]:
            told = step.everybody(step.view), step.actions, before
            return minds._replace(minds=mind).loss(*told, index, step.discrete)

        gradient, said = jax.grad(loss, has_aux=True)(minds.minds)
        change, optimizer = self._rule.update(gradient, known.optimizer)
        return Known(minds._replace(minds=eqx.apply_updates(minds.minds, change)), optimizer), said

    @property
    def _rule(self) -> optax.GradientTransformation:
        return clipped_adams({"minds": self.rate}, "minds", self.clip)

    def _asked(
        self, step: Memory, mine: Float[Array, "2 B W"], network: Network
    ) -> tuple[Float[Array, "2 B M W"], Network]:
        """What everybody says; whoever is not heard would do what it did."""
        require(
            len(network.neighbour) == network.size - 1,
            "with others=policies everybody has to hear everybody, and not all are linked: use "
            "--graph complete, or --others estimates.",
        )
        heard, network = network.neighbours(mine, POLICIES)
        did = jnp.moveaxis(jnp.broadcast_to(step.actions, (2, *step.actions.shape)), 2, 0)
        arrived = heard.mask[:, None, None, None]
        told = jnp.where(arrived, heard.values, did[network.neighbour])
        return jnp.moveaxis(did.at[network.neighbour].set(told), 0, 2), network

    def _recalled(self, stored: replay.Replay, places: Int[Array, " B"], games: int) -> Recalled:
        found, kept = replay.before(stored, places, self.mental, games)
        step, past = _at(stored, places), _at(stored, found)
        # Of the same episode: none ended in between. Nothing is asked of the step itself.
        going = jnp.cumprod(~past.over[:-1][::-1], axis=0)[::-1] > 0
        real = jnp.concatenate([kept[:-1] & going, jnp.ones_like(kept[:1])])
        whole = Past(past.everybody(past.view), past.actions, jnp.zeros_like(real), real)
        before, until = (jax.tree.map(lambda x, cut=cut: x[cut], whole) for cut in (BEFORE, UNTIL))
        return Recalled(step, before, until)


def _at(stored: replay.Replay, places: Int[Array, "*L B"]) -> Memory:
    return jax.tree.map(lambda items: items[places], stored.items)
