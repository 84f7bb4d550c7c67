"""Catalogue of algorithms and environments, by the names that users type."""

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any

from coterie.algorithms import (
    DPO,
    F2A2COMA,
    F2A2DDPG,
    F2A2SAC,
    IDDPG,
    IPPO,
    IQL,
    ITRPO,
    MATRPO,
    Algorithm,
    DeterministicOff,
    DeterministicOn,
    IgnoredOpponents,
    IndependentCritic,
    IQLTabular,
    LiJia,
    LiJiaTabular,
    NetworkedAC,
    NetworkedQAC,
)
from coterie.centralized import (
    CENTRAL_AC,
    CENTRAL_ACTOR_CRITIC,
    CENTRAL_Q,
    COMA,
    CTRPO,
    MAAC,
    MADDPG,
    MAPPO,
)
from coterie.envs import ENVS
from coterie.envs.game import Env
from coterie.envs.gymnasium import GymnasiumEnv
from coterie.envs.gymnasium_vector import GymnasiumVectorEnv
from coterie.envs.jaxmarl import JaxMARLEnv
from coterie.envs.jumanji import JumanjiEnv
from coterie.envs.pettingzoo import PettingZooEnv
from coterie.envs.smax import SMAXEnv
from coterie.errors import require, unknown
from coterie.internal.imports import (
    GYMNASIUM,
    GYMNASIUM_VECTOR,
    JAXMARL,
    JUMANJI,
    PETTINGZOO,
    SMAX,
)
from coterie.internal.parse_spec import imported, path_of
from coterie.internal.parts import option_fields, read

ALGORITHMS: dict[str, Algorithm] = {
    "dpo": DPO(),
    "dpo-code": DPO(
        sqrt_kl_coef=1.0,
        kl_coef=1.0,
        scale_by_num_agents=False,
        sqrt_kl_per_state=True,
        adapt_coefs="separate",
        value_clip=0.2,
    ),
    "dpo-no-kl": DPO(kl_coef=0.0),
    "ippo": IPPO(),
    "ippo-kl": DPO(sqrt_kl_coef=0.0),
    "iddpg": IDDPG(),
    "iql": IQL(),
    "mappo": MAPPO,
    "matrpo": MATRPO(),
    "itrpo": ITRPO(),
    "ctrpo": CTRPO,
    "networked-ac": NetworkedAC(),
    "networked-q": NetworkedQAC(),
    "central-ac": CENTRAL_AC,
    "maddpg": MADDPG(),
    "maac": MAAC,
    "f2a2-ddpg": F2A2DDPG(),
    "f2a2-td3": F2A2DDPG(num_critics=2, policy_delay=2, target_noise=0.2),
    "f2a2-sac": F2A2SAC(),
    "f2a2-isac": F2A2SAC(critic=IndependentCritic(), opponents=IgnoredOpponents()),
    "f2a2-coma": F2A2COMA(),
    "coma": COMA,
    "li-jia": LiJia(),
    "li-jia-tabular": LiJiaTabular(),
    "iql-tabular": IQLTabular(),
    "dac-on": DeterministicOn(),
    "dac-off": DeterministicOff(),
    "central-actor-critic": CENTRAL_ACTOR_CRITIC,
    "central-q": CENTRAL_Q,
}


ABOUT: dict[str, str] = {
    "dpo": "Decentralised policy optimisation (Su & Lu, eq. 19 and 20).",
    "dpo-code": "The same as its authors' code has it.",
    "dpo-no-kl": "Ablation of dpo: only the root of the divergence is penalised.",
    "ippo": "Independent PPO with clipped ratios.",
    "ippo-kl": "Independent PPO with an adaptive divergence penalty; dpo without the root.",
    "iddpg": "Independent DDPG: deterministic policies, critics of the own observation and action.",
    "iql": "Independent double Q-learning with a replay memory; discrete actions.",
    "mappo": "Centralised reference: PPO with critics of the global state.",
    "matrpo": "Trust regions for a team that agrees on policy ratios by ADMM (Li & He).",
    "itrpo": "Independent trust-region policy optimisation.",
    "ctrpo": "Centralised reference: one trust-region learner that acts for all.",
    "networked-ac": "Networked actor-critic with a team-reward model (Zhang et al., Algorithm 2).",
    "networked-q": "Networked actor-critic with an action value (Zhang et al., Algorithm 1).",
    "central-ac": "Centralised reference: networked-ac whose critics are told the team's reward.",
    "maddpg": "Centralised reference: deterministic policies, critics of everybody's actions.",
    "maac": "Centralised reference: f2a2-sac whose attention is one for all (Iqbal & Sha).",
    "f2a2-ddpg": "Deterministic policies, critics partly by consensus, models of others (F2A2).",
    "f2a2-td3": "The same with twin critics and slower policies.",
    "f2a2-sac": "Critics that attend to the others, in part by consensus; entropy is paid (F2A2).",
    "f2a2-isac": "The same for large teams: critics of the own observation and action.",
    "f2a2-coma": "On-policy: counterfactual gradients, critics partly by consensus (F2A2).",
    "coma": "Centralised reference: f2a2-coma whose critics are told the team's reward.",
    "li-jia": "Off-policy actor-critic that reweighs its memory by gossip (Li & Jia, Algorithm 2).",
    "li-jia-tabular": "Actor-critic with local critics in tables (Li & Jia, Algorithm 1).",
    "iql-tabular": "Independent Q-learning in tables.",
    "dac-on": "Deterministic actor-critic over a network, on-policy (Grosnit, Cai & Wynter, 1).",
    "dac-off": "The same off-policy: it climbs the mean reward (Grosnit, Cai & Wynter, 2).",
    "central-actor-critic": "Centralised reference in tables: Li & Jia's rule for joint actions.",
    "central-q": "Centralised reference in tables: Q-learning of joint actions.",
}
"""Description of each algorithm, in a line."""


