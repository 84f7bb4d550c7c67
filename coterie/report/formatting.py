"""Numbers formatted for people."""


def short(count: float) -> str:
    """A large count in four digits.

    >>> short(0), short(2500), short(1.5e6), short(2e9)
    ('0', '2.5k', '1.5M', '2B')
    """
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= size:
            return f"{count / size:.4g}{letter}"
    return f"{count:.4g}"


def volume(count: float) -> str:
    """A number of bytes.

    >>> volume(0), volume(2500), volume(2e9)
    ('0 B', '2.5 kB', '2 GB')
    """
    number = short(count).replace("B", "G")
    return f"{number} B" if number[-1].isdigit() else f"{number[:-1]} {number[-1]}B"


def duration(seconds: float) -> str:
    """A wall time.

    >>> duration(3.14159), duration(75), duration(7500)
    ('3.1 s', '1:15 min', '2:05 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d} h"
