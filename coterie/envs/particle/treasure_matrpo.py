"""Treasure collection as MATRPO plays it: hunters do the work, and only banks are paid."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from coterie.envs.particle.treasure_hunt import Meeting, TreasureHunt


@dataclass(frozen=True)
class TreasureMATRPO(TreasureHunt):
    """`Treasure` whose hunters are told only of collisions: 5 less for each other hunter touched.

    All that `Treasure` tells a hunter apart from collisions goes to every bank instead. With `H`
    hunters, a bank receives 5 (H + 1) for each hunter that touches the bank of its load, 5 H for
    each treasure that each empty hunter touches, and loses 0.1 times the sum over hunters of the
    distance to the nearest treasure or, with a load, to its bank, and 0.1 times its own distance to
    the nearest hunter that carries for it, or to the middle of all hunters. A treasure that is gone
    lies at (0, 0) for that one observation and is seen there, but nobody is to go to it.

    That is the authors' particle world of September 2020, with 8 or 12 agents; its last version
    pays the first agent alone for all. The paper's equation (23) agrees with neither: it pays 5 for
    each once, and counts one distance, the least from any empty hunter to any treasure, which
    leaves all hunters but one without guidance, and those with a load too. Its Table II charges
    hunters 1 while they collide, and has them see the positions of others and no velocities.

    Actions: rest, -x, +x, -y, +y, by which hunters and banks accelerate alike.

    >>> sorted({spec.observation for spec in TreasureMATRPO(agents=12).specs})
    [159, 162]
    """

    def acceleration(self, action: Int[Array, " M"]) -> Float[Array, "M 2"]:
        """Acceleration by one of rest, -x, +x, -y, +y each."""
        return -super().acceleration(action)

    def to_treasure(
        self, distance: Float[Array, "H H"], lying: Bool[Array, " H"]
    ) -> Float[Array, " H"]:
        """Treasures that are gone do not count; if all are, there is nowhere to go to."""
        nearest = jnp.min(jnp.where(lying, distance, jnp.inf), axis=1)
        return jnp.where(jnp.any(lying), nearest, 0.0)

    def pay(
        self, meeting: Meeting, found: Float[Array, ""], brought: Float[Array, ""]
    ) -> Float[Array, " N"]:
        work = 5 * self.hunters * (found + brought) - 0.1 * jnp.sum(meeting.errand)
        banks = work + 5 * brought - 0.1 * meeting.wait
        return jnp.concatenate([-5 * meeting.bumped, banks])
