"""Every family of graphs as a user spells it."""

from coterie.graph import FAMILIES


def texts(size: int) -> tuple[str, ...]:
    """One text or more for each family, for a team of so many agents."""
    parameters = {
        "erdos-renyi": ("0.3", "1,seed=3"),
        "geometric": ("0.4", "2,seed=3"),
        "edges": ("+".join(f"{i}-{i + 1}" for i in range(size - 1)),) if size > 1 else (),
    }
    return tuple(
        f"{name}:{fields}" if fields else name
        for name in FAMILIES
        for fields in parameters.get(name, ("",))
    )
