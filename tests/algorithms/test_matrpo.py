"""MATRPO: agreement by ADMM, the team's trust region, and work for those who are not paid."""

import dataclasses
import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from benchmarks.matrpo import Direct, in_turn, sent, update
from coterie.algorithms import ITRPO, MATRPO
from coterie.algorithms.trpo.consensus_admm import (
    RATIOS,
    ADMMResult,
    ADMMState,
    FullRatios,
    LocalProblem,
)
from coterie.algorithms.trpo.direction_coefficients import STEPS, DirectionCoefficients
from coterie.centralized import CTRPO
from coterie.envs.game import AgentSpec, Box, Discrete, JaxEnv, Observation, Timestep
from coterie.envs.joint_agent import as_one
from coterie.errors import ConfigError
from coterie.graph import Edges, family
from coterie.network import (
    AsyncIntervals,
    Communication,
    EdgeGossip,
    Inbox,
    LinkDropout,
    NodeFailure,
    Noise,
    Periodic,
    Quantization,
    RandomLinks,
    Static,
    expand_mask,
    lift,
    networks,
)
from coterie.rl.cg_subspace import ConstrainedStep, KrylovSubspace
from coterie.rl.joint_policy_model import TeamModel, log_probs_of, taken_by
from coterie.rl.linearized_policy import around
from coterie.rl.models import MLP, Inputs
from coterie.rl.networks import Policy
from coterie.rl.scaling import learned
from coterie.training.fit import require_fit
from coterie.training.state import init_state, iteration
from coterie.types import LearnerSpec
from tests.options import with_options
from tests.support import Babble, assert_same, taught

BETA = 0.7


@functools.cache
def agreeing(graph, schedule=Static(), channels=(), rounds=60):
    """Each round's `r` and ties, for agents that minimise `a/2 (r - b)^2` each."""
    random = np.random.default_rng(3)
    size = family(graph, 4).size
    bent, wanted = random.uniform(0.5, 2.0, size), random.normal(size=(size, 2))
    network = networks(
        family(graph, size), ("r",), schedule=schedule, channels=channels, key=jax.random.key(1)
    )

    def mine(a, b, network):
        def round_(carry, _):
            ties, network = carry
            r = (a * b + ties.pull(BETA)) / (a + BETA * network.degree)
            heard, network = network.neighbors(r, "r")
            ties = ties.after(heard, BETA)
            return (ties, network), (r, ties)

        fresh = ADMMState.fresh(len(network.neighbor), (2,))
        return jax.lax.scan(round_, (fresh, network), None, length=rounds)

    (_, network), (r, ties) = jax.jit(lift(mine))(
        jnp.asarray(bent, jnp.float32), jnp.asarray(wanted, jnp.float32), network
    )
    best = bent @ wanted / bent.sum()
    return np.swapaxes(r, 0, 1), jax.tree.map(lambda x: np.swapaxes(x, 0, 1), ties), best, network


@pytest.mark.parametrize(
    "schedule", [Static(), EdgeGossip(), EdgeGossip("cyclic"), EdgeGossip("matched")]
)
@pytest.mark.parametrize("graph", ["ring", "line", "star"])
def test_they_converge_to_the_solution_of_the_consensus_problem(graph, schedule):
    """At least as fast as 1/k, which is what is promised."""
    r, _, best, _ = agreeing(graph, schedule, rounds=600)
    far = np.abs(r - best).max(axis=(1, 2))
    assert far[-1] < 1e-3
    worst = np.maximum.accumulate(far[::-1])[::-1]
    k = np.arange(1, 601)
    assert np.all(k * worst < 60.0 * far[0] + 1e-3 * k)


def test_without_pressure_they_would_not_agree():
    """What the multipliers are for: midpoints alone leave a gap."""
    r, ties, best, _ = agreeing("line", rounds=600)
    assert np.abs(ties.dual[-1]).max() > 0.1
    assert np.abs(r[0] - best).max() > 0.5 > 1e-3 > np.abs(r[-1] - best).max()


def test_a_matching_is_its_links_one_after_the_other():
    """Links 0-1 and 2-3 at once, or in turn: the same ties, bit for bit."""
    graph = "edges:0-1+2-3"
    _, at_once, _, _ = agreeing(graph, EdgeGossip("matched"), rounds=5)
    _, in_turn, _, _ = agreeing(graph, EdgeGossip("cyclic"), rounds=10)
    assert_same(at_once.dual, in_turn.dual[1::2])
    assert_same(at_once.edge_average, in_turn.edge_average[1::2])


