"""Base classes and records that the algorithms of every family use."""

from coterie.algorithms.base.algorithm import ActionOnly as ActionOnly
from coterie.algorithms.base.algorithm import ActOutput as ActOutput
from coterie.algorithms.base.algorithm import Algorithm as Algorithm
from coterie.algorithms.base.algorithm import Information as Information
from coterie.algorithms.base.algorithm import InitKeys as InitKeys
from coterie.algorithms.base.algorithm import Trajectory as Trajectory
