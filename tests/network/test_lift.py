"""From one agent to a team: padding, and the same results however the agents are spread."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from coterie.errors import ConfigError
from coterie.network import agent_mesh, chunked, lift, stack, unstack
from tests.network.several_devices import SCHEDULES
from tests.support import assert_same, catalogue

ROOT = Path(__file__).parents[2]


def test_stack_pads_with_zeros_at_the_end_and_unstack_cuts_back():
    small = {"w": jnp.array([[1.0, 2.0]]), "n": jnp.array(5)}
    large = {"w": jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), "n": jnp.array(6)}
    team = stack([small, large])
    assert team["w"].tolist() == [[[1, 2, 0], [0, 0, 0]], [[1, 2, 3], [4, 5, 6]]]
    assert team["n"].tolist() == [5, 6]
    for index, like in enumerate([small, large]):
        back = unstack(team, index, like)
        assert {k: v.tolist() for k, v in back.items()} == {k: v.tolist() for k, v in like.items()}


def test_agents_that_do_not_fit_the_devices_are_refused():
    with pytest.raises(ConfigError, match="3 agents cannot be split evenly over 2 devices"):
        agent_mesh(3, jax.devices() * 2)


# What devices can change is what crosses between agents: of those who send nothing one stands for
# all, and of those who send the same in the same way one for each class.
KIN = {"f2a2-td3", "f2a2-isac"}
SENDING = (n for n, a in catalogue(recurrent=False).items() if a.information.sends and n not in KIN)
EVERY = (*SCHEDULES, "ippo", *SENDING)
SOME = ("edges", "networked-ac")  # neighbours talk


@pytest.mark.parametrize(
    "names", [SOME, pytest.param(EVERY, marks=pytest.mark.deep)], ids=["some", "every"]
)
def test_several_devices_give_the_same_as_one(names):
    """In a process of its own, because the number of devices is fixed when jax starts.

    By XLA's present code generator: its older one rounds a program for several devices otherwise.
    """
    script = Path(__file__).with_name("several_devices.py")
    own = {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    done = subprocess.run(
        [sys.executable, script, *names],
        cwd=ROOT,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name}: the same" for name in ("exchange", *names)]


def test_few_at_a_time_is_told_constants_as_arrays():
    """In a loop they come as NumPy's, which functions of arrays refuse."""
    told = []

    def moved(mine, constant):
        told.append(isinstance(constant, jax.Array))
        return mine + constant

    def often(own, _):
        return chunked(moved)(own, jnp.ones((), jnp.int32)), None

    after = jax.jit(lift(lambda own: jax.lax.scan(often, own, None, length=2)[0]))(jnp.arange(4))
    assert after.tolist() == [2, 3, 4, 5]
    assert all(told)


@pytest.mark.parametrize("count", [None, 1, 2])
def test_few_at_a_time_is_the_same(monkeypatch, count):
    """Of teams that are a multiple of `FEW` and of others; what all have in common stays whole."""
    monkeypatch.setattr(sys.modules["coterie.network.lift"], "FEW", 3)

    def grown(common, mine, unused):
        return {"sum": common @ mine["x"], "key": jax.random.normal(mine["key"])}

    common = jnp.arange(6.0).reshape(2, 3)
    for agents in (2, 3, 6, 8):
        keys = jax.random.split(jax.random.key(agents), agents)
        mine = {"x": jax.random.normal(keys[0], (agents, 3)), "key": keys}
        plain = lift(lambda own: grown(common, own, None))(mine)
        few = jax.jit(lift(lambda own: chunked(grown, count)(common, own, None)))(mine)
        assert_same(few, plain)
    text = jax.make_jaxpr(lift(lambda own: chunked(grown, count)(common, own, None)))(mine)
    assert "scan" in str(text)