def test_a_lost_meeting_changes_nothing_at_either_end():
    _, ties, _, network = agreeing("ring", channels=(LinkDropout(0.5),), rounds=200)
    assert network.traffic["r"].lost.sum() > 100
    np.testing.assert_allclose(ties.dual.sum(axis=1), 0.0, atol=1e-5)
    r, _, best, _ = agreeing("ring", channels=(LinkDropout(0.5),), rounds=600)
    assert np.abs(r[-1] - best).max() < 1e-3


def test_one_link_at_a_time_sends_one_message_each_way():
    _, _, _, network = agreeing("ring", EdgeGossip(), rounds=40)
    traffic = network.traffic["r"]
    assert traffic.sent.sum() == 2 * 40 and traffic.bytes.sum() == 2 * 40 * 8
    assert np.all(traffic.sent.sum(axis=1) > 8)  # every agent meets somebody, at random


@dataclasses.dataclass(frozen=True)
class Errand(JaxEnv):
    """One step: everybody sees the same scene, and only agent 0 is paid.

    Its pay is how many agents, itself included, choose the action that the scene calls for.

    A team learns that in a dozen updates.
    """

    agents: int = 3
    scenes: int = 2

    @property
    def specs(self):
        return (AgentSpec(self.scenes, Discrete(3)),) * self.agents

    def reset(self, key):
        scene = jax.random.randint(key, (), 0, self.scenes)
        return scene, self.view(scene)

    def step(self, scene, action):
        right = jnp.sum(action == scene % 3).astype(jnp.float32)
        over = jnp.ones(self.agents, bool)
        paid = jnp.zeros(self.agents).at[0].set(right)
        return scene, Timestep(self.view(scene), paid, over, ~over, {})

    def view(self, scene):
        return Observation(
            jnp.broadcast_to(jax.nn.one_hot(scene, self.scenes), (self.agents, self.scenes))
        )

    def global_state(self, scene, view):
        return jax.nn.one_hot(scene, self.scenes)


def trained(algorithm, env, talk, rounds, envs=64):
    """The team after so many rounds, and what each of them reports."""
    vector = env.vectorize(envs)
    start = jax.jit(lambda key: init_state(algorithm, env, vector, talk, key))
    round_ = iteration(algorithm, env, vector)
    scan = jax.jit(lambda t: jax.lax.scan(lambda t, _: round_(t), t, length=rounds))
    return scan(start(jax.random.key(0)))


def serving(algorithm, graph="ring", schedule=Static(), rounds=12):
    """How likely each agent is to do what is called for in the first scene, after learning."""
    team, _ = trained(
        algorithm, Errand(), Communication(family(graph, 3), schedule=schedule), rounds
    )
    policy = jax.vmap(algorithm.policy)(team.agents)
    seen = Observation(jnp.broadcast_to(jax.nn.one_hot(0, 2), (3, 2)))
    choices = jax.vmap(lambda p, v: p.choices(p.body.step(v.observation, ())[0], v))(policy, seen)
    return np.exp(choices.log_probs[:, 0])


LINEAR = DirectionCoefficients()

QUICK = {
    "rollout_length": 4,
    "actor": MLP((), "selu"),
    "critic": MLP((), "selu"),
    "max_kl": 0.05,
    "batch_size": 32,
}


@pytest.mark.parametrize(
    "step", ["exact", *(pytest.param(s, marks=pytest.mark.deep) for s in ("closed", "boundary"))]
)
def test_those_who_are_not_paid_do_what_the_paid_one_needs(step):
    served = serving(MATRPO(**QUICK, admm_rounds=30, step_rule=step))
    assert np.all(served > 0.8), served


@dataclasses.dataclass(frozen=True)
class Pressed(MATRPO):
    """Everybody is under so much pressure that nothing else counts, and gives way to it, or not."""

    yields: bool = True

    def _agreed(self, local, gain, network):
        fresh = ADMMState.fresh(len(network.neighbor), (*gain.shape[:2], network.size))
        pressure = fresh.dual + 100.0
        away = local.vjp(local.score(local.weight * pressure))
        length = jnp.sqrt(local.divergence(away, local.jvp(away)) / (0.01 * self.max_kl))
        change = (-away if self.yields else away) / length
        return ADMMResult(change, pressure, fresh._replace(dual=pressure), network)


