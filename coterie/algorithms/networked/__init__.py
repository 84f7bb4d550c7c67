"""Networked actor-critics of Zhang et al.: critics that the team agrees on."""

from coterie.algorithms.networked.base import Gossip as Gossip
from coterie.algorithms.networked.base import ToldReward as ToldReward
from coterie.algorithms.networked.networked_ac import NetworkedAC as NetworkedAC
from coterie.algorithms.networked.networked_q import NetworkedQAC as NetworkedQAC
