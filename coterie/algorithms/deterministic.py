"""Deterministic actor-critic over a network (Grosnit, Cai & Wynter), on- and off-policy."""

import abc
import math
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from coterie.algorithms.base.algorithm import (
    Algorithm,
    Information,
    InitKeys,
    Metrics,
    Trajectory,
)
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between
from coterie.errors import require
from coterie.internal.count import Count
from coterie.network import Network, Payload
from coterie.rl.bodies import Body
from coterie.rl.layers import Dense
from coterie.rl.masked_stats import mean
from coterie.rl.models import MLP, Inputs, Model
from coterie.rl.networks import Policy
from coterie.rl.schedules import decayed
from coterie.types import LearnerSpec, Observation

Parameters = tuple[Body, Dense]
"""Parameters of the mean of a policy."""


class PerturbedAction(NamedTuple):
    """An action and my compatible features `grad_theta mu(s) (a - mu(s))`, `[G, ...]`."""

    action: Float[Array, "G D"]
    features: PyTree


class Critic(NamedTuple):
    """`sum_j phi_j(s, a) . slopes_j + V(s)`, linear in what the team agrees on.

    slopes: a tree like the widest agent's parameters, `[N, ...]`, with zeros for the others' rest.
    value:  the weights of V over the state, `[S]`, and its constant.
    """

    slopes: PyTree
    value: tuple[Float[Array, " S"], Float[Array, ""]]


class DeterministicState(NamedTuple):
    """State of an agent; `average` is its mean reward, `steps` the updates so far."""

    policy: Policy
    critic: Critic
    average: Float[Array, ""]
    steps: Count


