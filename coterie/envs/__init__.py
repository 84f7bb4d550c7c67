"""The worlds that teams play in, by name."""

from coterie.envs.bandit import ContinuousBandit as ContinuousBandit
from coterie.envs.batched import NumpyEnv as NumpyEnv
from coterie.envs.battle import Battle as Battle
from coterie.envs.commons import Commons as Commons
from coterie.envs.finite import Climbing as Climbing
from coterie.envs.finite import FiniteGame as FiniteGame
from coterie.envs.finite import NetworkedMDP as NetworkedMDP
from coterie.envs.finite import Penalty as Penalty
from coterie.envs.finite import RandomMDP as RandomMDP
from coterie.envs.finite import StochasticGame as StochasticGame
from coterie.envs.finite import Tables as Tables
from coterie.envs.finite import TabularGame as TabularGame
from coterie.envs.finite import TwoStep as TwoStep
from coterie.envs.game import AgentSpec as AgentSpec
from coterie.envs.game import Box as Box
from coterie.envs.game import Discrete as Discrete
from coterie.envs.game import Env as Env
from coterie.envs.game import JaxEnv as JaxEnv
from coterie.envs.game import Observation as Observation
from coterie.envs.game import Scene as Scene
from coterie.envs.game import Space as Space
from coterie.envs.game import Timestep as Timestep
from coterie.envs.game import VectorEnv as VectorEnv
from coterie.envs.particle import Circle as Circle
from coterie.envs.particle import Line as Line
from coterie.envs.particle import RoverTower as RoverTower
from coterie.envs.particle import Spread as Spread
from coterie.envs.particle import SpreadFarama as SpreadFarama
from coterie.envs.particle import SpreadLiJia as SpreadLiJia
from coterie.envs.particle import SpreadMATRPO as SpreadMATRPO
from coterie.envs.particle import Treasure as Treasure
from coterie.envs.particle import TreasureMATRPO as TreasureMATRPO
from coterie.envs.robots import Ant as Ant
from coterie.envs.robots import HalfCheetah as HalfCheetah
from coterie.envs.robots import Hopper as Hopper
from coterie.envs.robots import Humanoid as Humanoid
from coterie.envs.robots import Walker2d as Walker2d
from coterie.envs.skirmish import Skirmish as Skirmish

ENVS: dict[str, type[Env]] = {
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
    "battle": Battle,
    "hopper": Hopper,
    "halfcheetah": HalfCheetah,
    "walker2d": Walker2d,
    "ant": Ant,
    "humanoid": Humanoid,
    "skirmish": Skirmish,
}
"""Every environment that a name can stand for."""
