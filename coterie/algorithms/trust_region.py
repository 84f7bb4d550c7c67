"""What trust-region methods share: a step that climbs to first order within a mean divergence.

Everything happens on `M = T G` samples. To first order a change `x` of the `D` parameters moves the
outputs of the policy by `J x`; to second order its divergence from the old policy is `x^T H x / 2`.
"""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Key, PyTree

from coterie.algorithms.algorithm import Algorithm, Experience, Metrics
from coterie.algorithms.appraisal import appraised
from coterie.errors import require
from coterie.rl.averages import mean
from coterie.rl.distributions import Distribution
from coterie.rl.models import Critic, Policy, Shape
from coterie.types import AgentSpec, View

Heads = tuple[Distribution, ...]
"""Distributions over actions, `[T, G]` each, or `[T, G, ...]` for several agents' at once."""


class Action(NamedTuple):
    """The action taken, `[G, ...]`."""

    action: Array


class Learner(NamedTuple):
    """All that an agent learns.

    model:  its policy, with whatever shares parameters with it.
    critic: what it expects to be paid from here on.
    """

    model: PyTree
    critic: Critic
    optimizer: PyTree


class Local(NamedTuple):
    """The policy to first order around the old parameters.

    push:   what a change of the parameters does to the outputs, `J x`.
    pull:   its transpose.
    ratio:  the log ratios that follow from a change of the outputs, `[T, G, N]` for `N` heads.
    score:  its transpose.
    metric: Fisher's: what a change of the outputs is, as a gradient of its mean divergence.
    weight: what each sample weighs in a mean, `[T, G, 1]`.
    start:  the old parameters, `[D]`.
    rebuilt: the model that has these parameters.
    at:     given parameters, the log ratios, `[T, G, N]`, and every head's mean divergence.
    """

    push: Callable[[Array], PyTree]
    pull: Callable[[PyTree], Array]
    ratio: Callable[[PyTree], Array]
    score: Callable[[Array], PyTree]
    metric: Callable[[PyTree], PyTree]
    weight: Float[Array, "T G 1"]
    start: Float[Array, " D"]
    rebuilt: Callable[[Array], PyTree]
    at: Callable[[Array], tuple[Array, Array]]


class Step(NamedTuple):
    """A step being worked out; what is taken is `change / scale`.

    change:     of the parameters, `[D]`, and what it does to the outputs, `moved`.
    last:       the last improvement of both.
    multiplier: lambda, of the constraint on the divergence.
    scale:      by how much the change must be shortened.
    """

    change: Float[Array, " D"]
    moved: PyTree
    last: tuple[Float[Array, " D"], PyTree]
    multiplier: Float[Array, ""]
    scale: Float[Array, ""]


class Inside(NamedTuple):
    """The best step within the region, edge included.

    stiffness: what departures of the log ratios from 0 cost.
    """

    stiffness: Float[Array, ""]


class Scaled(NamedTuple):
    """The natural gradient, divided by what brings it to the edge or by `least`, if that is more.

    With `least = 0` it always goes to the edge.
    """

    least: Float[Array, ""] | float = 0.0


Region = Inside | Scaled


