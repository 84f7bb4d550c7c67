"""The seam between processes: a part of a team, told what the rest of it said, does what it does in
the whole."""

import dataclasses

import jax
import numpy as np

from coterie.network import lift
from coterie.network.wire import Wire
from tests.support import assert_same, catalogue, each, taught

METHODS = ("networked-ac", "matrpo", "f2a2-ddpg", "f2a2-sac", "li-jia")
TALKING = {name: catalogue(recurrent=False)[name] for name in METHODS}
LATER = set(METHODS) - {"networked-ac"}
TEAM, PART = 4, (0, 2)


class Tape(Wire):
    """What everybody said, in order; recorded where all live, and played to some of them.

    lost: agents whose messages do not come.
    """

    def __init__(self, agents, tape=None, lost=()):
        self.agents, self.played, self.tape, self.lost = agents, 0, tape or [], lost
        self.recording = tape is None

    def exchange(self, name, clock, said):
        if self.recording:
            self.tape.append((name, clock, [np.array(each) for each in said]))
        now, round_, every = self.tape[self.played]
        self.played += 1
        assert (now, round_) == (name, clock)
        if not self.lost:
            for whole, mine in zip(every, said, strict=True):
                np.testing.assert_array_equal(whole[list(self.agents)], mine)
        return every, ~np.isin(np.arange(TEAM), self.lost)

    publish = exchange


def learned(algorithm, wire):
    agents, trajectory, network, keys = taught(algorithm).lesson
    rows = np.array(wire.agents)
    *mine, network, keys = jax.tree.map(lambda x: x[rows], (agents, trajectory, network, keys))

    def learn(agent, trajectory, network, key):
        network = dataclasses.replace(network, wire=wire)
        agent, network, metrics = algorithm.learn(agent, trajectory, network, key)
        return agent, dataclasses.replace(network, wire=None), metrics

    return jax.jit(lift(learn))(*mine, network, keys)


@each(TALKING, deep=LATER)
def test_a_part_of_a_team_does_what_it_does_in_the_whole(algorithm):
    """To rounding: the program of two agents is not that of four."""
    record = Tape(range(TEAM))
    whole = learned(algorithm, record)
    assert_same(whole, learned_here(algorithm), 1e-5)
    tape = Tape(PART, record.tape)
    part = learned(algorithm, tape)
    assert_same(jax.tree.map(lambda x: x[np.array(PART)], whole), part, 1e-5)
    assert tape.played == len(record.tape) > 0


def learned_here(algorithm):
    lesson, learn, _ = taught(algorithm)
    return learn(*lesson)


@each({"networked-ac": TALKING["networked-ac"]})
def test_what_does_not_come_is_lost(algorithm):
    """It is as if the link were down: nothing of the agent is heard, and its weight stays here."""
    record = Tape(range(TEAM))
    learned(algorithm, record)
    _, network, _ = learned(algorithm, Tape(PART, record.tape, lost=[1]))
    lost = np.asarray(network.traffic["critic"].lost)
    heard_of = np.asarray(network.neighbor) == 1
    real = np.asarray(network.neighbor) != np.asarray(network.index)[:, None]
    np.testing.assert_array_equal(lost > 0, heard_of & real)
