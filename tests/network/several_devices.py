"""Four agents on one device, on two and on four: run by `test_lift.py` in a process of its own."""

import sys

import jax
import jax.numpy as jnp
import numpy as np

from coterie.graph import Line, Star, from_adjacency
from coterie.network import (
    AsyncIntervals,
    Delay,
    EdgeGossip,
    LinkDropout,
    NodeFailure,
    Noise,
    Partition,
    Periodic,
    Quantization,
    RandomLinks,
    Static,
    agent_mesh,
    lift,
    networks,
)
from tests.support import assert_same, catalogue, taught

KITE = from_adjacency(np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]]))
SCHEDULES = {
    "static": Static(),
    "periodic": Periodic((Star(), Line())),
    "links": RandomLinks(0.5),
    "intervals": AsyncIntervals(2.0, 1.0),
    "edges": EdgeGossip(),
}
FAULTS = (
    *(
        LinkDropout(0.3, burst=2),
        Partition(2, 4),
        NodeFailure(1, 5, 7),
        Noise(0.1),
        Quantization(6),
    ),
    *(Delay(2), Delay(2, "drop")),
)

ROUNDED = 5e-5
"""Largest difference of an update, whose sums devices form in another order. It is that of duals:
a penalty of 100 times differences of weights near 1, of which a rounding is 2^-23."""


def spread(function, payloads, devices, **talk):
    """The team's version of `function(*mine, network)`, its agents spread over the devices."""
    mesh = agent_mesh(4, jax.devices()[:devices]) if devices > 1 else None
    lifted, network = jax.jit(lift(function, mesh)), networks(KITE, payloads, devices, **talk)

    def team(*mine):
        *results, after = lifted(*mine, network)
        return *results, after.traffic

    return team


def exchange(value, network):
    def again(carry, _):
        value, network = carry
        mean, network = network.mix(value, "value")
        told, network = network.neighbors(mean, "value")
        return (jnp.sum(told.received * told.arrived[:, None], axis=0) + mean, network), None

    return jax.lax.scan(again, (value, network), None, length=3)[0]


def gossip(value, network):
    """Rounds of a payload that lasts, and of one that is fresh, of which late values are lost."""

    def again(carry, _):
        value, fresh, network = carry
        value, network = network.mix(value, "value")
        fresh, network = network.mix(fresh, "fresh")
        return (value, fresh, network), None

    return jax.lax.scan(again, (value, value, network), None, length=8)[0]


def compare(function, payloads, inputs, counts, tolerance, **talk):
    one = spread(function, payloads, 1, **talk)(*inputs)
    for devices in counts:
        assert_same(spread(function, payloads, devices, **talk)(*inputs), one, tolerance)
    return one


def main(names):
    """Compare exchanges, exchanges with faults under these schedules, and these updates."""
    # Both must be set before jax is first used. Most of the time here goes into compiling.
    jax.config.update("jax_num_cpu_devices", 4)
    jax.config.update("jax_disable_most_optimizations", True)
    values, methods = jax.random.normal(jax.random.key(0), (4, 5)), catalogue(recurrent=False)
    compare(exchange, ("value",), (values,), [2, 4], tolerance=0.0)
    print("exchange: the same")
    for name in names:
        if name in SCHEDULES:
            compare_with_faults(SCHEDULES[name], values)
        else:
            compare_updates(methods[name])
        print(f"{name}: the same")


def compare_with_faults(schedule, values):
    talk = {"schedule": schedule, "channels": FAULTS, "shared": {"value": values}}
    *mixed, traffic = compare(gossip, ("value", "fresh"), (values,), [2], 0.0, **talk)
    for payload, after in zip(("value", "fresh"), mixed, strict=True):
        assert np.abs(after - values).max() > 0.1, "nothing was mixed"
        assert 0 < traffic[payload].lost.sum() < traffic[payload].sent.sum()


def compare_updates(algorithm):
    agents, trajectory, _, keys = taught(algorithm).lesson

    def learn(agent, trajectory, key, network):
        state, network, metrics = algorithm.learn(agent, trajectory, network, key)
        return state, metrics, network

    counts = [2, 4] if algorithm.information.sends else [2]
    knows, inputs = algorithm.information, (agents, trajectory, keys)
    compare(learn, knows.sends, inputs, counts, ROUNDED, joint_observable=knows.joint_observable)


if __name__ == "__main__":
    main(sys.argv[1:])
