"""Frames between the processes of a fleet: fixed binary, of sizes that are known beforehand."""

import struct
import zlib
from typing import NamedTuple

MAGIC, VERSION = b"COTF", 1
HEAD = struct.Struct("<4sH16sIHIQII")
"""Magic, version, run, payload, sender, incarnation, round, turn and length of the body."""
CHECK = struct.Struct("<I")
"""Checksum of head and body, which stands between them."""
BEFORE = HEAD.size + CHECK.size


class Frame(NamedTuple):
    """One message of one process.

    name:   number of what it is about (see `number_of`).
    sender: the process's place in the fleet.
    incarnation: how often that process was started before.
    clock:  the round.
    turn:   which message of this name it is in this round.
    """

    name: int
    sender: int
    incarnation: int
    clock: int
    turn: int
    body: bytes


class Unreadable(Exception):
    """A frame that is dropped; the text is the reason that it is counted under."""


def number_of(name: str) -> int:
    """Number of a payload's name in frames.

    >>> number_of("critic") == number_of("critic") != number_of("moments")
    True
    """
    return zlib.crc32(name.encode())


def pack(run: bytes, frame: Frame) -> bytes:
    """Write a frame of a run, whose fingerprint has 16 bytes.

    >>> frame = Frame(number_of("critic"), 3, 0, 12, 0, b"1234")
    >>> unpack(bytes(16), pack(bytes(16), frame), 100) == frame
    True
    """
    *about, body = frame
    head = HEAD.pack(MAGIC, VERSION, run, *about, len(body))
    return head + CHECK.pack(zlib.crc32(body, zlib.crc32(head))) + body


def unpack(run: bytes, data: bytes, longest: int) -> Frame:
    """Read a frame of a run with a body of at most `longest` bytes, or raise `Unreadable`."""
    if len(data) < BEFORE:
        raise Unreadable("malformed")
    magic, version, whose, *about, length = HEAD.unpack_from(data)
    body = data[BEFORE:]
    if magic != MAGIC or length != len(body):
        raise Unreadable("malformed")
    if version != VERSION:
        raise Unreadable("version")
    if whose != run:
        raise Unreadable("another run")
    if length > longest:
        raise Unreadable("too large")
    if CHECK.unpack_from(data, HEAD.size)[0] != zlib.crc32(body, zlib.crc32(data[: HEAD.size])):
        raise Unreadable("damaged")
    name, sender, incarnation, clock, turn = about
    return Frame(name, sender, incarnation, clock, turn, body)