@dataclass(frozen=True)
class TrustRegion(Algorithm):
    """The hyper-parameters and the steps that trust-region methods share."""

    horizon: int = 1000
    """Steps played in every game between two updates."""
    divergence: float = 0.003
    """delta / N: the largest mean divergence of an update, in nats, of all heads together."""
    conjugate_steps: int = 10
    """Steps of conjugate gradients towards a step."""
    damping: float = 0.01
    """Added to the diagonal of the divergence's Hessian."""
    halvings: int = 10
    """How often a step that fails is halved before it is given up."""
    discount: float = 0.995
    """gamma: what a reward one step later is worth now."""
    trace: float = 0.95
    """lambda of generalised advantage estimation."""
    critic_learning_rate: float = 3e-4
    """Adam's step size for the critic."""
    critic_epochs: int = 3
    """The critic's passes over the samples in one update."""
    batch: int = 64
    """Samples in one gradient step of the critic."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the dense layers, of the policy and of the critic alike; none for a linear one."""
    activation: Literal["tanh", "relu", "selu", "leaky_relu"] = "selu"
    """Non-linearity after each dense layer."""

    @abc.abstractmethod
    def start_model(self, policy: Policy, spec: AgentSpec, key: Key[Array, ""]) -> PyTree:
        """What is to be improved, around a fresh policy."""

    def check(self, games: int) -> None:
        super().check(games)
        samples = self.horizon * games
        require(
            self.batch <= samples,
            f"a batch of {self.batch} samples is more than the {samples} that {games} games of "
            f"{self.horizon} steps bring: raise horizon or games, or lower batch.",
        )

    def init(self, key: Key[Array, ""], spec: AgentSpec) -> tuple[Learner, tuple[()]]:
        require(spec.observation > 0, "an agent's observation is empty: it has nothing to act on.")
        keys = jax.random.split(key, 5)
        shape = Shape.of(spec, self.hidden, self.activation, recurrent=False)
        policy = Policy.init(keys[:2], shape, spec.action)
        critic = Critic.init(keys[2:4], shape)
        optimizer = self._optimizer().init(eqx.filter(critic, eqx.is_array))
        return Learner(self.start_model(policy, spec, keys[4]), critic, optimizer), ()

    def act(
        self, state: Learner, memory: tuple[()], view: View, key: Key[Array, ""]
    ) -> tuple[Action, tuple[()]]:
        return Action(_chosen(self.policy(state), view).sample(key)), memory

    def judged(
        self, state: Learner, experience: Experience, key: Key[Array, ""]
    ) -> tuple[Learner, Float[Array, "T G"], Metrics]:
        """The advantages by the critic, and the agent after the critic has learned from them."""
        value, advantage = appraised(state.critic, experience, (), self.discount, self.trace)
        view, target = experience.view, advantage + value
        present = jnp.ones(target.shape, bool) if view.present is None else view.present
        samples = view.judged, target, present
        flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), samples)

        def loss(critic: Critic, part: tuple[Array, Array, Array]) -> Float[Array, ""]:
            seen, wanted, counts = part
            return mean((critic.value(critic.body.step(seen, ())[0]) - wanted) ** 2, counts)

        def improve(carry: tuple, rows: Array) -> tuple[tuple, Array]:
            critic, optimizer = carry
            part = jax.tree.map(lambda x: x[rows], flat)
            error, gradient = jax.value_and_grad(loss)(critic, part)
            change, optimizer = self._optimizer().update(gradient, optimizer)
            return (eqx.apply_updates(critic, change), optimizer), error

        parts = target.size // self.batch
        orders = jax.vmap(lambda k: jax.random.permutation(k, target.size)[: parts * self.batch])(
            jax.random.split(key, self.critic_epochs)
        )
        rows = orders.reshape(-1, self.batch)
        (critic, optimizer), errors = jax.lax.scan(improve, (state.critic, state.optimizer), rows)
        said = {"critic_loss": jnp.mean(errors[-parts:])}
        return Learner(state.model, critic, optimizer), advantage, said

    def improved(
        self, local: Local, step: Step, gain: Float[Array, "T G N"], region: Region
    ) -> Step:
        """One step of conjugate gradients towards the best step for a gain.

        To be minimised over `x` is `-mean(gain . r) + stiffness / 2 mean(r . r)`, with `r = J x` as
        log ratios, subject to `1/2 x^T H x <= divergence`. It takes one product with `J^T`, for the
        residual, and one with `J`, for what a move along it does: from there on all is known of the
        plane that the residual spans with the last improvement, and its best point is taken.
        """
        inside = isinstance(region, Inside)
        stiffness = region.stiffness if inside else 0.0
        raised = local.score(local.weight * gain)
        # Where nothing curbs the step but its stiffness, the best one need not be unique.
        least = jnp.maximum(0.01 * stiffness, 1e-6)
        curb = jnp.maximum(step.multiplier, least) if inside else 1.0

        def force(moved: PyTree) -> PyTree:
            """What a change of the outputs costs, as a gradient."""
            spread = local.score(local.weight * stiffness * local.ratio(moved))
            return jax.tree.map(lambda m, s: curb * m + s, local.metric(moved), spread)

        pulled = jax.tree.map(jnp.subtract, raised, force(step.moved))
        damping = curb * self.damping
        residual = local.pull(pulled) - damping * step.change
        residual /= jnp.maximum(jnp.linalg.norm(residual), 1e-30)
        moves = (residual, local.push(residual)), step.last
        forces = [force(push) for _, push in moves]

        def cost(a: int, b: int) -> Float[Array, ""]:
            return damping * (moves[a][0] @ moves[b][0]) + _dot(forces[a], moves[b][1])

        slopes = [_dot(pulled, push) - damping * (step.change @ move) for move, push in moves]
        x, y = _lowest(cost(0, 0), cost(0, 1), cost(1, 1), slopes[0], slopes[1])
        # What rounding leaves is no improvement: followed, it would lead astray.
        better = x * slopes[0] + y * slopes[1] > 1e-7 * jnp.abs(_dot(raised, step.moved))
        x, y = jnp.where(better, x, 0.0), jnp.where(better, y, 0.0)
        last = jax.tree.map(lambda a, b: x * a + y * b, *moves)
        change, moved = jax.tree.map(jnp.add, (step.change, step.moved), last)
        over = jnp.sqrt(self._divergence(local, change, moved) / self.divergence)
        if not inside:
            return Step(change, moved, last, step.multiplier, jnp.maximum(over, region.least))
        change, moved = jax.tree.map(lambda x: x / jnp.maximum(over, 1.0), (change, moved))
        arrived = (over > 1.0) & (step.multiplier <= least)
        balance = self._balance(local, raised, moved, stiffness)
        multiplier = jnp.where(arrived, balance, curb * jnp.clip(over, 0.5, 2.0))
        return Step(change, moved, last, multiplier, step.scale)

    def _balance(
        self, local: Local, raised: PyTree, moved: PyTree, stiffness: Float[Array, ""] | float
    ) -> Float[Array, ""]:
        """The lambda that holds a step at the edge against what pulls it outwards."""
        ratio = local.ratio(moved)
        outwards = _dot(raised, moved) - stiffness * jnp.sum(local.weight * ratio**2)
        return jnp.maximum(0.5 * outwards / self.divergence, 0.0)

    def solved(self, local: Local, step: Step, gain: Float[Array, "T G N"], region: Region) -> Step:
        """The step after `conjugate_steps` improvements."""
        return jax.lax.fori_loop(
            0, self.conjugate_steps, lambda _, step: self.improved(local, step, gain, region), step
        )

    def start_step(self, local: Local) -> Step:
        """No step yet."""
        change = jnp.zeros_like(local.start)
        shapes = jax.eval_shape(local.push, change)
        moved = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return Step(change, moved, (change, moved), jnp.zeros(()), jnp.ones(()))

    def _divergence(
        self, local: Local, change: Float[Array, " D"], moved: PyTree
    ) -> Float[Array, ""]:
        """`1/2 x^T (H + damping) x`."""
        return 0.5 * (_dot(local.metric(moved), moved) + self.damping * change @ change)

    def _optimizer(self) -> optax.GradientTransformation:
        return optax.adam(self.critic_learning_rate)


