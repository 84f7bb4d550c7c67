"""Errors for mistakes of a user, as one sentence each.

Every error names the culprit, the numbers in conflict and the usual fix. The command line prints
the sentence and exits with code 2; nothing on disk has changed by then. A choice that is
possible but probably a mistake gets a warning of the same form.
"""

import difflib
import warnings
from collections.abc import Iterable


class CoterieError(Exception):
    """The base of every error that a user's mistake can raise."""


class ConfigError(CoterieError):
    """A name, an option or a hyper-parameter that cannot be used."""


class GraphError(CoterieError):
    """A graph that no team can talk over."""


class EnvError(CoterieError):
    """An environment that breaks its own promises (spaces, shapes, finite numbers)."""


class RunError(CoterieError):
    """A run folder that is missing, half written, damaged or of another environment."""


class NonFiniteError(CoterieError):
    """A quantity became NaN or infinite during training."""


class CoterieWarning(UserWarning):
    """Warning of a choice that is possible but probably a mistake."""


def unknown(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that is not in a catalogue, with the nearest ones.

    >>> print(unknown("algorithm", "dppo", ["dpo", "ippo"]))
    unknown algorithm 'dppo': did you mean 'dpo' or 'ippo'? `coterie list` shows all.
    """
    names = list(known)
    hint = nearest(name, names) or f"known: {', '.join(names)}."
    options = kind in ("option", "key")
    shown = "`coterie train ALGORITHM ENV --help`" if options else "`coterie list`"
    return ConfigError(f"unknown {kind} {brief(repr(name))}: {hint} {shown} shows all.")


def nearest(name: str, known: Iterable[str]) -> str:
    """Ask for the names that come nearest; nothing if none comes near.

    >>> nearest("dppo", ["dpo", "ippo", "matrpo"]), nearest("x", ["dpo"])
    ("did you mean 'dpo' or 'ippo'?", '')
    """
    near = difflib.get_close_matches(name, list(known), n=2, cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else ""


def brief(text: str, longest: int = 80) -> str:
    """Shorten a text of a user's in the middle, and escape what a terminal would act on.

    >>> brief("9" * 1000)[38:]
    '99... (1,000 characters)'
    >>> print(brief("red\\x1b[31m"))
    red\\x1b[31m
    """
    shown = printable(text[: longest + 1], kept="")
    if len(shown) <= longest:
        return shown
    return f"{shown[: longest // 2]}... ({len(text):,} characters)"


def printable(text: str, kept: str = "\n\t") -> str:
    """Show control characters, marks of direction and the like by their numbers, but for those
    that are `kept`: in names from files they may command a terminal.

    >>> print(printable("red\\x1b[31m team, \\u202eback"))
    red\\x1b[31m team, \\u202eback
    """
    return "".join(c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text)


def require(condition: bool, sentence: str, error: type[CoterieError] = ConfigError) -> None:
    """Raise `error(sentence)` unless `condition` holds."""
    if not condition:
        raise error(sentence)


def advise(condition: bool, sentence: str) -> None:
    """Warn with `sentence` (a `CoterieWarning`) unless `condition` holds."""
    if not condition:
        warnings.warn(sentence, CoterieWarning, stacklevel=2)
