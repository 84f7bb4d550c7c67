"""Export of a run's policies: one file for each agent, in the format of another runtime."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from coterie.errors import RunError, brief, require
from coterie.internal.files import write_whole
from coterie.policies.exporting.as_onnx import onnx_caller, to_onnx
from coterie.policies.exporting.as_stablehlo import stablehlo_caller, to_stablehlo
from coterie.policies.exporting.check import Caller, difference
from coterie.policies.exporting.program import Program
from coterie.policies.metadata import SUFFIX
from coterie.policies.team import load_team
from coterie.policies.trained import TrainedPolicy
from coterie.training.run_files import read_summary


@dataclass(frozen=True)
class Format:
    """Format of exported policies.

    suffix: of its files.
    write:  from a policy's program and its file to the bytes of a file.
    caller: from these bytes to a function that calls them; `None` where nothing here can.
    """

    suffix: str
    write: Callable[[Program, Path], bytes]
    caller: Callable[[bytes], Caller | None]


FORMATS: Mapping[str, Format] = {
    "onnx": Format(".onnx", lambda program, _: to_onnx(program), onnx_caller),
    "stablehlo": Format(".stablehlo", lambda program, _: to_stablehlo(program), stablehlo_caller),
    "numpy": Format(SUFFIX, lambda _, file: file.read_bytes(), lambda _: None),
}
"""The formats by their names; numpy is the policy file as it stands."""


@dataclass(frozen=True)
class ExportedPolicy:
    """Exported policy.

    path:  its file.
    error: its largest difference from the policy on random inputs; `None` if it was not checked.
    """

    path: Path
    error: float | None


def export_policies(
    run: str | Path,
    format: str = "onnx",
    seed: int | None = None,
    out: str | Path | None = None,
) -> list[ExportedPolicy]:
    """Export the policies of one seed of a run, a file for each agent, in the agents' order.

    format: `onnx`; `stablehlo`, as `jax.export` serializes it; or `numpy`, the policy file itself,
            which `load_policy` reads.
    seed:   the repetition; the first by default.
    out:    the folder of the files; by default `RUN/seed-<seed>/exports`.

    Every program is called with random inputs and compared with the policy before any file is
    written, an ONNX graph where ONNX Runtime is installed. Raises `ConfigError` for an unknown
    format, a missing package or a network that the format cannot express; `RunError` for a run
    without policies, or a program that differs by more than 1e-6.

    >>> export_policies("run", "stablehlo")[0].path  # doctest: +SKIP
    PosixPath('run/seed-0/exports/agent-0.stablehlo')
    """
    known = ", ".join(FORMATS)
    require(format in FORMATS, f"unknown format {brief(repr(format))}: known are {known}.")
    seeds = read_summary(run).seeds
    chosen = seeds.start if seed is None else seed
    last = seeds.stop - 1
    require(chosen in seeds, f"{run} has seeds {seeds.start} to {last}, not {chosen}.", RunError)
    home = Path(run) / f"seed-{chosen}"
    team = load_team(run, chosen, greedy=True)
    folder = home / "exports" if out is None else Path(out)
    made = [_made(policy, FORMATS[format], home, folder) for policy in team.values()]
    for exported, data in made:
        write_whole(exported.path, data)
    return [exported for exported, _ in made]


def _made(
    policy: TrainedPolicy, kind: Format, home: Path, folder: Path
) -> tuple[ExportedPolicy, bytes]:
    """An exported policy, checked where it can be, and the bytes of its file."""
    file = home / "policies" / policy.metadata.file
    program = Program(policy)
    data = kind.write(program, file)
    call = kind.caller(data)
    error = None if call is None else difference(program, call)
    return ExportedPolicy(folder / f"{file.stem}{kind.suffix}", error), data
