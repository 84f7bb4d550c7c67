"""Decentralised learning rules, each written from one agent's view."""

from coterie.algorithms.base import Algorithm as Algorithm
from coterie.algorithms.base import Decision as Decision
from coterie.algorithms.base import Information as Information
from coterie.algorithms.base import Trajectory as Trajectory
from coterie.algorithms.deterministic import DeterministicOff as DeterministicOff
from coterie.algorithms.deterministic import DeterministicOn as DeterministicOn
from coterie.algorithms.f2a2 import F2A2 as F2A2
from coterie.algorithms.f2a2 import F2A2COMA as F2A2COMA
from coterie.algorithms.f2a2 import F2A2DDPG as F2A2DDPG
from coterie.algorithms.f2a2 import F2A2ISAC as F2A2ISAC
from coterie.algorithms.f2a2 import F2A2SAC as F2A2SAC
from coterie.algorithms.f2a2 import F2A2TD3 as F2A2TD3
from coterie.algorithms.f2a2 import F2A2OffPolicy as F2A2OffPolicy
from coterie.algorithms.f2a2 import F2A2OnPolicy as F2A2OnPolicy
from coterie.algorithms.li_jia import LiJia as LiJia
from coterie.algorithms.li_jia import LiJiaTabular as LiJiaTabular
from coterie.algorithms.networked import NetworkedAC as NetworkedAC
from coterie.algorithms.networked import NetworkedQAC as NetworkedQAC
from coterie.algorithms.ppo import DPO as DPO
from coterie.algorithms.ppo import IPPO as IPPO
from coterie.algorithms.q_learning import IQL as IQL
from coterie.algorithms.q_learning import IQLTabular as IQLTabular
from coterie.algorithms.trpo import ITRPO as ITRPO
from coterie.algorithms.trpo import MATRPO as MATRPO
