"""Robots of Gymnasium-Robotics in partitions that the package does not name."""

from typing import Any


def make(scenario: str, joints: str, **options: Any) -> Any:
    """Return the robot with its joints dealt as in `joints`: "a,b c,d"."""

    from gymnasium_robotics import mamujoco_v1
    from gymnasium_robotics.envs.multiagent_mujoco.obsk import get_parts_and_edges

    parts, edges, globals_ = get_parts_and_edges(scenario, None)
    nodes = {node.label: node for part in parts for node in part}
    partition = [tuple(nodes[name] for name in part.split(",")) for part in joints.split()]
    factorization = {"partition": partition, "edges": edges, "globals": globals_}
    return mamujoco_v1.parallel_env(scenario, None, 1, factorization, **options)
