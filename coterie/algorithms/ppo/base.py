"""Base of the on-policy methods: a policy and a critic, improved over a few epochs.

A method adds its surrogate (what a policy is to maximise on a minibatch) and, if it has any, the
rule that adapts its coefficients.
"""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key, PyTree

from coterie.algorithms.base.advantages import values_and_gae
from coterie.algorithms.base.algorithm import InitKeys, Metrics, Trajectory
from coterie.algorithms.base.normalizing import Normalizing
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between
from coterie.errors import require
from coterie.internal.count import Count
from coterie.network import Network
from coterie.rl.bodies import RecurrentState
from coterie.rl.distributions import Distribution
from coterie.rl.masked_stats import mean, standardize
from coterie.rl.models import MLP, Inputs, Model
from coterie.rl.networks import FRESH_GAIN, Critic, Policy
from coterie.rl.optimizers import clipped_adams
from coterie.rl.schedules import falling
from coterie.types import LearnerSpec, Observation


class DrawnAction(NamedTuple):
    """An action and the distribution it was drawn from, `[G, ...]`."""

    action: Array
    distribution: Distribution


class RecurrentStates(NamedTuple):
    """Memories of the policy and of the critic during an episode."""

    policy: RecurrentState
    critic: RecurrentState


class PPOState(NamedTuple):
    """State of an agent of a proximal method; `steps` are those it has learned from."""

    policy: Policy
    critic: Critic
    optimizer: PyTree
    coefficients: PyTree
    steps: Count


class Sample(NamedTuple):
    """Batch of one update, `[T, G, ...]`: experience with advantages and targets."""

    view: Observation
    over: Bool[Array, "T G"]
    old: DrawnAction
    advantage: Float[Array, "T G"]
    target: Float[Array, "T G"]
    value: Float[Array, "T G"]


