"""Centralised reference methods: what decentralising costs is measured against them."""

from coterie.centralized.coma import COMA as COMA
from coterie.centralized.ctrpo import CTRPO as CTRPO
from coterie.centralized.maac import MAAC as MAAC
from coterie.centralized.maddpg import MADDPG as MADDPG
from coterie.centralized.mappo import MAPPO as MAPPO
from coterie.centralized.networked import CentralAC as CentralAC
from coterie.centralized.tabular import CentralActorCritic as CentralActorCritic
from coterie.centralized.tabular import CentralQ as CentralQ
