"""Functions for users; the verbs of the command line call them.

Plotting modules are imported where they are used: loading matplotlib takes a tenth of a run's
start.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from rich.console import Console

from coterie.algorithms import Algorithm
from coterie.catalogue import algorithm_name, make_env
from coterie.envs import check
from coterie.envs.checks.rules import HINT
from coterie.envs.game import Env
from coterie.errors import EnvError, RunError, advise, require
from coterie.graph import Family, Graph, graph_of, read_family
from coterie.internal.lock import hold
from coterie.plots import Axis, plot_run, plot_runs
from coterie.report.curve import Curve
from coterie.results import film
from coterie.training import loop
from coterie.training.config import Config
from coterie.training.evaluate import Scores
from coterie.training.fit import require_used
from coterie.training.loggers import Logger
from coterie.training.memory import MemoryRun
from coterie.training.progress import ProgressBar
from coterie.training.run import MEMORY, Run, identity, new_run, open_run, reserved
from coterie.training.run_files import file_name, reading_configuration
from coterie.training.settings import Settings
from coterie.training.setup import require_files
from coterie.training.watcher import Watcher


def train(
    algorithm: str | Algorithm,
    env: str | Env,
    settings: Settings = Settings(),
    folder: str | Path | None = None,
    console: Console | None = None,
    loggers: Sequence[str | Logger] = (),
    plots: bool = True,
) -> Run:
    """Train a team and leave a run folder with its numbers, checkpoints, plots and policies.

    algorithm, env: names (`coterie list`) or values: `DPO(rollout_length=25)`, `Spread(agents=5)`.
    folder:  the folder of the results; by default `runs/<algorithm>-<environment>-<time>`.
    console: the console for progress; standard error by default.
    loggers: the loggers besides the run's own tables: names (`coterie list`), which
             `resume` remembers, or values with the methods of `Logger`.
    plots:   True to draw the run when it is finished; `plot_run` does it later.

    Raises `ConfigError`, `EnvError` or `RunError` with one sentence before anything is written.

    >>> run = train("dpo", "spread", Settings(steps=100))  # doctest: +SKIP
    """
    names, others = _sorted(loggers)
    run = new_run(algorithm, env, settings, folder, names)
    require_used(settings.communication, {run.method: run.algorithm})
    with nullcontext(run) if folder is not None else reserved(run) as run:
        return _follow(run, loop.train, console, others, plots)


def train_in_memory(
    algorithm: str | Algorithm,
    env: str | Env,
    settings: Settings = Settings(),
    console: Console | None = None,
    loggers: Sequence[str | Logger] = (),
) -> MemoryRun:
    """Train a team and write nothing: the numbers come back as arrays, with the policies.

    The arguments are those of `train`, and the numbers, too. It cannot be resumed.

    >>> run = train_in_memory("dpo", "spread", Settings(steps=100))  # doctest: +SKIP
    >>> run.evaluations(0)["episode_return"]  # doctest: +SKIP
    """
    names, others = _sorted(loggers)
    run = new_run(algorithm, env, settings, MEMORY, names)
    require_used(settings.communication, {run.method: run.algorithm})
    with ProgressBar(run, console) as bar:
        return loop.train_in_memory(run, [*others, bar], bar)


def resume(
    folder: str | Path,
    console: Console | None = None,
    loggers: Sequence[Logger] = (),
    plots: bool = True,
) -> Run:
    """Continue a run from its latest checkpoints, bit for bit as if it had never stopped.

    loggers: as in `train`, besides those that the run had by their names.
    """
    return _follow(open_run(folder), loop.resume, console, _sorted(loggers)[1], plots)


def compare(
    algorithms: Sequence[str | Algorithm] | Mapping[str, Algorithm],
    env: str | Env,
    settings: Settings = Settings(seeds=5),
    folder: str | Path = "runs/comparison",
    console: Console | None = None,
    x: Axis = "steps",
    loggers: Sequence[str | Logger] = (),
) -> list[Curve]:
    """Train several algorithms on one environment, with the same seeds and budget; plot and
    tabulate them.

    algorithms: names or values, or a mapping from labels to values.
    x:          the horizontal axis of the curves, see `plot_runs`.
    loggers:    as in `train`.

    Stopped by Ctrl-C it returns no curves; the same call continues it.
    """
    pairs = algorithms.items() if isinstance(algorithms, Mapping) else map(_labelled, algorithms)
    named = list(pairs)
    require(len({n for n, _ in named}) == len(named), "each algorithm needs a label of its own.")
    words, others = _sorted(loggers)
    runs = [new_run(a, env, settings, Path(folder) / file_name(name), words) for name, a in named]
    labels = [name for name, _ in named]
    require_used(
        settings.communication, {n: run.algorithm for n, run in zip(labels, runs, strict=True)}
    )
    with _held(runs):
        left = _unfinished(runs)
        _warn_unequal(labels, runs)
        if not _train_each(left, runs, console, others):
            return []
        return plot_runs(runs, Path(folder) / "comparison.png", x=x, labels=labels)


def train_all(
    runs: Sequence[Run], console: Console | None = None, loggers: Sequence[Logger] = ()
) -> bool:
    """Train the runs that are not finished, one after the other; `False` if it was stopped."""
    with _held(runs):
        return _train_each(_unfinished(runs), runs, console, loggers)


@contextmanager
def _held(runs: Sequence[Run]) -> Iterator[None]:
    """Hold the folder that the runs lie in: nobody else trains them, or draws them, meanwhile."""
    with ExitStack() as stack:
        for folder in {run.folder.parent for run in runs}:
            stack.enter_context(hold(folder))
        yield


def _unfinished(runs: Sequence[Run]) -> list[Run]:
    """Runs that are left to train; raises the errors that training them would begin with."""
    for run in runs:
        if not run.unused:
            _require_same(run)
    left = [run for run in runs if not run.finished]
    for run in left:
        loop.dry_run(run)
    return left


def _train_each(
    left: Sequence[Run], runs: Sequence[Run], console: Console | None, loggers: Sequence[Logger]
) -> bool:
    """Train those of the runs that are left; `False` if it was stopped."""
    for run in left:
        work = loop.train if run.unused else loop.resume
        place = f"{runs.index(run) + 1} of {len(runs)}"
        if not _follow(run, work, console, loggers, place=place).finished:
            return False
    return True


def _warn_unequal(labels: Sequence[str], runs: Sequence[Run]) -> None:
    """Warn if updates, which are whole, give the runs different budgets."""
    steps = {label: run.steps for label, run in zip(labels, runs, strict=True)}
    every = math.lcm(*(run.blocks.update_steps for run in runs))
    equal = -(-runs[0].settings.steps // every) * every
    advise(
        len(set(steps.values())) == 1,
        "the budgets differ, for updates are whole: "
        + ", ".join(f"{name} {each:,} steps" for name, each in steps.items())
        + f"; with --steps {equal} they are equal.",
    )


def _require_same(run: Run) -> None:
    """Raise `RunError` unless the folder holds the same run, which then goes on."""
    same = run.configuration.is_file()
    if same:
        with reading_configuration(run.folder) as told:
            same = identity(told) == identity(run.describe())
    require(
        same,
        f"{run.folder} already exists and is not a part of this comparison: choose another "
        "--folder.",
        RunError,
    )


def evaluate(
    folder: str | Path, episodes: int = 256, key: int = 0, env: Env | None = None
) -> dict[int, Scores]:
    """Play `episodes` environments with the trained team of every seed, from its policy files.

    env: another environment than the one of the training, in which agents see and do the same: of
         `n` policies its agent `i` plays policy `i mod n`.
    """
    from coterie.results import score

    require(episodes >= 1, f"episodes must be at least 1, not {episodes}.")
    run = open_run(folder)
    return {seed: score(run, seed, episodes, key, env) for seed in run.seeds}


def watch(
    folder: str | Path,
    seed: int | None = None,
    episodes: int = 3,
    steps: int = 200,
    out: str | Path | None = None,
    env: Env | None = None,
) -> list[Path]:
    """Show a trained team at play: a moving picture (GIF or MP4) and a still (PNG).

    steps: the most steps of an episode that are shown.
    out:   the moving picture; by default `plots/team.gif` in the run's folder. The still lies
           beside.
    env:   another environment, as in `evaluate`.
    """
    from coterie.report.render import require_moving, show

    run = open_run(folder)
    chosen = run.settings.seed if seed is None else seed
    require(
        chosen in run.seeds,
        f"{run.folder} has seeds {run.seeds.start} to {run.seeds.stop - 1}, not {chosen}.",
        RunError,
    )
    moving = Path(out) if out is not None else run.folder / "plots" / "team.gif"
    standing = moving.with_suffix(".png")
    for name, number in {"episodes": episodes, "steps": steps}.items():
        require(number >= 1, f"{name} must be at least 1, not {number}.")
    require_moving(moving)
    shown = [film(run, chosen, key, steps, env) for key in range(episodes)]
    show(shown, moving, standing, run.title, run.env.fps)
    return [moving, standing]


def check_env(env: str | Env, episodes: int = 3, seed: int = 0, longest: int = 10_000) -> list[str]:
    """Play an environment at random and return its faults, a sentence each.

    env:      a name (`coterie list`) or a value: `Spread(agents=5)`.
    episodes: the number of episodes, with seeds from `seed` on.
    longest:  the steps after which an episode is given up.

    A sentence that begins with "hint:" names something that may be meant; an empty list says that
    the environment is fit to train in. Raises `EnvError` for what is no environment.

    >>> check_env("spread", episodes=1)  # doctest: +SKIP
    []
    """
    played = make_env(env) if isinstance(env, str) else env
    if fatal := played.rehearse():
        return [fatal]
    found = check.check_env(played, episodes, seed, longest)
    if all(sentence.startswith(HINT) for sentence in found):
        try:
            require_files(played.names)
        except EnvError as error:
            return [str(error), *found]
    return found


def draw_graph(
    graph: Graph | str | Family,
    path: str | Path,
    agents: int | None = None,
    title: str | None = None,
) -> Path:
    """Draw a communication graph to `path` (PNG, PDF or SVG) and return the path.

    graph:  a graph, or a family with the number of its `agents`: `"torus"`, `Ring()`.

    Raises `GraphError` or `ConfigError` with one sentence.

    >>> draw_graph("torus", "torus.png", agents=9)  # doctest: +SKIP
    """
    from coterie.report import topology

    kind = read_family(graph) if isinstance(graph, str) else graph
    if isinstance(kind, Graph):
        return topology.draw_graph(kind, path, title=title)
    require(agents is not None, "a family needs the number of agents: draw_graph(..., agents=9).")
    assert agents is not None
    return topology.draw_graph(graph_of(kind, agents), path, kind.places(agents), title)


def config(
    algorithm: str | Algorithm,
    env: str | Env,
    settings: Settings = Settings(),
    loggers: Sequence[str] = ("csv",),
    plots: bool = True,
) -> str:
    """Write down every option of a training as a TOML file, which `read_config` reads.

    The arguments are those of `train`; loggers that are values cannot be written down. Raises
    `ConfigError` for what has no words.

    >>> print(config("ippo", "spread", Settings(steps=100)).splitlines()[1])
    name = "ippo"
    """
    made = new_run(algorithm, env, settings, MEMORY)
    told = made.method, made.algorithm, made.env_name, made.env
    return Config(*told, settings, tuple(loggers), plots).to_toml()


def _labelled(algorithm: str | Algorithm) -> tuple[str, str | Algorithm]:
    name = algorithm if isinstance(algorithm, str) else algorithm_name(algorithm)
    return name, algorithm


def _sorted(loggers: Sequence[str | Logger]) -> tuple[tuple[str, ...], list[Logger]]:
    """Loggers by name, and those that are values."""
    names = tuple(logger for logger in loggers if isinstance(logger, str))
    values = [logger for logger in loggers if not isinstance(logger, str)]
    for value in values:
        require(
            isinstance(value, Logger) and not isinstance(value, type),
            f"{value!r} is no logger: give a value with the methods start, log and finish.",
        )
    return names, values


def _follow(
    run: Run,
    work: Callable[[Run, Sequence[Logger], Watcher], bool],
    console: Console | None,
    loggers: Sequence[Logger] = (),
    plots: bool = True,
    place: str = "",
) -> Run:
    with ProgressBar(run, console, place) as bar:
        finished = work(run, [*loggers, bar], bar)
    if not finished:
        bar.say(f"Stopped. Continue with: coterie resume {run.folder}")
    elif plots:
        plot_run(run)
    return run