@pytest.mark.parametrize(
    ("yields", "halvings", "step"), [(True, 10, 1.0), (False, 10, 0.0), (False, None, 1.0)]
)
def test_a_step_that_gives_way_to_pressure_is_taken_and_its_opposite_is_not(yields, halvings, step):
    """But without a line search it is, too."""
    env, algorithm = Errand(), Pressed(**QUICK, yields=yields, line_search_steps=halvings)
    vector = env.vectorize(64)
    team = init_state(algorithm, env, vector, Communication(family("line", 3)), jax.random.key(0))
    _, report = jax.jit(iteration(algorithm, env, vector))(team)
    assert report.metrics["accepted_step_fraction"].tolist() == [step] * 3


@dataclasses.dataclass(frozen=True)
class Cracked(MATRPO):
    """The first agent's mathematics breaks down: in its products with J, or where it steps to."""

    where: str = "push"

    def _local(self, model, trajectory, index):
        local = super()._local(model, trajectory, index)
        broken = jnp.where(index == 0, jnp.nan, 1.0)
        if self.where == "push":
            return local._replace(jvp=lambda x: broken * local.jvp(x))

        def at(parameters):
            moved = jnp.any(parameters != local.start)
            return tuple(jnp.where(moved, broken, 1.0) * x for x in local.at(parameters))

        return local._replace(at=at)


@pytest.mark.parametrize("ratios", [FullRatios(), pytest.param(LINEAR, marks=pytest.mark.deep)])
@pytest.mark.parametrize("where", ["push", pytest.param("at", marks=pytest.mark.deep)])
def test_a_solve_that_breaks_down_leaves_the_old_policy_and_harms_nobody_else(where, ratios):
    env, algorithm = Errand(), Cracked(**QUICK, where=where, ratio_exchange=ratios, admm_rounds=30)
    vector = env.vectorize(64)
    team = init_state(algorithm, env, vector, Communication(family("line", 3)), jax.random.key(0))
    after, report = jax.jit(iteration(algorithm, env, vector))(team)
    assert all(np.isfinite(values).all() for values in report.metrics.values())
    assert report.metrics["accepted"].tolist() == [0.0, 1.0, 1.0]
    assert report.metrics["accepted_step_fraction"][0] == 0.0
    before, now = (jax.tree.leaves(learned(t.agents.model)) for t in (team, after))
    moved = [
        np.any(np.asarray(a != b).reshape(3, -1), axis=1) for a, b in zip(before, now, strict=True)
    ]
    assert np.any(moved, axis=0).tolist() == [False, True, True]


class Chained(Errand):
    """The second agent has no choice."""

    @property
    def specs(self):
        free, chained = super().specs[0], AgentSpec(self.scenes, Discrete(1))
        return free, chained, free

    def view(self, scene):
        able = jnp.arange(3) < jnp.array([3, 1, 3])[:, None]
        return super().view(scene)._replace(action_mask=able)


def test_the_divergence_of_each_head_goes_by_its_agent():
    """Whoever tells it: the head of one that has no choice stays as it is."""
    env, algorithm = Chained(), MATRPO(**QUICK, admm_rounds=30)
    vector = env.vectorize(64)
    team = init_state(algorithm, env, vector, Communication(family("line", 3)), jax.random.key(0))
    _, report = jax.jit(iteration(algorithm, env, vector))(team)
    each = np.stack([report.metrics[f"kl/head-{head}"] for head in range(3)])
    np.testing.assert_allclose(each.sum(axis=0), report.metrics["kl"], rtol=1e-5)
    assert np.all(each[[0, 2]] > 1e-4) and np.all(np.abs(each[1]) < 1e-6)


@pytest.mark.parametrize("ratios", [FullRatios(), pytest.param(LINEAR, marks=pytest.mark.deep)])
def test_a_warm_start_goes_on_where_the_last_update_stopped(ratios):
    """On the same problem over and over: few rounds come to what many would."""

    def updated(warm_start):
        """How far apart they are after each update, and the multipliers that were kept of it."""
        options = QUICK | {"rollout_length": 10, "cg_iters": 9, "admm_rounds": 18}
        algorithm = MATRPO(**options, ratio_exchange=ratios, dual_warm_start=warm_start)
        (_, trajectory, network, keys), learn, team = taught(algorithm, Errand())
        agents, found, kept = team.agents, [], []
        for _ in range(8):
            after, _, metrics = learn(agents, trajectory, network, keys)
            agents = agents._replace(kept=after.kept)
            found.append(float(np.mean(metrics["consensus_error"])))
            kept.append(after.kept)
        return np.array(found), kept

    (warm, everything), (_, part) = updated(1.0), updated(0.25)
    assert 0.0 < warm[-1] < 0.5 * warm[0], warm  # the first update starts cold
    assert_same(part[0], 0.25 * everything[0])


