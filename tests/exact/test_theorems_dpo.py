"""DPO's bounds on random pairs of teams, its monotone sequence, and checks that go red."""

from itertools import islice, pairwise

import numpy as np
import pytest

from coterie.exact import (
    Constants,
    best_step,
    constants,
    divergence,
    evaluate,
    exact_dpo,
    improvement_bound,
    individual_objective,
    joint_objective,
    lemma_bound,
    paper_constants,
    second_order_constants,
    spans,
    step_together,
    surrogate,
    tight_improvement_bound,
    tight_lemma_bound,
    tightened_constants,
    total_variation,
    trpo_bound,
    uniform,
    verified_constants,
)
from tests.exact.teams import door, random_game, random_pairs, random_team

SLACK = 1e-10
KINDS = (paper_constants, tightened_constants, second_order_constants)


@pytest.fixture(scope="module")
def pairs():
    """Evaluated old teams, new policies, and what the team really gains."""
    found = list(random_pairs(seed=0, count=200))
    return [(old, new, old.instead(new).performance - old.performance) for old, new in found]


# Lemma 3.1: what an agent's own objective misses of the joint one.


def lemma_gaps(pairs):
    for old, new, _ in pairs:
        whole = joint_objective(old, new)
        for agent in range(old.agents):
            yield old, new, agent, whole - individual_objective(old, agent, new[agent])


def test_lemma_3_1(pairs):
    for old, new, agent, gap in lemma_gaps(pairs):
        assert lemma_bound(old, new, agent) <= tight_lemma_bound(old, new, agent) + SLACK
        assert tight_lemma_bound(old, new, agent) <= gap + SLACK


def test_a_broken_lemma_is_noticed(pairs):
    def own_change(old, new, agent):  # the wrong agent's
        change = total_variation(old.policies[agent], new[agent])
        return -float(old.visits @ (spans(old) * change))

    def no_discount(old, new, agent):  # visits that sum to one
        return (1 - old.discount) * tight_lemma_bound(old, new, agent)

    gaps = list(lemma_gaps(pairs))
    for broken in (own_change, no_discount):
        assert any(gap < broken(old, new, agent) - 1e-3 for old, new, agent, gap in gaps)


# Theorem 3.2: what the team gains.


def test_trpo_and_theorem_3_2(pairs):
    for old, new, gain in pairs:
        assert trpo_bound(old, new) <= gain + SLACK
        for kind in KINDS:
            assert improvement_bound(old, new, kind(old)) <= gain + SLACK
        assert tight_improvement_bound(old, new) <= gain + SLACK


def test_theorem_3_2_gets_tighter(pairs):
    for old, new, _ in pairs:
        paper, tightened = (improvement_bound(old, new, kind(old)) for kind in KINDS[:2])
        assert paper <= tightened + SLACK
        assert tightened <= tight_improvement_bound(old, new) + SLACK


def test_the_shift_of_states_is_bounded(pairs):
    for old, new, gain in pairs:
        change = total_variation(old.joint, old.instead(new).joint).max()
        assert abs(gain - joint_objective(old, new)) <= constants.shift(old) * change**2 + SLACK


def test_an_infinite_step_costs_what_it_is_priced():
    old = evaluate(door(), uniform(door()), 0.5)
    push = np.array([[0.0, 1.0], [0.0, 1.0]])
    assert surrogate(old, 0, push, Constants(1.0, 0.0, 0.0)) == pytest.approx(0.32)
    assert surrogate(old, 0, push, Constants(1.0, 0.0, 1e-9)) == -np.inf
    assert lemma_bound(old, [push, push], 0) == -np.inf


def test_a_broken_theorem_3_2_is_noticed(pairs):
    def free(old):  # nothing is charged for a step
        return Constants(1.0 / old.agents, 0.0, 0.0)

    def no_crossing(old):  # agents are thought not to disturb each other
        return Constants(1.0, 0.0, constants.shift(old) / 2.0)

    def no_shift(old):  # states are thought to be visited as before
        return second_order_constants(old)._replace(linear=0.0)

    steps = [*pairs, *(stepped(old) for old, _, _ in pairs)]
    for broken in (free, no_crossing, no_shift):
        assert any(
            gain < improvement_bound(old, new, broken(old)) - 1e-3 for old, new, gain in steps
        )


