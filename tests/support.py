"""What the contract and probe tests share: small algorithms, a noisy environment, one lesson to
learn."""

import dataclasses
import functools
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import PyTree

from coterie.algorithms import (
    IPPO,
    MATRPO,
    Algorithm,
    Information,
    InitKeys,
    Trajectory,
    WholeCritic,
)
from coterie.algorithms.ppo.base import Proximal
from coterie.algorithms.trpo import DirectionCoefficients
from coterie.catalogue import ALGORITHMS
from coterie.envs.game import AgentSpec, Box, Discrete, JaxEnv, Observation, Timestep
from coterie.errors import ConfigError
from coterie.graph import Graph, family
from coterie.network import Communication, Network, Payload
from coterie.training.play import StepKeys
from coterie.training.state import (
    IterationStats,
    Phases,
    TrainState,
    advance,
    init_state,
    keys_of,
    phases,
)
from coterie.types import LearnerSpec
from examples.f2a2_ppo import F2A2PPO
from tests.options import remembering, with_options

SMALL = {
    "hidden_sizes": (8,),
    "rollout_length": 6,
    "epochs": 2,
    "minibatches": 2,
    "updates_per_rollout": 2,
    "batch_size": 12,
    "cg_iters": 2,
    "admm_rounds": 5,
    "buffer_size": 24,
    "learning_starts": 4,
    "target_update_interval": 3,
    "epsilon_start": 0.5,
    "attention_dim": 8,
    "hidden_size": 4,
    "epsilon_decay_steps": 100,
    "sharing": WholeCritic(),
}


@dataclasses.dataclass(frozen=True)
class Gossip(Proximal):
    """IPPO that is paid what its neighbourhood earns on average and averages its critic.

    The smallest algorithm that sends something: one exchange of rewards, `rounds` of critics.
    """

    rounds: int = 1
    clip_eps: float = 0.2
    surrogate = IPPO.surrogate

    @property
    def information(self) -> Information:
        rewards = Payload("reward", numbers=lambda spec: self.rollout_length * spec.num_envs)
        critic = Payload("critic", lasting=lambda state: state.critic, messages=self.rounds)
        return Information(payloads=(rewards, critic))

    def init(self, keys, spec):
        mine, memory = super().init(keys, spec)
        alike, _ = super().init(keys._replace(own=keys.common), spec)
        return mine._replace(critic=alike.critic), memory

    def learn(self, state, trajectory, network, key):
        present, earned = trajectory.view.alive, trajectory.reward
        if present is not None:
            earned = jnp.where(present, earned, 0.0)  # who is gone earns nothing
        reward, network = network.mix(earned, "reward")
        trajectory = trajectory._replace(reward=reward)
        state, network, metrics = super().learn(state, trajectory, network, key)

        def exchange(carry, _):
            critic, network = carry
            return network.mix(critic, "critic"), None

        (critic, network), _ = jax.lax.scan(
            exchange, (state.critic, network), None, length=self.rounds
        )
        return state._replace(critic=critic), network, metrics


# What is not in the catalogue and keeps its promises all the same.
OTHERS = {
    "gossip": Gossip(),
    "f2a2-ppo": F2A2PPO(),
    "matrpo-linear": MATRPO(ratio_exchange=DirectionCoefficients(), dual_warm_start=0.9),
}

