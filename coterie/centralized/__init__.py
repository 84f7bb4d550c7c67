"""Centralised reference methods, against which the cost of decentralising is measured.

Most are a decentralised method with a part or two of another kind; change them by
`dataclasses.replace`. Policies stay each agent's own, but for `CTRPO`, `CENTRAL_ACTOR_CRITIC` and
`CENTRAL_Q`, which are one learner that perceives and decides all.
"""

from dataclasses import replace

from coterie.algorithms.base.algorithm import AS_ONE, Information
from coterie.algorithms.f2a2 import (
    F2A2COMA,
    F2A2SAC,
    AlternatingObjective,
    CentralAverage,
    CommunicatedActions,
    TeamReward,
    WholeCritic,
)
from coterie.algorithms.li_jia import LiJiaTabular
from coterie.algorithms.networked import NetworkedAC, ToldReward
from coterie.algorithms.ppo import IPPO
from coterie.algorithms.q_learning import IQLTabular
from coterie.algorithms.trpo import ITRPO
from coterie.centralized.maddpg import MADDPG as MADDPG

MAPPO = IPPO(information=Information(state=True, reward="team", central=True))
"""PPO with critics of the global state and the team's mean reward (Yu et al. 2021)."""

CTRPO = ITRPO(information=AS_ONE)
"""TRPO of the joint policy (Schulman et al. 2015), MATRPO's baseline C-TRPO.

One network on everybody's observations has a head for each agent's action; the region bounds the
divergence of all heads together, and the team's mean reward is what is climbed.
"""

CENTRAL_AC = NetworkedAC(consensus=ToldReward())
"""Networked actor-critic whose critics are told the team's mean reward by a centre."""

MAAC = F2A2SAC(
    consensus=CentralAverage(),
    objective=AlternatingObjective(),
    opponents=CommunicatedActions(),
)
"""Multi-actor-attention-critic (Iqbal & Sha 2019): soft actor-critic with a centre.

There is one set of attention weights, which steps along the mean of all agents' gradients, and
everybody is told what the others' policies would do. Rewards are each agent's own, neither scaled
(a temperature of 0.01 is a scale of 100) nor standardised; attention is not regularised.
"""

COMA = F2A2COMA(consensus=TeamReward(), objective=AlternatingObjective(), sharing=WholeCritic())
"""Counterfactual multi-agent policy gradients (Foerster et al. 2018).

All critics see the same and are paid the team's mean reward, so that there is nothing to agree on.
"""

IN_TABLES = replace(AS_ONE, action_space="discrete", numbered=True)

CENTRAL_ACTOR_CRITIC = LiJiaTabular(
    information=IN_TABLES, critic_lr_decay=0.55, actor_lr=0.1, actor_lr_decay=0.2
)
"""Algorithm 1 with one agent that acts for all, in tables (Li & Jia, section V)."""

CENTRAL_Q = IQLTabular(information=IN_TABLES)
"""Joint Q-learning: one agent that acts for all (Watkins & Dayan 1992; Li & Jia, section V)."""
