"""The figures of Li & Jia's off-policy paper."""

from collections.abc import Mapping

from coterie.algorithms import Algorithm, LiJia, LiJiaTabular
from coterie.centralized import CENTRAL_ACTOR_CRITIC, CENTRAL_Q, MADDPG
from coterie.claims.assertions import above, faster, within
from coterie.claims.figure import Claim, Figure, Panel
from coterie.envs import RandomMDP, SpreadLiJia
from coterie.envs.particle.team import NEAR
from coterie.training.settings import Settings

# The step sizes are the defaults: chosen on instances that are not those of the figures.
METHODS: Mapping[str, Algorithm] = {
    "li-jia": LiJiaTabular(),
    "central-ac": CENTRAL_ACTOR_CRITIC,
    "central-q": CENTRAL_Q,
}
RIVALS = ("central-ac", "central-q")
SETTINGS = Settings(
    steps=2_000_000,
    num_envs=1,
    seeds=5,
    updates_per_block=20_000,
    num_evals=50,
    eval_episodes=128,
    num_checkpoints=1,
)


def figure_1a() -> Figure:
    """Li & Jia, figure 1(a): four agents in random games, each seed in one of its own."""
    claims = (
        Claim("LJ3", "Algorithm 1 is faster than both", faster("li-jia", *RIVALS)),
        Claim("LJ4", "Algorithm 1 ends below centralised AC", above("central-ac", "li-jia")),
        Claim("LJ5", "Algorithm 1 ends above Q-learning", above("li-jia", "central-q")),
    )
    return Figure({"four": Panel(RandomMDP(agents=4, redrawn=True), METHODS, SETTINGS, claims)})


def figure_1b() -> Figure:
    """Li & Jia, figure 1(b): the same with five agents."""
    claims = (
        Claim("LJ6", "Algorithm 1 is fastest", faster("li-jia", *RIVALS)),
        Claim("LJ7", "Algorithm 1 ends highest", above("li-jia", *RIVALS)),
    )
    return Figure({"five": Panel(RandomMDP(agents=5, redrawn=True), METHODS, SETTINGS, claims)})


# The best of {1e-4, 3e-4}, each for 100,000 steps on seeds 100 and 101, is the default for both.
OFF_POLICY = Settings(
    steps=300_000,
    num_envs=16,
    seeds=5,
    updates_per_block=15,
    num_evals=25,
    eval_episodes=64,
    num_checkpoints=1,
)


def figure_1c() -> Figure:
    """Li & Jia, figures 1(c) and 2(b): three agents on a ring, each with a target of its own."""
    methods: Mapping[str, Algorithm] = {
        "li-jia": LiJia(),
        "li-jia, no weights": LiJia(log_weight_clip=0.0),
        "maddpg": MADDPG(),
    }
    claims = (
        Claim("LJ9", "Algorithm 2 ends above MADDPG", above("li-jia", "maddpg")),
        Claim("LJ10", "Algorithm 2 is faster", faster("li-jia", "maddpg")),
        Claim("LJ11", "every agent ends on its target", within("li-jia", NEAR), "info/distance"),
        Claim("LJ11", "without collisions", within("li-jia", 0.05), "info/collisions"),
    )
    return Figure({"spread": Panel(SpreadLiJia(), methods, OFF_POLICY, claims)})
