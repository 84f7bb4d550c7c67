"""Loading of policy files."""

import re
from pathlib import Path

from coterie.errors import RunError, require
from coterie.internal.reading import Arrays, Kind, Metadata, read_arrays, require_finite
from coterie.policies.metadata import SUFFIX, PolicyMetadata, from_text, network_kinds
from coterie.policies.network import Network
from coterie.policies.trained import TrainedPolicy


def load_policy(path: str | Path, greedy: bool | None = None, seed: int = 0) -> TrainedPolicy:
    """Load one agent's policy file; NumPy is all that it needs.

    greedy: take the most likely action instead of drawing one; by default as it was trained
            (policies draw, Q-learning takes the best).
    seed:   of the random stream that it draws from, which is the agent's own: agents with equal
            seeds draw different numbers.

    A network of a user's own code runs with JAX, and only if the code is trusted, see `trust_code`.

    Raises `RunError` if the file is missing, damaged, not a policy, or not the one that its place
    in a run's folder asks for.

    >>> policy = load_policy("run/seed-0/policies/agent-0.safetensors")  # doctest: +SKIP
    >>> policy.metadata.step, policy([0.0] * 18)  # doctest: +SKIP
    """
    path = Path(path)
    require(
        path.suffix == SUFFIX and not path.is_dir(),
        f"{path} is not a policy file: name one agent's, RUN/seed-0/policies/agent-0{SUFFIX}.",
        RunError,
    )
    about, arrays = _read(path)
    _require_place(path, about)
    if about.model.foreign:
        from coterie.policies.saving import own_network

        network = own_network(arrays, about, str(path))
    else:
        network = Network.of(arrays, about)
    return TrainedPolicy(network, about, about.greedy if greedy is None else greedy, seed)


def _read(path: Path) -> tuple[PolicyMetadata, Arrays]:
    def wanted(said: Metadata) -> dict[str, Kind]:
        about = from_text(path, said)
        if not about.model.foreign:
            return network_kinds(about)
        from coterie.policies.saving import own_kinds

        return own_kinds(about, str(path))

    arrays, said = read_arrays(path, wanted)
    require_finite(arrays, str(path))
    return from_text(path, said), arrays


def _require_place(path: Path, about: PolicyMetadata) -> None:
    """Raise `RunError` for another's policy, or another seed's, in the place that a run gave it."""
    seed = re.fullmatch(r"seed-(\d+)", path.absolute().parent.parent.name)
    if path.absolute().parent.name != "policies" or seed is None:
        return
    require(
        path.name == about.file and int(seed[1]) == about.seed,
        f"{path} is of {about.identity}, which belongs to seed-{about.seed}/policies/{about.file}: "
        "it was swapped or renamed.",
        RunError,
    )
