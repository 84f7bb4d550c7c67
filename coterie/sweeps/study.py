"""Searches and pruners of Optuna: a study in memory, into which the trials so far are replayed.

Nothing of Optuna's is on disk: `sweep.json` and the runs' evaluations are all that a study is made
of, so that a sweep goes on where it was stopped.
"""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from coterie.bounds import AtLeast, AtMost
from coterie.errors import ConfigError
from coterie.internal.extras import install
from coterie.sweeps.search import MOST, Pruner, Search
from coterie.sweeps.space import Axis, Choice, Point, Range, Space, corners
from coterie.sweeps.trial import History


@dataclass(frozen=True)
class TPE(Search, name="tpe"):
    """Tree-structured Parzen estimator (Bergstra et al. 2011), as Optuna has it.

    trials: number of points.
    seed:   of the draws.
    startup: trials drawn at random before the estimator is used.

    Trials that still run count as bad ones, so that those side by side try different points.
    """

    trials: Annotated[int, AtLeast(1), AtMost(MOST)] = 20
    seed: Annotated[int, AtLeast(0)] = 0
    startup: Annotated[int, AtLeast(1)] = 10

    def check(self, space: Space) -> None:
        _optuna()

    def count(self, space: Space) -> int:
        return self.trials

    def foreseen(self, space: Space) -> Iterator[Point]:
        return corners(space)

    def suggest(self, space: Space, number: int, history: Sequence[History]) -> Point:
        optuna = _optuna()
        sampler = optuna.samplers.TPESampler(
            seed=self.seed + number, n_startup_trials=self.startup, constant_liar=True
        )
        study = _study(optuna, history, space, sampler)
        drawn = study.ask(_distributions(optuna, space)).params
        return {name: _word(axis, drawn[name]) for name, axis in space.items()}


@dataclass(frozen=True)
class Median(Pruner):
    """Median stopping rule (Golovin et al. 2017), as Optuna has it: a trial ends whose best
    evaluation is worse than the median of the finished trials' at the same step.

    startup: trials that have to be finished first.
    """

    startup: Annotated[int, AtLeast(1)] = 3

    def check(self) -> None:
        _optuna()

    def stops(self, trial: History, others: Sequence[History]) -> bool:
        optuna = _optuna()
        study = _study(optuna, [_learned(each) for each in others])
        pruner = optuna.pruners.MedianPruner(self.startup)
        return bool(pruner.prune(study, _frozen(optuna, _learned(trial))))


def _learned(each: History) -> History:
    """A trial without the evaluation before its first update, which says nothing."""
    return replace(each, values={step: v for step, v in each.values.items() if step > 0})


def _optuna() -> Any:
    try:
        optuna = importlib.import_module("optuna")
    except ImportError:
        raise ConfigError(
            f"TPE and pruning are Optuna's, which is not installed: {install('sweep')}."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _study(
    optuna: Any, history: Sequence[History], space: Space | None = None, sampler: Any = None
) -> Any:
    """A study in memory with these trials."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for each in history:
        study.add_trial(_frozen(optuna, each, space))
    return study


def _frozen(optuna: Any, each: History, space: Space | None = None) -> Any:
    """A trial as Optuna keeps it; its values count only where the space is given."""
    state, values = each.trial.state, dict(each.values)
    states = {"finished": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    point = {name: _number(axis, each.trial.point[name]) for name, axis in (space or {}).items()}
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState[states.get(state, "RUNNING")],
        value=[0.0, *values.values()][-1] if state == "finished" else None,
        params=point,
        distributions=_distributions(optuna, space or {}),
        intermediate_values=values,
    )


def _distributions(optuna: Any, space: Space) -> dict[str, Any]:
    return {name: _distribution(optuna, axis) for name, axis in space.items()}


def _distribution(optuna: Any, axis: Axis) -> Any:
    kinds = optuna.distributions
    match axis:
        case Choice(words):
            return kinds.CategoricalDistribution(words)
        case Range(low, high, whole=True):
            return kinds.IntDistribution(int(low), int(high), log=axis.log)
        case Range(low, high):
            return kinds.FloatDistribution(low, high, log=axis.log)
    raise TypeError(axis)


def _word(axis: Axis, value: Any) -> str:
    return axis.word(value) if isinstance(axis, Range) else value


def _number(axis: Axis, word: str) -> Any:
    """A value as Optuna keeps it."""
    if isinstance(axis, Range):
        return int(word) if axis.whole else float(word)
    return word
