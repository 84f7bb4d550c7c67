"""Cooperative treasure collection as MAAC and F2A2 play it."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from coterie.envs.particle.treasure_hunt import Meeting, TreasureHunt


@dataclass(frozen=True)
class Treasure(TreasureHunt):
    """Three hunters to each bank collect treasures of its colour and others, and put them down.

    Everybody receives 5 for each treasure that each empty hunter touches and 5 for each hunter that
    touches the bank of its load. Apart from that, a hunter loses 5 for each other hunter that it
    touches, and 0.1 times the distance to the nearest treasure or, with a load, to its bank; a bank
    0.1 times its distance to the nearest hunter that carries for it, or to the middle of all
    hunters (Iqbal & Sha 2019; the released `fullobs_collect_treasure`, which has 8 agents).
    A treasure that is gone lies `away`, at (-999, -999), for one observation, and is seen there.

    F2A2's appendix A tells of the same environment, in costs, and differs from that code: its
    collecting pays hunters only, collisions are its only private cost, and agents see each other's
    positions.

    Actions: rest, +x, -x, +y, -y, by which hunters and banks accelerate alike.

    >>> [spec.observation for spec in Treasure().specs]
    [86, 86, 86, 86, 86, 86, 84, 84]
    """

    away: float = -999.0
    """Both coordinates of a treasure that is gone. The released networks scale what they see, batch
    by batch; to others -999 is louder than all else: try -3."""

    def to_treasure(
        self, distance: Float[Array, "H H"], lying: Bool[Array, " H"]
    ) -> Float[Array, " H"]:
        """Treasures that are gone count where they are."""
        return jnp.min(distance, axis=1)

    def pay(
        self, meeting: Meeting, found: Float[Array, ""], brought: Float[Array, ""]
    ) -> Float[Array, " N"]:
        hunters = -5 * meeting.bumped - 0.1 * meeting.errand
        return jnp.concatenate([hunters, -0.1 * meeting.wait]) + 5 * (found + brought)
