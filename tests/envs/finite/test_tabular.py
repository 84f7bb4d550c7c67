"""A game of one's own, and the classics that are written the same way."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.catalogue import make_game
from coterie.envs import CATALOGUE, AgentSpec, Climbing, Discrete, Penalty, TabularGame, TwoStep
from coterie.envs.check import check_game
from coterie.envs.checks.rules import HINT
from coterie.envs.finite.rules import FiniteState
from coterie.errors import ConfigError, GameError
from coterie.training.run import new_run, open_run
from coterie.training.settings import Settings
from tests.envs.finite.own import Lift, dice, of


def played(game, *actions):
    """The rewards, views, endings and cuts of one episode."""
    state, view = jax.jit(game.reset)(jax.random.key(0))
    step, told = jax.jit(game.step), []
    for action in actions:
        state, timestep = step(state, jnp.array(action))
        told.append(timestep)
    return view, told


@pytest.mark.parametrize(
    ("game", "payoff"),
    [
        (Climbing(), [[11, -30, 0], [-30, 7, 6], [0, 0, 5]]),
        (Penalty(), [[10, 0, -100], [0, 2, 0], [-100, 0, 10]]),
        (Penalty(k=-7.0), [[10, 0, -7], [0, 2, 0], [-7, 0, 10]]),
    ],
    ids=str,
)
def test_one_choice_is_paid_to_both_and_ends_the_game(game, payoff):
    assert game.specs == (AgentSpec(1, Discrete(3), states=2),) * 2
    step = jax.jit(game.step)
    state, _ = jax.jit(game.reset)(jax.random.key(0))
    for first in range(3):
        for second in range(3):
            _, timestep = step(state, jnp.array([first, second]))
            assert timestep.reward.tolist() == [payoff[first][second]] * 2
            assert timestep.terminated.all() and not timestep.truncated.any()


def test_the_first_agent_picks_the_second_game():
    for other in range(2):
        view, (pick, safe) = played(TwoStep(), [0, other], [1, 0])
        assert view.observation.tolist() == [[0.0], [0.0]]
        assert (pick.reward.tolist(), safe.reward.tolist()) == ([0.0, 0.0], [7.0, 7.0])
        assert pick.view.observation.tolist() == [[1.0], [1.0]]
    for action, paid in {(0, 0): 0.0, (0, 1): 1.0, (1, 0): 1.0, (1, 1): 8.0}.items():
        _, (pick, risky) = played(TwoStep(), [1, 0], action)
        assert pick.view.observation.tolist() == [[2.0], [2.0]] and not pick.terminated.any()
        assert risky.reward.tolist() == [paid, paid]
        assert risky.terminated.all() and not risky.truncated.any()


@pytest.mark.parametrize("game", [Climbing(), Penalty(), TwoStep(), Lift()], ids=str)
def test_fit_to_train_in(game):
    """Games without chance are hinted at, for that may be a mistake."""
    found = check_game(game)
    assert all(sentence.startswith(HINT) for sentence in found)
    assert bool(found) == (not isinstance(game, Lift))


def test_the_catalogue_knows_the_finite_games():
    names = ("random-mdp", "stochastic-game", "networked-mdp", "climbing", "penalty", "two-step")
    games = [CATALOGUE[name]() for name in names]
    assert all(spec.states == game.states for game in games for spec in game.specs)
    state = FiniteState(jnp.int32(0), jnp.int32(0), jax.random.key(0))
    for game in games:
        with pytest.raises(GameError, match=r"^\w+ has no picture, .*: `coterie plot` shows"):
            game.scene(state)


def test_a_penalty_is_not_a_prize():
    with pytest.raises(ConfigError, match=r"k must be at most 0, not 5.0: try -100\."):
        Penalty(k=5.0)


def test_own_tables_are_made_and_checked_once():
    made = []

    class Counted(Lift):
        def tables(self):
            made.append(self.slip)
            return super().tables()

    for game in (Counted(slip=0.125), Counted(slip=0.125), Counted(slip=0.5)):
        assert game.states == 3 and game.sizes == (2, 3)
        game.vectorize(2).world  # noqa: B018
    assert made == [0.125, 0.5]
    assert Counted(slip=0.125) == Counted(slip=0.125) != Lift(slip=0.125)


def test_wrong_tables_are_refused_with_their_sentence():
    tables = dice(3, 2)
    game = of(tables._replace(transition=tables.transition * 1.5))
    for use in (lambda: game.specs, lambda: game.vectorize(2).world, lambda: game.states):
        with pytest.raises(GameError, match=r"under joint action 0 sum to 1\.5, not 1"):
            use()
    assert check_game(game)[0].startswith("reset raised GameError: the probabilities of what")


def test_ends_are_states_that_nobody_leaves_and_that_pay_nothing():
    tables = dice(4, 2)
    transition, reward = tables.transition.copy(), tables.reward.copy()
    transition[1:] = np.eye(4)[1:, None]
    reward[2:] = 0.0
    transition[3, 1] = [0.5, 0, 0, 0.5]
    assert of(tables).final.tolist() == [False] * 4
    ends = of(tables._replace(transition=transition, reward=reward)).final
    assert ends.tolist() == [False, False, True, False]  # 1 pays, 3 can be left


def test_everybody_is_paid_the_same_or_not():
    alike = dice(3, 4, agents=2)
    alike = alike._replace(reward=np.repeat(alike.reward[..., :1], 2, axis=-1))
    assert of(alike).shared and of(alike).vectorize(2).world.reward.shape == (12, 1)
    apart = of(dice(3, 4, agents=2))
    assert not apart.shared and apart.vectorize(2).world.reward.shape == (12, 2)


def test_a_run_in_an_own_game_is_opened_again(tmp_path):
    game = Lift(slip=0.125, time_limit=9)
    run = new_run("ippo", game, Settings(), tmp_path / "run")
    run.create()
    told = json.loads((tmp_path / "run" / "run.json").read_text())["game"]
    name = "tests.envs.finite.own:Lift"
    assert told == {"name": name, "slip": 0.125, "held": 0.5, "time_limit": 9}
    assert open_run(tmp_path / "run").game == game == make_game(name, slip=0.125, time_limit=9)


def test_more_than_can_be_played_from_is_refused():
    huge = np.broadcast_to(np.float32(0.0), (2**11, 2**9, 2**11))

    class Huge(TabularGame):
        def tables(self):
            return Lift().tables()

    class Vast:
        transition = huge

        def checked(self):
            return self

    game = Huge()
    object.__setattr__(game, "tables", Vast)
    with pytest.raises(GameError, match=r"2,147,483,648 probabilities are more than"):
        game.table  # noqa: B018
