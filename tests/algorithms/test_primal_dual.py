"""F2A2's scheme (5.4) on quadratics, where everything about it is known."""

import functools
import itertools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms.f2a2.consensus import DualState, PrimalDual, SharedSplit, stable
from coterie.errors import ConfigError, CoterieWarning
from coterie.graph import family
from coterie.network import AsyncIntervals, LinkDropout, Static, lift, networks

TEAM, SIZE = 5, 3
RANDOM = np.random.default_rng(0)
GOALS = RANDOM.normal(size=(TEAM, SIZE)).astype(np.float32)
CURVATURES = np.array([0.2, 0.5, 1.0, 1.5, 0.8], np.float32)[:, None]
BEST = (CURVATURES * GOALS).sum(axis=0) / CURVATURES.sum()
GRAPHS = {name: family(name, TEAM) for name in ("complete", "ring", "line")}


@functools.partial(jax.jit, static_argnames=("rule", "steps"))
def played(network, rule, step, curvatures, steps=1500):
    """Everybody's copy and pact after so many rounds, from its own optimum on."""

    def mine(curvature, goal, network):
        def once(carry, _):
            own, pact, network = carry
            own = own - step * (curvature * (own - goal) + rule.dual_gradient(own, pact))
            pact, network = rule.consensus_step(own, pact, network, "shared")
            return (own, pact, network), None

        carry = (goal, rule.start(goal), network)
        return jax.lax.scan(once, carry, None, length=steps)[0][:2]

    return jax.jit(lift(mine))(curvatures, GOALS, network)


def over(graph, schedule=Static(), channels=()):
    return networks(graph, ("shared",), schedule=schedule, channels=channels)


@pytest.mark.parametrize("loss", [0.0, 0.5])
@pytest.mark.parametrize("graph", GRAPHS)
def test_the_team_finds_the_optimum_of_the_mean(graph, loss):
    """Copies agree, and each agent's dual is its gradient's opposite: also on partial graphs, and
    where links fail, because nothing of that moves the sum of the duals."""
    network = over(GRAPHS[graph], channels=(LinkDropout(loss),) if loss else ())
    own, pact = played(network, PrimalDual(1.0, 0.0), 0.2, CURVATURES)
    np.testing.assert_allclose(own, np.broadcast_to(BEST, own.shape), atol=1e-4)
    np.testing.assert_allclose(pact.dual, -CURVATURES * (own - GOALS), atol=1e-4)
    np.testing.assert_allclose(pact.dual.sum(axis=0), 0.0, atol=1e-4)


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("curvature", [-0.4, 0.0, 1.0])
def test_disagreement_dies_inside_the_region_and_not_outside(graph, curvature):
    """On both sides of each of its two edges, `eta (2h + 3b) = 4` and `h + b = 0`.

    Below the second the mean itself runs away, so there the time is short.
    """
    least, largest = GRAPHS[graph].gaps
    curvatures = np.full((TEAM, 1), curvature, np.float32)
    edge = 4.0 / (2.0 * curvature + 3.0 * largest)
    cases = [(1.0, share * edge, 1500) for share in (0.95, 1.05)]
    if curvature < 0:
        cases = [(-share * curvature / least, 0.1, 300) for share in (0.5, 2.0)]
    for inside, (penalty, step, steps) in zip((curvature >= 0, curvature < 0), cases, strict=True):
        assert stable(step, penalty, curvature, (least, largest)) == inside
        rule = PrimalDual(penalty)
        own, _ = played(over(GRAPHS[graph]), rule, step, curvatures, steps)
        apart = np.abs(own - own.mean(axis=0)).max()
        assert (apart < 0.05) if inside else not apart < 1.0, (penalty, step, apart)


def test_without_duals_a_penalty_leaves_the_copies_apart():
    own, pact = played(over(GRAPHS["complete"]), PrimalDual(1.0, 1.0), 0.2, CURVATURES)
    assert np.abs(own - own.mean(axis=0)).max() > 0.05
    np.testing.assert_allclose(pact.dual, own - own.mean(axis=0), atol=1e-4)


def test_where_messages_go_one_way_only_duals_drift_unless_they_are_forgotten():
    """Agents that listen at intervals of their own: the team agrees, but not on the optimum."""
    network = over(GRAPHS["complete"], AsyncIntervals(4.0, 2.0))
    kept, pact = played(network, PrimalDual(1.0, 0.0), 0.05, CURVATURES, steps=6000)
    assert np.abs(pact.dual.sum(axis=0)).max() > 0.1
    forgetful, _ = played(network, PrimalDual(1.0, 0.02), 0.05, CURVATURES, steps=6000)
    misses = [np.abs(own.mean(axis=0) - BEST).max() for own in (kept, forgetful)]
    assert misses[1] < 0.5 * misses[0]


