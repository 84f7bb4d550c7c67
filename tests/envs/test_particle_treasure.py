"""Treasure collection: golden steps, every rule by hand, and a plain transcription of all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import ENVS, Observation, Treasure, TreasureMATRPO
from coterie.envs.check import check_env
from coterie.envs.particle.treasure_hunt import Hunt
from coterie.errors import ConfigError
from tests.envs import plain

CASES = [Treasure, TreasureMATRPO]
REST = jnp.zeros(8, jnp.int32)
# Apart from each other, from all banks and from all treasures; in rows, to be replaced.
HUNTERS = [[-2.0, 0.5 * i] for i in range(6)]
BANKS = [[-4.0, 0.0], [-4.0, 1.0]]
TREASURES = [[2.0, 0.5 * i] for i in range(6)]


def hunt(hunters=(), banks=(), treasures=(), colors=(), loads=(), gone=(), velocity=()) -> Hunt:
    """Eight agents at rest; the first places are given, by number or in order of their listing."""
    position = np.array([*replaced(HUNTERS, hunters), *replaced(BANKS, banks)])
    color = np.array(replaced([0] * 6, colors))
    load = np.array(replaced([-1] * 6, loads))
    treasure = np.array(replaced(TREASURES, treasures))
    speed = np.array(replaced([[0.0, 0.0]] * 8, velocity))
    return Hunt(
        jnp.array(position, jnp.float32),
        jnp.array(speed, jnp.float32),
        jnp.array(treasure, jnp.float32),
        jnp.array(color[:, None] == np.arange(2)),
        jnp.array([i not in gone for i in range(6)]),
        jnp.array(load[:, None] == np.arange(2)),
        jnp.int32(0),
        jax.random.key(7),
        jnp.int32(0),
        jnp.int32(0),
    )


def replaced(usual, given):
    return [*given, *usual[len(given) :]]


STEPS = {kind: jax.jit(kind().step) for kind in CASES}


def played(state, kind=Treasure):
    after, timestep = STEPS[kind](state, REST)
    return after, np.asarray(timestep.reward), timestep


def shared(state) -> float:
    """What all are paid together, from the only bank whose wait is known: it has moved none."""
    _, reward, _ = played(state)
    bank, hunters = np.asarray(state.position[-1]), np.asarray(state.position[:6])
    assert not state.load[:, 1].any()
    return float(reward[-1] + 0.1 * np.linalg.norm(hunters.mean(axis=0) - bank))


def holds(state) -> list[int]:
    """The number of each hunter's bank, -1 if it carries nothing."""
    return [int(np.argmax(row)) if row.any() else -1 for row in np.asarray(state.load)]


# --- how they move ---


def test_golden_steps_of_a_hunter_that_runs_into_a_bank():
    """Found with the core that MAAC was released with; the other two are far away."""
    position = np.array([[0, 0], [9, 9], [-9, 9], [0.11, 0]])
    actions = [[1, 0, 0, 0], [1, 0, 0, 2], [3, 0, 0, 0], [0, 0, 0, 0]]
    expected = [
        ([-0.01125, 0, 0.11296296, 0], [-0.11250001, 0, 0.02962963, 0]),
        ([0.00019761, 0, 0.09291475, 0], [0.11447608, 0, -0.20048212, 0]),
        ([-0.06385311, 0.0225, 0.08425545, 0], [-0.64050722, 0.225, -0.08659299, 0]),
        ([-0.11189116, 0.039375, 0.07776098, 0], [-0.48038041, 0.16875, -0.06494474, 0]),
    ]
    with jax.enable_x64(True):
        env = Treasure(agents=4)
        state, _ = jax.jit(env.reset)(jax.random.key(0))
        state, step = state._replace(position=jnp.array(position)), jax.jit(env.step)
        state = state._replace(velocity=jnp.zeros((4, 2)), treasure=jnp.full((3, 2), 5.0))
        for action, (place, speed) in zip(actions, expected, strict=True):
            state, _ = step(state, jnp.array(action))
            np.testing.assert_allclose(np.ravel(state.position[::3]), place, atol=1e-8)
            np.testing.assert_allclose(np.ravel(state.velocity[::3]), speed, atol=1e-8)


