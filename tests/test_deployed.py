"""Deployed policies take what a PettingZoo environment shows, and answer with its own actions."""

import jax
import numpy as np
import pytest
from gymnasium import spaces

from coterie.envs.host.layout import measure
from coterie.envs.host_env import space_of
from coterie.errors import CoterieError
from coterie.policies import Team, load_policy
from coterie.policies.saving import policy_metadata, save_policy
from coterie.rl.models import MLP, Inputs
from coterie.rl.networks import Policy
from coterie.types import LearnerSpec

F = np.float32
SEES = {
    "box": spaces.Box(-1, 1, (2, 3), F),
    "image": spaces.Box(0, 255, (4, 4, 3), np.uint8),
    "discrete": spaces.Discrete(4, start=1),
    "tuple": spaces.Tuple((spaces.Box(-1, 1, (2,), F), spaces.Discrete(3))),
    "dict": spaces.Dict({"far": spaces.MultiBinary(3), "at": spaces.Discrete(3, start=2)}),
}
ACTS = {
    "discrete": spaces.Discrete(3),
    "from one": spaces.Discrete(3, start=1),
    "box": spaces.Box(np.array([[0, -5]], F), np.array([[1, 5]], F), (1, 2), F),
    "double": spaces.Box(-2, 2, (3,), np.float64),
    "choices": spaces.MultiDiscrete([[3, 2]], start=[[1, 0]]),
    "switches": spaces.MultiBinary(3),
    "both kinds": [spaces.Discrete(3, start=1), spaces.Box(-2, 2, (2,), F)],
}


class Shop:
    """What `measure` asks of a `ParallelEnv`: agents whose actions are of one kind, or of two."""

    agents = possible_agents = ("a", "b")

    def __init__(self, sees, acts):
        self.sees, self.acts = sees, acts
        for agent, space in enumerate(sees):
            space.seed(agent)

    def observation_space(self, agent):
        return self.sees[self.possible_agents.index(agent)]

    def action_space(self, agent):
        kinds = self.acts if isinstance(self.acts, list) else [self.acts] * 2
        return kinds[self.possible_agents.index(agent)]

    def reset(self, seed=None):
        pairs = zip(self.possible_agents, self.sees, strict=True)
        return {agent: space.sample() for agent, space in pairs}, {a: {} for a in "ab"}

    def step(self, actions):
        assert all(self.action_space(agent).contains(actions[agent]) for agent in "ab")
        seen, infos = self.reset()
        return seen, {a: 0.0 for a in "ab"}, *[{a: False for a in "ab"}] * 2, infos


def team_of(folder, env):
    """Policies of untrained networks for an environment's agents, saved and loaded."""
    layout, policies = measure(env), {}
    for agent, name in enumerate(layout.agents):
        action = space_of(layout.acted[agent])
        spec = LearnerSpec(layout.observations[agent], action, (layout.observations[agent],))
        keys = jax.random.split(jax.random.key(agent))
        policy = Policy.init(keys, MLP((4,)), Inputs.of(spec), action, gain=3.0)
        encodings = layout.seen[agent], layout.acted[agent]
        about = policy_metadata(
            spec, policy, False, encodings, name=name, env="x", agent=agent, agents=2
        )
        file = folder / f"{name}.safetensors"
        save_policy(file, policy, about)
        policies[name] = load_policy(file)
    return Team(policies)


@pytest.mark.parametrize("acts", ACTS)
@pytest.mark.parametrize("sees", SEES)
def test_a_team_plays_in_its_environment(tmp_path, sees, acts):
    env = Shop([SEES[sees], SEES["box"]], ACTS[acts])
    team, chosen = team_of(tmp_path, env), []
    for _ in range(30):
        seen, infos = env.reset()
        actions = team(seen, infos)
        assert all(env.action_space(agent).contains(actions[agent]) for agent in "ab")
        chosen.append(actions["a"])
    if isinstance(env.action_space("a"), spaces.Discrete):
        start = int(env.action_space("a").start)
        assert {*map(int, chosen)} <= {start, start + 1, start + 2} and len({*chosen}) > 1


MASKED = spaces.Dict({"observation": SEES["box"], "action_mask": spaces.MultiBinary(3)})


@pytest.mark.parametrize("where", ["observation", "info"])
def test_masks_are_obeyed_wherever_they_come_from(tmp_path, where):
    env = Shop([MASKED if where == "observation" else SEES["box"], SEES["box"]], ACTS["from one"])
    team = team_of(tmp_path, env)
    for allowed in (0, 1, 2):
        seen, infos = env.reset()
        place = seen["a"] if where == "observation" else infos["a"]
        place["action_mask"] = np.eye(3, dtype=np.int8)[allowed]
        assert {int(team(seen, infos)["a"]) for _ in range(10)} == {allowed + 1}
    place["action_mask"] = np.zeros(3, np.int8)
    with pytest.raises(CoterieError, match="the action_mask of a allows no action"):
        team(seen, infos)


def test_masks_of_several_choices_come_in_parts_and_none_is_read_for_numbers(tmp_path):
    """As in training; environments often give a mask to everybody."""
    env = Shop([SEES["box"]] * 2, [ACTS["choices"], ACTS["box"]])
    seen, team = env.reset()[0], team_of(tmp_path, env)
    masks = {"a": ([0, 0, 1], [1, 0]), "b": [0, 1]}
    actions = team(seen, {agent: {"action_mask": mask} for agent, mask in masks.items()})
    assert actions["a"].tolist() == [[3, 0]] and env.action_space("b").contains(actions["b"])


FAULTS = {
    "nan": ({"far": [0, np.nan, 1], "at": 2}, r"observation\['far'\]\[1\] is nan"),
    "a key less": ({"far": [0, 0, 1]}, "observation has no 'at'"),
    "a number out of range": ({"far": [0, 0, 1], "at": 1}, r"\['at'\] is 1, not one of the num"),
    "numbers": (np.zeros(6), "observation is ndarray, not a dict of 'at', 'far'"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_does_not_fit_is_named_with_its_place(tmp_path, case):
    seen, sentence = FAULTS[case]
    team = team_of(tmp_path, Shop([SEES["dict"], SEES["dict"]], ACTS["discrete"]))
    with pytest.raises(CoterieError, match=f"a cannot read this: .*{sentence}"):
        team({"a": seen})
