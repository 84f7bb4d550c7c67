"""What a graph means for a team, by hand, connected or not."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from coterie.errors import ConfigError
from coterie.graph import family, from_adjacency
from coterie.report.facts import facts_table, graph_facts

PAIR = np.array([[0, 1], [1, 0]])


def shown(graph, payload=4) -> dict[str, str]:
    """The rows of the table, as a terminal shows them."""
    text = io.StringIO()
    Console(width=100, file=text).print(facts_table(graph_facts(graph, payload)))
    lines = [line.strip() for line in text.getvalue().splitlines() if line.strip()]
    rows = [re.split(r"  +", line, maxsplit=1) for line in lines]
    return {name: value for name, value in rows}


def test_facts_of_a_star_by_hand():
    facts = graph_facts(family("star", 5), payload=1000)
    assert (facts.agents, facts.links, facts.diameter) == (5, 4, 2)
    assert (facts.least, facts.mean, facts.most) == (1, 1.6, 4)
    assert facts.parts == ((0, 1, 2, 3, 4),)
    assert facts.contraction == pytest.approx(0.8)  # I - L / 5, and a star's L has 0, 1 and 5
    assert facts.rounds == 62  # 0.8^61 > 1e-6 > 0.8^62
    assert (facts.total, facts.busiest) == (8 * 1000, 4 * 1000)


def test_the_table_says_it():
    assert shown(family("ring", 4, "max-degree"), 1000) == {
        "agents": "4",
        "links": "4",
        "degree": "least 2, mean 2, most 2",
        "connected": "yes",
        "diameter": "2",
        "contraction": "0.3333",
        "spectral gap": "0.6667",
        "rounds to 1e-6": "13",
        "bytes per round": "8,000 in all, at most 2,000 from one agent (payload: 1,000)",
    }


def test_a_graph_that_falls_apart_has_parts_and_no_diameter():
    rows = shown(family("edges:0-1+2-3", 5))
    assert rows["connected"] == "no, 3 parts: [0, 1] [2, 3] [4]"
    assert [rows[name] for name in ("diameter", "contraction", "spectral gap")] == [
        "none",
        "1",
        "0",
    ]
    assert rows["rounds to 1e-6"] == "never"
    assert rows["bytes per round"].startswith("16 in all, at most 4 ")
    assert shown(family("none", 9))["connected"].endswith("[4] [5] and 3 more")


def test_weights_that_never_agree_say_never():
    assert shown(from_adjacency(PAIR, PAIR))["rounds to 1e-6"] == "never"
    assert shown(family("complete", 6, "uniform"))["contraction"] == "0"


def test_a_payload_weighs_something():
    with pytest.raises(ConfigError, match="payload must be at least 0 bytes, not -1"):
        graph_facts(family("ring", 3), payload=-1)