def stepped(old):
    """Everybody's best response at once: what most easily breaks a bound."""
    new = [best_step(old, agent, Constants(1.0, 0.0, 0.0)) for agent in range(old.agents)]
    return old, new, old.instead(new).performance - old.performance


# Theorem 3.3: the sequence of exact DPO.


def starts(seed, count):
    rng = np.random.default_rng(seed)
    for number in range(count):
        game = random_game(rng, 3, ((2, 2), (3, 2), (2, 2, 2))[number % 3], sharp=1 + number % 3)
        yield evaluate(game, random_team(rng, game), (0.5, 0.9)[number % 2])


def is_monotone(teams):
    return all(b.performance >= a.performance - SLACK for a, b in pairwise(teams))


def test_theorem_3_3_with_tight_constants():
    for start in starts(seed=0, count=40):
        teams = list(islice(exact_dpo(start), 8))
        assert is_monotone(teams) and len(teams) == 8
        assert teams[-1].performance > start.performance + 1e-4


def test_verified_steps_are_longer_and_monotone():
    for start in starts(seed=3, count=10):
        proven = list(islice(exact_dpo(start), 6))
        verified = list(islice(exact_dpo(start, verified_constants), 6))
        assert is_monotone(verified)
        assert verified[-1].performance > proven[-1].performance + 1e-4
        for a, b in pairwise(verified):
            pairs = zip(a.policies, b.policies, strict=True)
            assert max(divergence(*pair).max() for pair in pairs) <= 0.1


def test_verified_steps_keep_the_inequality_at_any_length():
    for start in starts(seed=4, count=10):
        caution = verified_constants(start, longest=np.inf)
        new = step_together(start, caution)
        promised = improvement_bound(start, new.policies, caution)
        assert new.performance - start.performance >= promised > 0.0


def test_reckless_steps_are_noticed():
    def reckless(old):
        return second_order_constants(old)._replace(linear=1e-3)

    assert not all(is_monotone(list(islice(exact_dpo(s, reckless), 4))) for s in starts(1, 40))


def test_steps_are_useful_and_end_where_no_agent_gains():
    rng = np.random.default_rng(0)
    game = random_game(rng, 4, (2, 3))
    start = evaluate(game, uniform(game), 0.5)
    for kind, steps, share in ((second_order_constants, 120, 0.02), (verified_constants, 12, 1e-3)):
        *_, last = teams = list(islice(exact_dpo(start, kind), steps))
        assert is_monotone(teams)
        pairs = zip(start.policies, teams[1].policies, strict=True)
        assert max(divergence(*pair).max() for pair in pairs) > 1e-3
        regrets = [last.visits @ last.advantage(agent).max(axis=1) for agent in (0, 1)]
        assert max(regrets) < share * (last.performance - start.performance)


@pytest.mark.parametrize("kind", [paper_constants, tightened_constants])
def test_with_a_root_the_best_step_is_none(kind):
    """`L^i <= sum_s rho(s) span_s TV_s <= N root sqrt(D)` whenever `1 < N (N - 1)`."""
    for start in starts(seed=2, count=100):
        caution = kind(start)
        moved = [best_step(start, agent, caution) for agent in range(start.agents)]
        assert all(map(np.array_equal, moved, start.policies))
    assert len(list(exact_dpo(start, kind))) == 1


def test_a_lone_agent_moves_with_any_constants():
    game = random_game(np.random.default_rng(0), 3, (3,))
    for kind in KINDS:
        teams = list(islice(exact_dpo(evaluate(game, uniform(game), 0.5), kind), 5))
        assert len(teams) == 5 and is_monotone(teams)


def test_the_papers_constants_by_hand():
    old = evaluate(door(), uniform(door()), 0.5)  # rewards in [0, 1], N = 2
    assert paper_constants(old) == pytest.approx((0.5, np.sqrt(0.5) * 8, 16))
    higher = door()._replace(reward=door().reward + 7.0)
    assert paper_constants(evaluate(higher, uniform(higher), 0.5)) == pytest.approx(
        paper_constants(old)
    )
    # Advantages go from 0.2 - 0.4 to 1.0 - 0.4 at the door, behind it nothing; rho = (1.6, 0.4).
    np.testing.assert_allclose(spans(old), [0.8, 0.0], atol=1e-15)
    assert tightened_constants(old).root == pytest.approx(np.sqrt(0.5) * 1.28 * np.sqrt(0.5))
    assert second_order_constants(old).linear == pytest.approx(
        0.64 + tightened_constants(old).linear
    )
