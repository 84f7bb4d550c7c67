"""The worlds that teams play in, by name."""

from coterie.games.bandit import ContinuousBandit as ContinuousBandit
from coterie.games.commons import Commons as Commons
from coterie.games.finite import Climbing as Climbing
from coterie.games.finite import FiniteGame as FiniteGame
from coterie.games.finite import NetworkedMDP as NetworkedMDP
from coterie.games.finite import Penalty as Penalty
from coterie.games.finite import RandomMDP as RandomMDP
from coterie.games.finite import StochasticGame as StochasticGame
from coterie.games.finite import Tables as Tables
from coterie.games.finite import TabularGame as TabularGame
from coterie.games.finite import TwoStep as TwoStep
from coterie.games.game import AgentSpec as AgentSpec
from coterie.games.game import Box as Box
from coterie.games.game import Discrete as Discrete
from coterie.games.game import Game as Game
from coterie.games.game import JaxGame as JaxGame
from coterie.games.game import Scene as Scene
from coterie.games.game import Space as Space
from coterie.games.game import Timestep as Timestep
from coterie.games.game import VectorGame as VectorGame
from coterie.games.game import View as View
from coterie.games.particle import Circle as Circle
from coterie.games.particle import Line as Line
from coterie.games.particle import RoverTower as RoverTower
from coterie.games.particle import Spread as Spread
from coterie.games.particle import SpreadFarama as SpreadFarama
from coterie.games.particle import SpreadLiJia as SpreadLiJia
from coterie.games.particle import SpreadMATRPO as SpreadMATRPO
from coterie.games.particle import Treasure as Treasure
from coterie.games.particle import TreasureMATRPO as TreasureMATRPO

CATALOGUE: dict[str, type[Game]] = {
    "spread": Spread,
    "spread-farama": SpreadFarama,
    "spread-li-jia": SpreadLiJia,
    "spread-matrpo": SpreadMATRPO,
    "line": Line,
    "circle": Circle,
    "treasure": Treasure,
    "treasure-matrpo": TreasureMATRPO,
    "rover-tower": RoverTower,
    "random-mdp": RandomMDP,
    "stochastic-game": StochasticGame,
    "networked-mdp": NetworkedMDP,
    "climbing": Climbing,
    "penalty": Penalty,
    "two-step": TwoStep,
    "continuous-bandit": ContinuousBandit,
    "commons": Commons,
}
"""Every game that a name can stand for."""