def around(
    model: PyTree,
    heads: Callable[[PyTree], Heads],
    log_probs: Callable[[Heads], Float[Array, "T G N"]],
    present: Bool[Array, "T G"] | None,
) -> Local:
    """A model to first order.

    heads:     the distributions that a model gives, of actions that were taken, `[T, G, ...]`.
    log_probs: of these actions, for every agent that they are of, `[T, G, N]`.
    """
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    start, unravel = ravel_pytree(arrays)
    now = heads(model)
    _, fixed = eqx.partition(now, eqx.is_inexact_array)

    def rebuilt(parameters: Array) -> PyTree:
        return eqx.combine(unravel(parameters), rest)

    def outputs(parameters: Array) -> PyTree:
        return eqx.filter(heads(rebuilt(parameters)), eqx.is_inexact_array)

    old, push = jax.linearize(outputs, start)
    said, ratio = jax.linearize(lambda o: log_probs(eqx.combine(o, fixed)), old)
    counts = jnp.ones(said.shape[:2]) if present is None else present.astype(jnp.float32)
    weight = counts / jnp.maximum(jnp.sum(counts), 1.0)

    def weighed(x: Array) -> Array:
        return x * weight.reshape(weight.shape + (1,) * (x.ndim - 2))

    def metric(moved: PyTree) -> PyTree:
        bent = map(lambda head, by: head.fisher(by), now, eqx.combine(moved, fixed))
        return jax.tree.map(weighed, eqx.filter(tuple(bent), eqx.is_inexact_array))

    def at(parameters: Array) -> tuple[Array, Array]:
        new = heads(rebuilt(parameters))
        each = [weighed(a.kl(b)) for a, b in zip(now, new, strict=True)]
        divergence = jnp.concatenate([jnp.sum(x, axis=(0, 1)).reshape(-1) for x in each])
        return log_probs(new) - said, divergence

    return Local(
        push,
        lambda moved: jax.linear_transpose(push, start)(moved)[0],
        ratio,
        lambda each: jax.linear_transpose(ratio, old)(each)[0],
        metric,
        weight[..., None],
        start,
        rebuilt,
        at,
    )


