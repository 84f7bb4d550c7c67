"""Evaluations in the JSON structure of InstaDeep's marl-eval (Gorsane et al., "Towards a
standardised performance evaluation protocol for cooperative MARL", NeurIPS 2022)."""

from collections.abc import Iterable, Sequence
from typing import Any

from coterie.errors import advise
from coterie.report.curve import Curve

SUITE = "coterie"
"""The environment, in marl-eval's words, of those tasks that are Coterie's own."""


def marl_eval(curves: Iterable[tuple[Curve, Sequence[int]]], metric: str) -> dict[str, Any]:
    """Environment, task, algorithm, seed, evaluation: marl-eval's nesting of a metric.

    curves: the curves, each with the numbers of its seeds.

    The part of an environment's name before the last colon is marl-eval's environment, the rest its
    task: "pettingzoo" and "mpe2.simple_spread_v3". The absolute metrics are the last evaluation's.

    >>> import numpy as np
    >>> curve = Curve("dpo", np.array([0, 25]), np.array([[1.0, 2.0]]), env="spread")
    >>> told = marl_eval([(curve, [7])], "episode_return")
    >>> told["coterie"]["spread"]["dpo"]["seed_7"]["step_1"]
    {'step_count': 25, 'episode_return': [2.0]}
    """
    told: dict[str, Any] = {}
    shapes = set()
    for curve, seeds in curves:
        suite, _, task = curve.env.rpartition(":")
        methods = told.setdefault(suite or SUITE, {}).setdefault(task, {})
        rows = zip(seeds, curve.values.tolist(), strict=True)
        methods[curve.label] = {f"seed_{seed}": _seed(curve, row, metric) for seed, row in rows}
        shapes.add(curve.values.shape)
    advise(
        len(shapes) <= 1,
        "marl-eval wants as many seeds and evaluations from every run, but there are "
        + " and ".join(f"{seeds} x {points}" for seeds, points in sorted(shapes))
        + ": train them with the same settings.",
    )
    return told


def _seed(curve: Curve, row: Sequence[float], metric: str) -> dict[str, Any]:
    steps = enumerate(zip(curve.steps.tolist(), row, strict=True))
    told = {f"step_{i}": {"step_count": int(count), metric: [value]} for i, (count, value) in steps}
    return told | {"absolute_metrics": {metric: [row[-1]]}}
