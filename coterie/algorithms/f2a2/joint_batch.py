"""Batches of drawn steps, with the team's observations and actions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from coterie.algorithms.base.algorithm import Information
from coterie.algorithms.f2a2.stored_steps import SampledSequence, Transition
from coterie.network import Network
from coterie.rl.bodies import RecurrentState as Recalled
from coterie.rl.distributions import Distribution
from coterie.rl.networks import Policy
from coterie.rl.opponent_model import History
from coterie.types import Observation


class JointBatch(NamedTuple):
    """Drawn steps with what is known to all of them: `N` agents' views, and `M` agents' actions.

    sequence: the own part.
    seen, acted: of the steps that lead up to them and of themselves; zeros of others that are gone.
    next_seen: what everybody saw next.
    there: who is in the environment at the drawn steps, and after them; `None` if nobody leaves
           early or others' actions are not known.
    """

    sequence: SampledSequence
    seen: Float[Array, "L B N F"]
    acted: Float[Array, "L B M W"]
    next_seen: Float[Array, "B N F"]
    there: Bool[Array, "2 B N"] | None = None

    @staticmethod
    def of(drawn: SampledSequence, network: Network, information: Information) -> "JointBatch":
        """Build the batch that an agent may know: everybody's part of the steps, or its own."""

        def alone(x: Array, here: Array | None) -> Array:
            return x[..., None, :]

        def everybody(x: Array, here: Array | None) -> Array:
            if here is None:
                return jnp.moveaxis(network.gather_public(x), 0, -2)
            told = network.gather_public(jnp.where(here[..., None], x, 0.0))
            return jnp.moveaxis(told, 0, -2).at[..., network.index, :].set(x)

        look = everybody if information.state else alone
        hear = everybody if information.actions == "joint" else alone
        steps, now, then = drawn.steps, *drawn.present
        there = None
        if now is not None and then is not None and information.actions == "joint":
            there = jnp.moveaxis(network.gather_public(jnp.stack([now[-1], then])), 0, -1)
        return JointBatch(
            drawn,
            look(steps.seen, now),
            hear(steps.acted, now),
            look(steps.next_seen[-1], then),
            there,
        )

    def of_those_there(self, actions: Float[Array, "2 B M W"]) -> Float[Array, "2 B M W"]:
        """Actions now and next, of whoever is in the environment; zeros of the others."""
        return actions if self.there is None else jnp.where(self.there[..., None], actions, 0.0)

    def while_there(self, told: PyTree, index: Int[Array, ""], time: int) -> PyTree:
        """Numbers about an agent's steps, `[B, K]`, zeros where it is gone; `time` is 1 after the
        steps."""
        if self.there is None:
            return told
        there = self.there[time][:, index, None]
        return jax.tree.map(lambda x: jnp.where(there, x, 0.0), told)

    @property
    def step(self) -> Transition:
        """The own part of the drawn steps, `[B, ...]`."""
        return jax.tree.map(lambda x: x[-1], self.sequence.steps)

    @property
    def view(self) -> Observation:
        """The own view, with what critics see."""
        return self.step.view._replace(state=_flat(self.seen[-1]))

    @property
    def next_view(self) -> Observation:
        """The own view after the step, with what critics see."""
        return self.step.next_view._replace(state=_flat(self.next_seen))

    @property
    def actions(self) -> Float[Array, "B M W"]:
        """Actions that were taken."""
        return self.acted[-1]

    @property
    def before(self) -> History:
        """History before the drawn step."""
        return self._past(slice(None, -1))

    @property
    def until(self) -> History:
        """History up to the drawn step, which it includes."""
        return self._past(slice(1, None))

    def now(self, policy: Policy) -> Distribution:
        """Distribution of a policy at the drawn steps."""
        return policy.distribution(self.view, self._remembered(policy))

    def next(self, policy: Policy) -> Distribution:
        """Distribution of a policy after the drawn steps."""
        after = policy.step(self.view, self._remembered(policy))[1]
        return policy.distribution(self.next_view, after)

    def _remembered(self, policy: Policy) -> Recalled:
        """Memory of a policy at the drawn steps, unrolled from that stored at the first real one.

        Gradients pass through the steps that lead up to the drawn one.
        """
        steps, real = self.sequence
        if not policy.model.recurrent:
            return ()
        stored = jnp.asarray(steps.memory)

        def advance(memory: Array, step: tuple[Array, Array, Array]) -> tuple[Array, None]:
            seen, goes_on, kept = step
            after = policy.body.step(seen, memory)[1]
            return jnp.where(goes_on[:, None], jnp.asarray(after), kept), None

        before = steps.view.observation[:-1], real[:-1], stored[1:]
        return jax.lax.scan(advance, stored[0], before)[0]

    def _past(self, cut: slice) -> History:
        real = self.sequence.real[cut]
        steps = jnp.concatenate([self.seen[cut], self.acted[cut]], axis=-1)
        return History(jnp.moveaxis(steps, 2, 0), jnp.zeros_like(real), real)


def _flat(seen: Float[Array, "B N F"]) -> Float[Array, "B S"]:
    return seen.reshape(len(seen), -1)
