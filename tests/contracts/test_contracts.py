"""What every algorithm promises by being in the catalogue."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coterie.algorithms import (
    F2A2DDPG,
    MATRPO,
    CommunicatedActions,
    F2A2OffPolicy,
    InitKeys,
    InnerLayers,
    LiJia,
    NetworkedAC,
    TrackingEstimate,
)
from coterie.envs.game import Box, Discrete
from coterie.errors import ConfigError, EnvError
from coterie.graph import family, from_adjacency, uniform
from coterie.network import Communication, lift, networks, stack, unstack
from coterie.training.fit import require_fit
from coterie.training.state import init_state, iteration, resolve_specs
from tests.support import (
    SMALL,
    Babble,
    Gossip,
    Lesson,
    accepts,
    assembled,
    assert_same,
    catalogue,
    compiled,
    each,
    leaves,
    noise,
    perturbed,
    played,
    round_of,
    taught,
    touched,
    unlinked,
    with_options,
)

PLAIN = catalogue(recurrent=False)
EVERY = PLAIN | {f"{name}-recurrent": a for name, a in catalogue(recurrent=True).items()}
TABULAR = {name: a for name, a in PLAIN.items() if a.information.numbered}
LONERS = {name: a for name, a in EVERY.items() if not a.information.sends}
SPEAKERS = {
    name: a for name, a in PLAIN.items() if a.information.sends and not a.information.central
}
# One of each kind of memory stands for all, for the others take half a minute each to compile; and
# one of each class, of which some have several names.
KIN = {"f2a2-td3", "dpo-code", "dpo-no-kl", "ippo-kl"}
LATER = (EVERY.keys() - PLAIN.keys() - {"ippo-recurrent", "iql-recurrent"}) | KIN
ALONE = {name: a for name, a in PLAIN.items() if a.information.actions == "own"}
J = 1  # the agent that is disturbed


def disturbances(lesson, agent):
    """The lesson with one array of one agent changed, for every array but the network's."""
    flat, shape = jax.tree_util.tree_flatten_with_path(lesson._replace(network=None))
    arrays = [leaf for _, leaf in flat]
    for place, (path, leaf) in enumerate(flat):
        changed = [*arrays[:place], perturbed(leaf, agent), *arrays[place + 1 :]]
        name = jax.tree_util.keystr(path)
        yield name, jax.tree.unflatten(shape, changed)._replace(network=lesson.network)


def leaks(learn, lesson, agent=J):
    """Whom each array of one agent reaches besides itself: `{array: agents}`, empty if nobody."""
    before = learn(*lesson)
    reached = {
        name: touched(before, learn(*other)) - {agent}
        for name, other in disturbances(lesson, agent)
    }
    return {name: agents for name, agents in reached.items() if agents}


@each(LONERS, deep=LATER)
def test_nothing_leaks(algorithm):
    """Not one bit of another agent's update depends on what I have, saw, did or was paid."""
    lesson, learn, _ = taught(algorithm)
    assert leaks(learn, lesson) == {}
    # The check would notice: what is changed does matter to the agent itself.
    before = learn(*lesson)
    mattering = [n for n, other in disturbances(lesson, J) if touched(before, learn(*other)) == {J}]
    for part in (".agents", ".view.observation", ".next_view", ".reward", "terminated"):
        assert any(part in name for name in mattering), part


@each(SPEAKERS, deep=KIN)
def test_without_links_nothing_private_leaks(algorithm):
    """Though what all see and do is known to all, rewards, policies and critics are not."""
    lesson, learn, _ = taught(algorithm)
    lesson = lesson._replace(network=unlinked(lesson.network))
    before = learn(*lesson)
    private = re.compile("reward|policy|model|critic|mind")
    for name, other in disturbances(lesson, J):
        if private.search(name.replace("actor_critic", "")):
            assert touched(before, learn(*other)) <= {J}, name


def peeking(mine, trajectory, network, key):
    everybody = jax.lax.pmean(trajectory.reward, "agents")
    return mine + jnp.mean(trajectory.reward - everybody), network, {}


