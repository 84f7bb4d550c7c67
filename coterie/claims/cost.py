"""Cost of decentralisation on an environment in which a team without communication loses most of
the return."""

from dataclasses import replace

from coterie.algorithms import Algorithm, NetworkedAC, ToldReward
from coterie.claims.assertions import above, close, costs
from coterie.claims.figure import Claim, Panel
from coterie.claims.study import Study
from coterie.envs import Commons
from coterie.graph import Unlinked, family, read_family
from coterie.network import Communication, read_channel
from coterie.rl.models import MLP
from coterie.training.settings import Settings

AGENTS = 8
SETTINGS = Settings(
    steps=250_000,
    num_envs=16,
    seeds=5,
    updates_per_block=25,
    num_evals=10,
    eval_episodes=64,
    num_checkpoints=1,
)
# Chosen on a ring with seeds 100 and 101, 400,000 steps each: step sizes of the policy from
# {1e-3, 3e-3, 1e-2}, steps of the critic from {5, 20}, traces from {0.5, 0.9}, the entropy's weight
# from {5e-4, 3e-3}; one after the other, not all combinations. Then, for 150,000 to 250,000 steps,
# step sizes of the critic from {3e-4, 1e-3, 3e-3} with seeds 100 to 103 (1e-2 with two of them):
# 1e-3 is the largest with which every seed learned.
LEARNER = NetworkedAC(
    discount=0.97,
    gae_lambda=0.5,
    entropy_coef=0.003,
    actor_lr=3e-3,
    critic_lr=1e-3,
    critic_epochs=5,
    critic_actions="mean",
    actor=MLP((32, 32), "tanh"),
    critic=MLP((32, 32), "tanh"),
)
CENTRAL = replace(LEARNER, consensus=ToldReward())

FAULTS = {
    "messages lost": {"30 %": "loss:0.3", "60 %": "loss:0.6", "90 %": "loss:0.9"},
    "rounds late": {"10": "delay:10", "30": "delay:30", "100": "delay:100"},
    "bits of a number": {"8": "quantise:8", "6": "quantise:6", "4": "quantise:4"},  # 2 diverge
}
CLEAN = {"messages lost": "0", "rounds late": "0", "bits of a number": "32"}
GRAPHS = ("complete", "exponential", "torus", "ring", "line")


def cost_of_talking() -> Study:
    """The commons: return and agreement against loss, delay, bits and topology; over bytes, too."""
    talks = {graph: Communication(read_family(graph)) for graph in GRAPHS}
    talks["nobody"] = Communication(Unlinked(), allow_disconnected=True)
    axes = {}
    for title, doses in FAULTS.items():
        talks |= {text: Communication(channels=(read_channel(text),)) for text in doses.values()}
        axes[title] = {CLEAN[title]: "ring", **doses}
    axes["spectral gap"] = {f"{_gap(graph):.2g}": graph for graph in GRAPHS}
    networks = {name: replace(SETTINGS, communication=talk) for name, talk in talks.items()}
    methods: dict[str, Algorithm] = {label: LEARNER for label in networks}
    claims = (
        Claim("C1", "without messages at least 30 % is lost", costs("nobody", "complete", 0.3)),
        Claim("C2", "a ring is level with the complete graph", close("ring", "complete")),
        Claim("C3", "a critic that hears all rewards is better", above("central", "ring")),
        Claim("C4", "30 % loss does not matter", close("loss:0.3", "ring")),
        Claim("C5", "90 % loss costs", above("ring", "loss:0.9")),
        Claim("C6", "90 % loss is better than nobody", above("loss:0.9", "nobody")),
    )
    panel = Panel(
        Commons(agents=AGENTS),
        {**methods, "central": CENTRAL},
        SETTINGS,
        claims,
        networks=networks,
    )
    return Study(panel, axes, ("complete", "nobody", "central"), (*GRAPHS, "nobody", "central"))


def _gap(graph: str) -> float:
    return family(graph, AGENTS).spectral_gap
