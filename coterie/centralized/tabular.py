"""What Li & Jia compare their Algorithm 1 with: the whole team learns as one agent, in tables."""

from dataclasses import dataclass, replace
from typing import Annotated

from coterie.algorithms.base.algorithm import AS_ONE, Information
from coterie.algorithms.li_jia.li_jia_tabular import LiJiaTabular
from coterie.algorithms.q_learning.iql_tabular import IQLTabular
from coterie.bounds import Above, Between


@dataclass(frozen=True)
class CentralActorCritic(LiJiaTabular):
    """Centralised actor-critic: Algorithm 1 with one agent that acts for all (Li & Jia, section V).

    Its critic and its softmax are tables of states and joint actions, and it draws joint actions.
    """

    critic_lr_decay: Annotated[float, Between(0, 1)] = 0.55
    """p of alpha. Theorem 1 needs it above 0.5 and at most 1; 0 is a constant step."""
    actor_lr: Annotated[float, Above(0)] = 0.1
    """b of beta = b / (1 + n)^q, with n the earlier visits of the state."""
    actor_lr_decay: Annotated[float, Between(0, 1)] = 0.2
    """q of beta; 0 is a constant step."""

    @property
    def information(self) -> Information:
        return replace(AS_ONE, action_space="discrete")


@dataclass(frozen=True)
class CentralQ(IQLTabular):
    """Joint Q-learning: one agent that acts for all (Watkins & Dayan 1992; Li & Jia, section V).

    The actions of its table are the joint actions; exploring, it draws any of them.
    """

    @property
    def information(self) -> Information:
        return replace(AS_ONE, action_space="discrete")