def closing_over(lesson):
    def learn(mine, reward):
        return mine + jnp.mean(reward - jnp.mean(lesson.trajectory.reward, axis=0))

    return lift(learn)(lesson.agents, lesson.trajectory.reward), lesson.network, {}


@pytest.mark.parametrize(
    "learn",
    [lift(peeking), lambda *lesson: closing_over(Lesson(*lesson))],
    ids=["pmean", "closure"],
)
def test_the_leak_check_bites(learn):
    lesson = taught(PLAIN["ippo"]).lesson._replace(agents=jnp.zeros(4))
    assert leaks(jax.jit(learn), lesson) == {".trajectory.reward": {0, 2, 3}}


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_after_k_exchanges_an_agent_has_reached_k_hops(rounds):
    """Rewards are exchanged once and critics `rounds` times, on a line of four."""
    lesson, learn, _ = taught(with_options(Gossip(rounds=rounds), **SMALL))
    before = learn(*lesson)
    reached = {n: touched(before, learn(*other)) for n, other in disturbances(lesson, 0)}
    within = {k: set(range(min(k, 3) + 1)) for k in range(4)}
    assert reached[".trajectory.reward"] == within[1 + rounds]
    assert reached[".agents.critic.head.bias"] == within[rounds]
    assert reached[".agents.policy.head.bias"] == {0}
    assert all(agents <= within[1 + rounds] for agents in reached.values())


@each(LONERS, deep=LATER)
def test_in_a_game_without_contact_agents_live_apart(algorithm):
    """The whole round, play included: nobody's parameters, past or random stream reach another.

    Only an algorithm with a centre, which pays everybody the team's reward, is told the difference,
    in the second round at the latest: not everybody is there in the first.
    """
    _, _, team = taught(algorithm)
    round_ = round_of(algorithm)
    parts = [
        lambda t: t._replace(agents=jax.tree.map(lambda x: jnp.asarray(perturbed(x, J)), t.agents)),
        lambda t: t._replace(keys=perturbed(t.keys, J)),
    ]
    before, report = round_(round_(team)[0])
    for part in parts:
        after, told = round_(round_(part(team))[0])
        reached = touched(
            (before.agents, report.metrics, before.stage.memory),
            (after.agents, told.metrics, after.stage.memory),
        )
        assert reached == (set(range(4)) if algorithm.information.central else {J})


AGREEING = {n: a for n, a in EVERY.items() if any(p.lasting for p in a.information.payloads)}


@each(AGREEING, deep=LATER)
def test_what_is_to_be_agreed_on_starts_equal(algorithm):
    """It does for agents of several kinds, with its targets and dual variables; policies differ."""
    if algorithm.information.state:
        team = taught(algorithm).team
    else:  # critics of own views are alike only where all see as much
        team = team_of(algorithm, noise(algorithm, sizes=((2, 2),) * 4))
    shared = jax.vmap(algorithm.information.lasting)(team.agents)
    copies = [getattr(team.agents, "dual", ())]
    if isinstance(algorithm, F2A2OffPolicy):
        student = team.agents.actor_critic
        copies = student.extras.dual, jax.vmap(algorithm.parts)(student.target).shared
    for path, leaf in leaves((shared, copies)).items():
        assert equal_at_all(leaf), path
    policies = jax.vmap(algorithm.policy)(team.agents)
    assert not equal_at_all(policies.head.weight)


def equal_at_all(leaf):
    return bool(np.all(np.asarray(leaf) == np.asarray(leaf)[:1]))


def test_random_streams_are_each_agents_own():
    """They differ, and more agents do not change those that were there."""
    small, large = Babble(sizes=((2, 2),) * 2), Babble(sizes=((2, 2),) * 4)
    algorithm = PLAIN["ippo"]
    few, many = (
        assembled(
            algorithm,
            g,
            g.vectorize(1),
            Communication(family("ring", len(g.sizes))),
            jax.random.key(7),
        )
        for g in (small, large)
    )
    assert len(np.unique(jax.random.key_data(many.keys), axis=0)) == 4
    assert_same((few.keys, few.agents), jax.tree.map(lambda x: x[:2], (many.keys, many.agents)))
    weights = many.agents.policy.head.weight
    assert len(np.unique(weights, axis=0)) == 4


