"""Put together what the agents of a fleet have kept, for who may see all of it."""

import shutil
from pathlib import Path

from coterie.errors import RunError, require
from coterie.fleet.plan import Plan


def gather(plan: Plan) -> list[Path]:
    """Copy every agent's policy to where a run has them, for `coterie evaluate` and `watch`; the
    files."""
    seed, made = plan.run.settings.seed, []
    pairs = [
        (plan.member_run(agent).policy_file(seed, name), plan.run.policy_file(seed, name))
        for agent, name in enumerate(plan.agents)
    ]
    missing = [str(source) for source, _ in pairs if not source.is_file()]
    require(
        not missing,
        f"{len(missing)} of {len(pairs)} agents have kept no policy yet, {missing[:1]} among them.",
        RunError,
    )
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".part")
        shutil.copyfile(source, partial)
        partial.replace(target)
        made.append(target)
    return made
