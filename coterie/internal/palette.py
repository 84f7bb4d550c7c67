"""Colours of agents in all pictures, told apart by the colour-blind, too (Okabe and Ito)."""

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#3B3B3B")


def color_of(agent: int) -> tuple[int, int, int]:
    """The colour of the agent with this number, red, green and blue (0 to 255).

    >>> color_of(0), color_of(7)
    ((0, 114, 178), (0, 114, 178))
    """
    text = PALETTE[agent % len(PALETTE)]
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
