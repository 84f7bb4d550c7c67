"""Four agents on one device, on two and on four: run by `test_lift.py` in a process of its own."""

import jax
import jax.numpy as jnp
import numpy as np

from coterie.graph import from_adjacency
from coterie.network import agent_mesh, lift, networks
from tests.support import assert_same, catalogue, taught

KITE = from_adjacency(np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]]))


def spread(function, payloads, devices):
    """The team's version of `function(*mine, network)`, its agents spread over the devices."""
    mesh = agent_mesh(4, jax.devices()[:devices]) if devices > 1 else None
    lifted, network = jax.jit(lift(function, mesh)), networks(KITE, payloads, devices)

    def team(*mine):
        *results, after = lifted(*mine, network)
        return *results, after.traffic

    return team


def exchange(value, network):
    def again(carry, _):
        value, network = carry
        mean, network = network.mix(value, "value")
        told, network = network.neighbours(mean, "value")
        return (jnp.sum(told.values * told.mask[:, None], axis=0) + mean, network), None

    return jax.lax.scan(again, (value, network), None, length=3)[0]


def compare(function, payloads, inputs, counts, tolerance):
    one = spread(function, payloads, 1)(*inputs)
    for devices in counts:
        assert_same(spread(function, payloads, devices)(*inputs), one, tolerance)


def main():
    # Both must be set before jax is first used. Most of the time here goes into compiling.
    jax.config.update("jax_num_cpu_devices", 4)
    jax.config.update("jax_disable_most_optimizations", True)
    values = jax.random.normal(jax.random.key(0), (4, 5))
    compare(exchange, ("value",), (values,), [2, 4], tolerance=0.0)
    print("exchange: the same")

    for name, algorithm in catalogue(recurrent=False).items():
        agents, experience, _, keys = taught(algorithm).lesson

        def learn(agent, experience, key, network, algorithm=algorithm):
            state, network, metrics = algorithm.learn(agent, experience, network, key)
            return state, metrics, network

        counts = [2, 4] if algorithm.information.sends else [2]
        compare(learn, algorithm.information.sends, (agents, experience, keys), counts, 1e-6)
        print(f"{name}: the same")


if __name__ == "__main__":
    main()
