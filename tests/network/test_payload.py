"""One declaration of what crosses between agents, and what follows from it."""

import jax.numpy as jnp
import pytest

from coterie.algorithms import Information
from coterie.errors import ConfigError
from coterie.graph import family
from coterie.network import Payload, lift, networks
from tests.runs import python

SENT = Payload("critic", lasting=lambda state: state["critic"])
SHOWN = Payload("features", scope="all")


def test_who_receives_a_payload_is_its_scope():
    information = Information(payloads=(SENT, SHOWN, Payload("reward")))
    assert information.sends == ("critic", "reward")
    assert information.broadcasts == ("features",)


def test_what_lasts_is_read_from_the_state_and_nothing_else_is():
    found = Information(payloads=(SENT, Payload("reward"))).lasting({"critic": jnp.ones(2), "x": 0})
    assert list(found) == ["critic"] and found["critic"].tolist() == [1.0, 1.0]


def test_a_declaration_is_equal_to_one_made_again():
    """Though the functions in it are not: an algorithm makes it whenever it is asked."""
    again = Payload("critic", lasting=lambda state: state["critic"])
    assert again == SENT and hash(again) == hash(SENT)


def test_a_name_alone_is_no_payload():
    code = """
from coterie import Information
from coterie.errors import CoterieError
try:
    Information(payloads=("critic",))
except CoterieError as error:
    print(error)
"""
    assert python(code).strip() == "payloads must be values, as Payload('critic'), not 'critic'."


def test_what_is_sent_and_not_declared_gets_its_sentence():
    def said(network):
        return network.mix(jnp.ones(1), "gossip")[0]

    with pytest.raises(
        ConfigError, match=r"Add Payload\('gossip'\) to the algorithm's Information"
    ):
        lift(said)(networks(family("ring", 3), ("critic",)))