NOISE = np.random.default_rng(0).normal(size=(64, 4, 12)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Babble(JaxEnv):
    """Noise: unequal agents see random numbers, leave at random and do nothing to each other.

    sizes:  how many numbers each agent sees, and how many actions it has (or numbers in one).
    numbered: it sees one number instead, which is less than that.
    Agents with an even index leave by being terminated, the others by being truncated. The noise
    comes from a table (drawing it would have to be compiled); the key picks where it starts.
    """

    sizes: tuple[tuple[int, int], ...] = ((2, 2), (3, 4), (2, 2), (3, 4))
    box: bool = False
    limit: int = 4
    numbered: bool = False

    @property
    def specs(self):
        space = Box if self.box else Discrete
        if self.numbered:
            return tuple(AgentSpec(1, space(n), states=states) for states, n in self.sizes)
        return tuple(AgentSpec(seen, space(actions)) for seen, actions in self.sizes)

    def reset(self, key):
        state = jax.random.randint(key, (), 0, 64), jnp.int32(0), jnp.ones(len(self.sizes), bool)
        return state, self.view(state[0], state[2])

    def step(self, state, action):
        row, clock, present = state
        agents, noise = len(self.sizes), self.noise(row)
        chosen = jnp.sum(action.reshape(agents, -1).astype(jnp.float32), axis=-1)
        gone, late = ~present | (noise[:, 0] < -1.0), clock + 1 >= self.limit
        even = np.arange(agents) % 2 == 0
        flags = gone & even, (gone & ~even) | late
        view = self.view(row + 1, ~gone)
        return (row + 1, clock + 1, ~gone), Timestep(view, noise[:, 1] + 0.3 * chosen, *flags, {})

    def view(self, row, present):
        noise = self.noise(row)
        seen, actions = (max(column) for column in zip(*self.sizes, strict=True))
        real = np.arange(seen) < np.array(self.sizes)[:, :1]
        able = np.arange(actions) < np.array(self.sizes)[:, 1:]
        some = (noise[:, 8 : 8 + actions] < 0.5) | (np.arange(actions) == 0)
        if self.numbered:
            observation = jnp.floor(9 * jnp.abs(noise[:, 4:5])) % real.sum(axis=1, keepdims=True)
        else:
            observation = jnp.where(real, noise[:, 4 : 4 + seen], 0.0)
        return Observation(observation, jnp.asarray(able) if self.box else able & some, present)

    def global_state(self, state, view):
        return self.noise(state[0])[0, :3]

    def noise(self, row):
        return jnp.asarray(NOISE)[row % 64, : len(self.sizes)]


class Lesson(NamedTuple):
    """One agent axis on everything that `learn` takes, after two updates have been made."""

    agents: PyTree
    trajectory: Trajectory
    network: Network
    keys: Any


class Class(NamedTuple):
    """A lesson, the compiled `learn` of a whole team, and the team it was made with.

    The lesson is in numpy, where changing an array needs no compilation (but the keys cannot be).
    """

    lesson: Lesson
    learn: Callable[..., Any]
    team: TrainState


# In one program: what it does is small, and to compile it piece by piece is not.
assembled = jax.jit(init_state, static_argnums=(0, 1, 2, 3))


def noise(algorithm: Algorithm, **options: Any) -> Babble:
    """The noisy environment for an algorithm, with numbered states or continuous actions if it
    must."""
    forced = {"numbered": algorithm.information.numbered, "box": not accepts(algorithm, Discrete)}
    return Babble(**{**forced, **options})


@functools.cache
def taught(
    algorithm: Algorithm,
    env: JaxEnv | None = None,
    graph: Graph | None = None,
    linked: bool = True,
) -> Class:
    """A team that has played and learned twice, about to learn a third time; with its links or
    without."""
    env = env or noise(algorithm)
    if graph is None:
        central = algorithm.information.central  # everybody hears everybody
        graph = family("complete" if central else "line", len(env.specs))
    vector = env.vectorize(4)
    team = assembled(algorithm, env, vector, Communication(graph), jax.random.key(0))
    team = team if linked else team._replace(network=unlinked(team.network))
    parts = compiled(algorithm, env)
    play, learn = parts.play, parts.learn
    trajectory = play(team, step_keys(algorithm, team))[1]
    keys = jax.vmap(lambda key: jax.random.split(key, 3), out_axes=1)(team.keys)
    agents = team.agents
    for key in keys[:2]:
        agents, _, _ = learn(agents, trajectory, team.network, key)
    agents, trajectory = jax.device_get((agents, trajectory))
    return Class(Lesson(agents, trajectory, team.network, keys[2]), learn, team)


def unlinked(network: Network) -> Network:
    """The network with no link up in any round: as large as before, so that nothing compiles."""
    return eqx.tree_at(lambda n: n.plan, network, jax.tree.map(jnp.zeros_like, network.plan))


@functools.cache
def compiled(algorithm: Algorithm, env: JaxEnv) -> Phases:
    """The phases of an iteration, each compiled once for all who ask for it."""
    return Phases(*map(jax.jit, phases(algorithm, env, env.vectorize(4))))


def step_keys(algorithm: Algorithm, team: TrainState) -> StepKeys:
    """Keys for a rollout."""
    split = jax.vmap(lambda key: jax.random.split(key, algorithm.rollout_length), out_axes=1)
    return StepKeys(split(team.keys), jax.random.split(team.env_key, algorithm.rollout_length))


def round_of(algorithm: Algorithm) -> Callable[[TrainState], tuple[TrainState, IterationStats]]:
    """An iteration of a team in the noisy environment, phase by phase."""
    parts = compiled(algorithm, noise(algorithm))
    return lambda team: advance(parts, team, keys_of(team, algorithm.rollout_length, 1)[0])


def played(algorithm: Algorithm, env: JaxEnv, team: TrainState) -> Trajectory:
    """What a team experiences in one `rollout_length`, `[N, T, G, ...]`."""
    play = phases(algorithm, env, env.vectorize(4)).play
    return play(team, step_keys(algorithm, team))[1]


def catalogue(recurrent: bool) -> dict[str, Algorithm]:
    """Every algorithm and `OTHERS`, small; or those that can have a memory, with one."""
    small = {
        name: with_options(algorithm, **SMALL) for name, algorithm in (ALGORITHMS | OTHERS).items()
    }
    if not recurrent:
        return small
    return {
        name: remembering(algorithm)
        for name, algorithm in small.items()
        if algorithm.recurrent_models
    }


def each(algorithms: dict[str, Algorithm], deep: Collection[str] = ()) -> pytest.MarkDecorator:
    """A test for each algorithm; those of one share a process, where what they need is compiled.

    deep: those that are left to `make test-deep`.
    """

    def marks(name: str) -> list[pytest.MarkDecorator]:
        return [pytest.mark.xdist_group(name), *([pytest.mark.deep] if name in deep else [])]

    return pytest.mark.parametrize(
        "algorithm", [pytest.param(a, id=name, marks=marks(name)) for name, a in algorithms.items()]
    )


@functools.cache
def accepts(algorithm: Algorithm, kind: type) -> bool:
    """Whether an algorithm can choose numbers (`Box`), or among actions (`Discrete`)."""
    states = 4 if algorithm.information.numbered else 0
    try:
        spec = LearnerSpec(1, kind(2), states=states, state=2, sizes=(2, 2))
        jax.eval_shape(functools.partial(algorithm.init, spec=spec), InitKeys.of(jax.random.key(0)))
    except ConfigError:
        return False
    return True


def leaves(tree: PyTree) -> dict[str, np.ndarray]:
    """The arrays of a tree by their paths; keys as their bits."""
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path): np.asarray(_plain(leaf)) for path, leaf in flat}


