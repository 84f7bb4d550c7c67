"""The commons: one step by hand, and what the best team and the selfish equilibrium earn.

The environment is solved on a grid over the stock and the days of the season, backwards from the
last day. Worths only scale what a well is paid, and their mean is 1: where all do alike they drop
out.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.envs import AgentSpec, Box, Commons, Discrete
from coterie.envs.check import check_env
from coterie.envs.commons import CommonsState
from coterie.errors import ConfigError

GRID = np.linspace(0.0, 1.0, 41)


def state_of(env, stock, day=0) -> CommonsState:
    return CommonsState(jnp.float32(stock), jnp.int32(day), jnp.int32(0), jnp.zeros(env.agents))


class Solver:
    """Values `[X, D]` of the rest of an episode, at each stock and on each day of the season."""

    def __init__(self, env: Commons):
        self.env = env
        self.efforts = np.linspace(0.0, 1.0, env.sizes[0])
        days = 2 * np.pi * np.arange(env.season) / env.season
        self.growth = env.growth * (1.0 + env.swing * np.sin(days))

    def worth(self, own, mean, later):
        """What the days from this one on are worth `[X, D]`, by one's own and the mean effort."""
        stock = GRID[:, None]
        after = stock + self.growth * stock * (1 - stock) - self.env.draw * mean * stock
        place = np.clip(after * (len(GRID) - 1), 0, len(GRID) - 1)
        low = np.minimum(place.astype(int), len(GRID) - 2)
        following, day = np.roll(later, -1, axis=1), np.arange(self.env.season)
        low_value, high_value = following[low, day], following[low + 1, day]
        later = low_value + (place - low) * (high_value - low_value)
        return own * stock - self.env.damage * (mean * stock) ** 2 + later

    def backwards(self, value):
        """`value(later)`, from the last day to the first: the value `[X, D]` of the episode."""
        later = np.zeros((len(GRID), self.env.season))
        for _ in range(self.env.time_limit):
            later = value(later)
        return later

    def team(self):
        """The value `[X, D]` of the best that all can do alike."""

        def value(later):
            return np.max([self.worth(e, e, later) for e in self.efforts], axis=0)

        return self.backwards(value)

    def everyone_best(self):
        """The value `[X, D]` of the best that all can do, each with a rule of its own.

        For each mean effort, those with more land pump first.
        """
        env, steps = self.env, self.env.sizes[0] - 1
        most_land_first = np.repeat(np.sort(env.worth)[::-1], steps)
        units = env.agents * steps
        gains = np.concatenate([[0.0], np.cumsum(most_land_first)]) / units

        def value(later):
            means = np.arange(units + 1) / units
            worths = (self.worth(*each, later) for each in zip(gains, means, strict=True))
            return np.max(list(worths), axis=0)

        return self.backwards(value)

    def least_gain(self):
        """By how much pumping all beats any other choice, at least, per unit of stock.

        On every day, at every stock above 0, against all efforts of the others, if all pump all
        they can from the next day on.
        """
        number, least = self.env.agents, []

        def value(later):
            for others in self.efforts:
                efforts = others + (self.efforts - others) / number
                *less, most = (
                    self.worth(own, mean, later)
                    for own, mean in zip(self.efforts, efforts, strict=True)
                )
                least.append(np.min((most - np.max(less, axis=0))[1:] / GRID[1:, None]))
            return self.worth(1.0, 1.0, later)

        self.backwards(value)
        return min(least)

    def followed(self, effort):
        """The value `[X, D]` of a team that always makes this effort."""
        return self.backwards(lambda later: self.worth(effort, effort, later))


def from_start(value) -> float:
    """The mean over the stocks and days that an episode can start with."""
    return float(np.mean(value[GRID >= 0.5]))


def mean_return(env, effort: float) -> float:
    """What the environment itself pays a team that always makes the same effort."""
    action = jnp.full(env.agents, round(effort * (env.sizes[0] - 1)))

    def move(state, _):
        state, timestep = env.step(state, action)
        return state, jnp.mean(timestep.reward)

    def episode(key):
        return jnp.sum(jax.lax.scan(move, env.reset(key)[0], length=env.time_limit)[1])

    return float(jnp.mean(jax.jit(jax.vmap(episode))(jax.random.split(jax.random.key(0), 2000))))


@pytest.mark.parametrize("agents", [2, 8, 64])
def test_selfish_wells_lose_most_of_what_the_team_could_earn(agents):
    solver = Solver(Commons(agents=agents))
    assert solver.least_gain() > 0.0  # so that by induction nobody ever pumps less
    selfish = from_start(solver.followed(1.0))
    best = from_start(solver.team())
    assert selfish == pytest.approx(1.14, rel=0.02) and best == pytest.approx(4.78, rel=0.02)
    assert selfish < 0.6 * best


def test_one_well_alone_saves_water_and_so_does_one_that_loses_more():
    assert Solver(Commons(agents=1)).least_gain() < 0.0
    assert Solver(Commons(agents=2, damage=3.0)).least_gain() < 0.0


