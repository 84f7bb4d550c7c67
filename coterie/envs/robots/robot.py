"""Robots of MuJoCo as teams: each agent moves some joints, and all are paid for running."""

import functools
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from jaxtyping import Array, Float

from coterie.bounds import AtLeast, AtMost
from coterie.envs.batched import NumpyEnv
from coterie.envs.robots.anatomy import ANT, HALF_CHEETAH, HOPPER, HUMANOID, WALKER, Anatomy
from coterie.envs.robots.camera import Camera
from coterie.envs.robots.machine import Machine, RobotState
from coterie.envs.robots.physics import Simulator, model_path
from coterie.envs.robots.sight import partition
from coterie.envs.timestep import Timestep
from coterie.types import AgentSpec, Observation


@dataclass(frozen=True)
class Robot(NumpyEnv):
    """A robot that is paid for running, with its joints dealt among agents.

    With `v` the speed along the track over a step, `a` the controls and `f` the contact forces,
    all agents are paid

        r = forward v + alive 1[upright] - control |a|^2 - contact |f|^2

    with the weights of Gymnasium's task. An episode ends when the robot is not upright (the
    half-cheetah always is), and is cut off after `max_steps`. A simulation that becomes unstable
    ends, too, and pays nothing in that step; `info/unstable` counts them.
    """

    ANATOMY: ClassVar[Anatomy]

    partition: str | tuple[str, ...]
    """Partition of the joints among the agents: a name, or each agent's joints (a,b c,d)."""

    obsk: Annotated[int | None, AtLeast(0)] = 1
    """Distance up to which agents see other joints' positions; the whole robot and their own number
    if None."""

    edition: Literal["v4", "v5"] = "v5"
    """Edition of Gymnasium's task: v4 pays for being upright in the last step, too, and contacts
    cost nothing (as v2 in effect, with which the papers worked)."""

    max_steps: Annotated[int, AtLeast(1)] = 1000
    """Steps after which an episode is cut off."""

    model_file: str | None = None
    """File of another model of the robot (MJCF) with the joints of Gymnasium's, which is used if
    None."""

    threads: Annotated[int | None, AtLeast(1), AtMost(256)] = None
    """Number of threads that step robots; as many as there are cores, but no more than 4, if
    None. Results do not depend on it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        partition(self.ANATOMY, self.partition, type(self).__name__)

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        return _machine(self).specs

    @property
    def names(self) -> tuple[str, ...]:
        parts = partition(self.ANATOMY, self.partition, type(self).__name__)
        return tuple("+".join(part) for part in parts)

    def reset(self, seeds: np.ndarray) -> tuple[RobotState, Observation]:
        return _machine(self).begin(seeds)

    def step(self, state: RobotState, action: np.ndarray) -> tuple[RobotState, Timestep]:
        return _machine(self).advance(state, action)

    @property
    def fps(self) -> float:
        """Steps per second, as the robot takes them; fewer where a picture cannot show as many."""
        return min(50.0, 1.0 / _machine(self).simulator.seconds)

    def global_state(self, view: Observation) -> Float[Array, "G S"]:
        """The view of Gymnasium's task, if the agents have it; else all their views."""
        if self.obsk is not None:
            return super().global_state(view)
        return view.observation[:, 0, : -len(self.names)]

    def render(self, state: RobotState) -> np.ndarray:
        position, velocity = _machine(self).simulator.posture(state.rows)
        return _camera(self).picture(position[0], velocity[0])


@functools.lru_cache(maxsize=32)
def _machine(robot: Robot) -> Machine:
    body, edition = robot.ANATOMY, robot.edition
    path = robot.model_file or model_path(body.models[edition])
    simulator = Simulator(path, body, body.seen[edition], robot.threads)
    parts = partition(body, robot.partition, type(robot).__name__)
    return Machine(simulator, parts, robot.obsk, edition, robot.max_steps)


@functools.lru_cache(maxsize=4)
def _camera(robot: Robot) -> Camera:
    return Camera(_machine(robot).simulator.model, _machine(robot).parts)


@dataclass(frozen=True)
class Hopper(Robot):
    """A leg that hops: thigh, leg and foot (Erez, Tassa & Todorov 2011)."""

    ANATOMY: ClassVar[Anatomy] = HOPPER
    partition: str | tuple[str, ...] = "3x1"


@dataclass(frozen=True)
class HalfCheetah(Robot):
    """A cheetah with a hind leg and a front leg (Wawrzynski 2009)."""

    ANATOMY: ClassVar[Anatomy] = HALF_CHEETAH
    partition: str | tuple[str, ...] = "3x2"


@dataclass(frozen=True)
class Walker2d(Robot):
    """Two legs that walk in a plane (Erez, Tassa & Todorov 2011)."""

    ANATOMY: ClassVar[Anatomy] = WALKER
    partition: str | tuple[str, ...] = "3x2"


@dataclass(frozen=True)
class Ant(Robot):
    """Four legs around a torso (Schulman et al. 2016)."""

    ANATOMY: ClassVar[Anatomy] = ANT
    partition: str | tuple[str, ...] = "4x2"


@dataclass(frozen=True)
class Humanoid(Robot):
    """A body with two arms and two legs (Tassa, Erez & Todorov 2012)."""

    ANATOMY: ClassVar[Anatomy] = HUMANOID
    partition: str | tuple[str, ...] = "17x1"
