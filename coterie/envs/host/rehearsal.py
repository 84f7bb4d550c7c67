"""Random play in a process apart, before an environment is played in one that is still needed.

An environment that ends its process (`os._exit`, a crash of its own C code) leaves no exception.
"""

import os
import struct
import tempfile
import threading
import time
from subprocess import TimeoutExpired
from typing import Any, BinaryIO

import numpy as np

from coterie.envs.host.boot import ending, started
from coterie.envs.host.chance import masks_in, random_actions
from coterie.envs.host.factory import RAISED, arguments, build, close

MARK = struct.Struct("<iii")
"""The place of a rehearsal: whether it is over, the seed and the step of the episode."""
MAKING = (0, -1, 0)
EPISODES = 3
SPAN = 10.0
"""Seconds of play after which a rehearsal has seen enough."""


def rehearsed(factory: str, env_kwargs: tuple[str, ...], patience: float) -> str | None:
    """Play the environment in a process apart; the sentence if it ends or stops that process.

    patience: seconds that a reset or a step may take.

    An exception is none of its business: whoever plays next meets it, too.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as file, os.fdopen(reading), os.fdopen(writing, "wb"):
        file.write(MARK.pack(*MAKING))
        file.flush()
        shared = (file.fileno(), reading)
        process = started("rehearsal", "rehearse", (factory, env_kwargs, *shared), shared)
        try:
            return _verdict(factory, file, process, patience)
        finally:
            process.kill()
            process.wait()


def _verdict(factory: str, file: BinaryIO, process: Any, patience: float) -> str | None:
    before = None
    while True:
        try:
            code = process.wait(patience)
        except TimeoutExpired:
            if (place := _read(file)) != before:
                before = place
                continue
            return f"{factory}: {_where(place)} gives no answer for {patience:g} s: it hangs."
        over, *place = _read(file)
        if over:
            return None
        return (
            f"{factory}: {_where((over, *place))} ends the process that plays it, {ending(code)}: "
            "raise an exception instead of os._exit, or look for a crash in compiled code."
        )


def _read(file: BinaryIO) -> tuple[int, ...]:
    return MARK.unpack(os.pread(file.fileno(), MARK.size, 0))


def _where(place: tuple[int, ...]) -> str:
    _, seed, step = place
    if seed < 0:
        return "making it"
    return f"step {step} of the episode with seed {seed}" if step else f"the reset with seed {seed}"


def rehearse(factory: str, env_kwargs: tuple[str, ...], file: int, parent: int) -> None:
    """Play some episodes, with the actions that `coterie check` draws, and note where in `file`.

    parent: the end of a pipe that closes when nobody waits any more.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # it will be printed when it is checked
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    limit = time.monotonic() + SPAN
    try:
        env = build(factory, arguments(env_kwargs))
        for seed in range(EPISODES):
            _play(env, seed, file, limit)
        close(env)
    except RAISED:
        pass
    os.pwrite(file, MARK.pack(1, 0, 0), 0)


def _play(env: Any, seed: int, file: int, limit: float) -> None:
    random, step = np.random.default_rng(seed), 0
    os.pwrite(file, MARK.pack(0, seed, step), 0)
    raw, infos = env.reset(seed=seed)
    while env.agents and time.monotonic() < limit:
        step += 1
        os.pwrite(file, MARK.pack(0, seed, step), 0)
        inside = [agent for agent in env.possible_agents if agent in env.agents]
        actions = random_actions(env, inside, masks_in(env, raw, infos), random)
        raw, _, _, _, infos = env.step(actions)


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone."""
    os.read(parent, 1)
    os._exit(1)