@each(EVERY, deep=LATER)
def test_a_second_round_compiles_nothing_and_repeats_itself(algorithm):
    _, _, team = taught(algorithm)
    round_ = round_of(algorithm)

    def programs():
        return [phase._cache_size() for phase in compiled(algorithm, noise(algorithm))]

    first, before = round_(team), programs()
    assert_same(first, round_(team))
    round_(first[0])
    assert programs() == before


@pytest.mark.deep
@pytest.mark.shapes
@each(EVERY)
def test_shapes_are_as_annotated(algorithm):
    env = noise(algorithm)
    vector, talk = env.vectorize(4), Communication(family("line", 4))
    start = functools.partial(init_state, algorithm, env, vector, talk)
    jax.eval_shape(iteration(algorithm, env, vector), jax.eval_shape(start, jax.random.key(0)))


@each({n: PLAIN[n] for n in ("ippo", "networked-ac", "f2a2-ddpg")}, deep=("f2a2-ddpg",))
def test_an_iteration_in_one_program_is_its_phases_one_after_the_other(algorithm):
    env, team = noise(algorithm), taught(algorithm).team
    whole = jax.jit(iteration(algorithm, env, env.vectorize(4)))(team)
    assert_same(whole, round_of(algorithm)(team), 1e-5)


ORDER = np.array([2, 0, 3, 1])


@each(ALONE, deep=KIN)  # a critic of everybody's actions knows them by their order
def test_other_names_for_the_agents_give_the_same(algorithm):
    (agents, trajectory, _, keys), learn, _ = taught(algorithm)
    line = family("line", 4)
    renamed = from_adjacency(line.adjacency[np.ix_(ORDER, ORDER)])
    sends = algorithm.information.sends

    def renamed_leaf(path, x):
        """What is kept of everybody has a second axis of agents."""
        x, name = x[ORDER], jax.tree_util.keystr(path)
        every = {".slopes": 1, ".shown": 3}
        axes = [axis for part, axis in every.items() if part in name]
        return np.take(x, ORDER, axes[0]) if axes else x

    def renaming(tree):
        return jax.tree_util.tree_map_with_path(renamed_leaf, jax.device_get(tree))

    state, network, metrics = learn(agents, trajectory, networks(line, sends), keys)
    other, other_network, other_metrics = learn(
        renaming(agents), renaming(trajectory), networks(renamed, sends), renaming(keys)
    )
    assert_same(
        (other, other_network.traffic, other_metrics),
        renaming((state, network.traffic, metrics)),
        tolerance=1e-6 if sends else 0.0,
    )


@each(PLAIN, deep=KIN)
def test_bytes_are_what_the_payloads_weigh_times_the_links(algorithm):
    (agents, trajectory, network, keys), learn, team = taught(algorithm)
    divide = compiled(algorithm, noise(algorithm)).divide
    agents, _, trajectory, network = divide(agents, team.scales, trajectory, network)
    _, after, _ = learn(agents, trajectory, network, keys)
    degrees = np.full(4, 3) if algorithm.information.central else np.array([1, 2, 2, 1])
    sends = algorithm.information.sends
    spec = resolve_specs(noise(algorithm), noise(algorithm).vectorize(4), algorithm)[0]
    weights = {
        payload.name: (weight(payload, agents, spec), payload.messages)
        for payload in algorithm.information.payloads
        if payload.scope == "neighbors"
    }
    for payload, (size, rounds) in weights.items():
        assert after.traffic[payload].bytes.tolist() == (size * rounds * degrees).tolist()
        assert after.traffic[payload].rounds.tolist() == [rounds] * 4
    assert set(after.traffic) == set(sends)

    told = round_of(algorithm)(team)[1]
    sent = sum((size * rounds * degrees for size, rounds in weights.values()), np.zeros(4, int))
    exchanges = sum(rounds for _, rounds in weights.values())
    if algorithm.information.central:  # observation, action and reward, 4 bytes each, every step
        each = np.array([spec.size + 2 for spec in noise(algorithm).specs])
        sent, exchanges = 4 * each * algorithm.rollout_length * 4, 0
    shown = sum(leaf[0, 0, 0, 0].nbytes for leaf in jax.tree.leaves(trajectory.shown))
    sent = sent + 3 * shown * algorithm.rollout_length * 4  # to each of the others, at every step
    assert told.bytes.tolist() == sent.tolist()
    assert told.observed_bytes.tolist() == known_of_others(algorithm, trajectory).tolist()
    assert told.rounds.tolist() == [exchanges] * 4


