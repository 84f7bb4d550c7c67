"""The verbs of a fleet: fleet, agent, gather."""

import dataclasses
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from coterie.cli.answers import Answer, console
from coterie.cli.parse import parse_only
from coterie.cli.records import Fleet, Nothing, Process
from coterie.cli.training import base_of, configured
from coterie.cli.words import split
from coterie.errors import ConfigError, require
from coterie.fleet.gathering import gather
from coterie.fleet.link import require_zenoh
from coterie.fleet.member import Member
from coterie.fleet.plan import Plan, read_plan, require_fleet
from coterie.fleet.supervisor import Supervisor, free_addresses
from coterie.fleet.world import World
from coterie.internal.jax_config import prepare
from coterie.internal.signals import StopSignals, exit_code
from coterie.results import score
from coterie.training.loop import dry_run
from coterie.training.run import new_run, reserved


def fleet_verb(arguments: list[str]) -> Answer:
    """Train a team with a process for each agent, and one for the simulated world."""
    base, given = base_of("fleet", arguments, from_file=False)
    config, chosen = configured("fleet", base, Fleet(base.folder, base.loggers), given)
    asked = new_run(config.algorithm, config.env, config.settings, chosen.folder)
    asked = dataclasses.replace(asked, method=config.method, env_name=config.env_name)
    require_zenoh()
    require_fleet(asked)
    dry_run(asked)
    asked.require_new()
    with reserved(asked) as run:
        plan = Plan(run, free_addresses(len(run.env.names) + 1), chosen.patience)
        plan.write()
        _say(f"{run.folder}: a process for each of {len(plan.agents)} agents, and the world's")
        supervisor = Supervisor(plan)
        with StopSignals(lambda: _say("stopping ...")) as signals:
            finished = supervisor.run(lambda: signals.stopping, _say)
    return _trained(plan, finished, sum(supervisor.restarts))


def _say(line: str) -> None:
    """Tell who watches."""
    console().print(line, highlight=False)


def _trained(plan: Plan, finished: bool, restarts: int) -> Answer:
    """The result of a fleet, and what can be done with it."""
    run = plan.run
    data: dict[str, Any] = {"folder": run.folder, "finished": finished, "restarts": restarts}
    if not finished:
        return Answer(data, code=exit_code())
    gather(plan)
    returns = score(run, run.settings.seed, run.settings.eval_episodes).returns
    data["return"] = float(returns.mean())
    line = f"{run.folder}: return {data['return']:.2f} in {len(returns)} episodes"
    return Answer(data, [line, f"coterie watch {run.folder} shows the team at play"])


def agent_verb(arguments: list[str]) -> Answer:
    """Be one process of a fleet."""
    (folder,), options = split(arguments, "agent FLEET --agent NAME", 1)
    chosen = parse_only("agent FLEET", Process, options)
    prepare()

    plan = read_plan(Path(folder))
    require(
        chosen.world != bool(chosen.agent), "a process is an agent's (--agent NAME) or the world's."
    )
    with StopSignals(lambda: None) as signals:
        if chosen.world:
            with closing(World(plan)) as world:
                world.serve(lambda: signals.stopping)
            return Answer({"finished": not signals.stopping})
        if chosen.agent not in plan.agents:
            raise ConfigError(
                f"{folder} has the agents {', '.join(plan.agents)}, no {chosen.agent}."
            )
        place = plan.agents.index(chosen.agent)
        with closing(Member(plan, place, chosen.incarnation)) as member:
            finished = member.train(lambda: signals.stopping)
    return Answer({"finished": finished}, code=0 if finished else exit_code())


def gather_verb(arguments: list[str]) -> Answer:
    """Put the agents' policies together."""

    (folder,), options = split(arguments, "gather FLEET", 1)
    parse_only("gather FLEET", Nothing, options)
    files = gather(read_plan(Path(folder)))
    return Answer({"files": files}, [*map(str, files)])


FLEET: dict[str, Callable[[list[str]], Answer]] = {
    "fleet": fleet_verb,
    "agent": agent_verb,
    "gather": gather_verb,
}
