"""Commands with odd values, made from the options that the verbs declare."""

import random
from collections.abc import Callable

from coterie.catalogue import ALGORITHMS, make_algorithm, make_env
from coterie.cli.options import Option, node_of
from coterie.cli.records import Comparison, Evaluate, Graphs, Plot, Source, Sweeping, Watch
from coterie.graph import FAMILIES
from coterie.network import CHANNELS, SCHEDULES, Communication
from coterie.training.settings import Settings

OUTSIDE = "pettingzoo:mpe2.simple_spread_v3"
ENVS = ("spread", "commons", "random-mdp", "continuous-bandit", "tests.runs:Pond", OUTSIDE)
TINY = {
    "steps": "48",
    "num-envs": "4",
    "updates-per-block": "1",
    "num-evals": "1",
    "eval-episodes": "2",
    "folder": "new",
}
NUMBERS = (
    *("-1", "0", "-0", "1", "1e12", "1e30", "1e400", "-1e400", "nan", "-nan", "inf", "-inf"),
    *("2147483647", "2147483648", "4294967296", "9223372036854775808", "1e-320", "1e38", "1e39"),
    *(
        "9" * 5_000,
        "0x10",
        "1_000",
        "1.5",
        "１００",
        "٣",
        "½",
        "1e5.5",
        "1e999999999",
        "1,2",
        "[1]",
    ),
)
WORDS = (
    *("", " ", "-", "none", "None", "true", "a" * 10_000, "\x1b[31mred", "\u202eabc", "é", "a\nb"),
    *("../../x", "/dev/null", "/dev/zero", "/dev/null/x", "/proc/x", "x" * 300, "file", "run"),
    *(":", "::", "a:b:c", "os:system", "json:JSONDecoder", "tests.runs:Pond", "%s%n", "{x}"),
    *("$(touch pwned)", "__import__('os').system('touch pwned')", "N=__import__('os')", "\udcff"),
)
SPECS = (
    *("ring:", "ring:3", "ring:" + "9" * 10_000, "erdos-renyi", "erdos-renyi:2", "erdos-renyi:nan"),
    *(
        "erdos-renyi:0.5,seed=1e30",
        "erdos-renyi:0.5,0,0",
        "erdos-renyi:probability=1,probability=1",
    ),
    *("erdos-renyi:0.5,seed=-1", "geometric:inf", "geometric:-1", "geometric:0.5,seed=٣"),
    *("edges:", "edges:0-0", "edges:0-99999999999", "edges:0-1+", "edges:٠-١", "edges:0-1"),
    *("periodic:", "periodic:star|", "periodic:rign", "extra:2", "extra:nan", "intervals:1e30"),
    *("intervals:5,inf", "intervals:0", "links:sideways", "static:1", "loss:1.5", "loss:nan"),
    *("loss:0.3,burst=2147483648", "loss:0.3,burst=0", "delay:0", "delay:1e9", "delay:1000000000"),
    *("silence:99,0,10", "silence:0,0,99999999999999", "partition:0,10,2147483648", "noise:inf"),
    *(
        "partition:5,1",
        "quantise:1",
        "quantise:999",
        "noise:-1",
        "lazy",
        "metropolis:",
        "uniform:1",
    ),
)
STRANGERS = ("episodes", "payload", "column", "bogus", "", "N", "learning-rate", "x" * 3_000, "é")


def command(number: int) -> list[str]:
    """Command of this number: always the same."""
    rng = random.Random(number)
    verb = rng.choices(list(VERBS), [weight for weight, _ in VERBS.values()])[0]
    names, options, usual = VERBS[verb][1](rng)
    if rng.random() < 0.1:
        names = mutated(rng, names)
    words = [verb, *names, *(f"--{name}={value}" for name, value in usual.items())]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        words += odd(rng, options)
    return words