def test_all_accelerate_alike_to_nine_tenths_and_collisions_are_capped_at_one():
    state = hunt()
    push = jax.jit(
        lambda s: jax.lax.fori_loop(0, 60, lambda _, s: Treasure().step(s, REST + 3)[0], s)
    )
    np.testing.assert_allclose(push(state).velocity, [[0.0, 0.9]] * 8, atol=1e-4)
    crash = hunt(hunters=[[0.0, 0.0], [0.02, 0.0]])
    after, _, _ = played(crash)
    speed = np.linalg.norm(after.velocity, axis=1)
    # 100 * 0.08 over a tenth of a second would be 0.8; two hunters at once push harder
    np.testing.assert_allclose(speed[:2], 0.8, atol=1e-3)
    crash = hunt(hunters=[[0.0, 0.0], [0.02, 0.0], [0.02, 0.001]])
    np.testing.assert_allclose(np.linalg.norm(played(crash)[0].velocity[0]), 1.0, atol=1e-5)


def test_the_two_games_number_the_directions_differently():
    for kind, sign in ((Treasure, 1.0), (TreasureMATRPO, -1.0)):
        action = np.array([0, 1, 2, 3, 4, 0, 1, 0], np.int32)
        after, _ = STEPS[kind](hunt(), action)
        directions = plain.DIRECTIONS[action]
        np.testing.assert_allclose(after.velocity, sign * 0.225 * directions, atol=1e-6)


# --- who is paid what ---


def test_one_treasure_touched_by_two_empty_hunters_pays_ten_and_is_taken_once():
    state = hunt(hunters=[[0.06, 0.0], [-0.06, 0.0]], treasures=[[0.0, 0.0]], colors=[1])
    assert shared(state) == pytest.approx(10)
    after, _, timestep = played(state)
    assert holds(after) == [1, -1, -1, -1, -1, -1]
    assert after.lying.tolist() == [False] + [True] * 5
    assert timestep.info["collected"] == 1 and timestep.info["delivered"] == 0


def test_touching_is_strict_and_nearer_than_both_radii():
    assert shared(hunt(hunters=[[0.0749, 0.0]], treasures=[[0.0, 0.0]])) == pytest.approx(5)
    assert shared(hunt(hunters=[[0.0751, 0.0]], treasures=[[0.0, 0.0]])) == pytest.approx(0)


def test_treasures_go_in_order_to_the_first_empty_hunter():
    # The first treasure is touched by hunter 1 alone, the second by 0 and 1, the third by 0 and 2.
    hunters = [[0.0, 0.06], [0.0, -0.06], [0.06, 0.145]]
    treasures = [[0.0, -0.13], [0.0, 0.0], [0.03, 0.1]]
    state = hunt(hunters, treasures=treasures, colors=[0, 1, 0])
    assert shared(state) == pytest.approx(25)
    after, _, _ = played(state)
    assert holds(after)[:3] == [1, 0, 0]
    assert after.lying.tolist() == [False] * 3 + [True] * 3


def test_a_hunter_takes_one_treasure_and_the_rest_stays():
    state = hunt(hunters=[[0.0, 0.0]], treasures=[[0.01, 0.0], [-0.01, 0.0]], colors=[1, 0])
    assert shared(state) == pytest.approx(10)
    after, _, _ = played(state)
    assert holds(after)[0] == 1 and after.lying.tolist() == [False] + [True] * 5
    np.testing.assert_array_equal(after.treasure[1:], state.treasure[1:])


def test_a_loaded_hunter_neither_takes_nor_is_paid_for_a_treasure():
    state = hunt(hunters=[[0.0, 0.0]], treasures=[[0.0, 0.0]], colors=[1], loads=[0])
    assert shared(state) == pytest.approx(0)
    after, _, _ = played(state)
    assert holds(after)[0] == 0 and after.lying.all() and after.collected == 0