def test_unequal_wells_earn_more_if_they_do_not_do_alike():
    solver = Solver(Commons(agents=8))
    assert from_start(solver.everyone_best()) == pytest.approx(6.92, rel=0.02)
    equal = Solver(Commons(agents=8, inequality=0.0))
    assert from_start(equal.everyone_best()) < 1.02 * from_start(equal.team())


def test_the_game_pays_what_the_grid_says():
    env = Commons()
    solver = Solver(env)
    for effort in (0.25, 1.0):
        value = from_start(solver.followed(effort))
        assert mean_return(env, effort) == pytest.approx(value, rel=0.02)


def test_a_step_by_hand():
    # A quarter of a season of 4 days: the growth is 0.2 * (1 + 0.5) = 0.3. Half full.
    env = Commons(agents=3, season=4)
    state, timestep = jax.jit(env.step)(state_of(env, 0.5, day=1), jnp.array([4, 0, 2]))
    taken = np.array([0.5, 0.0, 0.25])  # a mean of 0.25, which damages by 0.5 / 16
    reward = np.array([0.5, 1.0, 1.5]) * (taken - 1 / 32)
    np.testing.assert_allclose(timestep.reward, reward, rtol=1e-6)
    stock = 0.5 + 0.3 / 4 - 0.6 / 4
    np.testing.assert_allclose(state.stock, stock, rtol=1e-6)
    seen = np.tile([stock, 0.0, -1.0], (3, 1))
    np.testing.assert_allclose(timestep.view.observation, seen, atol=1e-6)
    np.testing.assert_allclose(env.global_state(state, timestep.view), seen[0], atol=1e-6)
    assert (int(state.day), int(state.clock)) == (2, 1)
    np.testing.assert_allclose(timestep.info["effort"], 0.5)


def test_one_who_takes_more_gains_and_the_team_loses():
    env = Commons(damage=2.0, inequality=0.0)
    modest = jnp.full(8, 2)
    reward = [
        jax.jit(env.step)(state_of(env, 1.0), action)[1].reward
        for action in (modest, modest.at[3].set(4))
    ]
    assert reward[1][3] > reward[0][3] + 0.3
    assert np.mean(reward[1]) < np.mean(reward[0])


def test_a_number_is_the_level_that_it_equals():
    levels, numbers = Commons(agents=5), Commons(agents=5, continuous=True)
    state, action = state_of(levels, 0.7, day=3), jnp.arange(5)
    after = jax.jit(levels.step)(state, action)
    again = jax.jit(numbers.step)(state, action[:, None] / 4)
    jax.tree.map(np.testing.assert_array_equal, after, again)
    assert numbers.specs == (AgentSpec(3, Box(1, 0.0, 1.0)),) * 5


def test_wells_can_have_levels_of_their_own():
    env = Commons(agents=3, levels=(2, 5, 3))
    assert [spec.action for spec in env.specs] == [Discrete(2), Discrete(5), Discrete(3)]
    state, view = env.reset(jax.random.key(0))
    assert np.sum(view.action_mask, axis=1).tolist() == [2, 5, 3]
    state, _ = env.step(state, jnp.array([1, 1, 1]))
    np.testing.assert_allclose(state.effort, [1.0, 0.25, 0.5])


@pytest.mark.parametrize(
    "env", [Commons(), Commons(agents=3, levels=(2, 5, 3)), Commons(agents=2, continuous=True)]
)
def test_it_is_fit_to_train_in(env):
    assert check_env(env) == []


def test_what_a_well_costs_does_not_grow_with_their_number():
    def cost(agents):
        env = Commons(agents=agents)
        step = jax.jit(env.step).lower(state_of(env, 1.0), jnp.zeros(agents, jnp.int32))
        return step.compile().cost_analysis()

    few, many = cost(64), cost(256)
    assert {spec.observation for spec in Commons(agents=256).specs} == {3}
    assert all(many[what] < 4.1 * few[what] for what in ("flops", "bytes accessed"))


def test_the_picture_shows_the_stock_and_who_pumps():
    env = Commons(agents=4)
    state, _ = env.step(state_of(env, 1.0), jnp.array([0, 4, 0, 0]))
    scene = env.scene(state)
    assert scene.kinds == ("landmark", "agent", "agent", "agent", "agent")
    assert scene.radii[0] == pytest.approx(0.7 * float(state.stock))
    np.testing.assert_allclose(scene.radii[1:], [0.04, 0.2, 0.04, 0.04])
    np.testing.assert_allclose(scene.positions[2], [0.0, 1.0], atol=1e-9)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"agents": 0}, "agents must be at least 1, not 0."),
        ({"draw": 1.5}, "draw must lie between 0 and 1, not 1.5."),
        ({"damage": -1.0}, "damage must be at least 0, not -1.0: try 0.5."),
        ({"levels": 1}, "levels must be at least 2 and at most 10,000, not 1: try 5."),
        (
            {"levels": (2, 3)},
            "levels must be one number for all or 8, one for each, not 2.",
        ),
        (
            {"growth": 0.8},
            "growth must lie between 0 and 1 in all seasons, not at 0.8 and up to 1.2: try 0.2.",
        ),
    ],
)
def test_mistakes_get_one_sentence(options, sentence):
    with pytest.raises(ConfigError) as caught:
        Commons(**options)
    assert str(caught.value) == sentence
