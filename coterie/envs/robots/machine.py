"""A robot at work: its simulation, whose joints are whose, what is seen and what is paid."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from coterie.envs.robots.physics import Simulator
from coterie.envs.robots.sight import Numbers, Partition, sight
from coterie.envs.timestep import Timestep
from coterie.errors import EnvError, require
from coterie.types import AgentSpec, Box, Observation


class RobotState(NamedTuple):
    """Some copies of a robot.

    rows: MuJoCo's states, and where the robots are, `[G, R]`, 64-bit.
    step: steps played, `[G]`.
    """

    rows: Float[np.ndarray, "G R"]
    step: Int[np.ndarray, " G"]


class Machine:
    """Copies of a robot, played by the agents that have its joints."""

    def __init__(
        self, simulator: Simulator, parts: Partition, obsk: int | None, edition: str, max_steps: int
    ):
        """Deal the robot's joints in `parts` among the agents, which see up to distance `obsk`."""
        self.simulator, self.parts, self.edition = simulator, parts, edition
        self.max_steps = max_steps
        owned = _actuators(simulator)
        numbers = Numbers(simulator.model, simulator.sizes, simulator.anatomy)
        self.sight = sight(numbers, parts, obsk, edition)
        self.actuators = [[owned[joint] for joint in part] for part in parts]
        widest = max(map(len, parts))
        places = [agent * widest + k for agent, part in enumerate(parts) for k in range(len(part))]
        # Each actuator's place among all agents' actions, side by side.
        self.places = np.array(places)[np.argsort(np.concatenate(self.actuators))]
        own = np.arange(widest) < np.array([[len(part)] for part in parts])
        self.mask = None if own.all() else own  # entries of an action that are an agent's own

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        """One `AgentSpec` per agent."""
        ranges = self.simulator.model.actuator_ctrlrange
        spaces = [Box(len(own), *map(tuple, ranges[own].T.tolist())) for own in self.actuators]
        return tuple(map(AgentSpec, self.sight.sizes, spaces))

    def begin(self, seeds: np.ndarray) -> tuple[RobotState, Observation]:
        """Begin one copy from each seed."""
        rows, told = self.simulator.begin(seeds)
        return RobotState(rows, np.zeros(len(seeds), np.int32)), self._view(rows, told)

    def advance(self, state: RobotState, action: np.ndarray) -> tuple[RobotState, Timestep]:
        """Play the joint actions `[G, N, A]`."""
        controls, seconds = self.controls(action), self.simulator.seconds
        rows, told = self.simulator.advance(state.rows, controls)
        step, before = state.step + 1, state.rows
        set_back = rows[:, 0] < before[:, 0]  # as MuJoCo does when it is unstable
        speed = np.where(set_back, 0.0, (rows[:, -1] - before[:, -1]) / seconds)
        upright = self._upright(rows) & ~set_back
        reward = self._reward(speed, upright, controls, told) * ~set_back
        shared = np.stack([reward, ~upright, step >= self.max_steps], axis=1)[:, :, None]
        reward, ended, cut = np.moveaxis(np.repeat(shared, len(self.parts), axis=2), 1, 0)
        info = {"speed": speed, "unstable": set_back}
        timestep = Timestep(self._view(rows, told), reward, ended > 0, cut > 0, info)
        return RobotState(rows, step), timestep

    def controls(self, action: np.ndarray) -> Float[np.ndarray, "G U"]:
        """All actuators' controls from the agents' actions `[G, N, A]`."""
        return action.reshape(len(action), -1).take(self.places, axis=1).astype(np.float64)

    def _reward(
        self, speed: np.ndarray, upright: np.ndarray, controls: np.ndarray, told: np.ndarray
    ) -> Float[np.ndarray, " G"]:
        body, v4 = self.simulator.anatomy, self.edition == "v4"
        gain = body.forward * speed + body.alive * (upright | v4)
        cost = body.control * np.sum(np.square(controls), axis=1)
        if body.contact and not v4:
            forces = told[:, -self.simulator.sizes["cfrc_ext"] :]
            forces = np.clip(forces, -body.force_bound, body.force_bound)
            cost = cost + np.minimum(body.contact * np.sum(np.square(forces), axis=1), body.most)
        return gain - cost

    def _upright(self, rows: np.ndarray) -> np.ndarray:
        healthy = self.simulator.anatomy.healthy
        return np.ones(len(rows), bool) if healthy is None else healthy(*self.posture(rows))

    def posture(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions `[G, P]` and velocities `[G, V]`."""
        return self.simulator.posture(rows)

    def _view(self, rows: np.ndarray, told: np.ndarray) -> Observation:
        numbers = np.hstack([*self.posture(rows), told]).astype(np.float32)
        seen: Any = self.sight.of(numbers)  # NumPy's, where types tell of JAX's
        if self.mask is None:
            return Observation(seen)
        own: Any = np.repeat(self.mask[None], len(seen), axis=0)
        return Observation(seen, own)


def _actuators(simulator: Simulator) -> dict[str, int]:
    """The actuator of each joint, by name; `EnvError` if the model has other ones."""
    model, known = simulator.model, simulator.anatomy.joints
    joints = [model.joint(model.actuator_trnid[i, 0]).name for i in range(model.nu)]
    require(
        sorted(joints) == sorted(known),
        f"the model in {simulator.path} moves {', '.join(joints) or 'no joint'}; the robot's "
        f"agents move {', '.join(known)}.",
        EnvError,
    )
    return {joint: number for number, joint in enumerate(joints)}
