"""Model of the whole team's policy, held by one agent."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from coterie.rl.distributions import Categorical, Distribution, Gaussian
from coterie.rl.layers import Dense
from coterie.rl.networks import Policy
from coterie.types import LearnerSpec, Observation


class TeamModel(eqx.Module):
    """A model of the whole team's policy on one agent's own observation.

    own:     its policy, by which it acts.
    others:  heads for the `N - 1` others, on the features of its own policy: the agents that follow
             it in the team's order, and round to the one before it.
    log_std: of the others' actions, if they are numbers.
    sizes:   of everybody's actions, in the team's order.
    """

    own: Policy
    others: Dense
    log_std: Float[Array, " _"] | None
    sizes: Int[Array, " N"]

    @staticmethod
    def around(policy: Policy, spec: LearnerSpec, key: Key[Array, ""]) -> "TeamModel":
        """A model that begins close to uniform (or to the standard normal) for everybody."""
        room = spec.joint - max(spec.sizes)
        width = policy.head.weight.shape[0]
        others = Dense.init(key, width, room, 0.01, policy.head.numbered)
        log_std = jnp.zeros(room) if spec.action.continuous else None
        return TeamModel(policy, others, log_std, jnp.array(spec.sizes, jnp.int32))

    def heads(self, view: Observation, index: Int[Array, ""]) -> tuple[Distribution, Distribution]:
        """Distributions of agent `index`'s actions, `[T, G]`, and the others', `[T, G, N - 1]`."""
        features, _ = self.own.body.step(view.observation, ())
        mine, others = self.own.choices(features, view), len(self.sizes) - 1
        output = self.others(features).reshape(*features.shape[:-1], others, max(self.width, 1))
        able = jnp.arange(output.shape[-1]) < jnp.roll(self.sizes, -index)[1:, None]
        able = jnp.broadcast_to(able, output.shape)
        if self.log_std is None:
            return mine, Categorical.of(output, able)
        log_std = jnp.broadcast_to(self.log_std.reshape(output.shape[-2:]), output.shape)
        return mine, Gaussian(output, log_std, able)

    @property
    def width(self) -> int:
        """The largest size of another agent's action."""
        return self.others.bias.size // max(len(self.sizes) - 1, 1)


def log_probs_of(
    heads: tuple[Distribution, ...], taken: tuple[Array, Array], index: Int[Array, ""]
) -> Float[Array, "T G N"]:
    """Log-probabilities of what agent `index` saw taken (`taken_by`), in the team's order."""
    mine, others = (
        head.log_prob_cut(action) if isinstance(head, Gaussian) else head.log_prob(action)
        for head, action in zip(heads, taken, strict=True)
    )
    return jnp.roll(jnp.concatenate([mine[..., None], others], axis=-1), index, axis=-1)


def taken_by(
    mine: Array, everybody: Float[Array, "T G N W"], index: Int[Array, ""]
) -> tuple[Array, Array]:
    """Actions of agent `index`, `[T, G]`, and the others', from the next one on, `[T, G, N - 1]`.

    Numbers are as all saw them, cut to [-1, 1]: agents agree on ratios of what was done.
    """
    others = jnp.roll(everybody, -index, axis=2)[:, :, 1:]
    if jnp.issubdtype(mine.dtype, jnp.integer):
        return mine, jnp.argmax(others, axis=-1)
    return jnp.clip(mine, -1.0, 1.0), others