def known_of_others(algorithm, trajectory):
    """The bytes of what a trajectory holds of others, counted in it, without padding."""
    knows, specs = algorithm.information, noise(algorithm).specs
    seen, acted = np.array([s.size for s in specs]), np.array([s.action.numbers for s in specs])
    numbers = np.zeros(4, int)
    if not knows.central:
        steps = trajectory.reward[0].size
        if knows.state == "observations":
            numbers += steps * (seen.sum() - seen)
        elif knows.state:
            numbers += trajectory.view.state[0].size
        if knows.actions == "joint":
            numbers += steps * (acted.sum() - acted)
        elif knows.actions == "mean":
            numbers += trajectory.actions[0].size
        numbers += steps * (knows.reward == "team")
    return 4 * numbers


def weight(payload, agents, spec):
    """What one message of a payload weighs, in bytes, as it is declared."""
    if payload.lasting is None:
        return 4 * payload.numbers(spec)
    shared = jax.vmap(payload.lasting)(agents)
    return sum(leaf[0].nbytes for leaf in jax.tree.leaves(shared))


def consensus(graph, **changes):
    algorithm = with_options(Gossip(), **SMALL)
    (agents, trajectory, _, keys), learn, _ = taught(algorithm)
    network = networks(graph, algorithm.information.sends)
    return learn(agents, trajectory._replace(**changes), network, keys)


def test_without_links_consensus_is_independent_learning():
    learn, network = taught(PLAIN["ippo"]).learn, networks(family("line", 4))
    mine = taught(with_options(Gossip(), **SMALL)).lesson
    alone = learn(mine.agents, mine.trajectory, network, mine.keys)
    together = consensus(family("none", 4))
    assert_same((together[0], together[2]), (alone[0], alone[2]))
    assert_same(together[1].traffic["critic"].bytes, np.zeros(4, np.int64))


def test_complete_and_uniform_is_the_centralized_average():
    mine = taught(with_options(Gossip(), **SMALL)).lesson
    reward = np.where(mine.trajectory.view.alive, mine.trajectory.reward, 0.0)
    everybody = np.broadcast_to(reward.mean(axis=0), reward.shape)
    alone = consensus(family("none", 4), reward=everybody)[0]
    together = consensus(family("complete", 4, uniform))[0]
    center = jax.tree.map(lambda x: np.broadcast_to(np.mean(x, axis=0), x.shape), alone.critic)
    assert_same(together.critic, center, 1e-5)
    assert_same(together.policy, alone.policy, 1e-5)


# What everybody shows is as long as the largest agent's: a part of a critic, not padding.
UNSEEN = {name: a for name, a in ALONE.items() if not a.information.broadcasts}
BOXES = {name: a for name, a in UNSEEN.items() if accepts(a, Box)}
NAMES = {name: a for name, a in UNSEEN.items() if accepts(a, Discrete)}


def of_kind(name, kind, *marks):
    marks = (*marks, pytest.mark.xdist_group(name))
    return pytest.param(UNSEEN[name], kind == "box", id=f"{name}-{kind}", marks=marks)


# Who knows both kinds of actions pads them alike: the second kind is left to the deep tests.
KINDS = [of_kind(n, "discrete", *([pytest.mark.deep] if n in KIN else [])) for n in NAMES] + [
    of_kind(n, "box", *([pytest.mark.deep] if n in NAMES else [])) for n in BOXES
]


