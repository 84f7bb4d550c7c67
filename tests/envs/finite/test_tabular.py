"""An environment of one's own, and the classics that are written the same way."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.catalogue import make_env
from coterie.envs import ENVS, AgentSpec, Climbing, Discrete, Penalty, TabularGame, TwoStep
from coterie.envs.check import check_env
from coterie.envs.checks.rules import HINT
from coterie.envs.finite.rules import FiniteState
from coterie.errors import ConfigError, EnvError
from coterie.training.run import new_run, open_run
from coterie.training.settings import Settings
from tests.envs.finite.own import Lift, dice, of


def played(env, *actions):
    """The rewards, views, endings and cuts of one episode."""
    state, view = jax.jit(env.reset)(jax.random.key(0))
    step, told = jax.jit(env.step), []
    for action in actions:
        state, timestep = step(state, jnp.array(action))
        told.append(timestep)
    return view, told


@pytest.mark.parametrize(
    ("env", "payoff"),
    [
        (Climbing(), [[11, -30, 0], [-30, 7, 6], [0, 0, 5]]),
        (Penalty(), [[10, 0, -100], [0, 2, 0], [-100, 0, 10]]),
        (Penalty(k=-7.0), [[10, 0, -7], [0, 2, 0], [-7, 0, 10]]),
    ],
    ids=str,
)
def test_one_choice_is_paid_to_both_and_ends_the_game(env, payoff):
    assert env.specs == (AgentSpec(1, Discrete(3), states=2),) * 2
    step = jax.jit(env.step)
    state, _ = jax.jit(env.reset)(jax.random.key(0))
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


@pytest.mark.parametrize("env", [Climbing(), Penalty(), TwoStep(), Lift()], ids=str)
def test_fit_to_train_in(env):
    """Environments without chance are hinted at, for that may be a mistake."""
    found = check_env(env)
    assert all(sentence.startswith(HINT) for sentence in found)
    assert bool(found) == (not isinstance(env, Lift))


def test_the_catalogue_knows_the_finite_games():
    names = ("random-mdp", "stochastic-game", "networked-mdp", "climbing", "penalty", "two-step")
    envs = [ENVS[name]() for name in names]
    assert all(spec.states == env.states for env in envs for spec in env.specs)
    state = FiniteState(jnp.int32(0), jnp.int32(0), jax.random.key(0))
    for env in envs:
        with pytest.raises(EnvError, match=r"^\w+ has no picture, .*: `coterie plot` shows"):
            env.scene(state)


def test_a_penalty_is_not_a_prize():
    with pytest.raises(ConfigError, match=r"k must be at most 0, not 5.0: try -100\."):
        Penalty(k=5.0)


def test_own_tables_are_made_and_checked_once():
    made = []

    class Counted(Lift):
        def tables(self):
            made.append(self.slip)
            return super().tables()

    for env in (Counted(slip=0.125), Counted(slip=0.125), Counted(slip=0.5)):
        assert env.states == 3 and env.sizes == (2, 3)
        env.vectorize(2).constants  # noqa: B018
    assert made == [0.125, 0.5]
    assert Counted(slip=0.125) == Counted(slip=0.125) != Lift(slip=0.125)


def test_wrong_tables_are_refused_with_their_sentence():
    tables = dice(3, 2)
    env = of(tables._replace(transition=tables.transition * 1.5))
    for use in (lambda: env.specs, lambda: env.vectorize(2).constants, lambda: env.states):
        with pytest.raises(EnvError, match=r"under joint action 0 sum to 1\.5, not 1"):
            use()
    assert check_env(env)[0].startswith("the probabilities of what follows state 2 under")


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
    assert of(alike).shared and of(alike).vectorize(2).constants.reward.shape == (12, 1)
    apart = of(dice(3, 4, agents=2))
    assert not apart.shared and apart.vectorize(2).constants.reward.shape == (12, 2)


def test_a_run_in_an_own_game_is_opened_again(tmp_path):
    env = Lift(slip=0.125, time_limit=9)
    run = new_run("ippo", env, Settings(), tmp_path / "run")
    run.create()
    told = json.loads((tmp_path / "run" / "run.json").read_text())["env"]
    name = "tests.envs.finite.own:Lift"
    assert told == {"name": name, "slip": 0.125, "held": 0.5, "time_limit": 9}
    assert open_run(tmp_path / "run").env == env == make_env(name, slip=0.125, time_limit=9)


def test_more_than_can_be_played_from_is_refused():
    huge = np.broadcast_to(np.float32(0.0), (2**11, 2**9, 2**11))

    class Huge(TabularGame):
        def tables(self):
            return Lift().tables()

    class Vast:
        transition = huge

        def checked(self):
            return self

    env = Huge()
    object.__setattr__(env, "tables", Vast)
    with pytest.raises(EnvError, match=r"2,147,483,648 probabilities are more than"):
        env.table  # noqa: B018
