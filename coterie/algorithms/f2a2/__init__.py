"""F2A2: flexible fully decentralised approximate actor-critic."""

from coterie.algorithms.f2a2.f2a2 import F2A2 as F2A2
from coterie.algorithms.f2a2.f2a2_coma import F2A2COMA as F2A2COMA
from coterie.algorithms.f2a2.f2a2_ddpg import F2A2DDPG as F2A2DDPG
from coterie.algorithms.f2a2.f2a2_ddpg import F2A2TD3 as F2A2TD3
from coterie.algorithms.f2a2.f2a2_off import F2A2OffPolicy as F2A2OffPolicy
from coterie.algorithms.f2a2.f2a2_on import F2A2OnPolicy as F2A2OnPolicy
from coterie.algorithms.f2a2.f2a2_sac import F2A2ISAC as F2A2ISAC
from coterie.algorithms.f2a2.f2a2_sac import F2A2SAC as F2A2SAC
