"""Fights of few units, whose outcome is worked out by hand from StarCraft's figures."""

import numpy as np
import pytest

from coterie.envs.skirmish import Skirmish
from tests.envs.skirmish.fights import FIRST, NORTH, STOP, after, duel, placed

FAR = [2.0, 16.0], [30.0, 16.0]
SHOTS = [10.0, 16.0], [15.0, 16.0]
"""Places of two units out of sight of each other, and within five cells."""
ATTACK = [FIRST]


def test_a_shield_takes_damage_first_and_without_armour():
    env = duel("marine", "stalker")
    units, _ = after(env, placed(env, SHOTS), ATTACK)
    np.testing.assert_allclose([units.shield[1], units.health[1]], [80 - 6, 80])


def test_armour_spares_health_of_each_blow():
    env = duel("marine", "stalker")
    units, _ = after(env, placed(env, SHOTS, shield=[0, 0]), ATTACK)
    np.testing.assert_allclose(units.health[1], 80 - (6 - 1))


def test_what_a_shield_leaves_of_a_blow_meets_armour():
    env = duel("marine", "stalker")
    units, _ = after(env, placed(env, SHOTS, shield=[0, 4]), ATTACK)
    np.testing.assert_allclose([units.shield[1], units.health[1]], [0, 80 - (2 - 1)])


@pytest.mark.parametrize(
    ("kind", "victim", "lost"),
    [("marauder", "stalker", 20), ("marauder", "zealot", 10), ("stalker", "stalker", 18)],
)
def test_bonus_damage_is_for_an_attribute(kind, victim, lost):
    env = duel(kind, victim)
    units, _ = after(env, placed(env, SHOTS), ATTACK)
    whole = {"stalker": 160, "zealot": 150}[victim]
    np.testing.assert_allclose(units.shield[1] + units.health[1], whole - lost)


def test_each_of_two_blows_meets_armour():
    env = duel("zealot", "marauder")
    units, _ = after(env, placed(env, [[10, 16], [11.1, 16]]), ATTACK)
    np.testing.assert_allclose(units.health[1], 125 - 2 * (8 - 1))


def test_attacks_follow_each_other_after_the_period_on_average():
    env, hits = duel("marine", "stalker"), 0
    state = placed(env, SHOTS)
    for _ in range(86):  # 43 seconds, and 50 periods of 0.8608
        units, _ = after(env, state, ATTACK)
        hits += int(units.hit[0] == 1)
        state = state._replace(units=units._replace(health=state.units.health))
    assert hits == 50


def test_an_attack_lands_after_its_damage_point_and_is_cancelled_by_an_order():
    env = duel("stalker", "marauder")
    state = placed(env, SHOTS, cooldown=[6 / 16, 9])  # ready for two of the three loops it needs
    begun, _ = after(env, state, ATTACK)
    assert begun.windup[0] == 2 / 16 and begun.health[1] == 125 and begun.hit[0] == -1
    state = state._replace(units=begun)
    units, _ = after(env, state, ATTACK)
    assert units.hit[0] == 1 and units.health[1] < 125
    units, _ = after(env, state, [NORTH])
    assert units.hit[0] == -1 and units.windup[0] == 0 and units.health[1] == 125


def test_a_shield_regains_two_points_a_second_after_ten_seconds_of_calm():
    env = duel("stalker", "marine")
    units, _ = after(env, placed(env, FAR, shield=[10, 0], calm=[10, 0]), [STOP])
    np.testing.assert_allclose(units.shield[0], 10 + 2 * 0.5)
    units, _ = after(env, placed(env, FAR, shield=[10, 0], calm=[9, 0]), [STOP], [STOP])
    assert units.shield[0] == 10 and units.calm[0] == 10


def test_a_units_speed_and_the_directions():
    env = duel("marine", "marine")
    for action, (x, y) in {2: (0, 1), 3: (0, -1), 4: (1, 0), 5: (-1, 0)}.items():
        units, _ = after(env, placed(env, [[10, 16], [30, 16]]), [action])
        step = np.array([units.x[0] - 10, units.y[0] - 16])
        np.testing.assert_allclose(step, np.array([x, y]) * 2.25 / 2, atol=1e-5)


def test_walls_stop_a_unit_at_its_edge_and_rule_the_move_out():
    env = duel("marine", "marine")
    state = placed(env, [[10, 24.0], [30, 16]])
    assert not env.view(state).action_mask[0, NORTH]
    units, timestep = after(env, placed(env, [[10, 23.9], [30, 16]]), [NORTH])
    np.testing.assert_allclose(units.y[0], 25 - 0.375)
    assert units.health[0] == 45 and not timestep.view.action_mask[0, NORTH]


def test_an_order_to_attack_leads_to_the_target():
    env = duel("zealot", "spinecrawler")
    units, _ = after(env, placed(env, [[10, 16], [15, 16]]), ATTACK)
    np.testing.assert_allclose(units.x[0], 10 + 2.25 / 2, rtol=1e-5)
    assert units.x[1] == 15, "a building does not move"


def test_bodies_push_each_other_but_not_those_in_the_air():
    env = Skirmish(allies=("marine=2", "medivac=1"), enemies=("marine=1",))
    state = placed(env, [[10, 16], [10.1, 16], [10.05, 16], [30, 16]])
    units, _ = after(env, state, [STOP] * 3)
    assert units.x[1] - units.x[0] > 0.75 - 0.05
    assert units.x[2] == np.float32(10.05)


