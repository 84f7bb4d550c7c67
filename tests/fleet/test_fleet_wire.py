"""Rounds of a fleet: what arrives, what is lost, and who is waited for."""

import time

import numpy as np
import pytest

from coterie.fleet.frames import Frame, number_of, pack
from coterie.fleet.mailbox import Mailbox
from coterie.fleet.wire import FleetWire

RUN = bytes(16)
SEATS = {0: (0,), 1: (1, 2), 2: (3,)}
SAID = [np.array([[1.0, 2.0]], np.float32), np.array([7], np.int32)]


def ends(patience=0.05):
    """Process 0's wire, its mailbox, and what it has sent."""
    box, sent = Mailbox(RUN, [1, 2], 1000), []
    wire = FleetWire(
        SEATS, 0, [1], lambda to, frame: sent.append((to, frame)), box, 3, (patience,) * 2
    )
    return wire, box, sent


def come(box, sender, *values, name="critic", clock=5, turn=0):
    body = b"".join(value.tobytes() for value in values)
    box.receive(sender, pack(RUN, Frame(number_of(name), sender, 0, clock, turn, body)))


TWO = np.array([[3.0, 4.0], [5.0, 6.0]], np.float32), np.array([8, 9], np.int32)


def test_neighbors_are_told_and_heard_and_others_are_not():
    wire, box, sent = ends()
    come(box, 1, *TWO)
    (values, whole), came = wire.exchange("critic", 5, SAID)
    assert values.tolist() == [[1, 2], [3, 4], [5, 6], [0, 0]] and whole.tolist() == [7, 8, 9, 0]
    assert came.tolist() == [True, True, True, False]
    body = SAID[0].tobytes() + SAID[1].tobytes()
    assert sent == [(1, Frame(number_of("critic"), 0, 3, 5, 0, body))]
    assert wire.counts == {"sent": 1, "arrived": 1, "lost": 0}


def test_all_are_told_what_all_know():
    wire, box, sent = ends()
    come(box, 2, SAID[0] + 1, SAID[1] + 1)
    (values, _), came = wire.publish("critic", 5, SAID)
    assert [to for to, _ in sent] == [1, 2]
    assert came.tolist() == [True, False, False, True] and values[3].tolist() == [2, 3]


def test_messages_of_one_round_are_told_apart():
    wire, box, sent = ends(0.0)
    for turn in (0, 1):
        come(box, 1, *[value + turn for value in TWO], turn=turn)
    told = [wire.exchange("critic", 5, SAID)[0][1][1] for _ in range(2)]
    assert told == [8, 9]
    assert [frame.turn for _, frame in sent] == [0, 1]


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        ("not finite", (np.full((2, 2), np.nan, np.float32), TWO[1])),
        ("not finite", (np.full((2, 2), np.inf, np.float32), TWO[1])),
        ("another size", (TWO[0],)),
        ("another size", (TWO[0], TWO[1], TWO[1])),
    ],
)
def test_numbers_that_cannot_be_are_no_message(reason, values):
    wire, box, _ = ends()
    come(box, 1, *values)
    (_, whole), came = wire.exchange("critic", 5, SAID)
    assert whole.tolist() == [7, 0, 0, 0] and came.tolist() == [True, False, False, False]
    assert box.dropped == {reason: 1}


def test_who_is_away_is_not_waited_for_until_it_is_heard():
    wire, box, _ = ends(0.3)

    def seconds(clock):
        start = time.monotonic()
        came = wire.exchange("critic", clock, SAID)[1]
        return time.monotonic() - start, came[1]

    first, came = seconds(5)
    assert first >= 0.3 and not came
    again, _ = seconds(6)
    assert again < 0.1 * first
    come(box, 1, *TWO, clock=8)  # it is back, ahead of this process
    waited, came = seconds(7)
    assert waited >= 0.3 and not came
    assert seconds(8)[1]
    assert wire.counts["lost"] == 3
