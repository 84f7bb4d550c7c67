"""Main loop of a worker process: some copies of an environment, told by a pipe, answering in
memory.

A message is two integers (`COMMAND`): what to do, and with which set of copies. The reply is empty,
or the sentence that says what went wrong. Arrays never cross the pipe and nothing is unpickled.
"""

import ast
import mmap
import signal
import struct
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from coterie.encoding import ActionEncoding, Encoding
from coterie.envs.host.episode import Copy
from coterie.envs.host.factory import RAISED, arguments, build
from coterie.envs.host.factory import describe as error_text
from coterie.envs.host.layout import Layout, record
from coterie.errors import EnvError
from coterie.internal.typed import describe, read

COMMAND = struct.Struct("<ii")
START, STEP = range(2)


class Job(NamedTuple):
    """Copies `first` to `last - 1` of `copies`, of the environment that `factory` makes.

    env_kwargs: the factory's arguments, as text.
    """

    factory: str
    env_kwargs: tuple[str, ...]
    layout: Layout
    copies: int
    first: int
    last: int

    def text(self) -> bytes:
        """Return the job as a Python literal, to send; `Job.read` is the way back."""
        agents, seen, acted, *told = self.layout
        layout = (agents, describe(seen), describe(acted), *told)
        return repr((*self[:2], layout, *self[3:])).encode()

    @staticmethod
    def read(text: bytes) -> "Job":
        factory, env_kwargs, layout, *rest = ast.literal_eval(text.decode())
        agents, seen, acted, *told = layout
        seen = read(seen, tuple[Encoding, ...], "layout")
        acted = read(acted, tuple[ActionEncoding, ...], "layout")
        return Job(factory, env_kwargs, Layout(agents, seen, acted, *told), *rest)


def serve(pipe: int, memory: int) -> None:
    """Answer until the other end of the pipe closes.

    pipe, memory: file descriptors, inherited from the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    connection = Connection(pipe)
    job = Job.read(connection.recv_bytes())
    worker = Copies(job, np.frombuffer(mmap.mmap(memory, 0), record(job.layout), job.copies))
    try:
        while True:
            connection.send_bytes(worker.answer(*COMMAND.unpack(connection.recv_bytes())))
    except (EOFError, ConnectionError):
        worker.close()


class Copies:
    """The copies that one worker plays, in as many sets as there are states of the vector
    environment."""

    def __init__(self, job: Job, records: np.ndarray):
        self.job = job
        self.records = records
        self.sets: dict[int, list[Copy]] = {}

    def answer(self, command: int, number: int) -> bytes:
        """Carry out a command for set `number`; return the error's sentence, or nothing."""
        try:
            if command == START:
                self._each(self._set(number), Copy.start)
            else:
                self._each(self.sets[number], Copy.step)
        except EnvError as error:
            return str(error).encode()
        return b""

    def _each(self, copies: list[Copy], action: Any) -> None:
        for row, copy in enumerate(copies, self.job.first):
            self.records["busy"][row] = True
            try:
                action(copy)
            except EnvError as error:
                raise EnvError(f"copy {row}, {error}") from error
            except RAISED as error:
                step = self.records["step"][row]
                raise EnvError(
                    f"copy {row} failed at step {step} of its episode: {error_text(error)}."
                ) from error
            self.records["busy"][row] = False

    def _set(self, number: int) -> list[Copy]:
        """The copies of set `number`, built when they are first asked for."""
        if number not in self.sets:
            rows = range(self.job.first, self.job.last)
            self.sets[number] = [self._build(row) for row in rows]
        return self.sets[number]

    def _build(self, row: int) -> Copy:
        env = build(self.job.factory, arguments(self.job.env_kwargs))
        return Copy(env, self.job.layout, self.records, row)

    def close(self) -> None:
        """Close all environments."""
        for copies in self.sets.values():
            for copy in copies:
                copy.close()
