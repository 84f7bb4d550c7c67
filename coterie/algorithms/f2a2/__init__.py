"""F2A2: flexible fully decentralised approximate actor-critic."""

from coterie.algorithms.f2a2.central_attention import (
    CentralAttentionCritic as CentralAttentionCritic,
)
from coterie.algorithms.f2a2.coma import F2A2COMA as F2A2COMA
from coterie.algorithms.f2a2.consensus import CentralAverage as CentralAverage
from coterie.algorithms.f2a2.consensus import Consensus as Consensus
from coterie.algorithms.f2a2.consensus import OwnReward as OwnReward
from coterie.algorithms.f2a2.consensus import PrimalDual as PrimalDual
from coterie.algorithms.f2a2.consensus import TeamReward as TeamReward
from coterie.algorithms.f2a2.critics import AttentionCritic as AttentionCritic
from coterie.algorithms.f2a2.critics import IndependentCritic as IndependentCritic
from coterie.algorithms.f2a2.ddpg import F2A2DDPG as F2A2DDPG
from coterie.algorithms.f2a2.joint_objective import AlternatingObjective as AlternatingObjective
from coterie.algorithms.f2a2.joint_objective import JointObjective as JointObjective
from coterie.algorithms.f2a2.off_policy import F2A2OffPolicy as F2A2OffPolicy
from coterie.algorithms.f2a2.on_policy import F2A2OnPolicy as F2A2OnPolicy
from coterie.algorithms.f2a2.opponents import CommunicatedActions as CommunicatedActions
from coterie.algorithms.f2a2.opponents import EstimatedActions as EstimatedActions
from coterie.algorithms.f2a2.opponents import IgnoredOpponents as IgnoredOpponents
from coterie.algorithms.f2a2.sac import F2A2SAC as F2A2SAC
from coterie.algorithms.f2a2.sharing import InnerLayers as InnerLayers
from coterie.algorithms.f2a2.sharing import Sharing as Sharing
from coterie.algorithms.f2a2.sharing import WholeCritic as WholeCritic
from coterie.algorithms.f2a2.temperature import AutomaticTemperature as AutomaticTemperature
from coterie.algorithms.f2a2.temperature import FixedTemperature as FixedTemperature
