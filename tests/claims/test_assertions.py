"""Questions that papers ask of curves, on curves whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest

from coterie.claims import assertions
from coterie.report.curve import Curve


def ramp(label, end, *, half=50, noise=0.02, jitter=0.0):
    """Five seeds that rise from 0 to `end`, half way after `half` of 100 steps."""
    steps = np.arange(0, 101, 5)
    shape = steps / 100 if half == 50 else 1.0 - 0.5 ** (steps / half)
    seeds = np.linspace(-noise, noise, 5)[:, None]
    shake = jitter * np.where(np.arange(len(steps)) % 2, 1.0, -1.0)
    return Curve(label, steps, end * shape + seeds + shake)


CURVES = {
    "high": ramp("high", 2.0),
    "early": ramp("early", 2.0, half=8),
    "low": ramp("low", 1.0),
    "split": ramp("split", 2.0, noise=0.8),
    "shaky": ramp("shaky", 2.0, jitter=0.3),
    "falling": ramp("falling", -1.0),
}
CURVES["high"] = replace(CURVES["high"], sent=1e6)
CURVES["low"] = replace(CURVES["low"], sent=1e5)
KNOWN = {"one": 1.0, "nearly two": 1.9, "two and a half": 2.5}
CURVES |= {name: Curve(name, np.zeros(1), np.full((1, 1), v)) for name, v in KNOWN.items()}
CASES = {
    "above": (assertions.above("high", "low"), "holds"),
    "above, turned round": (assertions.above("low", "high"), "does not hold"),
    "above, seeds differ": (assertions.above("high", "split"), "undecided"),
    "above all": (assertions.above("high", "low", "split"), "undecided"),
    "above one, below one": (assertions.above("low", "split", "high"), "does not hold"),
    "improves": (assertions.improves("high", "split"), "holds"),
    "falls": (assertions.improves("high", "falling"), "does not hold"),
    "keeps up": (assertions.not_worse("high", "early", "low"), "holds"),
    "keeps up with one": (assertions.not_worse("low", "low", "high"), "does not hold"),
    "perhaps keeps up": (assertions.not_worse("split", "low", "high"), "undecided"),
    "quicker": (assertions.faster("early", "high"), "holds"),
    "quicker, turned round": (assertions.faster("high", "early"), "does not hold"),
    "below a value": (assertions.below_value("high", "two and a half"), "holds"),
    "above a value": (assertions.below_value("high", "one"), "does not hold"),
    "about a value": (assertions.below_value("split", "nearly two"), "undecided"),
    "within": (assertions.within("high", 2.5), "holds"),
    "within not": (assertions.within("high", 1.5), "does not hold"),
    "perhaps within": (assertions.within("split", 1.5), "undecided"),
    "arrives": (assertions.arrives("high", "nearly two", 0.95), "holds"),
    "arrives not": (assertions.arrives("low", "nearly two", 0.95), "does not hold"),
    "perhaps arrives": (assertions.arrives("split", "nearly two", 0.95), "undecided"),
    "close": (assertions.close("high", "early"), "holds"),
    "not close": (assertions.close("high", "low"), "does not hold"),
    "perhaps close": (assertions.close("high", "split"), "undecided"),
    "costs": (assertions.costs("low", "high", 0.45), "holds"),
    "costs less": (assertions.costs("low", "high", 0.6), "does not hold"),
    "perhaps costs": (assertions.costs("split", "high", 0.05), "undecided"),
    "leaps": (assertions.single_step_gain("one", "nearly two", "two and a half"), "holds"),
    "many steps": (
        assertions.single_step_gain("one", "nearly two", "two and a half", share=0.7),
        "does not hold",
    ),
    "a loss": (assertions.single_step_gain("high", "split", "low"), "does not hold"),
    "perhaps a gain": (assertions.single_step_gain("high", "low", "split"), "undecided"),
    "nobody knows": (assertions.sends_less("early", "high", 0.1), "undecided"),
    "sends less": (assertions.sends_less("low", "high", 0.1), "holds"),
    "sends more": (assertions.sends_less("low", "high", 0.09), "does not hold"),
    "widest": (assertions.largest_seed_variance("split", "high", "low"), "holds"),
    "not widest": (assertions.largest_seed_variance("high", "split"), "does not hold"),
    "restless": (assertions.fluctuates_most("shaky", "high", "split"), "holds"),
    "at rest": (assertions.fluctuates_most("high", "shaky"), "does not hold"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_question_has_its_answer(case):
    ask, verdict = CASES[case]
    answer = ask(CURVES)
    assert answer.verdict == verdict
    assert str(answer).startswith(f"{verdict} (")


def test_an_answer_gives_its_figures():
    reason = assertions.above("high", "low")(CURVES).reason
    assert reason.startswith("high 1.9 [1.8") and " against low 0.95 [0.9" in reason


@pytest.mark.parametrize(
    "ask",
    [assertions.not_worse("one seed", "low"), assertions.not_worse("low", "one seed")]
    + [assertions.close("one seed", "low"), assertions.above("one seed", "low")]
    + [assertions.improves("one seed")],
)
@pytest.mark.parametrize("end", [0.1, 0.95, 2.0])
def test_one_seed_decides_nothing(ask, end):
    curve = ramp("one seed", end)
    one = replace(curve, values=curve.values[2:3])
    assert ask(CURVES | {"one seed": one}).verdict == "undecided"


@pytest.mark.parametrize("ask", [assertions.close, assertions.not_worse])
def test_an_answer_gives_the_share_that_was_asked_for(ask):
    assert "; a tenth below" in ask("high", "early")(CURVES).reason
    assert "; 20 % below" in ask("high", "early", within=0.2)(CURVES).reason
