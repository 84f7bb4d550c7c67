"""Pictures of a robot, painted by MuJoCo, with each agent's limbs in its colour."""

import copy
from typing import Any

import numpy as np

from coterie.envs.robots.physics import load_mujoco
from coterie.envs.robots.sight import Partition
from coterie.errors import EnvError
from coterie.internal.palette import color_of

SIZE = 360, 480
"""Height and width of a picture."""
TRUNK = (0.55, 0.55, 0.55, 1.0)


class Camera:
    """A camera that follows a robot; `EnvError` where there is no OpenGL."""

    def __init__(self, model: Any, parts: Partition):
        self.mujoco, self.model = load_mujoco(), copy.copy(model)
        self.data = self.mujoco.MjData(self.model)
        self._paint(parts)
        try:
            self.renderer = self.mujoco.Renderer(self.model, *SIZE)
        except Exception as error:  # each platform has its own
            raise EnvError(
                f"MuJoCo cannot paint here ({type(error).__name__}: {error}): install EGL or "
                "OSMesa, and set MUJOCO_GL to egl or osmesa."
            ) from None
        mirrored = self.mujoco.mjtRndFlag.mjRND_REFLECTION
        self.renderer.scene.flags[mirrored] = False
        self.eye = self.mujoco.MjvCamera()
        self.eye.type = self.mujoco.mjtCamera.mjCAMERA_TRACKING
        self.eye.trackbodyid, self.eye.distance = 1, 4.0
        self.eye.azimuth, self.eye.elevation = 90.0, -15.0

    def picture(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """The robot in a posture, `[H, W, 3]` (0 to 255)."""
        self.data.qpos[:], self.data.qvel[:] = position, velocity
        self.mujoco.mj_forward(self.model, self.data)
        self.renderer.update_scene(self.data, self.eye)
        return self.renderer.render()

    def _paint(self, parts: Partition) -> None:
        """Give each body the colour of the agent that moves it, or that moves what it hangs on."""
        owner = {joint: agent for agent, part in enumerate(parts) for joint in part}
        colors = [TRUNK] * self.model.nbody
        for body in range(1, self.model.nbody):
            first, count = self.model.body_jntadr[body], self.model.body_jntnum[body]
            names = [self.model.joint(first + i).name for i in range(count)]
            mine = [owner[name] for name in names if name in owner]
            above = colors[self.model.body_parentid[body]]
            colors[body] = _paint_of(mine[0]) if mine else above
        for geom in range(self.model.ngeom):
            body = self.model.geom_bodyid[geom]
            if body > 0:
                self.model.geom_matid[geom] = -1
                self.model.geom_rgba[geom] = colors[body]


def _paint_of(agent: int) -> tuple[float, float, float, float]:
    red, green, blue = color_of(agent)
    return red / 255, green / 255, blue / 255, 1.0
