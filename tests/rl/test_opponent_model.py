"""An environment whose players follow known rules: what an observer makes of them."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from coterie.rl import replay
from coterie.rl.opponent_model import History, OpponentModels, init_opponent_models

TEAM, SEEN, ACTS, WINDOW, LENGTH = 4, 2, 2, 3, 8
ALL = jnp.arange(TEAM)
RANDOM = np.random.default_rng(0)
LEANING = np.array([[0.8, 0.2], [0.3, 0.7]])  # agent 1, by which of two things it sees


def episodes(count):
    """Steps `[T, count, N, ...]`: agent 0 observes, 1 leans, 2 alternates, 3 always does the same.

    Nobody can tell from what agent 2 sees which turn it is.
    """
    which = RANDOM.integers(2, size=(LENGTH, count, TEAM))
    action = np.zeros_like(which)
    action[..., 0] = RANDOM.integers(2, size=which.shape[:2])
    action[..., 1] = RANDOM.random(which.shape[:2]) < LEANING[which[..., 1], 1]
    action[..., 2] = (np.arange(LENGTH)[:, None] + RANDOM.integers(2, size=count)) % 2
    action[..., 3] = 1
    return np.eye(2, dtype=np.float32)[which], np.eye(2, dtype=np.float32)[action]


def steps_of(seen, acted):
    """What each of a team saw and did, agents first."""
    return np.moveaxis(np.concatenate([seen, acted], axis=-1), 2, 0)


def moments(seen, acted):
    """Every moment as `(seen, acted, past)`, with up to `WINDOW` steps before it."""
    count = seen.shape[1]
    blank = np.zeros((WINDOW, count))
    padded = [
        np.concatenate([np.zeros((WINDOW, *x.shape[1:]), np.float32), x]) for x in (seen, acted)
    ]
    real = np.concatenate([blank, np.ones((LENGTH, count))]) > 0
    at = [slice(t, t + WINDOW) for t in range(LENGTH)]
    windows = [np.concatenate([x[s] for s in at], axis=1) for x in (*padded, real)]
    past = History(steps_of(*windows[:2]), np.zeros_like(windows[2]), windows[2])
    now = seen.reshape(-1, *seen.shape[2:]), acted.reshape(-1, *acted.shape[2:])
    return jax.tree.map(jnp.asarray, (*now, past))


def at(past, places):
    """These of all moments."""
    return History(past.steps[:, :, places], past.over[:, places], past.real[:, places])


def whole(seen, acted):
    over = np.arange(LENGTH)[:, None] == LENGTH - 1
    over = np.broadcast_to(over, seen.shape[:2])
    return jax.tree.map(jnp.asarray, History(steps_of(seen, acted), over, np.ones_like(over)))


def fresh():
    minds = init_opponent_models(jax.random.key(0), TEAM, (SEEN, ACTS), 16)
    return OpponentModels(minds, whole(*episodes(4)))


@functools.cache
def taught(discrete=True, steps=300):
    """Minds after so many steps down their loss, and a fresh set of moments."""
    lessons, exam = moments(*episodes(1500)), moments(*episodes(200))
    minds = fresh()
    rule = optax.adam(0.02)

    def step(carry, key):
        minds, state = carry
        drawn = jax.random.randint(key, (256,), 0, len(lessons[0]))
        lesson = (*(x[drawn] for x in lessons[:2]), at(lessons[2], drawn))
        gradient, metrics = minds.gradient(*lesson, jnp.int32(0), discrete)
        change, state = rule.update(gradient, state)
        return (minds._replace(models=eqx.apply_updates(minds.models, change)), state), metrics

    carry = minds, rule.init(eqx.filter(minds.models, eqx.is_array))
    keys = jax.random.split(jax.random.key(1), steps)
    (minds, _), metrics = jax.jit(lambda c: jax.lax.scan(step, c, keys))(carry)
    return minds, metrics, exam


@pytest.mark.deep
def test_an_observer_learns_what_the_others_do():
    """Chances as they are, and what only the steps before can tell."""
    minds, metrics, (seen, acted, past) = taught()
    chances = np.asarray(jax.nn.softmax(minds.predict(seen, past, ALL)))
    which = seen[:, 1].argmax(axis=-1)
    assert np.abs(chances[:, 1] - LEANING[which]).mean() < 0.1
    known = np.asarray(past.real[-1])  # not the first step of an episode
    assert (chances[:, 2].argmax(-1) == acted[:, 2].argmax(-1))[known].mean() > 0.97
    assert chances[:, 3, 1].min() > 0.95
    # What cannot be known: agent 1's chance, and where agent 2 begins.
    entropy = -np.sum(LEANING * np.log(LEANING)) / 2
    least = (entropy + np.log(2) / LENGTH) / 3
    assert least * 0.9 < float(metrics["opponent_model/loss"][-50:].mean()) < least * 1.2
    right = (0.75 + (1 - 0.5 / LENGTH) + 1.0) / 3
    assert float(metrics["opponent_model/accuracy"][-50:].mean()) == pytest.approx(right, abs=0.03)
    assert float(metrics["opponent_model/accuracy"][0]) < right - 0.15


@pytest.mark.deep
def test_without_the_steps_before_an_alternating_player_is_a_coin():
    minds, _, (seen, acted, past) = taught()
    blind = past._replace(real=jnp.zeros_like(past.real))
    chances = jax.nn.softmax(minds.predict(seen, blind, ALL))
    assert 0.4 < (chances[:, 2].argmax(-1) == acted[:, 2].argmax(-1)).mean() < 0.6


def test_what_is_not_real_changes_nothing():
    minds, _, (seen, _, past) = taught()
    garbage = past._replace(steps=jnp.where(past.real[..., None], past.steps, 7.0))
    one, other = minds.predict(seen, past, ALL), minds.predict(seen, garbage, ALL)
    np.testing.assert_array_equal(one, other)


def test_all_four_networks_learn_and_nobody_models_himself():
    minds, (seen, acted, past) = fresh(), moments(*episodes(5))
    # Heads start close to 0: what stands before them learns once they have moved.
    moved = minds._replace(models=jax.tree.map(lambda x: x + 0.1, minds.models))
    learn = jax.jit(lambda minds: minds.gradient(seen, acted, past, jnp.int32(0), True)[0])
    gradient = learn(moved)
    for part in (gradient.character, gradient.mental, gradient.natural, gradient.impromptu):
        sizes = [np.abs(np.asarray(x)).reshape(TEAM, -1).max(axis=1) for x in jax.tree.leaves(part)]
        assert (np.max(sizes, axis=0)[1:] > 0).all() and (np.max(sizes, axis=0)[0] == 0).all()


@pytest.mark.deep
def test_numbers_are_predicted_as_numbers():
    """Continuous actions are not drawn: the error is that of the mean."""
    minds, metrics, (seen, _, past) = taught(discrete=False)
    told = minds.sample(seen, past, jnp.int32(0), False, jax.random.key(0))
    which = seen[:, 1].argmax(axis=-1)
    assert np.abs(told[:, 1] - LEANING[which]).mean() < 0.15
    assert 0.4 < float(metrics["opponent_model/accuracy"][-1]) < 1.0


def test_draws_follow_the_chances():
    minds, _, (seen, _, past) = taught()
    drawn = minds.sample(seen, past, jnp.int32(0), True, jax.random.key(0))
    assert set(np.unique(drawn)) == {0.0, 1.0} and not drawn[:, 0].any()
    assert (drawn[:, 1:].sum(axis=-1) == 1).all()
    first = seen[:, 1].argmax(axis=-1) == 0
    assert drawn[first, 1, 0].mean() == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize("count", [5, 9])
def test_the_steps_before_are_found_in_a_memory(count):
    """Two environments side by side in a memory of 11 places, which is no multiple of it."""
    memory = replay.empty(jnp.zeros((), jnp.int32), 11)
    for t in range(count):
        memory = replay.add(memory, jnp.array([10 * t, 10 * t + 1]))
    kept = sorted(np.asarray(memory.items))[-int(memory.size) :]
    places = jnp.arange(int(memory.size))
    found, real = replay.before(memory, places, 2, 2)
    values = np.asarray(memory.items)[np.asarray(found)]
    for place in range(len(places)):
        for back in (0, 1, 2):
            expected = values[2, place] - 10 * back
            assert real[2 - back, place] == (expected in kept and expected >= 0)
            assert not real[2 - back, place] or values[2 - back, place] == expected
    newest = replay.latest(memory, jax.random.key(0), 200, 3)
    assert set(np.asarray(memory.items)[newest].tolist()) == set(kept[-3:])


def test_the_gradient_is_that_of_the_mean_error_of_those_who_are_there():
    minds, (seen, acted, past) = fresh(), moments(*episodes(3))
    there = jnp.asarray(RANDOM.random(acted.shape[:2]) < 0.6)

    def loss(models):
        outputs = minds._replace(models=models).predict(seen, past, ALL)
        errors = -jnp.sum(acted * jax.nn.log_softmax(outputs), axis=-1)
        counts = there & (ALL != 2)
        return jnp.sum(jnp.where(counts, errors, 0.0)) / jnp.sum(counts)

    def both(minds):
        gradient, metrics = minds.gradient(seen, acted, past, jnp.int32(2), True, there)
        return gradient, metrics["opponent_model/loss"], jax.value_and_grad(loss)(minds.models)

    gradient, told, (value, expected) = jax.jit(both)(minds)
    assert float(told) == pytest.approx(float(value), rel=1e-5)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), gradient, expected)
