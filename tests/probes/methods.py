"""The methods that are probed, with options under which they learn in a few hundred updates."""

import functools

import pytest

from coterie.algorithms import (
    F2A2DDPG,
    CommunicatedActions,
    F2A2OnPolicy,
    FixedTemperature,
    IndependentCritic,
    WholeCritic,
)
from coterie.algorithms.base.off_policy import OffPolicy
from coterie.algorithms.base.tabular import Tabular
from coterie.algorithms.deterministic import Deterministic
from coterie.algorithms.f2a2.f2a2 import F2A2
from coterie.algorithms.f2a2.off_policy import F2A2OffPolicy
from coterie.algorithms.networked.base import Networked
from coterie.algorithms.trpo.trust_region import TrustRegion
from coterie.catalogue import ALGORITHMS
from coterie.envs.game import Box, Discrete
from tests.options import remembering
from tests.support import OTHERS, accepts, with_options

QUICK = {
    "normalize_observations": False,  # what is judged are values in units of reward
    "normalize_rewards": False,
    "discount": 0.5,
    "hidden_sizes": (16,),
    "sharing": WholeCritic(),  # the mean reward's critics
    "rollout_length": 8,
    "lr": 0.01,
    "actor_lr": 0.01,
    "critic_lr": 0.01,
    "epochs": 3,
    "minibatches": 1,
    "entropy_coef": 0.1,
    "value_clip": None,
    "updates_per_rollout": 5,
    "buffer_size": 200,
    "batch_size": 64,  # a quarter of the usual, and of the time
    "learning_starts": 16,
    "target_update_interval": 10,
    "epsilon_decay_steps": 4_000,
    "std_min": 0.05,
    "action_noise_std": 0.1,
}
OWN = {
    # A policy that climbs a critic has to be slower than it: as fast, it is in a corner, or never
    # tries an action again, before the critic knows any better.
    OffPolicy: {"actor_lr": 0.001},
    F2A2OffPolicy: {"actor_lr": 0.001, "temperature": FixedTemperature(0.01)},
    # Small networks, and critics by plain steps: see below.
    F2A2: {
        "critic_optimizer": "sgd",
        "critic_lr": 0.05,
        "penalty": 4.0,
        "max_grad_norm": 10.0,
        "tau": 0.02,
        "hidden_size": 8,
        "attention_dim": 16,
    },
    # Their agents' critics are a tenth apart by the noise of smaller batches.
    F2A2DDPG: {"batch_size": 256},
    # Advantages are not standardised, and the mean reward is half of what an agent earns by itself.
    Networked: {"entropy_coef": 0.02},
    F2A2OnPolicy: {"entropy_coef": 0.05, "actor_lr": 0.003},
    # The probes ask for large steps, and are small enough to agree on them quickly.
    TrustRegion: {"max_kl": 0.03, "admm_rounds": 10, "batch_size": 32, "critic_epochs": 3},
}
# Aim is no matter of the mean reward. Faster or less regularised, most seeds are in a corner of the
# actions, where no gradient leads out, before the critic knows any better.
ADAM = {
    "action_l2": 0.1,
    "actor_lr": 0.0005,
    "critic_optimizer": "adam",
    "critic_lr": 0.01,
    "penalty": 10.0,
    "max_grad_norm": 1.0,
}
RATES = ("lr", "actor_lr", "critic_lr", "action_noise_std")


def quick(algorithm):
    own = [options for kind, options in OWN.items() if isinstance(algorithm, kind)]
    options = functools.reduce(dict.__or__, own, QUICK)
    if isinstance(algorithm, Tabular | Deterministic):  # their steps are no learning rates of Adam
        options = {k: v for k, v in options.items() if k not in RATES}
    return with_options(algorithm, **options)


ALL = {name: quick(a) for name, a in (ALGORITHMS | OTHERS).items()}
EVERY = {name: a for name, a in ALL.items() if accepts(a, Discrete)}
LONERS = {name: a for name, a in EVERY.items() if not a.information.sends}
# Whose critic learns, remembers and sees who has left by the code of another method of its class or
# base, which is asked everything. They are asked what differs: the hardest environments, whether
# they need a message, and to aim.
#     Proximal: ippo, TrustRegion: itrpo, OffPolicy: iddpg, F2A2OffPolicy: f2a2-ddpg,
#     F2A2OnPolicy: f2a2-coma, NetworkedAC: networked-ac
KIN = {
    *("dpo", "dpo-code", "dpo-no-kl", "ippo-kl", "gossip"),
    *("ctrpo", "matrpo", "matrpo-linear", "maddpg", "central-ac"),
    *("f2a2-td3", "f2a2-sac", "f2a2-isac", "maac", "coma", "f2a2-ppo"),
}
MEMORIES = {
    name: remembering(a) for name, a in EVERY.items() if a.recurrent_models and name not in KIN
}
# Policies with a memory whose critics have none: what these do not see, they cannot teach.
TAUGHT = {name: a for name, a in MEMORIES.items() if isinstance(a, F2A2OnPolicy)}
TAUGHT["f2a2-ddpg"] = with_options(
    MEMORIES["f2a2-ddpg"], opponents=CommunicatedActions(), burn_in=2
)
REMEMBERING = {name: a for name, a in MEMORIES.items() if name in LONERS.keys() - TAUGHT.keys()}
# Actors that only see how chance actions turned out need thousands of updates for a good aim:
# they have environments of their own in tests/algorithms.
AIMING = {
    name: with_options(a, **ADAM) if isinstance(a, F2A2) else a
    for name, a in ALL.items()
    if accepts(a, Box) and not isinstance(a, Networked | Deterministic | F2A2OnPolicy)
}


def linked(algorithm):
    """Critics of own observations can be shared by equals only, and these agents are not."""
    return not isinstance(getattr(algorithm, "critic", None), IndependentCritic)


def pooled(algorithm):
    """Whether all judge by the mean of both: at a centre, or by gossip on a complete graph."""
    said = algorithm.information
    told = {"reward", "critic"} & set(said.sends)
    return said.reward == "team" or (bool(told) and linked(algorithm))


def each_in(environments, hardest):
    """A test for each method in each environment; for `KIN` in the hardest one alone, which asks
    for all that the others ask for."""
    return pytest.mark.parametrize(
        ("algorithm", "probe"),
        [
            pytest.param(a, probe, id=f"{probe}-{name}", marks=pytest.mark.xdist_group(name))
            for name, a in EVERY.items()
            for probe in environments
            if probe == hardest or name not in KIN
        ],
    )
