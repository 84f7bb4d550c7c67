"""Where hyper-parameters make sense, by their names: one table for all algorithms."""

import dataclasses
import math
from typing import Any

from coterie.errors import require

AT_LEAST_ONE = (1.0, math.inf)
SHARE = (0.0, 1.0)
NOT_NEGATIVE = (0.0, math.inf)
POSITIVE = (math.ulp(0.0), math.inf)
POSITIVE_SHARE = (math.ulp(0.0), 1.0)

RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("horizon", "epochs", "minibatches", "updates", "batch"), AT_LEAST_ONE),
    **dict.fromkeys(("critic_epochs", "rounds"), AT_LEAST_ONE),
    **dict.fromkeys(("actor_rate", "critic_rate"), POSITIVE),
    **dict.fromkeys(("capacity", "target_every", "exploration_steps"), AT_LEAST_ONE),
    **dict.fromkeys(("tolerance", "factor", "period"), AT_LEAST_ONE),
    **dict.fromkeys(("discount", "trace", "exploration_start", "exploration_end"), SHARE),
    **dict.fromkeys(("critic_decay", "actor_decay", "warm_start"), SHARE),
    **dict.fromkeys(("critic_step",), POSITIVE_SHARE),
    **dict.fromkeys(("entropy", "penalty", "root_penalty", "warmup"), NOT_NEGATIVE),
    **dict.fromkeys(("exploration",), NOT_NEGATIVE),
    **dict.fromkeys(("learning_rate", "critic_learning_rate", "gradient_clip"), POSITIVE),
    **dict.fromkeys(("bound",), POSITIVE),
    **dict.fromkeys(("clip", "value_clip", "divergence_target", "actor_step"), POSITIVE),
    **dict.fromkeys(("deviation_min", "deviation_max", "exploration_noise"), POSITIVE),
    **dict.fromkeys(
        ("gossip_rounds", "moment_rounds", "admm_rounds", "conjugate_steps"), AT_LEAST_ONE
    ),
    **dict.fromkeys(("divergence",), POSITIVE),
    **dict.fromkeys(("damping", "halvings"), NOT_NEGATIVE),
    **dict.fromkeys(("weight_clip", "regulariser"), NOT_NEGATIVE),
    **dict.fromkeys(("follow",), POSITIVE_SHARE),
    **dict.fromkeys(("optimism", "caution", "temperature", "smoothing"), NOT_NEGATIVE),
    **dict.fromkeys(("smoothing_bound",), POSITIVE),
    **dict.fromkeys(("mind_width", "mental_steps", "trajectories", "latest"), AT_LEAST_ONE),
    **dict.fromkeys(("delay", "heads", "width"), AT_LEAST_ONE),
}


def require_ranges(algorithm: Any) -> None:
    """Raise `ConfigError` for the first field that is outside its range."""
    for field in dataclasses.fields(algorithm):
        value = getattr(algorithm, field.name)
        if field.name in ("hidden", "critic_hidden"):
            sizes = f"{field.name} needs widths of at least 1, not {value}: try 64 64."
            require(min(value, default=1) >= 1, sizes)
            alone = "a recurrent unit comes after a dense layer: give hidden a width, as 64."
            require(len(value) > 0 or not getattr(algorithm, "recurrent", False), alone)
        if value is None or field.name not in RANGES:
            continue
        low, high = RANGES[field.name]
        require(low <= value <= high, f"{field.name} must be {_said(low, high)}, not {value}.")


def require_layer(hidden: tuple[int, ...]) -> None:
    """Raise `ConfigError` unless there is a dense layer, for critics of actions."""
    require(
        len(hidden) > 0,
        "this method needs a hidden layer, where action and state come together: try 64 64.",
    )


def _said(low: float, high: float) -> str:
    least = "greater than 0" if low == POSITIVE[0] else f"at least {low:g}"
    return least if high == math.inf else f"{least} and at most {high:g}"