def test_intervals_are_refused():
    with pytest.raises(ConfigError, match="the two ends of a link have to meet at once"):
        talk = Communication(family("ring", 3), schedule=AsyncIntervals(4.0))
        require_fit(talk, MATRPO(), (LearnerSpec(2, Discrete(3)),) * 3, ("a", "b", "c"))


@pytest.mark.deep
def test_one_link_at_a_time_is_enough_and_no_talk_is_not():
    assert np.all(serving(MATRPO(**QUICK, admm_rounds=60), schedule=EdgeGossip()) > 0.8)
    served = serving(ITRPO(**QUICK))
    assert served[0] > 0.8 and np.all(served[1:] < 0.6), served


@pytest.mark.deep
def test_ratios_to_first_order_do_as_well():
    assert np.all(serving(MATRPO(**QUICK, admm_rounds=30, ratio_exchange=LINEAR)) > 0.8)


class Pointing(Errand):
    """The same with numbers, of which all draw some beyond their ends: 0.5 is called for."""

    @property
    def specs(self):
        return (AgentSpec(self.scenes, Box(1, -1.0, 1.0)),) * self.agents

    def step(self, scene, action):
        over = jnp.ones(self.agents, bool)
        paid = jnp.zeros(self.agents).at[0].set(-jnp.sum((action - 0.5) ** 2))
        return scene, Timestep(self.view(scene), paid, over, ~over, {})


@pytest.mark.deep
def test_those_who_are_not_paid_aim_where_the_paid_one_needs():
    """What is beyond an end is done there: of numbers as they were drawn they never agree."""
    algorithm = MATRPO(**QUICK, admm_rounds=30)
    _, report = trained(algorithm, Pointing(), Communication(family("ring", 3)), rounds=60)
    paid = report.episodes.returns[:, 0] / report.episodes.count
    assert paid[0] < -2.0 and paid[-1] > -0.1, paid
    assert np.all(report.metrics["consensus_error"] < 0.01)


def joint_problem(size=3, samples=60):
    """Agents that see the same and believe the same, each with advantages of its own."""
    random = np.random.default_rng(5)
    seen = jnp.asarray(random.normal(size=(samples, 1, 2)), jnp.float32)
    actions = random.integers(0, 3, size=(samples, 1, size))
    gains = jnp.asarray(random.normal(size=(size, samples, 1)), jnp.float32)
    spec = LearnerSpec(2, Discrete(3), sizes=(3,) * size, agents=size)
    keys = jax.random.split(jax.random.key(0))
    policy = Policy.init(keys, MLP(()), Inputs(2), Discrete(3), gain=0.0)
    model = TeamModel.around(policy, spec, jax.random.key(1))
    zero = jax.tree.map(lambda x: 0 * x, model.others)
    model = dataclasses.replace(model, others=zero)
    return seen, actions, gains, model


def local_of(model, seen, actions, index, damping):
    order = jnp.roll(jnp.asarray(actions), -index, axis=2)
    taken = order[..., 0], order[..., 1:]
    return around(
        model,
        lambda m: m.heads(Observation(seen), index),
        lambda h: log_probs_of(h, taken, index),
        None,
        damping,
    )


@pytest.mark.parametrize("step", ["closed", "boundary"])
def test_the_closed_form_goes_no_further_than_its_links_allow(step):
    """`H^-1 V / (|E| beta)` if that is inside; on a line the middle one has twice the links."""
    seen, actions, gains, model = joint_problem()
    algorithm = MATRPO(admm_rounds=1, penalty=BETA, max_kl=5.0, step_rule=step, damping=1e-3)

    def mine(network):
        local = local_of(model, seen, actions, network.index, algorithm.damping)
        change = algorithm._agreed(local, gains[0][..., None], network).change
        return local.divergence(change, local.jvp(change))

    length = jax.jit(lift(mine))(networks(family("line", 3), ("log-ratios",)))
    if step == "boundary":
        np.testing.assert_allclose(length, 5.0, rtol=1e-3)
    else:
        assert np.all(length < 4.0)
        np.testing.assert_allclose(length[::2], 4.0 * length[1], rtol=1e-3)


class Whole(FullRatios):
    """Log ratios to first order, all of them in every round: the plain way."""

    ratio = DirectionCoefficients.ratio


