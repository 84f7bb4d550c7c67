"""Deployed policies take what a PettingZoo environment shows, and answer with its own actions."""

import jax
import numpy as np
import pytest
from gymnasium import spaces

from coterie.envs.host.layout import measure
from coterie.errors import CoterieError
from coterie.policies import Team, load_policy
from coterie.policies.saving import policy_metadata, save_policy
from coterie.rl.models import MLP, Inputs
from coterie.rl.networks import Policy
from coterie.types import Box, Discrete, LearnerSpec

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
}


class Shop:
    """What `measure` asks of a `ParallelEnv`: agents of one kind."""

    possible_agents = ("a", "b")

    def __init__(self, sees, acts):
        self.sees, self.acts = sees, acts
        for agent, space in enumerate(sees):
            space.seed(agent)

    def observation_space(self, agent):
        return self.sees[self.possible_agents.index(agent)]

    def action_space(self, agent):
        return self.acts

    def reset(self, seed=None):
        pairs = zip(self.possible_agents, self.sees, strict=True)
        return {agent: space.sample() for agent, space in pairs}, {a: {} for a in "ab"}


def team_of(folder, env):
    """Policies of untrained networks for an environment's agents, saved and loaded."""
    layout, policies = measure(env), {}
    for agent, name in enumerate(layout.agents):
        if layout.discrete:
            action = Discrete(layout.actions[agent])
        else:
            action = Box(layout.actions[agent], *layout.bounds[agent])
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
    if acts in ("discrete", "from one"):
        start = int(ACTS[acts].start)
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