@pytest.mark.parametrize(("algorithm", "box"), KINDS)
def test_beside_a_bigger_agent_one_learns_as_among_equals(algorithm, box):
    """Padding is exact: it changes nothing, and stays zero."""
    env = noise(algorithm, box=box)
    smallest, team = env.sizes[0], len(env.sizes)
    equals = noise(algorithm, sizes=(smallest,) * team, box=box)
    # Who agrees with agents of other sizes has no padding: senders are alone from the start.
    usual = None if env == noise(algorithm) else env
    lesson, learn, _ = taught(algorithm, usual, linked=not algorithm.information.sends)
    agents, trajectory, network, keys = lesson
    specs = resolve_specs(env, env.vectorize(1), algorithm)
    alike = [algorithm.init(InitKeys.of(jax.random.key(0)), spec)[0] for spec in specs]

    agents = jax.device_put(agents)
    assert_same(stack([unstack(agents, i, mine) for i, mine in enumerate(alike)]), agents)

    unpadded = jax.eval_shape(
        functools.partial(played, algorithm, equals), team_of(algorithm, equals)
    )

    def cut(x, like):
        return np.broadcast_to(x[0][tuple(slice(n) for n in like.shape[1:])], like.shape)

    own = stack([unstack(agents, 0, alike[0])] * team)
    same = keys[jnp.zeros(team, int)]
    among = jax.jit(lift(algorithm.learn))(
        own, jax.tree.map(cut, trajectory, unpadded), network, same
    )
    beside = learn(agents, trajectory, network, keys)
    assert_same(unstack(beside[0], 0, alike[0]), unstack(among[0], 0, alike[0]), 1e-5)
    assert_same(*jax.tree.map(lambda x: x[0], (beside[2], among[2])), 1e-5)


@each({name: a for name, a in EVERY.items() if a.information.sends})
def test_unequal_agents_can_agree(algorithm):
    """What is sent is as long for everybody; a critic of the own view is not, and says so."""
    env, talk = noise(algorithm), Communication(family("ring", 4))
    specs = resolve_specs(env, env.vectorize(1), algorithm)
    one, other = (
        jax.eval_shape(
            lambda spec=spec: algorithm.information.lasting(
                algorithm.init(InitKeys.of(jax.random.key(0)), spec)[0]
            )
        )
        for spec in specs[:2]
    )
    if jax.tree.map(jnp.shape, one) == jax.tree.map(jnp.shape, other):
        return require_fit(talk, algorithm, specs, tuple("abcd"))
    assert not algorithm.information.state  # they see the same where they see the state
    with pytest.raises(EnvError, match=r"'critic' of a and of b .* have no average"):
        require_fit(talk, algorithm, specs, tuple("abcd"))


def test_of_critics_of_own_views_the_inner_layers_can_be_shared():
    inner = with_options(PLAIN["f2a2-isac"], sharing=InnerLayers(), hidden_sizes=(8, 6))
    env = noise(inner)
    specs = resolve_specs(env, env.vectorize(1), inner)
    require_fit(Communication(family("ring", 4)), inner, specs, tuple("abcd"))
    state, _ = inner.init(InitKeys.of(jax.random.key(0)), specs[0])
    shared = inner.information.lasting(state)["critic"]
    assert [x.shape for x in jax.tree.leaves(shared)] == 2 * [(8, 6), (6,)]


def team_of(algorithm, env):
    graph = family("none", len(env.sizes))
    return assembled(algorithm, env, env.vectorize(4), Communication(graph), jax.random.key(0))


LEAVERS = EVERY | {
    "networked-ac-traced": with_options(NetworkedAC(gae_lambda=0.5), **SMALL),
    "f2a2-ddpg-policies": with_options(F2A2DDPG(opponents=CommunicatedActions()), **SMALL),
    "li-jia-all": with_options(LiJia(weight_estimation=TrackingEstimate()), **SMALL),
    "matrpo-warm": with_options(MATRPO(dual_warm_start=0.9, step_rule="closed"), **SMALL),
}


