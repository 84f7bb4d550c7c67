"""SMAC's interface: sizes, masks, observations, global state, rewards and ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs.check import check_env
from coterie.envs.skirmish import Skirmish
from coterie.envs.skirmish.maps import MAPS
from coterie.envs.skirmish.skirmish import Battle
from tests.envs.skirmish import reference
from tests.envs.skirmish.fights import FIRST, STOP, after, duel, placed, stepped

PUBLISHED = {
    "3m": (30, 48, 9, 60),
    "8m": (80, 168, 14, 120),
    "2s3z": (80, 120, 11, 120),
    "3s5z": (128, 216, 14, 150),
    "1c3s5z": (162, 270, 15, 180),
    "MMM": (160, 290, 16, 150),
    "MMM2": (176, 322, 18, 180),
    "5m_vs_6m": (55, 98, 12, 70),
    "8m_vs_9m": (85, 179, 15, 120),
    "10m_vs_11m": (105, 243, 17, 150),
    "25m": (250, 950, 31, 150),
    "27m_vs_30m": (285, 1170, 36, 180),
    "3s5z_vs_3s6z": (136, 230, 15, 170),
    "3s_vs_5z": (48, 68, 11, 250),
    "6h_vs_8z": (78, 140, 14, 150),
    "2s_vs_1sc": (17, 27, 7, 300),
    "2m_vs_1z": (16, 26, 7, 150),
    "bane_vs_bane": (336, 984, 30, 200),
}
"""SMAC's lengths of observation and state, number of actions, and limit."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_smacs(name):
    env = Skirmish(name)
    state, view = jax.eval_shape(env.reset, jax.random.key(0))
    shown = jax.eval_shape(env.global_state, state, view)
    (spec,) = set(env.specs)
    told = spec.size, shown.shape[0], spec.action.size, env.limit
    assert told == PUBLISHED[name]
    assert view.observation.shape == (len(MAPS[name].allies), spec.size)
    assert view.action_mask.shape[1] == spec.action.size


def anywhere(env, seed):
    """A battle with units anywhere, some of them dead, at any moment."""
    random = np.random.default_rng(seed)
    there = MAPS[env.map]
    state, _ = env.reset(jax.random.key(seed))
    total, number = len(state.units.x), len(there.allies)
    (west, south), (east, north) = there.arena.low, there.arena.high
    x, y = random.uniform(west, east, total), random.uniform(south, north, total)
    alive = random.random(total) < 0.8
    drawn = {name: random.random(total) * alive for name in ("health", "shield", "energy")}
    more = {name: getattr(state.units, name) * drawn[name] for name in drawn}
    numbers = {"x": x, "y": y, "cooldown": random.random(total) * 2, **more}
    units = {name: jnp.asarray(each, jnp.float32) for name, each in numbers.items()}
    last = jnp.asarray(random.integers(0, env.specs[0].action.size, number), jnp.int32)
    return Battle(state.units._replace(**units), last, jnp.int32(3))


@pytest.mark.parametrize("name", ["2s3z", "MMM2"])
def test_what_is_seen_and_possible_is_what_smac_says(name):
    env, there = Skirmish(name), MAPS[name]
    actions = env.specs[0].action.size
    show = jax.jit(lambda state: (env.view(state), env.global_state(state, env.view(state))))
    for seed in range(5):
        state = anywhere(env, seed)
        view, whole = show(state)
        everybody = reference.units_of(there, state.units)
        for agent in range(len(there.allies)):
            possible = reference.mask(there, everybody, agent, actions)
            np.testing.assert_array_equal(view.action_mask[agent], possible)
            seen = reference.observation(there, everybody, agent, possible)
            np.testing.assert_allclose(view.observation[agent], seen, atol=1e-5)
        expected = reference.state(there, everybody, state.last, actions)
        np.testing.assert_allclose(whole, expected, atol=1e-5)


def test_last_actions_of_allies_in_sight_are_seen_if_asked_for():
    env = Skirmish("3m", last_action=True)
    assert env.specs[0].size == 30 + 2 * 9
    places = [[10, 16], [12, 16], [25, 16], [30, 9], [30, 10], [30, 11]]
    state = placed(env, places)._replace(last=jnp.array([1, 4, 5], jnp.int32))
    seen = env.view(state).observation[0]
    first, second = seen[4 + 15 : -1].reshape(2, 5 + 9)
    np.testing.assert_array_equal(first[5:], np.eye(9)[4])
    np.testing.assert_array_equal(second, 0.0)


def test_a_healer_has_as_many_targets_as_there_are_friends():
    env = Skirmish(allies=("marine=3", "medivac=1"), enemies=("marine=1",))
    assert env.specs[0].action.size == 6 + 4
    state = placed(env, [[5, 16], [6, 16], [7, 16], [8, 16], [10, 16]])
    mask = np.asarray(env.view(state).action_mask)[:, 6:]
    np.testing.assert_array_equal(mask[0], [True, False, False, False])
    np.testing.assert_array_equal(mask[3], [True, True, True, False])


