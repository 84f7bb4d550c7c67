"""Base of the treasure hunts: hunters bring treasures to banks; each subclass sets the rewards."""

import abc
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.bounds import Finite
from coterie.envs.game import AgentSpec, Discrete, Observation, Scene, Timestep
from coterie.envs.particle.maac import MAX_SPEED, TwoKinds
from coterie.envs.particle.observations import distances, nearest_first
from coterie.envs.particle.physics import Bodies, advance, length
from coterie.envs.particle.team import Discs, picture

HUNTER, BANK, TREASURE = 0.05, 0.075, 0.025
"""Radii."""

BANK_MASS = 2.25

EDGE = 0.95
"""Treasures lie in [-0.95, 0.95]^2."""


class Hunt(NamedTuple):
    """The state of one episode of `N` agents: first `H` hunters, then `B` banks; `H` treasures.

    position:  the agents' positions, in half arenas, `[N, 2]`.
    velocity:  in half arenas per second, `[N, 2]`.
    treasure:  the treasures' positions, `[H, 2]`.
    color:     the bank that each treasure is for, one-hot, `[H, B]`.
    lying:     True if a treasure can be taken, `[H]`; one that was taken is away for a step.
    load:      the bank that each hunter carries a treasure for, one-hot, `[H, B]`; none if empty.
    clock:     the number of steps played.
    key:       the random key of the places at which treasures will come back.
    collected: the number of treasures taken so far.
    delivered: the number of treasures brought to their bank so far.
    """

    position: Float[Array, "N 2"]
    velocity: Float[Array, "N 2"]
    treasure: Float[Array, "H 2"]
    color: Bool[Array, "H B"]
    lying: Bool[Array, " H"]
    load: Bool[Array, "H B"]
    clock: Int[Array, ""]
    key: Key[Array, ""]
    collected: Int[Array, ""]
    delivered: Int[Array, ""]

    @property
    def empty(self) -> Bool[Array, " H"]:
        """Mask of the hunters that carry nothing."""
        return ~jnp.any(self.load, axis=1)


class Meeting(NamedTuple):
    """Distances and contacts after the discs have moved, before treasures change hands.

    bumped: the number of other hunters that each hunter overlaps, `[H]`.
    finds:  hunter `i` overlaps treasure `j`, which lies there, `[H, H]`.
    visits: hunter `i` overlaps bank `j`, `[H, B]`.
    errand: each hunter's distance from the nearest treasure or, with a load, from its bank, `[H]`.
    wait:   each bank's distance from the nearest hunter that carries for it; if none does, from the
            middle of all hunters, `[B]`.
    """

    bumped: Float[Array, " H"]
    finds: Bool[Array, "H H"]
    visits: Bool[Array, "H B"]
    errand: Float[Array, " H"]
    wait: Float[Array, " B"]


