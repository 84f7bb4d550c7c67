"""Sizes of a run's arrays, estimated from their shapes before any of them is made."""

import dataclasses
from typing import Any, NamedTuple

import jax
from jaxtyping import PyTree

from coterie.bounds import WHOLE
from coterie.envs.game import Env, VectorEnv
from coterie.errors import require
from coterie.internal.memory import require_room
from coterie.network import lift
from coterie.rl.quantized import compact
from coterie.training.play import own_views
from coterie.training.programs import Programs
from coterie.training.run import Run
from coterie.training.setup import Setup
from coterie.training.state import TrainState


class Share(NamedTuple):
    """Part of a run's memory: a noun for it, its bytes, and the options that make it smaller."""

    what: str
    bytes: int
    remedy: str


def held(run: Run, programs: Programs) -> int:
    """Size in bytes of the states of all seeds: what learns, and what it remembers."""
    return programs.held * len(run.seeds)


def require_fits(run: Run, programs: Programs) -> None:
    """Raise `ConfigError` if a run's arrays do not fit the machine; a GPU says so itself."""
    setup = programs.setup
    _require_counted(setup)
    if jax.default_backend() != "cpu":
        return
    shares = [_state(run, programs), _rollout(setup, programs), _keys(setup), _evaluation(setup)]
    for share in shares:
        require_room(share.bytes, share.what, share.remedy)
    largest = max(shares, key=lambda share: share.bytes)
    total = sum(share.bytes for share in shares)
    require_room(total, f"{largest.what} with all else that is kept", largest.remedy)


def reset_bytes(vector: VectorEnv) -> int:
    """Bytes of some environments as they begin, with what their agents see."""
    return bytes_of(jax.eval_shape(vector.reset, jax.random.key(0)))


def bytes_of(arrays: PyTree) -> int:
    """Bytes of some arrays, or of their shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(arrays))


def _require_counted(setup: Setup) -> None:
    """Raise `ConfigError` for a run with more steps in a block, or more updates, than are
    counted."""
    settings, blocks, length = setup.settings, setup.blocks, setup.algorithm.rollout_length
    require(
        blocks.updates <= WHOLE,
        f"{settings.steps:,} steps are {blocks.updates:,} updates, more than the {WHOLE:,} that "
        "are counted: lower --steps, or raise --num-envs or --rollout-length.",
    )
    require(
        blocks.longest * (length + 1) <= WHOLE,
        f"a block of {blocks.longest:,} updates of {length:,} steps is longer than the {WHOLE:,} "
        "steps that are counted: lower --updates-per-block or --rollout-length.",
    )


def _state(run: Run, programs: Programs) -> Share:
    agents, seeds = len(programs.setup.names), len(run.seeds)
    several = f", with {seeds:,} seeds," if seeds > 1 else ""
    what = f"what {agents:,} agents learn and remember{several}"
    remembers = "buffer_size" in _option_names(programs.setup.algorithm)
    return Share(
        what,
        held(run, programs),
        _lower(programs.setup.env, *["buffer_size"] * remembers, *["seeds"] * (seeds > 1)),
    )


def _rollout(setup: Setup, programs: Programs) -> Share:
    """Observations of every agent before and after each step, its decisions and its rewards: twice,
    as they are played and by agent."""

    def step(team: TrainState) -> Any:
        view = own_views(team.stage.envs, team.stage.view, None)
        kept = compact(view, setup.specs[0].quantization_step)
        decision, _ = lift(setup.algorithm.act)(team.agents, team.stage.memory, view, team.keys)
        return kept, kept, decision, team.stage.returns

    team = jax.eval_shape(programs.start, jax.random.key(0))
    steps, copies = setup.algorithm.rollout_length, setup.settings.num_envs
    return Share(
        f"a rollout of {steps:,} steps of {len(setup.names):,} agents in {copies:,} environments",
        2 * steps * bytes_of(jax.eval_shape(step, team)),
        _lower(setup.env, "rollout_length", "num_envs"),
    )


def _keys(setup: Setup) -> Share:
    """The random keys of a block, a pair of numbers for each agent and step, made at once."""
    updates, agents = setup.blocks.longest, len(setup.names)
    steps = updates * (setup.algorithm.rollout_length + 1)
    return Share(
        f"the random keys of a block of {updates:,} updates",
        2 * 8 * steps * (agents + 1),
        "lower --updates-per-block",
    )


def _evaluation(setup: Setup) -> Share:
    """Environments of an evaluation before and after a step."""
    return Share(
        f"an evaluation in {setup.judged.copies:,} environments",
        2 * reset_bytes(setup.judged),
        _lower(setup.env, "eval_episodes"),
    )


def _lower(env: Env, *options: str) -> str:
    """Advice to lower these options, or those of the environment that say how large a team is."""
    names = [f"--{name.replace('_', '-')}" for name in (*options, *env.size_options)]
    if not names:
        return "use fewer agents"
    return "lower " + " or ".join([*[", ".join(names[:-1])] * (len(names) > 1), names[-1]])


def _option_names(value: Any) -> set[str]:
    """Names of the options of a value and of its parts."""
    fields = dataclasses.fields(value)
    parts = [getattr(value, field.name) for field in fields]
    inner = [_option_names(part) for part in parts if dataclasses.is_dataclass(part)]
    return {field.name for field in fields}.union(*inner)