@pytest.mark.parametrize("name", ["3m", "2s3z"])
def test_a_full_win_pays_twenty(name):
    env = Skirmish(name)
    state, _ = env.reset(jax.random.key(0))
    number, paid = len(env.specs), 0.0
    beaten = np.arange(len(state.units.x)) >= number
    bare = jnp.where(beaten, 0.0, state.units.shield)
    half = state.units._replace(health=jnp.where(beaten, 1.0, state.units.health), shield=bare)
    none = half._replace(health=jnp.where(beaten, 0.0, half.health))
    for before, after_, won in ((state.units, half, False), (half, none, True)):
        paid += float(env.pay(before, after_, jnp.array(won))[0])
    np.testing.assert_allclose(paid, 20.0, rtol=1e-6)


def test_signs_of_rewards():
    """A shield regains a point; an own marine loses five."""
    paid, scale = {}, 20 / (10 + 200 + 160)
    for kind in ("positive", "damage", "signed"):
        env = duel("marine", "stalker", reward=kind)
        state = placed(env, [[2, 16], [30, 16]])
        gained = state.units.shield - jnp.array([0.0, 5.0])
        before = state.units._replace(shield=gained)
        after_ = before._replace(shield=gained + jnp.array([0.0, 1.0]))
        after_ = after_._replace(health=after_.health - jnp.array([5.0, 0.0]))
        paid[kind] = float(env.pay(before, after_, jnp.array(False))[0]) / scale
    expected = {"positive": 1.0, "damage": -1.0, "signed": -1.0 - 2.5}
    assert paid == pytest.approx(expected, rel=1e-5)


def test_only_some_are_paid():
    env = Skirmish("3m", paid=(1,))
    state = placed(env, [[10, 15], [10, 16], [10, 17], [15, 15], [15, 16], [15, 17]])
    _, timestep = after(env, state, [FIRST] * 3)
    assert timestep.reward[1] > 0 and timestep.reward[0] == timestep.reward[2] == 0


def test_a_limit_cuts_off_and_a_defeat_ends():
    env = duel("marine", "marine", time_limit=1)
    _, timestep = after(env, placed(env, [[2, 9], [30, 24]]), [STOP])
    assert timestep.truncated.all() and not timestep.terminated.any()
    state = placed(env, [[10, 16], [15, 16]], health=[1, 45])
    hunted = state.units._replace(target=jnp.array([-1, 0], jnp.int32))
    _, timestep = after(env, state._replace(units=hunted), [STOP])
    assert timestep.terminated.all() and not timestep.truncated.any()
    assert timestep.info["won"] == 0 and timestep.info["dead_allies"] == 1


@pytest.mark.parametrize("leave", [False, True])
def test_the_dead_wait_or_leave(leave):
    env = Skirmish(allies=("marine=2",), enemies=("marine=1",), leave=leave)
    state = placed(env, [[10, 16], [10, 20], [15, 16]], health=[0, 45, 45])
    timestep = stepped(env)(state, jnp.array([0, STOP]))[1]
    assert timestep.view.action_mask[0].tolist() == [True] + [False] * 6
    np.testing.assert_array_equal(timestep.view.observation[0], 0.0)
    assert timestep.terminated.tolist() == [leave, False]
    if leave:
        assert timestep.view.alive.tolist() == [False, True]
    else:
        assert timestep.view.alive is None


@pytest.mark.parametrize("env", [Skirmish("2s3z", leave=True), Skirmish("3m")])
def test_a_team_passes_all_checks(env):
    assert check_env(env) == []


def test_starts_differ_and_nobody_stands_in_another():
    env = Skirmish("MMM2")
    one, other = (jax.jit(env.reset)(jax.random.key(seed))[0].units for seed in (0, 1))
    assert not np.any(np.isclose(one.x, other.x))
    place = np.stack([one.x, one.y], axis=1)
    apart = np.linalg.norm(place[:, None] - place, axis=-1) + 9 * np.eye(22)
    assert apart.min() > 0.7
    for kind in ("marauder", "marine"):
        mine = [i for i, name in enumerate(env.names) if name.startswith(kind)]
        assert np.all(np.diff(np.asarray(one.x)[mine]) >= 0), "from west to east"


def test_a_picture_shows_who_lives_and_the_beam():
    env = Skirmish(allies=("marine=1", "medivac=1"), enemies=("stalker=1",))
    state = placed(env, [[5, 16], [8, 16], [30, 16]])
    picture = env.render(state)
    assert picture.shape == (270, 480, 3) and picture.dtype == np.uint8
    healing = state.units._replace(hit=jnp.array([-1, 0, -1], jnp.int32))
    beamed = env.render(state._replace(units=healing))
    changed = np.any(picture != beamed, axis=-1)
    assert changed[130:140, 75:120].any() and not changed[:, 200:].any()
    dead = state.units._replace(health=jnp.array([45.0, 150.0, 0.0]))
    gone = np.any(picture != env.render(state._replace(units=dead)), axis=-1)
    assert gone[:, 400:].any() and not gone[:, :300].any()
