"""Algorithm: three functions of one agent, and a declaration of what it may know."""

import abc
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import jax
from jaxtyping import Array, Bool, Float, Key, PyTree

from coterie.bounds import require_bounds
from coterie.errors import require
from coterie.network import Network, Payload
from coterie.rl.models import Model
from coterie.rl.networks import Policy
from coterie.types import LearnerSpec, Mixed, Observation, Space

Metrics = dict[str, Float[Array, ""]]


@dataclass(frozen=True)
class Information:
    """Declaration of what an algorithm may know. What is not declared is absent from its data.

    state:   learning sees the global state (`view.state`) or, in its place, everybody's
             "observations" side by side, `[N F]`, each as long as the longest; a number of a
             state is a vector of zeros and a one.
    actions: learning sees its "own" actions, everybody's ("joint"), or their "mean".
    action_space: which kinds of actions the method can choose: "any", one of several ("discrete"),
             or numbers ("continuous").
    numbered: whether it needs observations that are numbers of states, as tables do.
    reward:  learning is paid its "own" reward or the mean of the "team".
    payloads: what it may send; counted as traffic.
    requires_complete_graph: whether everybody has to be a neighbour of everybody.
    central: learning happens at a centre that everybody sends everything to; counted as traffic.
    joint_control: the centre acts, too: it chooses the joint action, as one agent in the place of
                   all.
    """

    state: bool | Literal["observations"] = False
    actions: Literal["own", "joint", "mean"] = "own"
    action_space: Literal["any", "discrete", "continuous"] = "any"
    numbered: bool = False
    reward: Literal["own", "team"] = "own"
    payloads: tuple[Payload, ...] = ()
    requires_complete_graph: bool = False
    central: bool = False
    joint_control: bool = False

    def __post_init__(self) -> None:
        for payload in self.payloads:
            require(
                isinstance(payload, Payload),
                f"payloads must be values, as Payload({payload!r}), not {payload!r}.",
            )

    @property
    def sends(self) -> tuple[str, ...]:
        """The names of what it may send to neighbours."""
        return tuple(p.name for p in self.payloads if p.scope == "neighbors")

    @property
    def broadcasts(self) -> tuple[str, ...]:
        """The parts of its decisions that it sends to everybody at each step."""
        return tuple(p.name for p in self.payloads if p.scope == "all")

    def lasting(self, state: PyTree) -> dict[str, PyTree]:
        """Parts of an agent's state that the team is to agree on, by their payloads."""
        return {p.name: p.lasting(state) for p in self.payloads if p.lasting is not None}

    @property
    def joint_observable(self) -> bool:
        """True if agents may look up others' parts of a memory (see `Network.gather_public`)."""
        return self.state == "observations" or self.actions == "joint"


class InitKeys(NamedTuple):
    """Random keys that an agent's initial state is drawn from.

    own:    its own: what is drawn from it differs between agents, as policies.
    common: the team's: what is drawn from it is equal at all agents, as parameters that they are to
            agree on. The mean of independent networks is no network: its weights are too small.
    """

    own: Key[Array, ""]
    common: Key[Array, ""]

    @staticmethod
    def of(key: Key[Array, ""]) -> "InitKeys":
        """Keys of an agent by itself."""
        return InitKeys(*jax.random.split(key))


AS_ONE = Information(reward="team", central=True, joint_control=True)
"""Declaration of a centre that acts for all."""


@runtime_checkable
class ActOutput(Protocol):
    """Protocol for the result of `act`: at least the action, in normalised units for a `Box`."""

    @property
    def action(self) -> Array: ...


class ActionOnly(NamedTuple):
    """Decision that is the action alone, `[G, ...]`."""

    action: Array


class Trajectory(NamedTuple):
    """One agent's record of `T` steps in `G` environments, time first.

    view, decision: what it perceived and decided, `[T, G, ...]`.
    reward:     its reward, `[T, G]`.
    terminated: nothing follows this step, `[T, G]`.
    truncated:  the episode was cut off after this step, `[T, G]`.
    over:       a new episode begins after this step, `[T, G]`; memories restart.
    next_view:  what the step led to (the final view where an episode is over), `[T, G, ...]`.
    memory:     what it remembered before the first step, `[G, ...]`.
    actions:    everybody's actions `[T, G, N, W]`, or their mean `[T, G, 1, W]`, if declared; else
                `None`. A number of `A` is a vector of zeros and a one; `W` is the largest size.
                An agent that is gone does nothing: zeros.
    shown:      what everybody shows, `[T, G, N, ...]` for each name that is declared.
    there:      who is in the environment, `[T, G, N]`, where everybody's actions are declared;
                `None` if no agent ever leaves early.
    """

    view: Observation
    decision: Any
    reward: Float[Array, "T G"]
    terminated: Bool[Array, "T G"]
    truncated: Bool[Array, "T G"]
    over: Bool[Array, "T G"]
    next_view: Observation
    memory: PyTree
    actions: Float[Array, "T G M W"] | None = None
    shown: dict[str, PyTree] | None = None
    there: Bool[Array, "T G N"] | None = None