def odd(rng: random.Random, options: list[Option]) -> list[str]:
    """One option, in most cases with a value that it should not have."""
    if not options or rng.random() < 0.08:
        return [f"--{rng.choice(STRANGERS)}", *rng.choices(WORDS, k=rng.choice((0, 1)))]
    option = rng.choice(options)
    name = f"--{rng.choice(option.typed)}"
    if option.flag:
        return [name, *rng.choices(WORDS, k=rng.choice((0, 0, 1)))]
    values = (*SPECS, *FAMILIES, *SCHEDULES, *CHANNELS) if option.spelling else (*NUMBERS, *WORDS)
    if not option.spelling and rng.random() < 0.6:
        values = WORDS if option.metavar in ("TEXT", "PATH|none") else NUMBERS
    match rng.random():
        case x if x < 0.05:
            return [name]
        case x if x < 0.15:
            return [name, *rng.choices(values, k=2)]
        case x if x < 0.25:
            return [name, rng.choice(values), name, rng.choice(values)]
        case x if x < 0.6:
            return [f"{name}={rng.choice(values)}"]
        case _:
            return [name, rng.choice(values)]


def mutated(rng: random.Random, names: list[str]) -> list[str]:
    """Names of which one is missing, odd, or there twice."""
    place = rng.randrange(len(names)) if names else 0
    middle = rng.choice(([], [rng.choice((*WORDS, *SPECS))], [*names[place : place + 1]] * 2))
    return [*names[:place], *middle, *names[place + 1 :]]


def of_training(rng: random.Random) -> tuple[list[str], list[Option], dict[str, str]]:
    """Names of a training, its options, and a budget that is soon spent."""
    method, env = rng.choice(list(ALGORITHMS)), rng.choice(ENVS)
    values = (make_algorithm(method), make_env(env), Communication(), Settings(), Source())
    return [method, env], options_of(*values), dict(TINY)


def of_comparison(rng: random.Random) -> tuple[list[str], list[Option], dict[str, str]]:
    """Names of a comparison, its options, and a budget that is soon spent."""
    values = (make_env("spread"), Communication(), Settings(), Comparison())
    return ["dpo", "ippo", "spread"], options_of(*values), dict(TINY)


def of_sweep(rng: random.Random) -> tuple[list[str], list[Option], dict[str, str]]:
    """Names of a sweep, its options, one of them with several values, and a small budget."""
    values = (make_algorithm("dpo"), make_env("spread"), Communication(), Settings(), Sweeping())
    options = options_of(*values)
    listed = rng.choice(options).name, ",".join(rng.choices((*NUMBERS, *WORDS), k=2))
    ranged = rng.choice(options).name, "..".join(rng.choices(NUMBERS, k=2))
    axis = rng.choice((("actor-lr", "1e-4,1e-3"), listed, ranged))
    return ["dpo", "spread"], options, {**TINY, axis[0]: axis[1]}


def of_configuration(rng: random.Random) -> tuple[list[str], list[Option], dict[str, str]]:
    """Names and options of a training that is only printed."""
    names, options, usual = of_training(rng)
    return names, options, {k: v for k, v in usual.items() if k != "config"}


def of_env(rng: random.Random) -> tuple[list[str], list[Option], dict[str, str]]:
    """Name and options of an environment."""
    env = rng.choice(ENVS)
    return [env], options_of(make_env(env)), {}


def of_graph(rng: random.Random) -> tuple[list[str], list[Option], dict[str, str]]:
    """Spelling of a graph and the options of its report."""
    return [rng.choice((*FAMILIES, *SPECS))], options_of(Graphs), {"agents": "5"}


def of_run(kind: type | None) -> Callable[[random.Random], tuple[list[str], list[Option], dict]]:
    """Options of a verb that reads a run."""

    def made(rng: random.Random) -> tuple[list[str], list[Option], dict[str, str]]:
        folder = rng.choice(("run", "run", "run", "file", "nowhere", ""))
        return [folder], options_of(kind) if kind else [], {}

    return made


def of_nothing(rng: random.Random) -> tuple[list[str], list[Option], dict[str, str]]:
    """No names and no options."""
    return [], [], {}


def options_of(*values: object) -> list[Option]:
    """All options of some values, those of their parts included."""
    groups = [group for value in values for group in node_of(value, "").groups]
    return [option for group in groups for option in group.shown]


VERBS = {
    "train": (50, of_training),
    "config": (12, of_configuration),
    "compare": (6, of_comparison),
    "sweep": (8, of_sweep),
    "check": (8, of_env),
    "graph": (10, of_graph),
    "evaluate": (4, of_run(Evaluate)),
    "watch": (3, of_run(Watch)),
    "plot": (3, of_run(Plot)),
    "resume": (2, of_run(None)),
    "list": (1, of_nothing),
    "--version": (1, of_nothing),
    "claims": (1, of_run(None)),
    "completion": (1, of_run(None)),
}
