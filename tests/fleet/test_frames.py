"""Frames, and what becomes of bad ones."""

import random
import time

import pytest

from coterie.fleet.frames import BEFORE, Frame, Unreadable, number_of, pack, unpack
from coterie.fleet.mailbox import WAITING, Mailbox

RUN, OTHER = bytes(range(16)), bytes(16)
NAME = number_of("critic")


def frame(sender=1, clock=0, turn=0, body=b"12345678", incarnation=0, name=NAME):
    return Frame(name, sender, incarnation, clock, turn, body)


def changed(data, place, value):
    return data[:place] + value + data[place + len(value) :]


GOOD = pack(RUN, frame())
BAD = {
    "malformed": [b"", GOOD[:20], GOOD[:-1], GOOD + b"x", changed(GOOD, 0, b"X")],
    "version": [changed(GOOD, 4, b"\x63")],
    "another run": [pack(OTHER, frame())],
    "too large": [pack(RUN, frame(body=bytes(101)))],
    "damaged": [changed(GOOD, BEFORE, b"9"), changed(GOOD, 22, b"9")],
}


@pytest.mark.parametrize(("reason", "data"), [(r, d) for r in BAD for d in BAD[r]])
def test_what_cannot_be_read_is_dropped_for_its_reason(reason, data):
    with pytest.raises(Unreadable, match=reason):
        unpack(RUN, data, 100)
    box = Mailbox(RUN, [1], 100)
    box.receive(1, data)
    assert box.dropped == {reason: 1} and taken(box) == {}


def taken(box, clock=0, turn=0, senders=(1,), patience=0.0):
    until = time.monotonic() + patience
    return box.take(NAME, (clock, turn), senders, lambda _: until)


@pytest.mark.parametrize(
    ("reason", "sender", "told"),
    [
        ("stranger", 3, frame(sender=3)),
        ("stranger", 2, frame(sender=1)),  # in another's name
        ("replayed", 1, frame(clock=7)),
        ("late or replayed", 1, frame(clock=4)),
        ("earlier incarnation", 1, frame(clock=9, incarnation=1)),
    ],
)
def test_what_is_not_expected_is_dropped_for_its_reason(reason, sender, told):
    box = Mailbox(RUN, [1, 2], 100)
    box.receive(1, pack(RUN, frame(clock=5)))
    assert taken(box, 5) == {1: b"12345678"}
    box.receive(1, pack(RUN, frame(clock=7, incarnation=2)))
    assert not box.dropped
    box.receive(sender, pack(RUN, told._replace(incarnation=told.incarnation or 2)))
    assert box.dropped == {reason: 1}
    assert taken(box, 7) == {1: b"12345678"}


def test_frames_that_nobody_reads_are_bounded():
    box = Mailbox(RUN, [1], 100)
    for clock in range(WAITING + 10):
        box.receive(1, pack(RUN, frame(clock=clock)))
    assert box.dropped == {"too many": 10}
    assert taken(box, WAITING - 1) == {1: b"12345678"}
    box.receive(1, pack(RUN, frame(clock=2 * WAITING)))  # there is room again
    assert box.dropped == {"too many": 10}


def test_a_hundred_thousand_malformed_frames_are_counted():
    draw, box = random.Random(0), Mailbox(RUN, [1], 100)
    for _ in range(100_000):
        data = bytearray(GOOD)
        data[draw.randrange(len(data))] ^= draw.randrange(1, 256)
        box.receive(draw.choice([1, 2]), bytes(data[: draw.randrange(len(data) + 1)]))
    assert sum(box.dropped.values()) == 100_000 and taken(box) == {}


def test_an_answer_is_given_at_once_and_nothing_is_kept():
    box, asked = Mailbox(RUN, [1], 100), []
    box.answers(NAME, asked.append)
    for _ in range(2):
        box.receive(1, pack(RUN, frame()))
    assert asked == [frame()] * 2 and taken(box) == {}