def touched(before: PyTree, after: PyTree) -> set[int]:
    """The agents for whom any bit differs between two trees with a leading agent axis."""
    pairs = list(zip(leaves(before).values(), leaves(after).values(), strict=True))
    agents = range(len(pairs[0][0]))
    return {i for i in agents if any(a[i].tobytes() != b[i].tobytes() for a, b in pairs)}


def perturbed(leaf: Any, agent: int) -> Any:
    """`leaf` `[N, ...]` with every number of one agent changed."""
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return leaf.at[agent].set(jax.random.fold_in(leaf[agent], 1))
    changed = np.array(leaf)
    mine = changed[agent]
    if leaf.dtype == bool:
        changed[agent] = ~mine
    elif np.issubdtype(leaf.dtype, np.inexact):  # not the same everywhere: a softmax would not care
        changed[agent] = mine + np.linspace(0.5, 1.5, mine.size).reshape(mine.shape)
    else:
        changed[agent] = mine + 1
    return changed


def assert_same(one: PyTree, other: PyTree, tolerance: float = 0.0) -> None:
    """Two trees are equal: bit for bit, or within a tolerance (absolute and relative)."""
    a, b = leaves(one), leaves(other)
    assert a.keys() == b.keys()
    for path in a:
        if tolerance and np.issubdtype(a[path].dtype, np.inexact):
            np.testing.assert_allclose(a[path], b[path], tolerance, tolerance, err_msg=path)
        else:
            assert a[path].tobytes() == b[path].tobytes(), path


def _plain(leaf: Any) -> Any:
    is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if is_key else leaf