@pytest.mark.parametrize(("place", "bank", "paid"), [(0.19, 0, 5), (0.21, 0, 0), (0.19, 1, 0)])
def test_a_load_pays_at_its_bank_only(place, bank, paid):
    """The hunter moves 0.075, towards a bank that it must come nearer to than 0.125."""
    banks = [[0.0, 0.0], [-4.0, 1.0]]
    banks = banks if bank == 0 else banks[::-1]
    state = hunt([[place, 0.0]], banks, loads=[0], velocity=[[-1.0, 0.0]])
    after, reward, timestep = played(state)
    own = 0.1 * np.linalg.norm(after.position[0] - after.position[6])
    assert reward[0] == pytest.approx(paid - own, abs=1e-5)
    assert reward[5] == pytest.approx(paid - 0.1 * np.hypot(4.0, 0.0), abs=1e-5)
    assert holds(after)[0] == (-1 if paid else 0)
    assert timestep.info["delivered"] == (1 if paid else 0)


def test_what_is_taken_and_put_down_in_one_step_pays_no_deposit():
    hunters, banks = [[0.115, 0.0]], [[0.0, 0.0]]
    velocity = [[0.0, 0.0]] * 8
    # 100 * 0.01 pushes the hunter off by 2.25 of it: 0.0225, which its own speed makes up for
    velocity[0], velocity[6] = [-0.3, 0.0], [0.0, 0.0]
    state = hunt(hunters, banks, [[0.12, 0.0]], [0], velocity=velocity)
    after, _, timestep = played(state)
    assert np.linalg.norm(after.position[0] - after.position[6]) < 0.125
    assert shared(state) == pytest.approx(5)
    assert holds(after) == [-1] * 6 and not after.lying[0]
    assert timestep.info["collected"] == timestep.info["delivered"] == 1


def test_pay_and_views_are_of_the_loads_that_one_came_with():
    """The step of the pick still measures to treasures, and shows an empty hand."""
    state = hunt(hunters=[[0.0, 0.0]], treasures=[[0.03, 0.04]], colors=[1])
    after, reward, timestep = played(state)
    assert reward[0] == pytest.approx(5 - 0.1 * 0.05)
    np.testing.assert_array_equal(timestep.view.observation[0, 4:6], [0, 0])
    after, reward, timestep = played(after)
    np.testing.assert_array_equal(timestep.view.observation[0, 4:6], [0, 1])
    assert reward[0] == pytest.approx(-0.1 * np.hypot(4.0, 1.0))
    assert reward[7] == pytest.approx(-0.1 * np.hypot(4.0, 1.0))