@dataclass(frozen=True)
class Proximal(Normalizing):
    """The hyper-parameters and the update that on-policy methods share."""

    rollout_length: Annotated[int, AtLeast(1)] = 50
    """Steps played in every environment between two updates."""
    normalize_rewards: bool = True
    """Divide rewards by the running deviation of discounted returns."""
    epochs: Annotated[int, AtLeast(1)] = 5
    """Passes over the experience in one update."""
    minibatches: Annotated[int, AtLeast(1)] = 4
    """Minibatches of an epoch. Each holds whole environments, so it has to divide their number."""
    actor_lr: Annotated[float, Above(0), AtMost(RATE)] = 5e-4
    """Adam's step size for the policy."""
    critic_lr: Annotated[float, Above(0), AtMost(RATE)] = 5e-4
    """Adam's step size for the critic."""
    discount: Annotated[float, Between(0, 1)] = 0.99
    """gamma: what a reward one step later is worth now."""
    gae_lambda: Annotated[float, Between(0, 1)] = 0.95
    """lambda of generalised advantage estimation."""
    entropy_coef: Annotated[float, AtLeast(0)] = 0.01
    """Weight of the policy's entropy in its objective."""
    max_grad_norm: Annotated[float, Above(0, infinite=True)] = 10.0
    """Gradient clipping by global norm, for each network."""
    value_clip: Annotated[float | None, Above(0)] = None
    """Largest change of a value from the old one in an update; no limit by default."""
    huber_delta: Annotated[float | None, Above(0)] = None
    """Error of a value from which its loss grows in a line (Huber 1964); by default nowhere."""
    fit_intercept: bool = False
    """Fit the bias of the critic's head to the mean error before each update, in closed form; the
    critic starts near zero. Critics of bounded units need it where values are far from 0."""
    anneal_steps: Annotated[int | None, AtLeast(1)] = None
    """Steps, over all environments, in which step sizes and the entropy's weight fall to 0 in a
    line; constant by default."""
    actor: Model = MLP()
    """The policy's network."""
    critic: Model = MLP()
    """The critic's network."""

    recurrent_models: ClassVar[tuple[str, ...]] = ("actor", "critic")
    mixed_actions: ClassVar[bool] = True

    @abc.abstractmethod
    def surrogate(
        self,
        new: Distribution,
        old: DrawnAction,
        advantage: Float[Array, "T G"],
        present: Bool[Array, "T G"] | None,
        coefficients: PyTree,
        team: int,
    ) -> Float[Array, ""]:
        """Objective that the policy maximises on a minibatch, besides its entropy; `team` is the
        number of agents."""

    def entropy_weight(self, team: int) -> float:
        """Weight of the policy's entropy in its objective, in a team of so many agents."""
        return self.entropy_coef

    def objective(
        self,
        new: Distribution,
        old: DrawnAction,
        advantage: Float[Array, "T G"],
        present: Bool[Array, "T G"] | None,
        coefficients: PyTree,
        team: int,
        share: float | Float[Array, ""] = 1.0,
    ) -> Float[Array, ""]:
        """The surrogate and this share of the entropy's bonus."""
        gain = self.surrogate(new, old, advantage, present, coefficients, team)
        return gain + share * self.entropy_weight(team) * mean(new.entropy(), present)

    def start_coefficients(self) -> PyTree:
        """The coefficients of the surrogate before the first update."""
        return ()

    def adapt(
        self, coefficients: PyTree, sample: Sample, policy: Callable[[], Distribution]
    ) -> tuple[PyTree, Metrics]:
        """Coefficients for the next update, and their metrics.

        policy: the new policy at every step; evaluated only by methods that look at it.
        """
        return coefficients, {}

    def check(self, num_envs: int) -> None:
        require(
            num_envs % self.minibatches == 0,
            f"{num_envs} environments cannot be dealt into {self.minibatches} minibatches evenly: "
            f"use a num_envs that {self.minibatches} divides, or other --minibatches.",
        )

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[PPOState, RecurrentStates]:
        own = jax.random.split(keys.own, 4)
        policy = Policy.init(own[0::2], self.actor, Inputs.of(spec), spec.action)
        gain = FRESH_GAIN if self.fit_intercept else 1.0
        critic = Critic.init(own[1::2], self.critic, Inputs.of_critic(spec), gain)
        optimizer = self._optimizer().init(eqx.filter((policy, critic), eqx.is_array))
        learner = PPOState(policy, critic, optimizer, self.start_coefficients(), Count.of(0))
        return learner, RecurrentStates(policy.body.start(), critic.body.start())

    def act(
        self, state: PPOState, memory: RecurrentStates, view: Observation, key: Key[Array, ""]
    ) -> tuple[DrawnAction, RecurrentStates]:
        distribution, remembered = state.policy.step(view, memory.policy)
        judged = memory.critic
        if self.critic.recurrent:
            judged = state.critic.body.step(view.critic_input, memory.critic)[1]
        return DrawnAction(distribution.sample(key), distribution), RecurrentStates(
            remembered, judged
        )

    def learn(
        self, state: PPOState, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[PPOState, Network, Metrics]:
        sample = self._sample_of(state.critic, trajectory)
        if self.fit_intercept:
            state, sample = _centered(state, sample)
        state, metrics = self._improve(state, sample, trajectory.memory, network.size, key)
        coefficients, more = self.adapt(
            state.coefficients,
            sample,
            lambda: self._distribution(state.policy, sample, trajectory.memory),
        )
        steps = state.steps.plus(Count.of(trajectory.over.size))
        return state._replace(coefficients=coefficients, steps=steps), network, metrics | more

    def policy(self, state: PPOState) -> Policy:
        return state.policy

    def in_reward_units(self, state: PPOState) -> list[PyTree]:
        return [state.critic.head]

    def _sample_of(self, critic: Critic, trajectory: Trajectory) -> Sample:
        """Advantages, and the targets that the critic is to learn."""
        value, advantage = values_and_gae(
            critic, trajectory, trajectory.memory.critic, self.discount, self.gae_lambda
        )
        view = trajectory.view
        scaled = standardize(advantage, view.alive)
        return Sample(view, trajectory.over, trajectory.decision, scaled, advantage + value, value)

    def _improve(
        self,
        state: PPOState,
        sample: Sample,
        memory: RecurrentStates,
        team: int,
        key: Key[Array, ""],
    ) -> tuple[PPOState, Metrics]:
        """Several epochs of gradient steps on minibatches of whole environments; metrics of the
        last."""
        order = jax.random.permutation(key, sample.over.shape[1])
        parts = (
            jax.tree.map(lambda x: _deal(x, order, self.minibatches, axis=1), sample),
            jax.tree.map(lambda x: _deal(x, order, self.minibatches, axis=0), memory),
        )
        optimizer, share = self._optimizer(), self._annealed(state.steps)

        def step(carry: tuple, part: tuple[Sample, RecurrentStates]) -> tuple[tuple, Metrics]:
            models, optimizer_state = carry
            gradient, metrics = jax.grad(self._loss, has_aux=True)(
                models, *part, state.coefficients, team, share
            )
            change, optimizer_state = optimizer.update(gradient, optimizer_state)
            if self.anneal_steps is not None:
                change = jax.tree.map(lambda x: share * x, change)
            metrics["gradient_norm"] = optax.tree.norm(gradient)
            return (eqx.apply_updates(models, change), optimizer_state), metrics

        def epoch(carry: tuple, _: None) -> tuple[tuple, dict[str, Array]]:
            return jax.lax.scan(step, carry, parts)

        carry = (state.policy, state.critic), state.optimizer
        (models, optimizer_state), metrics = jax.lax.scan(epoch, carry, None, length=self.epochs)
        policy, critic = models
        state = state._replace(policy=policy, critic=critic, optimizer=optimizer_state)
        return state, jax.tree.map(lambda each: jnp.mean(each[-1]), metrics)

    def _loss(
        self,
        models: tuple[Policy, Critic],
        sample: Sample,
        memory: RecurrentStates,
        coefficients: PyTree,
        team: int,
        share: Float[Array, ""],
    ) -> tuple[Float[Array, ""], Metrics]:
        policy, critic = models
        present = sample.view.alive
        new = self._distribution(policy, sample, memory)
        told = sample.old, sample.advantage, present, coefficients, team
        gain = self.objective(new, *told, share)
        features = critic.body.sequence(sample.view.critic_input, memory.critic, sample.over)
        error = self._value_error(critic.value(features), sample)
        critic_loss = mean(error, present)
        metrics = {
            "policy_loss": -gain,
            "critic_loss": critic_loss,
            "kl": mean(sample.old.distribution.kl(new), present),
            "entropy": mean(new.entropy(), present),
        }
        return critic_loss - gain, metrics

    def _value_error(self, value: Float[Array, "T G"], sample: Sample) -> Float[Array, "T G"]:
        error = self._badness(value - sample.target)
        if self.value_clip is None:
            return error
        moved = jnp.clip(value - sample.value, -self.value_clip, self.value_clip)
        return jnp.maximum(error, self._badness(sample.value + moved - sample.target))

    def _badness(self, error: Float[Array, "T G"]) -> Float[Array, "T G"]:
        """The square of a value's error, or twice Huber's loss."""
        if self.huber_delta is None:
            return error**2
        return 2.0 * optax.losses.huber_loss(error, delta=self.huber_delta)

    def _annealed(self, steps: Count) -> Float[Array, ""]:
        """Share of step sizes and of the entropy's weight that is left after so many steps."""
        if self.anneal_steps is None:
            return jnp.ones(())
        return falling(1.0, 0.0, self.anneal_steps, steps.real())

    def _distribution(
        self, policy: Policy, sample: Sample, memory: RecurrentStates
    ) -> Distribution:
        features = policy.body.sequence(sample.view.observation, memory.policy, sample.over)
        return policy.choices(features, sample.view)

    def _optimizer(self) -> optax.GradientTransformation:
        rates = {"policy": self.actor_lr, "critic": self.critic_lr}
        return clipped_adams(rates, ("policy", "critic"), self.max_grad_norm, eps=1e-5)


def _centered(state: PPOState, sample: Sample) -> tuple[PPOState, Sample]:
    """The agent and its batch once the mean error of values is 0: of squared errors, the best bias
    of a head while all else stands still. Adam needs error / step size steps for it."""
    error = mean(sample.target - sample.value, sample.view.alive)
    critic = eqx.tree_at(lambda c: c.head.bias, state.critic, state.critic.head.bias + error)
    return state._replace(critic=critic), sample._replace(value=sample.value + error)


def _deal(x: Array, order: Array, parts: int, axis: int) -> Array:
    """Shuffle the environments and deal them into `parts`, on a new leading axis."""
    shuffled = jnp.take(x, order, axis=axis)
    shape = (*x.shape[:axis], parts, x.shape[axis] // parts, *x.shape[axis + 1 :])
    return jnp.moveaxis(shuffled.reshape(shape), axis, 0)
