"""The experiment of Grosnit, Cai & Wynter: a continuous bandit that a team plays."""

from collections.abc import Mapping
from dataclasses import replace

from coterie.algorithms import Algorithm, DeterministicOff, DeterministicOn
from coterie.claims.assertions import above, arrives
from coterie.claims.figure import Claim, Figure, Panel
from coterie.envs import ContinuousBandit
from coterie.graph import Unlinked
from coterie.network import Communication
from coterie.training.settings import Settings

# The noise stays far from the bounds of the actions: where it is cut off, hiding at a bound pays.
# Slopes are learned faster than the policy moves. Chosen on instance 100 with seeds 100 and 101.
ON = DeterministicOn(action_noise_std=0.1, critic_lr=0.5, actor_lr=1e-5)
OFF = DeterministicOff(action_noise_std=0.1, critic_lr=0.5, actor_lr=1e-5)
METHODS: Mapping[str, Algorithm] = {"dac-on": ON, "dac-off": OFF, "dac-off, no messages": OFF}
NOBODY = Communication(Unlinked(), allow_disconnected=True)
SETTINGS = Settings(
    steps=640_000,
    num_envs=16,
    seeds=5,
    updates_per_block=1000,
    num_evals=40,
    eval_episodes=1,
    num_checkpoints=1,
)


def bandit() -> Figure:
    """Grosnit et al., the experiment: five agents on a bandit with 10 and with 50 numbers."""
    claims = (
        Claim("G8", "on-policy it converges to the optimum", arrives("dac-on", "optimum", 0.99)),
        Claim("G8", "off-policy, too", arrives("dac-off", "optimum", 0.99)),
        Claim("G8", "messages are needed", above("dac-off", "dac-off, no messages")),
    )
    alone = {"dac-off, no messages": replace(SETTINGS, communication=NOBODY)}
    return Figure(
        {
            f"{5 * size} numbers": Panel(
                ContinuousBandit(agents=5, size=size),
                METHODS,
                SETTINGS,
                claims,
                {"optimum": lambda: 0.0},
                alone,
            )
            for size in (2, 10)
        }
    )
