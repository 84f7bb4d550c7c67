"""What grows with the team grows like the team, and not like its square."""

import math

import jax
import numpy as np
import pytest

from coterie.algorithms import MATRPO, NetworkedAC
from coterie.envs import Commons
from coterie.envs.game import Discrete
from coterie.graph import family
from coterie.network import Communication
from coterie.training.action_scaling import action_scaling
from coterie.training.evaluate import evaluator
from coterie.training.state import init_state, iteration
from tests.support import SMALL, accepts, catalogue, with_options

PRIME = 23
"""A number of agents that divides no other size here."""

SENDING = {n: a for n, a in catalogue(recurrent=False).items() if a.information.sends}
METHODS = {
    name: with_options(algorithm, critic_actions="mean")
    for name, algorithm in SENDING.items()
    if not algorithm.information.central and not algorithm.information.broadcasts
    if not isinstance(algorithm, MATRPO)  # whose agents have a head for each of the others
    and algorithm.information.state != "observations"  # everybody's, to everybody
}


def parts(algorithm, agents, graph="ring"):
    """The start of a team, an iteration and an evaluation, with what each is given."""
    env = Commons(agents=agents, continuous=not accepts(algorithm, Discrete))
    vector, talk, key = env.vectorize(2), Communication(family(graph, agents)), jax.random.key(0)

    def start(key):
        return init_state(algorithm, env, vector, talk, key)

    def judge(team, key):
        policies = jax.vmap(algorithm.policy)(team.agents)
        return evaluator(vector, action_scaling(env.specs), algorithm.deterministic_eval)(
            policies, key
        )

    team = jax.eval_shape(start, key)
    return (start, (key,)), (iteration(algorithm, env, vector), (team,)), (judge, (team, key))


def shapes(jaxpr):
    """The shape of every array that a program makes, those of its inner programs included."""
    for equation in jaxpr.eqns:
        yield from (var.aval.shape for var in equation.outvars)
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=is_program):
            if is_program(inner):
                yield from shapes(getattr(inner, "jaxpr", inner))


def is_program(value):
    return isinstance(value, jax.extend.core.ClosedJaxpr | jax.extend.core.Jaxpr)


def squares(algorithm, graph):
    """The shapes that hold a number for each pair of agents, wherever a team makes such arrays."""
    programs = [jax.make_jaxpr(part)(*given) for part, given in parts(algorithm, PRIME, graph)]
    found = {shape for program in programs for shape in shapes(program.jaxpr)}
    pairs = PRIME**2, PRIME * (PRIME - 1)  # of an agent and any, or another
    return {s for s in found if 0 not in s and any(math.prod(s) % count == 0 for count in pairs)}


@pytest.mark.parametrize("algorithm", METHODS.values(), ids=METHODS)
def test_on_a_ring_no_array_has_a_number_for_each_pair_of_agents(algorithm):
    assert squares(algorithm, "ring") == set()


@pytest.mark.parametrize(("crowd", "graph"), [("joint", "ring"), ("mean", "complete")])
def test_who_hears_everybody_pays_for_it(crowd, graph):
    """The check would notice: critics of all actions, and messages to all, are squares."""
    assert squares(with_options(NetworkedAC(critic_actions=crowd), **SMALL), graph) != set()


def test_a_large_team_starts_by_as_short_a_program_as_a_small_one():
    """What is alike is made once: 256 agents, each on its own, took minutes to compile."""
    algorithm = METHODS["networked-ac"]
    (small, key), *_ = parts(algorithm, 4)
    (large, _), *_ = parts(algorithm, 64)
    lengths = [sum(1 for _ in shapes(jax.make_jaxpr(f)(*key).jaxpr)) for f in (small, large)]
    assert lengths[0] == lengths[1]


def test_a_compiled_block_takes_the_same_memory_for_each_agent():
    algorithm = with_options(NetworkedAC(critic_actions="mean"), **SMALL)

    def taken(agents):
        _, (advance, team), _ = parts(algorithm, agents)
        memory = jax.jit(advance).lower(*team).compile().memory_analysis()
        return np.array([memory.argument_size_in_bytes, memory.temp_size_in_bytes]) / agents

    assert np.all(taken(64) <= 1.05 * taken(16))
