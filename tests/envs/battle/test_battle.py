"""Battle: hand-made fights with exact numbers, what MAgent2 did, and bad input."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import Battle
from coterie.envs.battle.combat import BLOWS, MOVES, resolve
from coterie.envs.battle.field import Units
from coterie.envs.battle.picture import painted
from coterie.envs.battle.views import look
from coterie.errors import ConfigError
from coterie.rl.replay import Quantized

STAY, RIGHT_TWO, RIGHT = 6, 8, 7
MAGENT2 = Path(__file__).parent / "magent2.npz"
ENV = Battle()
FIELD = ENV.field


def attack(dx, dy):
    return len(MOVES) + BLOWS.tolist().index([dx, dy])


def fight(places, health, action, resolution="sequential"):
    """Two units a side on the field of 20 cells: places, health and rewards after a step."""
    units = Units(jnp.asarray(FIELD.number(np.array(places))), jnp.asarray(health, jnp.float32))
    after, outcome = resolve(FIELD, units, jnp.asarray(action), jnp.arange(4), resolution)
    reward = ENV.paid(units.alive, after.alive, outcome)
    return np.stack(FIELD.place(after.cell), -1).tolist(), after.health, reward


FAR = [(3, 3), (3, 16), (16, 3), (16, 16)]


@pytest.mark.parametrize("resolution", ["sequential", "simultaneous"])
def test_a_blow_takes_two_a_step_gives_back_a_tenth_and_a_kill_pays_five(resolution):
    places = [(5, 5), (3, 16), (6, 5), (16, 16)]
    action = [attack(1, 0), attack(1, 0), STAY, STAY]
    _, health, reward = fight(places, [10, 9.95, 10, 5], action, resolution)
    np.testing.assert_allclose(health, [10, 10, 8.1, 5.1], rtol=1e-6)
    np.testing.assert_allclose(reward, [0.095, -0.105, -0.005, -0.005], rtol=1e-5)
    _, health, reward = fight(places, [10, 10, 1.9, 5], action, resolution)
    assert health[2] < 0
    np.testing.assert_allclose(reward, [4.895, -0.105, -0.1, -0.005], rtol=1e-5)


def test_who_is_killed_first_does_not_strike_but_at_once_both_do():
    places, action = [(5, 5), (3, 16), (6, 5), (16, 16)], [attack(1, 0), STAY, attack(-1, 0), STAY]
    _, health, _ = fight(places, [1, 10, 1, 10], action)
    assert health[0] > 0 > health[2]
    _, health, _ = fight(places, [1, 10, 1, 10], action, "simultaneous")
    assert health[0] < 0 and health[2] < 0


def test_units_jump_two_cells_over_others_and_never_onto_them_or_into_walls():
    places, _, _ = fight([(5, 5), (6, 5), (16, 3), (17, 3)], [10] * 4, [RIGHT_TWO, STAY, RIGHT, 8])
    assert places == [[7, 5], [6, 5], [16, 3], [17, 3]]


def test_a_cell_that_is_left_earlier_is_free_and_at_once_it_is_not():
    start = [(6, 5), (5, 5), (16, 3), (16, 16)]
    action = [RIGHT, RIGHT, STAY, STAY]
    assert fight(start, [10] * 4, action)[0][:2] == [[7, 5], [6, 5]]
    assert fight(start, [10] * 4, action, "simultaneous")[0][:2] == [[7, 5], [5, 5]]


@pytest.mark.parametrize("resolution", ["sequential", "simultaneous"])
def test_the_cell_of_who_was_killed_in_this_step_is_free(resolution):
    places = [(6, 5), (3, 16), (5, 5), (4, 5)]
    action = [STAY, STAY, attack(1, 0), RIGHT_TWO]
    after, health, _ = fight(places, [1, 10, 10, 10], action, resolution)
    assert health[0] < 0 and after[3] == [6, 5]


def test_from_magents_fields_with_its_order_of_attacks_everything_is_what_it_made_of_them():
    with np.load(MAGENT2) as file:
        seen = dict(file)

    def one(cell, health, action, order):
        units = Units(cell, health)
        after, outcome = resolve(FIELD, units, action, order)
        reward = ENV.paid(units.alive, after.alive, outcome)
        return after, reward, look(FIELD, after, slice(0, 2 * ENV.army))

    places = FIELD.number(np.maximum(seen["cell"].astype(int), 0))
    now = (places, seen["hp"], seen["action"].astype(np.int32), seen["order"].astype(np.int32))
    after, reward, view = jax.jit(jax.vmap(one))(*now)
    alive = seen["alive2"]
    assert alive.sum() > 2000 and (~alive).sum() > 500
    np.testing.assert_array_equal(after.health >= 0, alive)
    place = np.stack(FIELD.place(after.cell), -1)
    np.testing.assert_array_equal(place[alive], seen["cell2"][alive])
    np.testing.assert_allclose(reward, seen["reward"], atol=1e-5)
    np.testing.assert_allclose(view[alive], seen["views"][alive] / 100, atol=1e-4)


@pytest.mark.parametrize("resolution", ["sequential", "simultaneous"])
def test_nobody_shares_a_cell_and_health_has_its_bounds(resolution):
    env = Battle(resolution=resolution, both_armies=True)

    def play(state, key):
        action = jax.random.randint(key, (24,), 0, 21)
        state, told = env.step(state, action)
        return state, (state.units, told.view)

    state, _ = env.reset(jax.random.key(0))
    _, (units, view) = jax.lax.scan(play, state, jax.random.split(jax.random.key(1), 100))
    kept = Quantized.of(view.observation, env.specs[0].quantization_step)
    np.testing.assert_allclose(kept.numbers, view.observation, atol=1e-5)  # a byte is enough
    present = view.alive
    np.testing.assert_array_equal(present, units.health >= 0)
    for cell, health in zip(np.asarray(units.cell), np.asarray(units.health), strict=True):
        living = cell[health >= 0]
        assert len(set(living.tolist())) == len(living)
        x, y = FIELD.place(living)
        assert min(x.min(), y.min()) >= 1 and max(x.max(), y.max()) <= 18
    assert units.health.max() <= 10.0 and units.health.min() >= -2.0


def test_the_minimap_and_the_last_action_are_more_channels():
    env = Battle(minimap=True, last_action=True, opponent="random")
    state, view = env.reset(jax.random.key(0))
    assert view.observation.shape == (12, 13, 13, 31)
    assert env.specs[0].quantization_step == 0.0  # densities and rewards are in no steps
    column, row = (int(part) // 2 for part in FIELD.armies[0][0])
    assert float(view.observation[0, row, column, 3]) >= 1.0  # the own place in the own map
    _, told = env.step(state, jnp.full(12, STAY))
    assert float(told.view.observation[3, 0, 0, 8 - 1 + STAY]) == 1.0


def test_a_picture_is_blue_and_red_and_paler_where_units_are_weak():
    units = FIELD.start()
    fresh, weak = painted(FIELD, units), painted(FIELD, units._replace(health=units.health / 10))
    left, right = fresh[:, : fresh.shape[1] // 2], fresh[:, fresh.shape[1] // 2 :]
    assert (left == (0, 114, 178)).all(-1).any() and (right == (213, 94, 0)).all(-1).any()
    assert weak.mean() > fresh.mean()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"map_size": 11}, "at least 12|between 12"),
        ({"map_size": 501}, "256 on 80"),
        ({"map_size": 12, "minimap": True}, "13 squares a side, more than the 12 cells"),
        ({"opponent": "scrip"}, "unknown opponent 'scrip'.*script"),
        ({"opponent": "random", "both_armies": True}, "nobody is left to play as random"),
    ],
)
def test_bad_options_get_one_sentence(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Battle(**options)


def test_a_folder_without_policies_is_no_opponent(tmp_path):
    with pytest.raises(ConfigError, match="holds no policies"):
        Battle(opponent=str(tmp_path))