def agreed_to_first_order(graph="line", schedule=Static(), channels=(), exchange=LINEAR, **options):
    """What each agent's rounds come to."""
    seen, actions, gains, model = joint_problem()
    options = {"cg_iters": 6, "damping": 1e-3, **options}
    algorithm = MATRPO(ratio_exchange=exchange, **options)

    def mine(gain, network):
        local = local_of(model, seen, actions, network.index, algorithm.damping)
        return algorithm._agreed(local, gain[..., None], network)

    payloads = algorithm.information.sends
    network = networks(family(graph, 3), payloads, schedule=schedule, channels=channels)
    return jax.jit(lift(mine))(gains, network)


TURNS = [
    Static(),
    EdgeGossip("cyclic"),
    EdgeGossip("matched"),
    Periodic((Edges("0-1"), Edges("1-2"))),
]


@pytest.mark.parametrize(
    "schedule", [pytest.param(s, marks=[pytest.mark.deep] * (i > 1)) for i, s in enumerate(TURNS)]
)
@pytest.mark.parametrize("rounds", [4, pytest.param(40, marks=pytest.mark.deep)])
def test_directions_told_once_do_what_log_ratios_told_in_every_round_do(schedule, rounds):
    """Links that take turns bring a direction across before the rounds go on."""
    found = agreed_to_first_order(schedule=schedule, admm_rounds=6 * rounds)
    plain = agreed_to_first_order(schedule=schedule, exchange=Whole(), admm_rounds=6 * rounds)
    largest = np.abs(plain.ratio).max()
    np.testing.assert_allclose(found.ratio, plain.ratio, atol=1e-3 * largest)
    np.testing.assert_allclose(
        found.ties.edge_average, plain.ties.edge_average, atol=1e-3 * largest
    )
    pressure = np.abs(plain.ties.dual).max()
    assert pressure > 0.1  # there was something to agree on
    np.testing.assert_allclose(found.ties.dual, plain.ties.dual, atol=5e-3 * pressure)


# Every fault meets the first schedule, and links at random meet the first fault.
FAULTS = [LinkDropout(0.6), Quantization(4), Noise(0.01)]
SCHEDULES = [*TURNS, EdgeGossip("random"), RandomLinks(0.3)]
MEETINGS = [
    pytest.param(channel, schedule, marks=[pytest.mark.deep] * (j > 0 and (i, j) != (0, last)))
    for last in (len(SCHEDULES) - 1,)
    for i, channel in enumerate(FAULTS)
    for j, schedule in enumerate(SCHEDULES)
]


@pytest.mark.parametrize(("channel", "schedule"), MEETINGS)
def test_both_ends_of_a_link_have_one_midpoint_and_opposite_pressures(channel, schedule):
    """Whatever was lost or changed on the way, and in whichever round."""
    found = agreed_to_first_order("line", schedule, (channel,), admm_rounds=30)
    pressure, midpoint = np.asarray(found.ties.dual), np.asarray(found.ties.edge_average)
    largest = np.abs(pressure).max()
    assert largest > 0.1
    np.testing.assert_allclose(pressure.sum(axis=0), 0.0, atol=1e-4 * largest)
    neighbor = np.asarray(found.network.neighbor)
    for (agent, place), other in np.ndenumerate(neighbor):
        if other != agent:
            back = list(neighbor[other]).index(agent)
            np.testing.assert_allclose(midpoint[agent, place], midpoint[other, back], atol=1e-5)


def test_a_direction_that_never_came_across_is_not_agreed_on():
    def found(graph, *channels):
        agreed = agreed_to_first_order(graph, Static(), channels, admm_rounds=60, cg_iters=2)
        return agreed, np.sqrt(np.mean((agreed.ratio[0] - agreed.ratio[1]) ** 2))

    heard, little = found("edges:0-1")
    lost, more = found("edges:0-1", NodeFailure(1, 0, 1))
    assert heard.network.traffic[RATIOS].lost.sum() == 0
    assert lost.network.traffic[RATIOS].lost[:2].tolist() == [[1], [1]]  # the first of two
    assert lost.network.traffic[STEPS].lost.sum() == 0
    assert more > 5.0 * little, (little, more)


def test_they_agree_although_messages_are_lost():
    found = agreed_to_first_order("ring", channels=(LinkDropout(0.3),), admm_rounds=300)
    assert found.network.traffic[RATIOS].lost.sum() > 0
    apart = np.abs(found.ratio - np.mean(found.ratio, axis=0)).max()
    assert apart < 0.02 * np.abs(found.ratio).max()