def test_each_other_hunter_touched_costs_its_toucher_five_and_banks_do_not_count():
    """In a row, at speed; the bank at the end is run into as well."""
    hunters = [[0.0, 0.0], [0.2, 0.0], [0.4, 0.0]]
    velocity = [[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]
    state = hunt(hunters, [[0.0, -0.13]], velocity=velocity)
    after, reward, timestep = played(state)
    gaps = np.diff(np.asarray(after.position[:3, 0]))
    np.testing.assert_allclose(gaps, 0.125, atol=1e-3)
    state = hunt([[0.0, 0.0], [0.15, 0.0], [0.3, 0.0]], [[0.0, -0.13]], velocity=velocity)
    after, reward, timestep = played(state)
    ways = np.linalg.norm(np.asarray(after.position[:3, None]) - TREASURES, axis=-1).min(axis=1)
    np.testing.assert_allclose(reward[:3], [-5, -10, -5] - 0.1 * ways, atol=1e-5)
    np.testing.assert_allclose(reward[3:6], -0.4, atol=1e-6)
    assert timestep.info["collisions"] == 2


def test_a_bank_waits_for_the_nearest_that_carries_for_it_or_for_the_middle_of_all():
    state = hunt(loads=[0, 0, 1])
    _, reward, _ = played(state)
    assert reward[6] == pytest.approx(-0.1 * 2.0)
    assert reward[7] == pytest.approx(-0.1 * 2.0)
    middle = np.mean(HUNTERS, axis=0)
    state = hunt(loads=[0])
    _, reward, _ = played(state)
    assert reward[7] == pytest.approx(-0.1 * np.linalg.norm(middle - BANKS[1]))


def test_nobody_is_paid_for_the_way_of_another():
    _, reward, _ = played(hunt(hunters=[[-1.0, 0.0], [0.0, 0.5]]))
    np.testing.assert_allclose(reward[:6], [-0.3, -0.2, -0.4, -0.4, -0.4, -0.4], atol=1e-6)


# --- treasures come and go ---


@pytest.mark.parametrize(("kind", "away"), [(Treasure, -999.0), (TreasureMATRPO, 0.0)])
def test_a_treasure_is_away_for_exactly_one_observation(kind, away):
    state = hunt(hunters=[[0.5, 0.5]], treasures=[[0.5, 0.5]], colors=[1, 0, 0, 0, 0, 0])
    seen = []
    for _ in range(3):
        state, _, timestep = played(state, kind)
        treasures = np.asarray(timestep.view.observation[0, 62:86]).reshape(6, 4)
        places = treasures[:, :2] + np.asarray(state.position[0])
        seen.append(places[treasures[:, 3] == 1] if len(seen) < 2 else places)
    np.testing.assert_allclose(seen[0], [[0.5, 0.5]], atol=1e-6)
    np.testing.assert_allclose(seen[1], [[away, away]], atol=1e-4)
    inside = np.all(np.abs(seen[2]) < 0.95, axis=1)
    assert inside.sum() == 1 and not np.allclose(seen[2][inside], 0.5, atol=0.01)
    assert state.lying.all() and np.abs(state.treasure[0]).max() < 0.95


def test_where_a_treasure_is_away_is_an_option():
    state = hunt(hunters=[[0.5, 0.5]], treasures=[[0.5, 0.5]])
    after, _ = Treasure(away=-3.0).step(state, REST)
    np.testing.assert_array_equal(after.treasure[0], [-3.0, -3.0])


def test_treasures_come_back_anywhere_in_both_colors():
    state = hunt(gone=range(6))
    step = jax.jit(jax.vmap(lambda key: Treasure().step(state._replace(key=key), REST)[0]))
    after = step(jax.random.split(jax.random.key(0), 500))
    place = np.asarray(after.treasure).reshape(-1, 2)
    assert np.abs(place).max() < 0.95
    np.testing.assert_allclose(place.mean(axis=0), 0.0, atol=0.05)
    np.testing.assert_allclose(place.std(axis=0), 0.95 / np.sqrt(3), atol=0.03)
    np.testing.assert_allclose(np.mean(after.color, axis=(0, 1)), [0.5, 0.5], atol=0.04)
    assert np.all(after.lying) and np.all(np.sum(after.color, axis=-1) == 1)
    assert len(np.unique(place)) == place.size  # each has its own numbers


def test_hunters_are_charged_for_treasures_that_are_away_but_only_in_maacs_game():
    state = hunt(treasures=[[-999.0, -999.0]] * 6, gone=range(6))
    reward = played(state)[1]
    assert reward[0] == pytest.approx(-0.1 * np.hypot(997, 999), rel=1e-5)
    parked = hunt(treasures=[[0.0, 0.0]] * 6, gone=range(6))
    reward = played(parked, TreasureMATRPO)[1]
    np.testing.assert_array_equal(reward[:6], 0.0)
    middle = np.mean(HUNTERS, axis=0)
    waits = [np.linalg.norm(middle - bank) for bank in BANKS]
    np.testing.assert_allclose(reward[6:], -0.1 * np.array(waits), atol=1e-6)


def test_a_treasure_that_is_parked_in_the_middle_cannot_be_taken_there():
    state = hunt(hunters=[[0.0, 0.0]], treasures=[[0.0, 0.0]], gone=[0])
    after, reward, timestep = played(state, TreasureMATRPO)
    assert holds(after)[0] == -1 and timestep.info["collected"] == 0
    near, far = np.hypot(2.0, 0.5), 4.0
    middle = np.mean([[0.0, 0.0], *HUNTERS[1:]], axis=0) - BANKS[0]
    expected = -0.1 * (near + 5 * far) - 0.1 * np.linalg.norm(middle)
    assert reward[6] == pytest.approx(expected, abs=1e-5)


# --- the variant ---


def test_in_matrpos_game_banks_are_paid_for_everybodys_work():
    """One find and one delivery: 5 (6 + 6 + 1), less the ways of all six hunters."""
    hunters, treasures = [[0.0, 0.0], [-3.81, 0.0]], [[0.03, 0.04]]
    velocity = [[0.0, 0.0], [-1.0, 0.0]]
    state = hunt(hunters, treasures=treasures, loads=[-1, 0], velocity=velocity)
    after, reward, _ = played(state, TreasureMATRPO)
    home = np.linalg.norm(after.position[1] - after.position[6])
    middle = np.mean(np.asarray(after.position[:6]), axis=0) - after.position[7]
    ways = np.linalg.norm(np.array(HUNTERS[2:]) - treasures[0], axis=1)  # the others lie further
    work = 5 * 13 - 0.1 * (0.05 + home + ways.sum())
    expected = [work - 0.1 * home, work - 0.1 * np.linalg.norm(middle)]
    np.testing.assert_allclose(reward[6:], expected, atol=1e-4)
    np.testing.assert_array_equal(reward[:6], 0.0)


def test_in_matrpos_game_hunters_are_told_of_collisions_only():
    hunters, velocity = [[0.0, 0.0], [0.15, 0.0]], [[1.0, 0.0], [-1.0, 0.0]]
    _, reward, _ = played(hunt(hunters, velocity=velocity), TreasureMATRPO)
    np.testing.assert_array_equal(reward[:6], [-5, -5, 0, 0, 0, 0])


# --- what is seen ---


def test_an_agent_sees_itself_and_then_the_nearest_first():
    hunters = [[0.0, 0.0], [0.0, 0.5], [0.0, -0.5], [0.3, 0.0], [5.0, 0.0], [0.0, 4.0]]
    banks, treasures = [[-0.4, 0.0], [0.0, 9.0]], [[1.0, 0.0], [0.0, 0.2], [0.0, -0.2]]
    velocity = [[0.01 * i, -0.01 * i] for i in range(8)]
    state = hunt(hunters, banks, treasures, [0, 1, 0, 1, 1, 1], [1, -1, 0], velocity=velocity)
    seen = np.asarray(jax.jit(Treasure().view)(state).observation)
    assert seen.shape == (8, 86)
    np.testing.assert_allclose(seen[1, :6], [0.0, 0.5, 0.01, -0.01, 0, 0], atol=1e-6)
    np.testing.assert_allclose(seen[0, :6], [0, 0, 0, 0, 0, 1], atol=1e-6)
    others = seen[0, 6:62].reshape(7, 8)
    first = [0.3, 0.0, 0.03, -0.03, 0, 0, 0, 0]  # hunter 3, empty
    bank = [-0.4, 0.0, 0.06, -0.06, 1, 0, 0, 0]
    one, two = [0.0, 0.5, 0.01, -0.01, 0, 0, 0, 0], [0.0, -0.5, 0.02, -0.02, 0, 0, 1, 0]
    np.testing.assert_allclose(others[:4], [first, bank, one, two], atol=1e-6)
    np.testing.assert_allclose(others[4:, :2], [[0, 4], [5, 0], [0, 9]], atol=1e-6)
    np.testing.assert_array_equal(others[6, 4:], [0, 1, 0, 0])
    things = seen[0, 62:].reshape(6, 4)
    np.testing.assert_allclose(things[:3], [[0, 0.2, 0, 1], [0, -0.2, 1, 0], [1, 0, 1, 0]])
    np.testing.assert_allclose(seen[6, :4], [-0.4, 0.0, 0.06, -0.06], atol=1e-6)
    np.testing.assert_allclose(seen[6, 4:12], [0.4, 0, 0, 0, 0, 0, 0, 1], atol=1e-6)
    np.testing.assert_array_equal(seen[6:, 84:], 0.0)


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize(
    ("agents", "hunter", "bank", "state"), [(4, 32, 31, 31), (8, 86, 84, 74), (12, 162, 159, 129)]
)
def test_any_number_of_agents(kind, agents, hunter, bank, state):
    env = kind(agents=agents)
    hunters, banks = 3 * agents // 4, agents // 4
    assert (env.hunters, env.banks) == (hunters, banks)
    assert [spec.observation for spec in env.specs] == [hunter] * hunters + [bank] * banks
    assert {spec.action.size for spec in env.specs} == {5}
    first, view = jax.eval_shape(env.reset, jax.random.key(0))
    assert view.observation.shape == (agents, hunter)
    assert jax.eval_shape(env.global_state, first, view).shape == (state,)


def test_the_global_state_shows_no_place_of_what_is_away():
    state = hunt(treasures=[[-999.0, -999.0]], loads=[1], gone=[0])
    whole = np.asarray(Treasure().global_state(state, Observation(jnp.zeros((8, 86)))))
    assert np.abs(whole).max() <= 4.0 and len(whole) == 74
    np.testing.assert_array_equal(whole[:16], np.ravel(state.position))
    np.testing.assert_array_equal(whole[44:50], [0, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(whole[62:64], [0, 1])


# --- against the plain transcription ---


def crowd(agents: int, count: int, away: float) -> Hunt:
    """`count` crowded states, `[count, ...]`, with contacts of all kinds and treasures away."""
    random = np.random.default_rng(agents)
    hunters, banks = 3 * agents // 4, agents // 4
    lying = random.uniform(size=(count, hunters)) < 0.8
    treasure = np.where(lying[..., None], random.uniform(-0.2, 0.2, (count, hunters, 2)), away)
    load = np.arange(banks) == random.integers(-banks, banks, (count, hunters, 1))
    zeros = np.zeros(count, np.int32)
    return Hunt(
        random.uniform(-0.3, 0.3, (count, agents, 2)),
        random.normal(size=(count, agents, 2)) / 2,
        treasure,
        np.arange(banks) == random.integers(0, banks, (count, hunters, 1)),
        lying,
        load,
        zeros,
        jax.random.split(jax.random.key(agents), count),
        zeros,
        zeros,
    )


def transcribed(state: Hunt, away: float) -> plain.Hunt:
    hunters, banks = state.load.shape
    color = [int(np.argmax(row)) for row in state.color]
    load = [int(np.argmax(row)) if row.any() else None for row in state.load]
    parts = (state.position, state.velocity, state.treasure, color, state.lying, load)
    return plain.Hunt(hunters, banks, *parts, away)


@pytest.mark.parametrize("agents", [8, pytest.param(12, marks=pytest.mark.deep)])
@pytest.mark.parametrize("kind", CASES)
def test_a_plain_transcription_agrees_on_a_thousand_crowded_steps(kind, agents):
    count = 600
    sign, away = (1, -999.0) if kind is Treasure else (-1, 0.0)
    states = crowd(agents, count, away)
    actions = np.random.default_rng(0).integers(0, 5, (count, agents))
    with jax.enable_x64(True):
        step = jax.jit(jax.vmap(kind(agents=agents).step))
        after, timestep = jax.device_get(step(states, actions))
    parts = (states._replace(key=None), after._replace(key=None), timestep)
    seen = {"found": 0, "brought": 0, "bumped": 0, "back": 0, "lost": 0}
    for n in range(count):
        state, mine, theirs = (jax.tree.map(lambda x, n=n: x[n], s) for s in parts)
        hunt = transcribed(state, away)
        hunt.move(sign * plain.DIRECTIONS[actions[n]])
        np.testing.assert_allclose(mine.position, hunt.position, atol=1e-10)
        np.testing.assert_allclose(mine.velocity, hunt.velocity, atol=1e-9)
        views = [hunt.sees(agent) for agent in range(agents)]
        np.testing.assert_allclose(theirs.view.observation, views, atol=1e-9)
        expected = hunt.rewards_of_maac() if kind is Treasure else hunt.rewards_of_matrpo()
        np.testing.assert_allclose(theirs.reward, expected, atol=1e-8)
        empty = sum(load is None for load in hunt.load)
        found, brought = hunt.found(), hunt.brought()
        back = hunt.hand_over()
        staying = [t for t in range(len(hunt.treasure)) if t not in back]
        np.testing.assert_array_equal(mine.treasure[staying], hunt.treasure[staying])
        np.testing.assert_array_equal(mine.lying, hunt.lying)
        assert holds(mine) == [-1 if load is None else load for load in hunt.load]
        gone = len(hunt.lying) - sum(hunt.lying)
        down = empty - gone
        assert mine.collected == gone
        assert mine.delivered == sum(load is None for load in hunt.load) - down
        seen["found"] += found > 0
        seen["lost"] += found > gone  # two at one, or one at two
        seen["brought"] += brought > 0
        seen["bumped"] += any(hunt.bumps(hunter) for hunter in hunt.hunters)
        seen["back"] += len(back) > 0
    assert min(seen.values()) > 60, seen


# --- as an environment ---


@pytest.mark.parametrize("env", [Treasure(), Treasure(agents=12), TreasureMATRPO(agents=12)])
def test_it_is_fit_to_train_in(env):
    assert check_env(env, episodes=2) == []
    assert env.time_limit == 100


def test_the_catalogue_knows_them():
    assert ENVS["treasure"] is Treasure and ENVS["treasure-matrpo"] is TreasureMATRPO


def test_an_episode_starts_everywhere_at_rest_and_empty():
    states, _ = jax.jit(jax.vmap(Treasure().reset))(jax.random.split(jax.random.key(0), 400))
    for place, bound in ((states.position, 1.0), (states.treasure, 0.95)):
        assert 0.98 * bound < np.abs(place).max() < bound
        np.testing.assert_allclose(np.mean(place, axis=(0, 1)), 0.0, atol=0.05)
    assert not np.any(states.load) and not np.any(states.velocity) and np.all(states.lying)
    np.testing.assert_allclose(np.mean(states.color, axis=(0, 1)), [0.5, 0.5], atol=0.05)


def test_copies_play_apart_and_each_draws_its_own_treasures():
    vector = Treasure(time_limit=3).vectorize(4)
    keys = jax.random.split(jax.random.key(1), 4)
    state = jax.vmap(lambda key: hunt(gone=range(6))._replace(key=key))(keys)
    step = jax.jit(vector.step)
    actions = jax.random.randint(jax.random.key(2), (4, 8), 0, 5)
    after, timestep, _ = step(state, actions, jax.random.key(3))
    alone = jax.tree.map(lambda leaf: leaf[2], state)
    expected, told = jax.jit(Treasure(time_limit=3).step)(alone, actions[2])
    np.testing.assert_allclose(after.treasure[2], expected.treasure, atol=1e-6)
    np.testing.assert_allclose(timestep.reward[2], told.reward, atol=1e-5)
    assert len(np.unique(np.asarray(after.treasure)[:, 0, 0])) == 4
    for _ in range(2):
        assert np.all(after.clock > 0) and not np.any(timestep.over)
        after, timestep, _ = step(after, actions, jax.random.key(4))
    assert np.all(timestep.truncated) and not np.any(timestep.terminated)
    assert not np.any(after.clock) and np.all(np.abs(after.position) < 1.0)


def test_pictures_show_treasures_in_the_color_of_their_bank_and_only_where_they_are():
    state = hunt(treasures=[[-999.0, -999.0], [0.5, 0.5]], colors=[0, 1], loads=[1], gone=[0])
    scene = Treasure().scene(state)
    assert scene.kinds[:8] == ("agent",) * 8
    np.testing.assert_array_equal(scene.positions[:2], state.position[6:])
    np.testing.assert_allclose(scene.radii[:8], [0.075] * 2 + [0.05] * 6)
    shown = [i for i in range(8, len(scene.kinds)) if scene.radii[i] > 0]
    drawn = {(scene.kinds[i], *np.round(scene.positions[i].tolist(), 3).tolist()) for i in shown}
    lying = {("target-0", 2.0, 0.5 * i) for i in range(2, 6)}
    assert drawn == lying | {("target-1", 0.5, 0.5), ("target-1", -2.0, 0.0)}
    assert np.abs(scene.positions).max() < 5
    empty = Treasure().scene(hunt())
    assert empty.kinds == scene.kinds


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"agents": 6}, "agents must be a multiple of 4, not 6: try 8."),
        ({"agents": 0}, "agents must be at least 1, not 0: try 8."),
        ({"time_limit": 0}, "time_limit must be at least 1, not 0: try 100."),
        (
            {"away": np.nan},
            "away must be a number, not nan.",
        ),
    ],
)
def test_mistakes_get_one_sentence(options, sentence):
    with pytest.raises(ConfigError) as caught:
        Treasure(**options)
    assert str(caught.value) == sentence
