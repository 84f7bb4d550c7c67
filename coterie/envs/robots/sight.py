"""Partitions of a robot's joints among agents, and what each agent sees of the robot."""

import itertools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from coterie.envs.robots.anatomy import NO_BOUND, Anatomy
from coterie.errors import EnvError, nearest, require

Partition = tuple[tuple[str, ...], ...]

PER_BODY = {"cinert": 10, "cvel": 6, "cfrc_ext": 6}
"""Numbers of each body in MuJoCo's quantities; the first body is the world."""


def partition(anatomy: Anatomy, wanted: str | Sequence[str], what: str) -> Partition:
    """The joints of each agent, by the name of a partition or as lists of joints.

    `EnvError` if a joint is left out, repeated or unknown.

    >>> from coterie.envs.robots.anatomy import HOPPER
    >>> partition(HOPPER, ["thigh_joint,leg_joint", "foot_joint"], "hopper")
    (('thigh_joint', 'leg_joint'), ('foot_joint',))
    """
    if isinstance(wanted, str) and wanted in anatomy.partitions:
        wanted = anatomy.partitions[wanted].split("|")
    elif isinstance(wanted, str):
        wanted = wanted.split("|")
    parts = tuple(_joints(part) for part in wanted)
    _require_each_once(anatomy, parts, what)
    return parts


def _joints(part: str) -> tuple[str, ...]:
    """Joints that commas or spaces part; one without a name stays, to be refused."""
    return tuple(re.split(r"\s*,\s*|\s+", part.strip())) if part.strip() else ()


def _require_each_once(anatomy: Anatomy, parts: Partition, what: str) -> None:
    given, known = [joint for part in parts for joint in part], anatomy.joints
    names = f"partitions are {', '.join(anatomy.partitions)}, or lists of joints"
    for joint in given:
        if joint not in known:
            hint = nearest(joint, [*known, *anatomy.partitions]) or f"it has {', '.join(known)}."
            raise EnvError(f"{what} has no joint or partition {joint!r}: {hint}")
        twice = given.count(joint) > 1
        require(not twice, f"joint {joint} of {what} has {given.count(joint)} owners.", EnvError)
    require(all(parts), f"an agent of {what} has no joint: {names}.", EnvError)
    missing = [joint for joint in known if joint not in given]
    require(
        not missing,
        f"nobody moves {', '.join(missing)} of {what}: {names}, with each joint once.",
        EnvError,
    )


def distances(anatomy: Anatomy, own: Sequence[str], most: int) -> list[list[str]]:
    """Joints at each distance from an agent's own, up to `most`; its own are at distance 0.

    >>> from coterie.envs.robots.anatomy import HALF_CHEETAH
    >>> distances(HALF_CHEETAH, ["bthigh"], 2)
    [['bthigh'], ['bshin', 'fthigh'], ['bfoot', 'fshin']]
    """
    groups = [set(edge.split()) for edge in anatomy.edges]
    rings, known = [set(own)], set(own)
    for _ in range(most):
        near = {j for group in groups if group & rings[-1] for j in group} - known
        rings, known = [*rings, near], known | near
    return [[joint for joint in anatomy.joints if joint in ring] for ring in rings]


class Sight(NamedTuple):
    """Entries of a robot's numbers that each agent sees.

    index:  places in the vector of all numbers, `[N, F]`; its length, where there is padding.
    sizes:  how many numbers each agent sees.
    bound:  bound of each number, `[X]`; `None` if there is none.
    number: True if an agent sees its own number, too, as a vector of zeros and a one.
    """

    index: Int[np.ndarray, "N F"]
    sizes: tuple[int, ...]
    bound: Float[np.ndarray, " X"] | None
    number: bool

    def of(self, numbers: Float[np.ndarray, "G X"]) -> Float[np.ndarray, "G N F"]:
        """Observations of the agents, from all numbers of some copies."""
        if self.bound is not None:
            numbers = np.clip(numbers, -self.bound, self.bound)
        copies, agents = len(numbers), len(self.index)
        padded = np.hstack([numbers, np.zeros((copies, 1), numbers.dtype)])
        seen = padded.take(self.index, axis=1)
        if not self.number:
            return seen
        which = np.broadcast_to(np.eye(agents, dtype=numbers.dtype), (copies, agents, agents))
        return np.concatenate([seen, which], axis=2)


