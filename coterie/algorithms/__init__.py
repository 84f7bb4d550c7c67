"""Decentralised learning rules, each written from one agent's view."""

from coterie.algorithms.algorithm import Algorithm as Algorithm
from coterie.algorithms.algorithm import Decision as Decision
from coterie.algorithms.algorithm import Experience as Experience
from coterie.algorithms.algorithm import Information as Information
from coterie.algorithms.deterministic import DeterministicOff as DeterministicOff
from coterie.algorithms.deterministic import DeterministicOn as DeterministicOn
from coterie.algorithms.dpo import DPO as DPO
from coterie.algorithms.f2a2 import F2A2 as F2A2
from coterie.algorithms.f2a2_coma import F2A2COMA as F2A2COMA
from coterie.algorithms.f2a2_ddpg import F2A2DDPG as F2A2DDPG
from coterie.algorithms.f2a2_ddpg import F2A2TD3 as F2A2TD3
from coterie.algorithms.f2a2_off import F2A2OffPolicy as F2A2OffPolicy
from coterie.algorithms.f2a2_on import F2A2OnPolicy as F2A2OnPolicy
from coterie.algorithms.f2a2_sac import F2A2ISAC as F2A2ISAC
from coterie.algorithms.f2a2_sac import F2A2SAC as F2A2SAC
from coterie.algorithms.ippo import IPPO as IPPO
from coterie.algorithms.iql import IQL as IQL
from coterie.algorithms.iql_tabular import IQLTabular as IQLTabular
from coterie.algorithms.itrpo import ITRPO as ITRPO
from coterie.algorithms.li_jia import LiJia as LiJia
from coterie.algorithms.li_jia_tabular import LiJiaTabular as LiJiaTabular
from coterie.algorithms.matrpo import MATRPO as MATRPO
from coterie.algorithms.networked_ac import NetworkedAC as NetworkedAC
from coterie.algorithms.networked_q import NetworkedQAC as NetworkedQAC
