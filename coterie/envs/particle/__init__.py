"""Environments of discs in a plane."""

from coterie.envs.particle.rover_tower import RoverTower as RoverTower
from coterie.envs.particle.spread_farama import SpreadFarama as SpreadFarama
from coterie.envs.particle.spread_li_jia import SpreadLiJia as SpreadLiJia
from coterie.envs.particle.spread_matrpo import SpreadMATRPO as SpreadMATRPO
from coterie.envs.particle.tasks import Circle as Circle
from coterie.envs.particle.tasks import Line as Line
from coterie.envs.particle.tasks import Spread as Spread
from coterie.envs.particle.treasure import Treasure as Treasure
from coterie.envs.particle.treasure_matrpo import TreasureMATRPO as TreasureMATRPO