def test_a_direction_is_sent_once_and_then_how_far_to_go_along_it():
    traffic = agreed_to_first_order(admm_rounds=40).network.traffic
    directions, numbers, rounds = 6, 60 * 3, 40
    assert traffic[RATIOS].rounds.tolist() == [directions] * 3
    assert traffic[STEPS].rounds.tolist() == [rounds] * 3
    links = np.array([1, 2, 1])  # the middle one has two neighbours
    assert traffic[RATIOS].bytes.tolist() == (4 * directions * numbers * links).tolist()
    assert traffic[STEPS].bytes.tolist() == (4 * directions * rounds * links).tolist()


@pytest.mark.parametrize("exchange", [FullRatios(), LINEAR])
def test_what_a_round_costs_in_a_larger_team_with_more_samples(exchange):
    """Directions in common: the same. Log ratios in every round: as many times as there are."""

    def work(size, samples):
        """Operations of an agent in a round."""
        seen, actions, gains, model = joint_problem(size, samples)

        def mine(gain, network, span, known, meeting):
            local = local_of(model, seen, actions, network.index, 0.0)
            gain = jnp.broadcast_to(gain[..., None], (samples, 1, size))
            problem = LocalProblem(local, gain, ConstrainedStep(0.01, jnp.float32(1.0)), 1.0)
            if span is None:
                span = KrylovSubspace.empty(local, 6)
                return span, *exchange.start(problem, span, network)
            return exchange.round(known, problem, span, meeting).step

        network = networks(family("ring", size), (RATIOS, STEPS))
        first = jax.jit(lift(lambda gain, network: mine(gain, network, None, None, None)))
        round_ = jax.jit(lift(mine)).lower(gains, network, *first(gains, network)).compile()
        return round_.cost_analysis()["flops"] / size

    grown = work(12, 120) / work(3, 60)
    assert grown < 1.3 if exchange == LINEAR else grown > 4.0, grown


def test_with_the_same_view_of_everything_the_team_takes_trpos_step():
    """Theorem 1: agreed, everybody's step is TRPO's for the joint policy and the mean advantage."""
    seen, actions, gains, model = joint_problem()
    algorithm = MATRPO(admm_rounds=600, cg_iters=27, damping=1e-6, ratio_exchange=LINEAR)

    def mine(gain, network):
        local = local_of(model, seen, actions, network.index, algorithm.damping)
        agreed = algorithm._agreed(local, gain[..., None], network)
        real = expand_mask(network.neighbor != network.index, agreed.ties.edge_average)
        gaps = jnp.where(real, agreed.ratio - agreed.ties.edge_average, 0.0)
        return agreed.ratio, jnp.sqrt(jnp.sum(gaps**2) / agreed.ratio.size / network.degree)

    network = networks(family("line", 3), algorithm.information.sends)
    ratios, apart = jax.jit(lift(mine))(gains, network)

    # TRPO on the joint policy: every agent's head is linear in what all see, 3 x 3 numbers each.
    samples = len(seen)
    features = np.concatenate([np.asarray(seen)[:, 0], np.ones((samples, 1))], axis=1)
    scores = np.eye(3)[actions[:, 0]] - 1 / 3  # [M, N, A]: the policy is uniform
    jacobian = np.einsum("mna,mf->mnaf", scores, features).reshape(samples, 3, 9)
    metric = np.kron(np.eye(3) / 3 - 1 / 9, features.T @ features / samples)
    slope = np.einsum("m,mnd->nd", np.asarray(gains).mean(axis=0)[:, 0], jacobian) / samples
    direction = slope @ np.linalg.pinv(metric, rcond=1e-8)
    length = np.sqrt(2 * algorithm.max_kl / np.einsum("nd,de,ne->", direction, metric, direction))
    wanted = np.einsum("mnd,nd->mn", jacobian, length * direction)

    assert np.all(apart < 2e-3 * np.abs(wanted).max())
    for agent in range(3):
        np.testing.assert_allclose(ratios[agent][:, 0], wanted, atol=0.02 * np.abs(wanted).max())


class Favor(Errand):
    """A dilemma: to do what the scene calls for pays each of the others 1, and the next oneself."""

    def step(self, scene, action):
        kind, selfish = (action == jnp.stack([scene, scene + 1])[:, None] % 3).astype(jnp.float32)
        over = jnp.ones(self.agents, bool)
        return scene, Timestep(self.view(scene), kind.sum() - kind + selfish, over, ~over, {})