class Numbers:
    """Places of a robot's numbers in one vector: positions, velocities, and then other quantities,
    of which the sizes are given."""

    def __init__(self, model: Any, quantities: dict[str, int], anatomy: Anatomy):
        self.model, self.anatomy, self.quantities = model, anatomy, tuple(quantities)
        sizes = {"qpos": model.nq, "qvel": model.nv, **quantities}
        starts = itertools.accumulate(sizes.values(), initial=0)
        self.start = dict(zip((*sizes, "end"), starts, strict=True))
        self.root = model.nq - model.nu, model.nv - model.nu  # that no agent moves

    @property
    def end(self) -> int:
        """Length of the vector."""
        return self.start["end"]

    def whole(self, edition: str) -> list[int]:
        """Places of what Gymnasium's environment shows of the robot."""
        seen = list(range(self.anatomy.hidden, self.start["qpos"] + self.model.nq + self.model.nv))
        for name in self.quantities:
            skipped = 0 if edition == "v4" else PER_BODY.get(name) or self.root[1]  # of the world
            seen += range(self.start[name] + skipped, self._stop(name))
        return seen

    def near(self, rings: Sequence[Sequence[str]]) -> list[int]:
        """Places of what an agent sees of joints at each distance, and of the robot's root.

        All it can of its own joints and of their bodies, and the positions of others.
        """
        seen = [
            place
            for joint in rings[0]
            for name in ("qpos", "qvel", *self.quantities)
            for place in self._of_joint(name, joint)
        ]
        seen = list(dict.fromkeys(seen))  # bodies that several joints move, once
        seen += [place for ring in rings[1:] for j in ring for place in self._of_joint("qpos", j)]
        return [*seen, *range(self.anatomy.hidden, self.root[0]), *self._root_speed()]

    def bound(self, whole: bool) -> np.ndarray | None:
        """Bound of each number; `None` if none has one."""
        bound = np.full(self.end, NO_BOUND)
        speed = self.start["qvel"]
        bound[speed : speed + self.model.nv] = self.anatomy.speed_bound[0 if whole else 1]
        if "cfrc_ext" in self.quantities:
            bound[self.start["cfrc_ext"] : self._stop("cfrc_ext")] = self.anatomy.force_bound
        return None if np.isinf(bound).all() else bound

    def _root_speed(self) -> range:
        return range(self.start["qvel"], self.start["qvel"] + self.root[1])

    def _stop(self, name: str) -> int:
        later = [start for start in self.start.values() if start > self.start[name]]
        return min(later)

    def _of_joint(self, name: str, joint: str) -> list[int]:
        """Places of a quantity of a joint, or of the bodies that it moves."""
        start, there = self.start[name], self.model.joint(joint)
        if name == "qpos":
            return [start + int(there.qposadr[0])]
        if name in ("qvel", "qfrc_actuator"):
            return [start + int(there.dofadr[0])]
        size = PER_BODY[name]
        bodies = self.anatomy.bodies[joint]
        return [start + size * body + entry for body in bodies for entry in range(size)]


def sight(numbers: Numbers, parts: Partition, obsk: int | None, edition: str) -> Sight:
    """The sight of each agent: joints up to a distance, or the whole robot and its own number."""
    anatomy = numbers.anatomy
    if obsk is None:
        seen = [numbers.whole(edition)] * len(parts)
    else:
        seen = [numbers.near(distances(anatomy, part, obsk)) for part in parts]
    index = np.full((len(parts), max(map(len, seen))), numbers.end)
    for row, places in zip(index, seen, strict=True):
        row[: len(places)] = places
    sizes = tuple(len(places) + (len(parts) if obsk is None else 0) for places in seen)
    return Sight(index, sizes, numbers.bound(obsk is None), obsk is None)