@dataclass(frozen=True)
class TreasureHunt(TwoKinds, abc.ABC):
    """Three hunters to each bank, and a treasure for each hunter: of 8 agents 6 hunt, of 12 9.

    A step, in this order: all discs move; agents perceive and are paid for where they are now, with
    the loads they came with; then each treasure, in order, goes to the first empty hunter that
    overlaps it, one that was gone is back somewhere, and hunters at the bank of their load put it
    down. So a treasure that two empty hunters touch pays twice and is taken once, it is gone for
    exactly one observation, and what is taken and put down in the same step pays no deposit.

    Agents start uniformly in [-1, 1]^2, at rest, and push each other off by their masses, 1 and
    2.25, no faster than 1. An agent perceives its position, its velocity, (hunters) the colour of
    its load; of all others, the nearest first: where they are relative to it, their velocity, the
    colour of the bank, the colour of the load; of all treasures, the nearest first: where they are
    relative to it, their colour. Colours are one-hot, of equals the one with the smaller index
    comes first.
    """

    away: Annotated[float, Finite("treasures that are gone are seen there")] = 0.0
    """Both coordinates of a treasure that is gone."""

    group: ClassVar[int] = 4

    @property
    def hunters(self) -> int:
        """Number of hunters."""
        return 3 * self.banks

    @property
    def banks(self) -> int:
        """Number of banks."""
        return self.agents // self.group

    @abc.abstractmethod
    def to_treasure(
        self, distance: Float[Array, "H H"], lying: Bool[Array, " H"]
    ) -> Float[Array, " H"]:
        """Distance of each hunter from the nearest treasure, by the distances from all."""

    @abc.abstractmethod
    def pay(
        self, meeting: Meeting, found: Float[Array, ""], brought: Float[Array, ""]
    ) -> Float[Array, " N"]:
        """Each agent's reward.

        `found` counts the treasures that each empty hunter touches, `brought` the hunters that
        touch the bank of their load.
        """

    @property
    def specs(self) -> tuple[AgentSpec, ...]:
        colors, others = self.banks, self.agents - 1
        size = 4 + others * (4 + 2 * colors) + self.hunters * (2 + colors)
        hunter, bank = AgentSpec(size + colors, Discrete(5)), AgentSpec(size, Discrete(5))
        return (hunter,) * self.hunters + (bank,) * self.banks

    @property
    def bodies(self) -> Bodies:
        """The agents as discs."""
        counts = (self.hunters, self.banks)
        radius, mass = np.repeat([HUNTER, BANK], counts), np.repeat([1.0, BANK_MASS], counts)
        return Bodies(radius, mass, max_speed=MAX_SPEED, by_mass=True)

    def reset(self, key: Key[Array, ""]) -> tuple[Hunt, Observation]:
        place, treasures, rest = jax.random.split(key, 3)
        position = jax.random.uniform(place, (self.agents, 2), minval=-1.0, maxval=1.0)
        state = Hunt(
            position,
            jnp.zeros_like(position),
            *self.scattered(treasures),
            jnp.ones(self.hunters, bool),
            jnp.zeros((self.hunters, self.banks), bool),
            jnp.int32(0),
            rest,
            jnp.int32(0),
            jnp.int32(0),
        )
        return state, self.view(state)

    def scattered(self, key: Key[Array, ""]) -> tuple[Float[Array, "H 2"], Bool[Array, "H B"]]:
        """New places and colours for all treasures."""
        where, which = jax.random.split(key)
        place = jax.random.uniform(where, (self.hunters, 2), minval=-EDGE, maxval=EDGE)
        color = jax.random.randint(which, (self.hunters,), 0, self.banks)
        return place, jax.nn.one_hot(color, self.banks, dtype=bool)

    def step(self, state: Hunt, action: Array) -> tuple[Hunt, Timestep]:
        moved = self.moved(state, action)
        meeting = self.meeting(moved)
        found = jnp.sum(meeting.finds & moved.empty[:, None]).astype(moved.position.dtype)
        brought = jnp.sum(meeting.visits & moved.load).astype(moved.position.dtype)
        reward = self.pay(meeting, found, brought)
        after = self.exchanged(moved, meeting)
        info = {
            "collected": after.collected.astype(reward.dtype),
            "delivered": after.delivered.astype(reward.dtype),
            "collisions": jnp.sum(meeting.bumped) / 2,
        }
        return after, self.told(after.clock, self.view(moved), reward, info)

    def moved(self, state: Hunt, action: Int[Array, " N"]) -> Hunt:
        """A tenth of a second later, with everything still where it was carried or lay."""
        bodies = self.bodies
        push = self.acceleration(action).astype(state.position.dtype)
        force = jnp.asarray(bodies.mass, push.dtype)[:, None] * push
        position, velocity = advance(state.position, state.velocity, force, bodies, "old")
        return state._replace(position=position, velocity=velocity, clock=state.clock + 1)

    def meeting(self, state: Hunt) -> Meeting:
        """Contacts of agents and treasures."""
        hunters, banks = jnp.split(state.position, [self.hunters])
        apart = distances(hunters, hunters)
        to_treasure, to_bank = distances(hunters, state.treasure), distances(hunters, banks)
        bumped = jnp.sum(apart < 2 * HUNTER, axis=1, dtype=apart.dtype) - 1  # not by itself
        home = jnp.sum(state.load * to_bank, axis=1)
        carrier = jnp.min(jnp.where(state.load, to_bank, jnp.inf), axis=0)
        middle = jnp.mean(hunters, axis=0) - banks
        return Meeting(
            bumped,
            finds=(to_treasure < HUNTER + TREASURE) & state.lying,
            visits=to_bank < HUNTER + BANK,
            errand=jnp.where(state.empty, self.to_treasure(to_treasure, state.lying), home),
            wait=jnp.where(jnp.any(state.load, axis=0), carrier, length(*middle.T)),
        )

    def exchanged(self, state: Hunt, meeting: Meeting) -> Hunt:
        """Treasures that change hands."""

        def take(empty: Bool[Array, " H"], finds: Bool[Array, " H"]) -> tuple[Array, Array]:
            able = empty & finds
            first = able & (jnp.cumsum(able) == 1)
            return empty & ~first, first

        # By whom each treasure is taken, `[treasure, hunter]`.
        _, taken = jax.lax.scan(take, state.empty, meeting.finds.T, unroll=True)
        gone = jnp.any(taken, axis=1)
        load = state.load | jnp.any(taken[:, :, None] & state.color[:, None], axis=0)
        down = load & meeting.visits
        key, draw = jax.random.split(state.key)
        place, color = self.scattered(draw)
        there = jnp.where(state.lying[:, None], state.treasure, place)
        return state._replace(
            treasure=jnp.where(gone[:, None], self.away, there),
            color=jnp.where(state.lying[:, None], state.color, color),
            lying=~gone,
            load=load & ~down,
            key=key,
            collected=state.collected + jnp.sum(gone, dtype=jnp.int32),
            delivered=state.delivered + jnp.sum(down, dtype=jnp.int32),
        )

    def view(self, state: Hunt) -> Observation:
        """Observations of all agents, `[N, F]`."""
        others = jnp.concatenate([state.velocity, self.badges(state)], axis=1)
        itself = np.eye(self.agents, dtype=np.float32)  # nearer than anybody else
        near = self.ranked(state.position, state.position, others, itself)[:, 1:]
        treasures = self.ranked(state.position, state.treasure, state.color, 0.0)
        own = jnp.concatenate([state.position, state.velocity], axis=1)
        around = [near.reshape(self.agents, -1), treasures.reshape(self.agents, -1)]
        first = self.hunters
        hunters = [own[:first], state.load, *(part[:first] for part in around)]
        padding = jnp.zeros((self.banks, self.banks))
        banks = [own[first:], *(part[first:] for part in around), padding]
        dtype = state.position.dtype
        rows = [jnp.concatenate(row, axis=1, dtype=dtype) for row in (hunters, banks)]
        return Observation(jnp.concatenate(rows))

    def ranked(
        self,
        eye: Float[Array, "N 2"],
        place: Float[Array, "M 2"],
        marks: Array,
        nearer: float | Float[np.ndarray, "N M"],
    ) -> Float[Array, "N M F"]:
        """Things at `place` as all see them, the nearest first: where, and their marks."""
        order = nearest_first(distances(eye, place) - nearer)
        return jnp.concatenate([place[order] - eye[:, None], marks[order]], axis=-1)

    def badges(self, state: Hunt) -> Float[Array, "N C"]:
        """The colour of each bank, and of each load."""
        dtype, banks = state.position.dtype, np.eye(self.banks)
        loads = jnp.pad(state.load.astype(dtype), ((0, self.banks), (0, 0)))
        colors = np.concatenate([np.zeros((self.hunters, self.banks)), banks]).astype(dtype)
        return jnp.concatenate([colors, loads], axis=1)

    def global_state(self, state: Hunt, view: Observation) -> Float[Array, " S"]:
        """Positions, velocities, treasures (zeros where one is gone), their colours, the loads."""
        lying = state.lying[:, None]
        treasures = (state.treasure * lying, lying, state.color & lying)
        parts = (state.position, state.velocity, *treasures, state.load)
        dtype = state.position.dtype
        return jnp.concatenate([part.reshape(-1).astype(dtype) for part in parts])

    def scene(self, state: Hunt) -> Scene:
        """Banks count as agents 0, 1, ...; treasures, carried or not, have their bank's colour."""
        hunters, banks = np.split(np.asarray(state.position), [self.hunters])
        treasure = np.where(state.lying[:, None], state.treasure, 0.0)
        lies, carried = state.color & state.lying[:, None], np.asarray(state.load)
        shown = [Discs("agent", banks, BANK), Discs("agent", hunters, HUNTER)]
        for bank in range(self.banks):
            for where, which in ((treasure, lies), (hunters, carried)):
                radius = TREASURE * np.asarray(which[:, bank], float)
                shown.append(Discs(f"target-{bank}", where, radius))
        return picture(shown)