LIBRARIES: dict[str, Callable[[str], Env]] = {
    PETTINGZOO: PettingZooEnv,
    GYMNASIUM: GymnasiumEnv,
    GYMNASIUM_VECTOR: GymnasiumVectorEnv,
    JAXMARL: JaxMARLEnv,
    JUMANJI: JumanjiEnv,
    SMAX: SMAXEnv,
}
"""Other libraries' environments: what stands before a name, and what makes it."""


def make_algorithm(name: str, **options: Any) -> Algorithm:
    """The algorithm of a name (or of a path `module:Class`), with some of its fields changed.

    >>> make_algorithm("ippo", clip_eps=0.1).clip_eps
    0.1
    """
    if ":" in name:
        return changed(imported(name, Algorithm)(), options)
    require(
        name not in ENVS,
        f"{name!r} is an environment: algorithms come first, the environment last.",
    )
    if name not in ALGORITHMS:
        raise unknown("algorithm", name, ALGORITHMS)
    return changed(ALGORITHMS[name], options)


def algorithm_name(algorithm: Algorithm) -> str:
    """The catalogue's name that comes nearest to these hyper-parameters, or the class's path.

    >>> algorithm_name(DPO(sqrt_kl_coef=0.0, actor_lr=0.1))
    'ippo-kl'
    """
    kin = [
        name
        for name, preset in ALGORITHMS.items()
        if type(preset) is type(algorithm) and _known(preset) == _known(algorithm)
    ]
    if not kin:
        return path_of(algorithm)
    return min(kin, key=lambda name: len(differences(ALGORITHMS[name], algorithm)))


def _known(algorithm: Algorithm) -> Any:
    """Declared `information` of an algorithm, `None` where it follows from its other parts."""
    return vars(algorithm).get("information")


def make_env(name: str, **options: Any) -> Env:
    """The environment of a name, of `pettingzoo:<factory>`, `gymnasium:<id>`,
    `gymnasium-vector:<factory>`, `jaxmarl:<name>`, `jumanji:<name>` or `smax:<map>`, or of a path
    `module:Class`.

    >>> make_env("spread", agents=5).agents
    5
    """
    for prefix, made in LIBRARIES.items():
        if name.startswith(prefix):
            return changed(made(name.removeprefix(prefix)), options)
    require(name not in ALGORITHMS, f"{name!r} is an algorithm: the environment comes last.")
    kind = imported(name, Env) if ":" in name else ENVS.get(name)
    if kind is None:
        others = (f"{prefix}..." for prefix in LIBRARIES)
        raise unknown("environment", name, [*ENVS, *others, "<module>:<Class>"])
    return changed(kind(), options)


def env_name(env: Env) -> str:
    """The name that `make_env` would make this kind of environment from."""
    known = [name for name, kind in ENVS.items() if type(env) is kind]
    return known[0] if known else env.catalogue_name() or path_of(env)


def differences(value: Any, other: Any) -> dict[str, Any]:
    """The fields of `other` that differ from those of `value`, of the same class."""
    fields = {f.name: getattr(other, f.name) for f in dataclasses.fields(other)}
    return {name: new for name, new in fields.items() if new != getattr(value, name)}


def changed(value: Any, options: dict[str, Any]) -> Any:
    """A frozen value with some fields changed; a `ConfigError` names a field it does not have."""
    known = [field.name for field in option_fields(value)]
    for name in options:
        if name not in known:
            raise unknown("option", name, known)
    hints = typing.get_type_hints(type(value))
    told = {n: _read(getattr(value, n), each, hints[n]) for n, each in options.items()}
    return dataclasses.replace(value, **told)


def _read(present: Any, told: Any, hint: Any) -> Any:
    """A field's new value; a part as `coterie.internal.parts` describes it, or as its changes."""
    if isinstance(told, list | tuple):
        return tuple(_read(None, each, hint) for each in told)
    if not isinstance(told, Mapping):
        return told
    if "kind" not in told and dataclasses.is_dataclass(present):
        return changed(present, dict(told))
    return read(dict(told), hint)
