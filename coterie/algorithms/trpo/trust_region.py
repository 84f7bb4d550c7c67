"""Base of the trust-region methods: hyper-parameters, and a critic that learns from all samples."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key, PyTree

from coterie.algorithms.base.advantages import values_and_gae
from coterie.algorithms.base.algorithm import ActionOnly, InitKeys, Metrics, Trajectory
from coterie.algorithms.base.normalizing import Normalizing
from coterie.bounds import RATE, Above, AtLeast, AtMost, Between
from coterie.errors import require
from coterie.rl.cg_subspace import full_step, line_search
from coterie.rl.masked_stats import mean
from coterie.rl.models import MLP, Inputs, Model
from coterie.rl.networks import Critic, Policy
from coterie.rl.scaling import of_learned
from coterie.types import LearnerSpec, Observation


class TRPOState(NamedTuple):
    """State of an agent of a trust-region method.

    model:  its policy, with whatever shares parameters with it.
    critic: what it expects to be paid from here on.
    kept:   what else a method carries from one update to the next.
    """

    model: PyTree
    critic: Critic
    optimizer: PyTree
    kept: PyTree = ()


@dataclass(frozen=True)
class TrustRegion(Normalizing):
    """The hyper-parameters and the steps that trust-region methods share."""

    rollout_length: Annotated[int, AtLeast(1)] = 200
    """Steps played in every environment between two updates."""
    normalize_rewards: bool = True
    """Divide rewards by the running deviation of discounted returns."""
    max_kl: Annotated[float, Above(0)] = 0.003
    """delta / N: the largest mean divergence of an update, in nats, of all heads together."""
    damping: Annotated[float, AtLeast(0)] = 0.01
    """Added to the diagonal of the divergence's Hessian."""
    line_search_steps: Annotated[int | None, AtLeast(0)] = 10
    """Line search: how often a step that fails is halved before it is given up. With None there is
    none: every step that is finite is taken as it is."""
    discount: Annotated[float, Between(0, 1)] = 0.95
    """gamma: what a reward one step later is worth now."""
    gae_lambda: Annotated[float, Between(0, 1)] = 0.95
    """lambda of generalised advantage estimation."""
    critic_lr: Annotated[float, Above(0), AtMost(RATE)] = 1e-3
    """Adam's step size for the critic."""
    critic_epochs: Annotated[int, AtLeast(1)] = 3
    """The critic's passes over the samples in one update."""
    batch_size: Annotated[int, AtLeast(1)] = 64
    """Samples in one gradient step of the critic."""
    actor: Model = MLP((128, 128), "selu")
    """The policy's network."""
    critic: Model = MLP((128, 128), "selu")
    """The critic's network."""

    cg_iters: ClassVar[Any]
    """Steps of conjugate gradients in an update: a field of those who derive from this."""

    @abc.abstractmethod
    def start_model(self, policy: Policy, spec: LearnerSpec, key: Key[Array, ""]) -> PyTree:
        """Make the model that is improved, around a fresh policy."""

    def start_kept(self, spec: LearnerSpec) -> PyTree:
        """Initial value of what else is carried from one update to the next."""
        return ()

    def check(self, num_envs: int) -> None:
        samples = self.rollout_length * num_envs
        require(
            self.batch_size <= samples,
            f"a batch of {self.batch_size} samples is more than the {samples} that {num_envs} "
            f"environments of {self.rollout_length} steps bring: raise rollout_length or num_envs, "
            "or lower batch_size.",
        )
        require(
            self.cg_iters <= samples,
            f"{samples} samples cannot tell {self.cg_iters} directions apart: raise rollout_length "
            "or num_envs, or lower cg_iters.",
        )

    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[TRPOState, tuple[()]]:
        require(spec.observation > 0, "an agent's observation is empty: it has nothing to act on.")
        own = jax.random.split(keys.own, 5)
        inputs = Inputs.of(spec)
        policy = Policy.init(own[:2], self.actor, inputs, spec.action)
        critic = Critic.init(own[2:4], self.critic, inputs)
        optimizer = self._optimizer().init(eqx.filter(critic, eqx.is_array))
        model = self.start_model(policy, spec, own[4])
        return TRPOState(model, critic, optimizer, self.start_kept(spec)), ()

    def act(
        self, state: TRPOState, memory: tuple[()], view: Observation, key: Key[Array, ""]
    ) -> tuple[ActionOnly, tuple[()]]:
        return ActionOnly(self.policy(state).distribution(view).sample(key)), memory

    def in_reward_units(self, state: TRPOState) -> list[PyTree]:
        return [state.critic.head]

    def advantages(
        self, state: TRPOState, trajectory: Trajectory, key: Key[Array, ""]
    ) -> tuple[TRPOState, Float[Array, "T G"], Metrics]:
        """The advantages by the critic, and the agent after the critic has learned from them."""
        value, advantage = values_and_gae(
            state.critic, trajectory, (), self.discount, self.gae_lambda
        )
        view, target = trajectory.view, advantage + value
        present = jnp.ones(target.shape, bool) if view.alive is None else view.alive
        samples = view.critic_input, target, present
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

        parts = target.size // self.batch_size
        orders = jax.vmap(
            lambda k: jax.random.permutation(k, target.size)[: parts * self.batch_size]
        )(jax.random.split(key, self.critic_epochs))
        rows = orders.reshape(-1, self.batch_size)
        (critic, optimizer), errors = jax.lax.scan(improve, (state.critic, state.optimizer), rows)
        said = {"critic_loss": jnp.mean(errors[-parts:])}
        return state._replace(critic=critic, optimizer=optimizer), advantage, said

    def stepped(
        self,
        start: Float[Array, " D"],
        change: Float[Array, " D"],
        judge: Callable[[Array], tuple[Array, Array]],
    ) -> tuple[Float[Array, " D"], Float[Array, ""]]:
        """The parameters after as much of a change as is good, and how much (see `line_search`)."""
        if self.line_search_steps is None:
            return full_step(start, change, judge)
        return line_search(start, change, judge, self.max_kl, self.line_search_steps)

    def _optimizer(self) -> optax.GradientTransformation:
        return of_learned(optax.adam(self.critic_lr))