@dataclass(frozen=True)
class Deterministic(Algorithm):
    """Base of both algorithms: the actor, the compatible critic and the agreement on it.

    A deterministic policy `mu_i(s)` of parameters `theta_i` climbs the team's mean reward, of which
    an agent is paid only its own part. Everybody shows `phi_i = grad mu_i(s) (a_i - mu_i(s))`, each
    agent fits the critic `Q(s, a) = sum_j phi_j . omega_j + V(s)` to its own reward, and averaging
    the critics with the neighbours makes it a fit to the mean:

        theta_i <- theta_i + beta_theta  grad mu_i(s) grad mu_i(s)^T omega_i
        omega   <- average over neighbours of  omega + beta_omega delta phi

    Both start from the critic before the step. An update averages over `rollout_length` steps of
    all environments; a horizon of 1 and one environment are the paper's order. Actions are executed
    with Gaussian noise of width `action_noise_std`: without any all features vanish, nothing is
    known of other actions, and the policy stays where it is. Others' features are those of the
    moment they acted.
    """

    rollout_length: Annotated[int, AtLeast(1)] = 1
    """Steps played in every environment between two updates, which average over them."""
    action_noise_std: Annotated[float, Above(0, "without noise nothing is learned")] = 0.3
    """sigma: the width of the noise on actions, in normalised units."""
    critic_lr: Annotated[float, Between(0, 1, open=True)] = 0.1
    """The critic's first step size (at most 1)."""
    critic_lr_decay: Annotated[float, Between(0, 1)] = 0.0
    """p: step sizes fall as 1 / (1 + n)^p with the updates; the theorems need 0.5 < p <= 1."""
    actor_lr: Annotated[float, Above(0), AtMost(RATE)] = 0.0005
    """The actor's first step size; well below critic_lr * sigma^2, the pace of the slopes."""
    actor_lr_decay: Annotated[float, Between(0, 1)] = 0.0
    """The actor's p; the theorems need it above the critic's."""
    max_grad_norm: Annotated[float | None, Above(0)] = None
    """Largest norm of the actor's gradient; no limit by default."""
    parameter_bound: Annotated[float | None, Above(0)] = None
    """Parameters stay within +-bound, the theorems' projection; no limit by default."""
    actor: Model = MLP((), "tanh")
    """The policy's network; without hidden layers a linear policy. The theory is for smooth
    policies, and its critic is linear whatever the policy."""

    @abc.abstractmethod
    def target(
        self, state: DeterministicState, trajectory: Trajectory, following: Float[Array, "T G"]
    ) -> Float[Array, "T G"]:
        """Target of the critic at each step; `following` is V of what each step led to."""

    @property
    def information(self) -> Information:
        return Information(
            state=True,
            action_space="continuous",
            payloads=(
                Payload("features", scope="all"),
                Payload("critic", lasting=lambda state: state.critic),
            ),
        )

    @property
    def deterministic_eval(self) -> bool:
        return True

    def check(self, num_envs: int) -> None:
        require(
            self.actor_lr_decay >= self.critic_lr_decay,
            f"actor_lr_decay must be at least critic_lr_decay, not {self.actor_lr_decay} below "
            f"{self.critic_lr_decay}: the critic has to keep up with the policy.",
        )

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[DeterministicState, tuple[()]]:
        self.require_actions(spec.action)
        policy = self._actor(keys.own, spec)
        width = math.log(self.action_noise_std)
        policy = replace(policy, log_std=jnp.full(spec.action.size, width))
        each = jax.eval_shape(lambda: _parameters(self._actor(keys.own, spec.padded)))
        slopes = jax.tree.map(lambda x: jnp.zeros((spec.agents, *x.shape)), each)
        critic = Critic(slopes, (jnp.zeros(spec.state), jnp.zeros(())))
        return DeterministicState(policy, critic, jnp.zeros(()), Count.of(0)), ()

    def _actor(self, key: Key[Array, ""], spec: LearnerSpec) -> Policy:
        return Policy.init(jax.random.split(key), self.actor, Inputs.of(spec), spec.action)

    def act(
        self, state: DeterministicState, memory: tuple[()], view: Observation, key: Key[Array, ""]
    ) -> tuple[PerturbedAction, tuple[()]]:
        parameters = _parameters(state.policy)
        noise = jax.random.normal(key, _means(parameters, view).shape)
        push = _real(self.action_noise_std * noise, view)

        def along(view: Observation, push: Float[Array, " D"]) -> PyTree:
            return jax.grad(lambda p: jnp.sum(_means(p, view) * push))(parameters)

        return PerturbedAction(_means(parameters, view) + push, jax.vmap(along)(view, push)), memory

    def learn(
        self,
        state: DeterministicState,
        trajectory: Trajectory,
        network: Network,
        key: Key[Array, ""],
    ) -> tuple[DeterministicState, Network, Metrics]:
        assert trajectory.shown is not None
        view, features = trajectory.view, trajectory.shown["features"]
        critic, present = state.critic, view.alive
        following = jnp.where(trajectory.terminated, 0.0, _value(critic, trajectory.next_view))
        judged = _pushed(critic.slopes, features) + _value(critic, view)
        error = self.target(state, trajectory, following) - judged

        rate = decayed(self.critic_lr, self.critic_lr_decay, state.steps.real())
        steps = rate * _shares(error, present)
        inputs = Critic(features, (_state(view), jnp.ones_like(error)))
        moved = jax.tree.map(lambda w, x: w + jnp.tensordot(steps, x, axes=2), critic, inputs)
        mixed, network = network.mix(moved, "critic")
        policy, norm = self._climbed(state, view, network.index)
        paid = mean(trajectory.reward, present)
        average = state.average + rate * (paid - state.average)
        metrics = {
            "average_reward": average,
            "critic_loss": mean(error**2, present),
            "gradient_norm": norm,
            "action_noise_std": jnp.asarray(self.action_noise_std, jnp.float32),
        }
        return (
            DeterministicState(policy, mixed, average, state.steps.next()),
            network,
            metrics,
        )

    def _climbed(
        self, state: DeterministicState, view: Observation, index: Int[Array, ""]
    ) -> tuple[Policy, Float[Array, ""]]:
        """The policy after one step along `mean of grad mu grad mu^T omega_i`, and its norm."""
        parameters = _parameters(state.policy)
        mine = jax.tree.map(lambda x: x[index], state.critic.slopes)
        push = jax.jvp(lambda p: _means(p, view), (parameters,), (mine,))[1]
        push = jax.lax.stop_gradient(_real(push, view))
        gradient = jax.grad(lambda p: mean(jnp.sum(_means(p, view) * push, axis=-1), view.alive))(
            parameters
        )
        norm = optax.tree.norm(gradient)
        rate = decayed(self.actor_lr, self.actor_lr_decay, state.steps.real())
        if self.max_grad_norm is not None:
            rate = rate * jnp.minimum(1.0, self.max_grad_norm / jnp.maximum(norm, 1e-12))
        body, head = jax.tree.map(lambda p, g: self._within(p + rate * g), parameters, gradient)
        return replace(state.policy, body=body, head=head), norm

    def _within(self, parameters: Array) -> Array:
        return (
            parameters
            if self.parameter_bound is None
            else jnp.clip(parameters, -self.parameter_bound, self.parameter_bound)
        )

    def policy(self, state: DeterministicState) -> Policy:
        return state.policy