def joint(trajectory: Trajectory) -> Float[Array, "T G M W"]:
    """Actions of all agents, or their mean, whichever `Information.actions` has declared."""
    assert trajectory.actions is not None
    return trajectory.actions


@dataclass(frozen=True)
class Algorithm(abc.ABC):
    """A learning rule, written from one agent's view; its fields are its hyper-parameters.

    The bounds that they declare (`coterie.bounds`) are checked when a value is made: a
    `__post_init__` of one's own calls `super().__post_init__()`.

    It never indexes its own arrays by agent: `coterie.network.lift` maps these functions over the
    team, and `network` is the only way to anybody else.
    """

    recurrent_models: ClassVar[tuple[str, ...]] = ()
    """Names of the models that may have a memory."""
    mixed_actions: ClassVar[bool] = False
    """Whether it can learn in a team where some agents have discrete actions and others not."""
    normalize_observations: ClassVar[Any] = False
    """Whether its networks normalize what they see (see `Normalizing`)."""
    normalize_rewards: ClassVar[Any] = False
    """Whether its rewards are divided by the deviation of returns."""

    def __post_init__(self) -> None:
        require_bounds(self)
        for field in fields(self):
            model = getattr(self, field.name)
            memory = isinstance(model, Model) and model.recurrent
            require(
                not memory or field.name in self.recurrent_models,
                f"{field.name} of {type(self).__name__} has no memory: use mlp or cnn for it.",
            )

    @property
    @abc.abstractmethod
    def rollout_length(self) -> int:
        """Steps played between two calls of `learn`."""

    @property
    def information(self) -> Information:
        """Declaration of what this algorithm may know and send; by default only what is its own."""
        return Information()

    def check(self, num_envs: int) -> None:  # noqa: B027 (all do)
        """Raise `ConfigError` if hyper-parameters do not go together, or not with so many
        environments."""

    def samples_per_insert(self, num_envs: int) -> float | None:
        """Mean number of times that a stored step is learned from; `None` without a memory."""
        return None

    def check_communication(self, gaps: tuple[float, float], wait: float) -> None:  # noqa: B027 (all do)
        """Warn of hyper-parameters that do not go with averages over a graph of these `gaps`, to
        which each agent listens in one round of `wait`, if not in all."""

    def require_actions(self, space: Space) -> None:
        """Raise `ConfigError` unless it can choose actions of this kind (see `Information`)."""
        wanted = self.information.action_space
        require(
            self.mixed_actions or not isinstance(space, Mixed),
            f"{type(self).__name__} needs a team whose actions are all discrete or all continuous, "
            "and this one has both: use a method for both, as dpo, ippo or mappo.",
        )
        if isinstance(space, Mixed):
            return
        found = (
            "continuous" if space.continuous else "several at once" if space.each else "discrete"
        )
        chooses = "numbers" if wanted == "continuous" else "among discrete actions"
        require(
            wanted in ("any", found),
            f"{type(self).__name__} chooses {chooses}, but this environment's actions are {found}: "
            f"use the environment's {wanted} form, or a method for any actions, as dpo, ippo or "
            "f2a2-ddpg.",
        )

    @abc.abstractmethod
    def init(self, keys: InitKeys, spec: LearnerSpec) -> tuple[PyTree, PyTree]:
        """Initial `(state, memory)`; the memory is that at the start of an episode.

        keys: what the team is to agree on is drawn from `keys.common`, the rest from `keys.own`.
        """

    @abc.abstractmethod
    def act(
        self, state: PyTree, memory: PyTree, view: Observation, key: Key[Array, ""]
    ) -> tuple[ActOutput, PyTree]:
        """Decide in each of `G` environments (`view` is `[G, ...]`) and remember."""

    @abc.abstractmethod
    def learn(
        self, state: PyTree, trajectory: Trajectory, network: Network, key: Key[Array, ""]
    ) -> tuple[PyTree, Network, Metrics]:
        """Update the agent's state from its trajectory; `network` is the only way to others."""

    @abc.abstractmethod
    def policy(self, state: PyTree) -> Policy:
        """Policy of an agent in this state, for play without learning."""

    @property
    def deterministic_eval(self) -> bool:
        """True if a trained agent takes the most likely action instead of drawing one."""
        return False

    @property
    def batches_seeds(self) -> bool:
        """True if several seeds run faster as one batch, as where a step is mostly overhead."""
        return False
