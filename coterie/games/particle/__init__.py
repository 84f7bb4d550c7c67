"""Games of discs in a plane."""

from coterie.games.particle.rover_tower import RoverTower as RoverTower
from coterie.games.particle.spread_farama import SpreadFarama as SpreadFarama
from coterie.games.particle.spread_li_jia import SpreadLiJia as SpreadLiJia
from coterie.games.particle.spread_matrpo import SpreadMATRPO as SpreadMATRPO
from coterie.games.particle.tasks import Circle as Circle
from coterie.games.particle.tasks import Line as Line
from coterie.games.particle.tasks import Spread as Spread
from coterie.games.particle.treasure import Treasure as Treasure
from coterie.games.particle.treasure_matrpo import TreasureMATRPO as TreasureMATRPO
