"""Robots of MuJoCo whose limbs are agents."""

from coterie.envs.robots.robot import Ant as Ant
from coterie.envs.robots.robot import HalfCheetah as HalfCheetah
from coterie.envs.robots.robot import Hopper as Hopper
from coterie.envs.robots.robot import Humanoid as Humanoid
from coterie.envs.robots.robot import Robot as Robot
from coterie.envs.robots.robot import Walker2d as Walker2d