def searched(
    start: Float[Array, " D"],
    change: Float[Array, " D"],
    judge: Callable[[Array], tuple[Array, Array]],
    largest: float,
    halvings: int,
) -> tuple[Float[Array, " D"], Float[Array, ""]]:
    """The parameters after the longest of `change`, half of it, ... that does good; and how long.

    judge:   the objective to be lowered and the divergence, given parameters.
    largest: divergence that is allowed, but for half of it that second order may be wrong by.

    If none is good, or nothing is finite, the old parameters stay and the share is 0.
    """
    before, _ = judge(start)

    def good(share: Array) -> Array:
        value, divergence = judge(start + share * change)
        return (value <= before) & (divergence <= 1.5 * largest)  # false for NaN

    def halve(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        share, _ = carry
        return share / 2, good(share / 2)

    least = 0.5**halvings
    share, found = jax.lax.while_loop(
        lambda carry: ~carry[1] & (carry[0] > least), halve, (jnp.ones(()), good(jnp.ones(())))
    )
    taken = jnp.where(found, share, 0.0)
    return jnp.where(found, start + share * change, start), taken


def _chosen(policy: Policy, view: View) -> Distribution:
    return policy.choices(policy.body.step(view.observation, ())[0], view)


def _dot(one: PyTree, other: PyTree) -> Float[Array, ""]:
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), one, other)
    return sum(jax.tree.leaves(products), jnp.zeros(()))


def _lowest(
    a: Float[Array, ""],
    b: Float[Array, ""],
    c: Float[Array, ""],
    u: Float[Array, ""],
    v: Float[Array, ""],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Where `1/2 (a x^2 + 2 b x y + c y^2) - u x - v y` is lowest; `y = 0` if `y` adds nothing."""
    a = jnp.maximum(a, 1e-30)
    rest = c - b * b / a
    y = jnp.where(rest > 1e-5 * c, (v - b / a * u) / jnp.where(rest > 0, rest, 1.0), 0.0)
    return (u - b * y) / a, y
