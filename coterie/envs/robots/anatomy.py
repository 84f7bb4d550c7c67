"""Anatomies of the five robots: what their tasks fix, apart from MuJoCo's models.

Rewards, noise and healthy postures are those of Gymnasium's `-v4` and `-v5`. Partitions, joints
next to each other and bodies of joints are those of Gymnasium-Robotics' `mamujoco_v1` (Schröder de
Witt et al. 2020), and the partitions `3x2` and `17x1` those of DPO (Su & Lu 2022).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Healthy = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Copies that are upright, `[G]`, from positions `[G, P]` and velocities `[G, V]`."""

Place = Callable[[Any, Any], float]
"""Where a robot is, along the track, from MuJoCo's model and data."""

NO_BOUND = np.inf


@dataclass(frozen=True)
class Anatomy:
    """A robot's task.

    models:      file of the model, by edition.
    frame_skip:  steps of the simulation in a step of the environment.
    noise:       the largest noise on positions and velocities at the start.
    normal:      True if the noise on velocities is normal, with `noise` as its deviation.
    hidden:      first positions, which say where the robot is; they are not seen.
    healthy:     whether a robot is upright; `None` if it may lie.
    place:       where it is after a step; the first position, if `None`.
    alive, forward, control, contact: weights, in the reward, of being upright, of the speed, and
                 (as costs) of the squares of controls and, in `v5`, of contact forces.
    most:        the largest cost of contact forces.
    force_bound: bound of a contact force, in costs and observations.
    speed_bound: bounds of velocities that are seen: of the whole state, and of joints.
    seen:        MuJoCo's quantities that are seen beside positions and velocities, by edition.
    partitions:  the agents' joints, by the name of the partition.
    edges:       groups of joints that are next to each other.
    bodies:      numbers of the bodies that a joint moves, in MuJoCo's order.
    """

    models: dict[str, str]
    frame_skip: int
    noise: float
    partitions: dict[str, str]
    edges: tuple[str, ...]
    normal: bool = False
    hidden: int = 1
    healthy: Healthy | None = None
    place: Place | None = None
    alive: float = 0.0
    forward: float = 1.0
    control: float = 0.001
    contact: float = 0.0
    most: float = NO_BOUND
    force_bound: float = NO_BOUND
    speed_bound: tuple[float, float] = (NO_BOUND, NO_BOUND)
    seen: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"v4": (), "v5": ()})
    bodies: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def joints(self) -> list[str]:
        """All joints that agents move, in the order in which an agent sees them."""
        joints = {joint for edge in self.edges for joint in edge.split()}
        return sorted(joints, key=lambda joint: ORDER.get(joint, joint))


ORDER = {"abdomen_y": "abdomen_z", "abdomen_z": "abdomen_y"}
"""Places of two joints in an observation.

`mamujoco_v1` takes each of them for the other, and so shows an agent that has one of them the
other's position. An agent that has both sees the same here and there.
"""


def _all(*conditions: Any) -> np.ndarray:
    return np.logical_and.reduce(conditions)