def learning(algorithm):
    """The mean return in each round, as a team of its own or as one learner."""
    env = as_one(Favor()) if algorithm.information.joint_control else Favor()
    links = "ring" if algorithm.information.sends else "none"
    talk = Communication(family(links, len(env.specs)))
    _, report = trained(algorithm, env, talk, rounds=30, envs=512)
    return np.mean(report.episodes.returns, axis=1) / report.episodes.count


@pytest.mark.deep
def test_it_learns_what_trpo_learns_of_the_joint_policy():
    """Theorem 1 from the first update to where learning ends: 2 each, where the selfish have 1."""
    team, joint = (
        learning(MATRPO(**QUICK, admm_rounds=60)),
        learning(dataclasses.replace(CTRPO, **QUICK)),
    )
    np.testing.assert_allclose(team, joint, atol=0.05)
    np.testing.assert_allclose([team[-1], learning(ITRPO(**QUICK))[-1]], [2.0, 1.0], atol=0.05)


def test_alone_it_is_trpo():
    """One agent, nobody to talk to: the step of I-TRPO, whose own tests are against algebra."""
    env = Errand(agents=1)
    kwargs = {**QUICK, "critic_epochs": 1}
    results = []
    for algorithm in (
        ITRPO(**kwargs, cg_iters=30),
        MATRPO(**kwargs, admm_rounds=1, cg_iters=30, advantage_normalization="own"),
    ):
        vector = env.vectorize(64)
        talk = Communication(family("none", 1))
        team = init_state(algorithm, env, vector, talk, jax.random.key(0))
        after, _ = jax.jit(iteration(algorithm, env, vector))(team)
        before, now = (jax.vmap(algorithm.policy)(t.agents) for t in (team, after))
        results.append((before.head.weight, now.head.weight - before.head.weight))
    (start, one), (same, other) = results
    assert_same(start, same)
    assert np.abs(one).max() > 0.01
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_ends_of_a_link_compare_ratios_of_the_same_numbers():
    """An action beyond the ends is done, and seen, at the end; who drew it judges that, too."""
    env = Babble(((2, 2),) * 3, box=True)
    (_, trajectory, network, _), _, _ = taught(
        with_options(MATRPO(), rollout_length=6, batch_size=4, hidden_sizes=(8,)), env
    )
    assert np.abs(trajectory.decision.action).max() > 1.0
    mine, others = jax.jit(lift(lambda e, n: taken_by(e.decision.action, e.actions, n.index)))(
        trajectory, network
    )
    for agent in range(3):
        for place in range(2):
            other = (agent + 1 + place) % 3
            done = np.where(trajectory.there[0][..., other, None], mine[other], 0.0)
            np.testing.assert_allclose(others[agent][:, :, place], done, atol=1e-6)


def test_heads_follow_the_teams_order_from_ones_own_place():
    (agents, trajectory, network, _), _, _ = taught(
        with_options(MATRPO(), rollout_length=6, batch_size=4, hidden_sizes=(8,))
    )
    joint = np.asarray(trajectory.actions).argmax(axis=-1)  # [N, T, G, N]

    def taken(trajectory, network):
        return taken_by(trajectory.decision.action, trajectory.actions, network.index)

    mine, others = jax.jit(lift(taken))(trajectory, network)
    size = len(joint)
    for i in range(size):
        there = trajectory.there[i][..., i]
        assert np.array_equal(mine[i][there], joint[i][..., i][there])
        for place in range(size - 1):
            assert np.array_equal(others[i][..., place], joint[i][..., (i + 1 + place) % size])
    heads = jax.jit(lift(lambda a, e, n: a.model.heads(e.view, n.index)[1]))(
        agents, trajectory, network
    )
    sizes = np.array(agents.model.sizes[0])
    for i in range(size):
        for place in range(size - 1):
            able = sizes[(i + 1 + place) % size]
            likely = np.exp(heads.log_probs[i][..., place, :])
            assert np.all(likely[..., able:] == 0) and np.all(likely[..., :able] > 0)