@dataclass(frozen=True)
class DeterministicOn(Deterministic):
    """Algorithm 1, on-policy: the critic is the differential value of the mean reward.

        delta = r_i - J_i + Q(s', mu(s')) - Q(s, a),   J_i <- J_i + beta_omega (r_i - J_i)

    With these features `Q(s', mu(s')) = V(s')`: the next action need not be waited for. Nothing
    follows a terminated step; a truncated one is followed by V of its last state. The mean rewards
    J_i are not averaged, as printed. V is known up to a constant only, which moves nothing.
    """

    def target(
        self, state: DeterministicState, trajectory: Trajectory, following: Float[Array, "T G"]
    ) -> Float[Array, "T G"]:
        return trajectory.reward - state.average + following


@dataclass(frozen=True)
class DeterministicOff(Deterministic):
    """Algorithm 2, off-policy: the critic is the mean reward itself, `delta = r_i - R(s, a)`.

    It climbs the mean reward in the states that the behaviour visits and ignores what actions lead
    to: right for bandits, or where actions do not move the state. The theorems have a behaviour
    that is fixed; here it is the policy with noise, since a linear critic knows the slope only
    where it has tried.
    """

    def target(
        self, state: DeterministicState, trajectory: Trajectory, following: Float[Array, "T G"]
    ) -> Float[Array, "T G"]:
        return trajectory.reward


def _parameters(policy: Policy) -> Parameters:
    return policy.body, policy.head


def _means(parameters: Parameters, view: Observation) -> Float[Array, "*batch D"]:
    """`mu(s)`."""
    body, head = parameters
    return head(body.step(view.observation, ())[0])


def _real(push: Float[Array, "*batch D"], view: Observation) -> Float[Array, "*batch D"]:
    """A change of the action: none in numbers that it does not have, or of an absent agent."""
    real: Bool[Array, "*batch D"] = jnp.ones_like(push, bool)
    if view.action_mask is not None:
        real = real & view.action_mask
    if view.alive is not None:
        real = real & view.alive[..., None]
    return jnp.where(real, push, 0.0)


def _shares(error: Float[Array, "T G"], present: Bool[Array, "T G"] | None) -> Array:
    """Each step's share of the mean error over the steps that count."""
    counts = jnp.ones_like(error) if present is None else present.astype(error.dtype)
    return jnp.where(counts > 0, error, 0.0) / jnp.maximum(jnp.sum(counts), 1.0)


def _pushed(slopes: PyTree, features: PyTree) -> Float[Array, "T G"]:
    """`sum_j phi_j . omega_j`."""

    def product(slope: Array, feature: Array) -> Float[Array, "T G"]:
        return jnp.tensordot(feature, slope, axes=slope.ndim)

    return jnp.sum(jnp.stack(jax.tree.leaves(jax.tree.map(product, slopes, features))), axis=0)


def _value(critic: Critic, view: Observation) -> Float[Array, "T G"]:
    weights, constant = critic.value
    return _state(view) @ weights + constant


def _state(view: Observation) -> Float[Array, "T G S"]:
    assert view.state is not None  # it is declared
    return view.state