def test_a_medivac_heals_for_energy():
    env = Skirmish(allies=("marine=1", "medivac=1"), enemies=("marine=1",))
    places = [[5, 16], [8, 16], [30, 16]]
    state = placed(env, places, health=[20, 150, 45])
    units, _ = after(env, state, [STOP, FIRST])
    np.testing.assert_allclose(units.health[0], 20 + 9 / 2)
    np.testing.assert_allclose(units.energy[1], 50 - 3 / 2 + 0.5625 / 2)
    assert units.hit[1] == 0
    units, _ = after(env, placed(env, places), [STOP, FIRST])
    assert units.health[0] == 45 and units.energy[1] == 50 + 0.5625 / 2 and units.hit[1] == -1


def test_a_medivac_without_energy_waits_for_some():
    env = Skirmish(allies=("marine=1", "medivac=1"), enemies=("marine=1",))
    state = placed(env, [[5, 16], [8, 16], [30, 16]], health=[20, 150, 45], energy=[0, 0.1, 0])
    units, _ = after(env, state, [STOP, FIRST])
    np.testing.assert_allclose(units.health[0], 20 + 9 / 16)  # at the fourth loop, and no more


def test_only_who_reaches_the_air_attacks_a_medivac():
    lost = {}
    for kind in ("marine", "marauder"):
        env = Skirmish(allies=(f"{kind}=1",), enemies=("marine=1", "medivac=1"))
        state = placed(env, [[10, 16], [30, 16], [15, 16]])
        units, _ = after(env, state, [FIRST + 1])
        lost[kind] = 150 - float(units.health[2])
    assert lost == {"marine": 5.0, "marauder": 0.0}


def test_a_baneling_ends_with_its_attack_and_hurts_all_around_the_target():
    env = Skirmish(allies=("baneling=1",), enemies=("marine=2", "stalker=1"))
    state = placed(env, [[10, 16], [10.9, 16], [12, 16], [20, 16]])
    units, _ = after(env, state, ATTACK)
    assert units.health[0] == 0
    np.testing.assert_array_equal(units.health[1:], [45 - 35, 45 - 35, 80])


def test_a_colossus_burns_along_a_line_across_its_shot():
    env = Skirmish(allies=("colossus=1",), enemies=("zealot=4",))
    places = [[10, 16], [16, 16], [16, 17.2], [14, 16], [16, 18.5]]
    units, _ = after(env, placed(env, places, shield=[0] * 5), ATTACK)
    lost = 2 * (10 + 5 - 1)
    np.testing.assert_array_equal(units.health[1:], [100 - lost, 100 - lost, 100, 100])


def test_the_enemy_needs_its_reaction_to_choose_a_target():
    hurt = {}
    for reaction in (0.0, 0.6):
        env = duel("spinecrawler", "marine", reaction=reaction)
        state = placed(env, [[9, 16], [14, 16]])
        lost = [300 - float(after(env, state, *[[STOP]] * n)[0].health[0]) for n in (1, 2)]
        hurt[reaction] = [loss > 0 for loss in lost]
    assert hurt == {0.0: [True, True], 0.6: [False, True]}


def test_the_enemy_marches_to_the_rally_point_and_waits_there():
    env = duel("marine", "zealot")
    state = placed(env, [[2, 9], [23, 16]])
    units, _ = after(env, state, *[[STOP]] * 12)
    np.testing.assert_allclose([units.x[1], units.y[1]], [10, 16], atol=0.01)  # a cell away
    assert units.target[1] == -1


def test_the_enemy_prefers_the_nearest_and_fighters_to_healers():
    env = Skirmish(allies=("marine=2",), enemies=("zealot=1",))
    state = placed(env, [[10, 12.5], [10, 18], [13, 16]])
    units, _ = after(env, state, [STOP, STOP])
    assert units.target[2] == 1, "the nearest"
    env = Skirmish(allies=("marine=1", "medivac=1"), enemies=("marine=1",))
    units, _ = after(env, placed(env, [[10, 16], [12, 16], [15, 16]]), [STOP, STOP])
    assert units.target[2] == 0


def test_an_attack_calls_all_enemies_near_by_if_they_have_an_alarm():
    called = {}
    for alarm in (0.0, 9.0):
        env = Skirmish(allies=("marine=2",), enemies=("marine=2",), alarm=alarm)
        places = [[10, 16], [10, 8], [15, 16], [18, 16]]
        orders = [STOP, STOP], [FIRST, STOP]
        targets = [after(env, placed(env, places), each)[0].target[3] for each in orders]
        called[alarm] = [int(target) for target in targets]
    assert called == {0.0: [-1, -1], 9.0: [-1, 0]}


def test_a_medivac_of_the_enemy_follows_and_heals():
    env = Skirmish(allies=("marine=1",), enemies=("marine=1", "medivac=1"))
    state = placed(env, [[2, 9], [15, 16], [28, 16]], health=[45, 20, 150])
    units, _ = after(env, state, *[[STOP]] * 12)
    assert units.health[1] > 20 and units.energy[2] < 50 + 6 * 0.5625 - 1


def test_attacks_go_on_in_the_next_step_and_a_dead_target_ends_them():
    env = duel("marine", "marine")
    state = placed(env, SHOTS, health=[45, 6])
    units, timestep = after(env, state, ATTACK)
    assert units.health[1] == 0 and units.target[0] == -1
    assert timestep.terminated.all() and timestep.info["won"] == 1
    assert timestep.info["dead_enemies"] == 1 and timestep.info["dead_allies"] == 0


def test_both_armies_can_fall_at_once_and_nobody_has_won():
    env = duel("marine", "marine")
    state = placed(env, SHOTS, health=[6, 6])
    aiming = state.units._replace(target=state.units.target.at[1].set(0))
    units, timestep = after(env, state._replace(units=aiming), ATTACK)
    assert units.health.tolist() == [0, 0]
    assert timestep.terminated.all() and timestep.info["won"] == 0