def test_advantages_are_scaled_by_the_teams_moments():
    size = 4
    network = networks(family("line", size), ("moments",))
    advantage = jnp.asarray(np.random.default_rng(0).normal(size=(size, 50, 2)), jnp.float32)
    advantage = advantage * jnp.arange(size)[:, None, None] + 1.0
    scaled = {
        scale: jax.jit(
            lift(
                lambda a, n, s=scale: MATRPO(
                    advantage_normalization=s, normalization_rounds=200
                )._scaled(a, None, n)[0]
            )
        )(advantage, network)
        for scale in ("team", "own", "none")
    }
    everybody = np.asarray(advantage)
    wanted = (everybody - everybody.mean()) / everybody.std()
    np.testing.assert_allclose(scaled["team"], wanted, atol=2e-3)
    np.testing.assert_allclose(scaled["own"][1:].std(axis=(1, 2)), 1.0, rtol=1e-3)
    assert_same(scaled["none"], advantage)


def test_small_advantages_are_scaled_beside_a_large_mean():
    """Before critics have caught up with what is paid."""
    advantage = 1e4 + jnp.asarray(np.arange(100) % 2, jnp.float32).reshape(50, 2)
    network = networks(family("line", 2), ("moments",))
    for scale in ("team", "own"):
        mine = lift(
            lambda n, s=scale: MATRPO(advantage_normalization=s)._scaled(advantage, None, n)[0]
        )
        np.testing.assert_allclose(np.abs(jax.jit(mine)(network)), 1.0, rtol=0.01)


@pytest.mark.parametrize("field", ["max_kl", "penalty"])
def test_a_step_or_a_penalty_of_nothing_is_refused(field):
    with pytest.raises(ConfigError, match=f"{field} must be greater than 0, not 0"):
        dataclasses.replace(MATRPO(), **{field: 0.0})


@pytest.mark.deep
def test_two_seeds_at_once_do_not_wait_for_each_other(tmp_path):
    """In a process of its own, with a device for each, because one that stands still must be ended.

    Six agents' eigenvalues as one batch took the threads that the other seed's were waiting for.
    """
    folder = str(tmp_path / "two")
    program = f"""
from coterie.internal.jax_config import prepare
prepare(2)
from coterie import Settings, SpreadMATRPO, train
from coterie.algorithms import MATRPO
settings = Settings(
    steps=4000, num_envs=10, seeds=2, updates_per_block=1, num_evals=1, num_checkpoints=1
)
train(MATRPO(rollout_length=200, admm_rounds=20), SpreadMATRPO(agents=6), settings, {folder!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr


def test_too_few_samples_get_a_sentence():
    with pytest.raises(ConfigError, match="16 samples cannot tell 20 directions apart"):
        MATRPO(rollout_length=4, batch_size=8).check(4)
    with pytest.raises(
        ConfigError, match="a batch of 64 samples is more than the 40 that 4 environments"
    ):
        MATRPO(rollout_length=10).check(4)


def test_a_meeting_minimises_the_augmented_lagrangian():
    """Proposition 1 for z and y: both ends' terms of (21), over z with z + z' = 0, by a solver."""
    random = np.random.default_rng(7)
    r, other = random.normal(size=(2, 5))
    y = random.normal(size=5)  # after a first meeting both ends have the same one

    def lagrangian(z):
        gaps = r - z, -other + z
        return sum(y @ gap + BETA / 2 * gap @ gap for gap in gaps)

    z = scipy.optimize.minimize(lagrangian, np.zeros(5), tol=1e-12).x
    before = ADMMState(jnp.asarray(y, jnp.float32), jnp.zeros((1, 5)))
    heard = Inbox(jnp.asarray(other)[None], jnp.array([True]), jnp.asarray(r), jnp.ones(1))
    after = before.after(heard, BETA)
    np.testing.assert_allclose(after.edge_average[0], z, atol=1e-5)
    np.testing.assert_allclose(after.dual, y + BETA * (r - z), atol=1e-5)


@pytest.mark.deep
def test_the_printed_form_comes_to_the_same_at_many_times_the_price():
    small = {"rollout_length": 200, "actor": MLP((32,), "selu"), "critic": MLP((32,), "selu")}
    mine = update(MATRPO(**small), Static(), num_envs=2)
    printed = update(Direct(**small), EdgeGossip("cyclic"), num_envs=2)
    in_turn(mine, printed)
    kl, apart = (
        [np.mean(one.result[2][key]) for one in (mine, printed)]
        for key in ("kl", "consensus_error")
    )
    assert abs(kl[0] / kl[1] - 1.0) < 0.15 and 0.3 < apart[0] / apart[1] < 3.0
    assert printed.processor > 3.0 * mine.processor
    assert sent(mine) == 3 * sent(printed)  # three links in a round
