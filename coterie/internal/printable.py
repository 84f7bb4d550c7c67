"""Text for a terminal: names from files may hold characters that command it."""


def printable(text: str) -> str:
    """Text whose control characters, marks of direction and the like are shown by their numbers.

    >>> print(printable("red\\x1b[31m team, \\u202eback"))
    red\\x1b[31m team, \\u202eback
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
