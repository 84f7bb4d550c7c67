"""Batches that critics judge: actions of everybody, taken or drawn afresh."""

from typing import NamedTuple

from jaxtyping import Array, Float, Int, PyTree

from coterie.algorithms.f2a2.joint_batch import JointBatch
from coterie.rl.distributions import Distribution
from coterie.types import Observation


class JointActions(NamedTuple):
    """Everybody's actions at some steps, and what everybody's critics tell of them, `[N B ...]`.

    Critics tell nothing but at a centre.
    """

    taken: Float[Array, "B M W"]
    told: PyTree = ()

    def with_own(self, index: Int[Array, ""], mine: Float[Array, "B W"]) -> "JointActions":
        """The actions with those of the agent at `index` in their place."""
        return self._replace(taken=self.taken.at[:, index, : mine.shape[-1]].set(mine))


class ActionSample(NamedTuple):
    """Own action among others', as a critic sees them, and its log-probability.

    moved: log pi - log pi_0: how far the policy has moved since the step, where it acts so.
    """

    actions: JointActions
    log_prob: Float[Array, " B"]
    moved: Float[Array, " B"]


class UpdateBatch(NamedTuple):
    """Drawn steps with everybody's actions, as an agent knows them in an update.

    taken:     the actions that were taken.
    now, then: those that policies would take where steps began, and targets where they led to; the
               agent's own entry is not used.
    index:     the own place among the agents.
    alpha:     what a nat of entropy is worth.
    """

    steps: JointBatch
    taken: JointActions
    now: JointActions
    then: JointActions
    index: Int[Array, ""]
    alpha: Float[Array, ""]


class PolicyBatch(NamedTuple):
    """Batch that a policy is improved on.

    view, choices: the own views, and the distributions of the policy now.
    did, might: the action that it took then, and one that it might take now.
    target: y, of what it did.
    index:  the own place among the agents.
    alpha:  what a nat of entropy is worth.
    """

    view: Observation
    choices: Distribution
    did: ActionSample
    might: ActionSample
    target: Float[Array, " B"]
    index: Int[Array, ""]
    alpha: Float[Array, ""]
