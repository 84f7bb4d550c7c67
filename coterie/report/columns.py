"""Columns of a run's tables in the field's words, and the direction in which each is better."""

from dataclasses import dataclass, replace

INFO = "info/"
"""What stands before the names of an environment's own numbers."""
_LOWER_WORDS = ("loss", "error", "collisions", "distance", "cost", "regret", "violations", "misses")


@dataclass(frozen=True)
class Column:
    """One column of a run's tables.

    name:            its quantity, as a title: "Critic loss".
    unit:            the unit of its numbers, if they have one.
    lower_is_better: True if a method with lower numbers is the better one.
    of_agents:       True if it is the mean of a number that each agent has.
    """

    name: str
    unit: str = ""
    lower_is_better: bool = False
    of_agents: bool = False

    @property
    def title(self) -> str:
        """Name and unit, for a panel."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def label(self) -> str:
        """Name, unit and kind, for an axis.

        >>> column_of("episode_return").label, column_of("critic/consensus_error").label
        ('Return (mean of agents)', 'Consensus error of the critic')
        """
        added = [self.unit] * bool(self.unit) + ["mean of agents"] * self.of_agents
        return f"{self.name} ({', '.join(added)})" if added else self.name


def _each(name: str, unit: str = "", lower: bool = False) -> Column:
    return Column(name, unit, lower, of_agents=True)


KNOWN = {
    "episode_return": _each("Return"),
    "episode_length": Column("Episode length", "steps", lower_is_better=True),
    "episodes": Column("Episodes that ended"),
    "seconds": Column("Wall time", "s", lower_is_better=True),
    "bytes": _each("Bytes sent by an agent", lower=True),
    "observed_bytes": Column("Bytes that an agent observed of others", lower_is_better=True),
    "rounds": Column("Communication rounds", lower_is_better=True),
    "critic_loss": _each("Critic loss", lower=True),
    "policy_loss": _each("Policy loss", lower=True),
    "gradient_norm": _each("Gradient norm"),
    "entropy": _each("Policy entropy", "nats"),
    "kl": _each("KL divergence of the update", "nats", lower=True),
    "kl_coef": _each("KL coefficient"),
    "sqrt_kl_coef": _each("Coefficient of the KL's square root"),
    "value": _each("Value estimate"),
    "advantage_rms": _each("Advantage, root mean square"),
    "average_reward": _each("Average reward estimate"),
    "accepted_step_fraction": _each("Accepted share of the step"),
    "ess_fraction": _each("Effective sample size", "fraction"),
    "mean_log_importance_weight": _each("Mean log importance weight"),
    "log_ratio_rms": _each("Log-ratio, root mean square"),
    "epsilon": _each("Exploration rate"),
    "action_noise_std": _each("Standard deviation of action noise"),
    "opponent_model/loss": _each("Loss of the opponent models", lower=True),
    "opponent_model/accuracy": _each("Accuracy of the opponent models"),
}
"""Columns whose meaning does not depend on the environment."""

RETURN = KNOWN["episode_return"].label
"""The axis of learning curves."""
OF_PAYLOAD = {
    "consensus_error": Column("Consensus error of the {}", lower_is_better=True),
    "lost": Column("Lost messages of the {}", "fraction", lower_is_better=True),
    "bytes": Column("Bytes sent by an agent for the {}", lower_is_better=True),
    "rounds": Column("Communication rounds of the {}", lower_is_better=True),
}
"""Columns of each payload, behind its name."""


def column_of(key: str) -> Column:
    """The column with this name in a table; what an environment or a method of one's own adds is
    read from its name, and is better if it is higher unless the name says a loss or the like.

    >>> column_of("entropy/agent-0").name, column_of("info/box_collisions")
    ('Policy entropy of agent-0', Column(name='Box collisions', unit='', lower_is_better=True, \
of_agents=False))
    """
    if key in KNOWN:
        return KNOWN[key]
    first, _, last = key.rpartition("/")
    if first and last in OF_PAYLOAD:
        column = OF_PAYLOAD[last]
        return replace(column, name=column.name.format(first.replace("_", " ")))
    whole, _, agent = key.rpartition("/")
    if whole in KNOWN and KNOWN[whole].of_agents:
        return replace(KNOWN[whole], name=f"{KNOWN[whole].name} of {agent}", of_agents=False)
    words = key.removeprefix(INFO).replace("_", " ").replace("/", " ").strip()
    lower = any(word in _LOWER_WORDS for word in words.split())
    return Column(words[:1].upper() + words[1:] or key, lower_is_better=lower)