def test_a_dual_that_waits_for_the_next_exchange_wants_a_weaker_penalty():
    """What is stable with an exchange in every round is not with one in twenty."""
    network = over(GRAPHS["complete"], AsyncIntervals(20.0, 10.0))
    for penalty, agreed in ((200.0, False), (20.0, True)):
        assert stable(0.005, penalty)
        own, _ = played(network, PrimalDual(penalty, 0.1), 0.005, CURVATURES)
        apart = np.abs(own - own.mean(axis=0)).max()
        assert (apart < 0.3 * np.abs(GOALS - GOALS.mean(axis=0)).max()) == agreed, apart


def test_the_force_is_the_gradient_of_what_the_lagrangian_adds():
    mine, mean, dual = (jnp.asarray(x) for x in RANDOM.normal(size=(3, 4)).astype(np.float32))
    rule = PrimalDual(0.7)
    apart = np.asarray(mean - mine)
    expected = float(-np.sum(dual * apart) + 0.35 * np.sum(apart**2))
    assert float(rule.coupling(mine, DualState(mean, dual))) == pytest.approx(expected, rel=1e-5)
    by_hand = dual + 0.7 * (mine - mean)
    np.testing.assert_allclose(rule.dual_gradient(mine, DualState(mean, dual)), by_hand, rtol=1e-5)


def test_only_what_is_shared_is_sent_and_pulled():
    models = {"mine": jnp.ones(2), "ours": {"a": jnp.ones(3), "b": jnp.ones(4)}}
    parts = SharedSplit.of(models, {"mine": False, "ours": {"a": True, "b": False}})
    rule = PrimalDual(1.0)
    network = networks(GRAPHS["ring"], ("shared",))
    pacts, after = lift(
        lambda n: rule.consensus_step(parts.shared, rule.start(parts.shared), n, "shared")
    )(network)
    assert after.traffic["shared"].bytes.tolist() == [2 * 3 * 4] * TEAM
    assert jax.tree.map(jnp.shape, pacts.dual) == {"mine": None, "ours": {"a": (5, 3), "b": None}}
    assert jax.tree.all(jax.tree.map(lambda x, y: (x == y).all(), parts.whole, models))


def test_a_penalty_of_nothing_is_refused_and_one_too_strong_gets_a_warning():
    with pytest.raises(ConfigError, match=r"penalty \(beta\) must be above 0, not 0"):
        PrimalDual(0.0).check()
    with pytest.raises(ConfigError, match="penalty must be at least 0, not -1"):
        PrimalDual(-1.0)
    with pytest.raises(ConfigError, match="dual_decay must lie between 0 and 1, not 2"):
        PrimalDual(1.0, 2.0)
    complete, ring = family("complete", 4), family("ring", 4)
    with pytest.warns(CoterieWarning, match=r"a penalty of 2000 .* penalty 1 = 6 .* below 1333"):
        PrimalDual(2000.0).check_step(1e-3, complete.gaps)
    with pytest.warns(CoterieWarning, match=r"a penalty of 1200 .* 1.33 = 4.8 .* below 1000"):
        PrimalDual(1200.0).check_step(1e-3, ring.gaps)
    with warnings.catch_warnings(action="error"):
        PrimalDual(1200.0).check_step(1e-3, complete.gaps)
        PrimalDual(950.0).check_step(1e-3, ring.gaps)
        PrimalDual(2000.0).check_step(1e-3, family("none", 4).gaps)
        PrimalDual(100.0, 0.1).check_step(1e-3, complete.gaps, wait=20.0)
        PrimalDual(20.0, 0.1).check_step(3e-3, complete.gaps, wait=200.0)
    with pytest.warns(
        CoterieWarning, match="listen every 20 rounds, .* drift: try --dual-decay 0.1"
    ):
        PrimalDual(1.0).check_step(1e-3, complete.gaps, wait=20.0)
    with pytest.warns(CoterieWarning, match="pushed by 2.64 times .* from 100 to 11 or so"):
        PrimalDual(100.0, 0.1).check_step(3e-3, complete.gaps, wait=20.0)
    assert [stable(s, b) for s, b in itertools.product((0.1, 0.2), (6.0, 12.0))] == [
        True,
        True,
        True,
        False,
    ]
