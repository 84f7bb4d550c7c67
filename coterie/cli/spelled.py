"""Options of a network, typed in words: `--graph torus --channels loss:0.3 quantise:8`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from coterie.cli.words import Misspelled
from coterie.errors import require

OWN = "or module:Class[:...] of your own"


@dataclass(frozen=True)
class Spelling:
    """Spelling of an option's values as words.

    read, name: functions from a word to a value, and back.
    names:      the words that stand for a value by themselves.
    many:       True if there may be several values.
    """

    read: Callable[[str], Any]
    name: Callable[[Any], str]
    metavar: str
    about: str
    names: tuple[str, ...]
    many: bool = False

    def value(self, name: str, words: Sequence[str]) -> Any:
        """Return the value that the words behind an option stand for."""
        if self.many:
            return tuple(map(self.read, words))
        require(len(words) == 1, f"--{name} needs one value: {self.metavar}", Misspelled)
        return self.read(words[0])

    def shown(self, value: Any) -> str:
        """The words that stand for a value."""
        return " ".join(map(self.name, value)) if self.many else self.name(value)


@cache
def spellings() -> dict[str, Spelling]:
    """The fields of `Communication` that are typed in words."""
    from coterie.graph import FAMILIES, WEIGHTS, Graph, name_of_rule, read_family, read_weights
    from coterie.internal.parse_spec import name_of, signatures
    from coterie.network import CHANNELS, SCHEDULES, read_channel, read_schedule

    def about(sentence: str, known: Sequence[str]) -> str:
        return f"{sentence}: {', '.join(known)}."

    def graph_name(value: Any) -> str:
        return "a matrix" if isinstance(value, Graph) else name_of(value, FAMILIES)

    return {
        "graph": Spelling(
            read_family,
            graph_name,
            "GRAPH",
            about("Communication graph of the agents", [*signatures(FAMILIES), OWN]),
            tuple(FAMILIES),
        ),
        "weights": Spelling(
            read_weights,
            name_of_rule,
            "RULE",
            about(
                "Weights of the neighbours' values in an average", [*WEIGHTS, "or module:function"]
            ),
            tuple(WEIGHTS),
        ),
        "schedule": Spelling(
            read_schedule,
            lambda value: name_of(value, SCHEDULES),
            "SCHEDULE",
            about("Rule of when each link is up", [*signatures(SCHEDULES), OWN]),
            tuple(SCHEDULES),
        ),
        "channels": Spelling(
            read_channel,
            lambda value: name_of(value, CHANNELS),
            "CHANNEL...",
            about("Faults of messages, applied in this order", [*signatures(CHANNELS), OWN]),
            tuple(CHANNELS),
            many=True,
        ),
    }