def _hops(position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    rest = np.hstack([position, velocity])[:, 2:]
    small = np.all((rest > -100) & (rest < 100), axis=1)
    return _all(position[:, 1] > 0.7, position[:, 2] > -0.2, position[:, 2] < 0.2, small)


def _walks(position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    height, angle = position[:, 1], position[:, 2]
    return _all(height > 0.8, height < 2.0, angle > -1.0, angle < 1.0)


def _crawls(position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    finite = np.isfinite(position).all(axis=1) & np.isfinite(velocity).all(axis=1)
    return _all(finite, position[:, 2] >= 0.2, position[:, 2] <= 1.0)


def _stands(position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    return _all(position[:, 2] > 1.0, position[:, 2] < 2.0)


def _torso(model: Any, data: Any) -> float:
    return data.xpos[1, 0]


def _mass_center(model: Any, data: Any) -> float:
    return np.einsum("b,bj->j", model.body_mass, data.xipos)[0] / model.body_mass.sum()


HOPPER = Anatomy(
    models={"v4": "hopper.xml", "v5": "hopper.xml"},
    frame_skip=4,
    noise=0.005,
    healthy=_hops,
    alive=1.0,
    speed_bound=(10.0, 10.0),
    partitions={"3x1": "thigh_joint | leg_joint | foot_joint"},
    edges=("foot_joint leg_joint", "leg_joint thigh_joint"),
)

HALF_CHEETAH = Anatomy(
    models={"v4": "half_cheetah.xml", "v5": "half_cheetah.xml"},
    frame_skip=5,
    noise=0.1,
    normal=True,
    control=0.1,
    partitions={
        "3x2": "bfoot bshin | bthigh ffoot | fshin fthigh",
        "2x3": "bthigh bshin bfoot | fthigh fshin ffoot",
        "6x1": "bthigh | bshin | bfoot | fthigh | fshin | ffoot",
    },
    edges=("bfoot bshin", "bshin bthigh", "bthigh fthigh", "fthigh fshin", "fshin ffoot"),
)

WALKER = Anatomy(
    models={"v4": "walker2d.xml", "v5": "walker2d_v5.xml"},
    frame_skip=4,
    noise=0.005,
    healthy=_walks,
    alive=1.0,
    speed_bound=(10.0, NO_BOUND),
    partitions={
        "3x2": "foot_joint leg_joint | thigh_joint foot_left_joint "
        "| leg_left_joint thigh_left_joint",
        "2x3": "foot_joint leg_joint thigh_joint | foot_left_joint leg_left_joint thigh_left_joint",
    },
    edges=(
        *("foot_joint leg_joint", "leg_joint thigh_joint", "thigh_joint thigh_left_joint"),
        *("foot_left_joint leg_left_joint", "leg_left_joint thigh_left_joint"),
    ),
)

ANT = Anatomy(
    models={"v4": "ant.xml", "v5": "ant.xml"},
    frame_skip=5,
    noise=0.1,
    normal=True,
    hidden=2,
    healthy=_crawls,
    place=_torso,
    alive=1.0,
    control=0.5,
    contact=5e-4,
    force_bound=1.0,
    seen={"v4": (), "v5": ("cfrc_ext",)},
    partitions={
        "4x2": "hip_1 ankle_1 | hip_2 ankle_2 | hip_3 ankle_3 | hip_4 ankle_4",
        "2x4": "hip_1 ankle_1 hip_2 ankle_2 | hip_3 ankle_3 hip_4 ankle_4",
        "2x4d": "hip_1 ankle_1 hip_4 ankle_4 | hip_2 ankle_2 hip_3 ankle_3",
    },
    edges=(
        *("ankle_1 hip_1", "ankle_2 hip_2", "ankle_3 hip_3", "ankle_4 hip_4"),
        "hip_1 hip_2 hip_3 hip_4",
    ),
    bodies={
        **{"hip_1": (1, 2), "hip_2": (1, 5), "hip_3": (1, 8), "hip_4": (1, 11)},
        **{"ankle_1": (2, 3, 4), "ankle_2": (5, 6, 7)},
        **{"ankle_3": (8, 9, 10), "ankle_4": (11, 12, 13)},
    },
)

HUMANOID = Anatomy(
    models={"v4": "humanoid.xml", "v5": "humanoid.xml"},
    frame_skip=5,
    noise=0.01,
    hidden=2,
    healthy=_stands,
    place=_mass_center,
    alive=5.0,
    forward=1.25,
    control=0.1,
    contact=5e-7,
    most=10.0,
    seen={edition: ("cinert", "cvel", "qfrc_actuator", "cfrc_ext") for edition in ("v4", "v5")},
    partitions={
        "17x1": "left_shoulder1 | left_shoulder2 | abdomen_x | abdomen_y | abdomen_z "
        "| right_shoulder1 | right_shoulder2 | right_elbow | left_elbow | left_hip_x | left_hip_y "
        "| left_hip_z | right_hip_x | right_hip_y | right_hip_z | right_knee | left_knee",
        "9|8": "abdomen_x abdomen_y abdomen_z right_shoulder1 right_shoulder2 right_elbow "
        "left_shoulder1 left_shoulder2 left_elbow | right_hip_x right_hip_y right_hip_z right_knee "
        "left_hip_x left_hip_y left_hip_z left_knee",
    },
    edges=(
        "abdomen_x abdomen_y abdomen_z",
        *("left_hip_x left_hip_y left_hip_z", "right_hip_x right_hip_y right_hip_z"),
        *(
            "left_elbow left_shoulder1 left_shoulder2",
            "right_elbow right_shoulder1 right_shoulder2",
        ),
        "left_knee left_hip_x left_hip_y left_hip_z",
        "right_knee right_hip_x right_hip_y right_hip_z",
        "left_shoulder1 left_shoulder2 abdomen_x abdomen_y abdomen_z",
        "right_shoulder1 right_shoulder2 abdomen_x abdomen_y abdomen_z",
        "abdomen_x abdomen_y abdomen_z left_hip_x left_hip_y left_hip_z",
        "abdomen_x abdomen_y abdomen_z right_hip_x right_hip_y right_hip_z",
    ),
    bodies={
        **dict.fromkeys(("abdomen_y", "abdomen_z"), (1, 2, 3)),
        "abdomen_x": (3, 4, 7),
        **dict.fromkeys(("right_hip_x", "right_hip_z", "right_hip_y"), (4, 5)),
        **dict.fromkeys(("left_hip_x", "left_hip_z", "left_hip_y"), (7, 8)),
        **{"right_knee": (5, 6), "left_knee": (8, 9)},
        **dict.fromkeys(("right_shoulder1", "right_shoulder2"), (1, 10, 11)),
        **dict.fromkeys(("left_shoulder1", "left_shoulder2"), (1, 12, 13)),
        **{"right_elbow": (11,), "left_elbow": (13,)},
    },
)