@each(LEAVERS, deep=LATER)
def test_what_an_absent_agent_is_shown_and_paid_changes_nothing(algorithm):
    """For nobody: what it says of such steps to others weighs nothing, either."""
    lesson, learn, _ = taught(algorithm)
    trajectory = lesson.trajectory
    assert 0.1 < np.mean(~trajectory.view.alive) < 0.5
    one, other = (
        learn(*lesson._replace(agents=without_past(lesson.agents), trajectory=e))
        for e in (trajectory, confused(trajectory))
    )
    assert_same(without_past(one[0]), without_past(other[0]))
    assert_same(one[2], other[2])


def confused(trajectory):
    """The same with garbage in what an agent is shown and paid while it is not in the
    environment."""
    absent = ~trajectory.view.alive

    def garbage(x):
        where = absent.reshape(absent.shape + (1,) * (x.ndim - absent.ndim))
        return np.where(where, ~x if x.dtype == bool else x * -3 + 1, x).astype(x.dtype)

    known = {name: getattr(trajectory, name) for name in ("decision", "memory", "over", "there")}
    wrong = jax.tree.map(garbage, trajectory._replace(**dict.fromkeys(known)))
    return wrong._replace(view=wrong.view._replace(alive=trajectory.view.alive), **known)


def without_past(agents):
    """The agents without steps that they keep as they were told: replay, and one that waits."""
    if hasattr(agents, "last"):
        agents = agents._replace(last=jax.tree.map(np.zeros_like, agents.last))
    if not hasattr(agents, "replay"):
        return agents
    return agents._replace(replay=jax.tree.map(np.zeros_like, agents.replay))


@each({name: PLAIN[name] for name in ("f2a2-ddpg", "f2a2-coma", "networked-ac", "matrpo")})
def test_who_is_gone_is_seen_nowhere_and_does_nothing(algorithm):
    trajectory = taught(algorithm).lesson.trajectory
    absent = np.moveaxis(~trajectory.view.alive, 0, -1)
    if trajectory.actions is not None:
        assert not trajectory.actions[:, absent].any() and trajectory.actions.any()
    if trajectory.there is not None:
        assert (trajectory.there == ~absent).all()
    if algorithm.information.state == "observations":
        seen = trajectory.view.state.reshape(*trajectory.there.shape, -1)
        others = absent & (np.arange(4) != np.arange(4)[:, None, None, None])
        assert not seen[others].any() and seen.any()


def test_what_does_not_fit_gets_its_sentence():
    assert UNSEEN.keys() - BOXES.keys() == {"iql", "f2a2-isac", *TABULAR}
    assert UNSEEN.keys() - NAMES.keys() == {"li-jia"}
    with pytest.raises(ConfigError, match="LiJia chooses numbers"):
        team_of(PLAIN["li-jia"], Babble())
    with pytest.raises(ConfigError, match=r"5 environments bring 30 steps .* memory of 24 holds"):
        PLAIN["li-jia"].check(5)
    with pytest.raises(ConfigError, match="IQL chooses among discrete actions"):
        team_of(PLAIN["iql"], Babble(box=True))
    for algorithm in TABULAR.values():
        with pytest.raises(ConfigError, match=r"keeps a table of states, .* are not numbered"):
            team_of(algorithm, Babble())
        with pytest.raises(ConfigError, match=r"chooses among discrete actions, .* are continuous"):
            team_of(algorithm, Babble(box=True, numbered=True))
    for algorithm in PLAIN.values():
        algorithm.check(4)
        if hasattr(algorithm, "minibatches"):
            wrong = dataclasses.replace(algorithm, minibatches=3)
            with pytest.raises(
                ConfigError, match="4 environments cannot be dealt into 3 minibatches"
            ):
                wrong.check(4)
    with pytest.raises(
        ConfigError, match=r"25 environments bring 25 segments .* memory of 24 holds"
    ):
        PLAIN["iql"].check(25)
