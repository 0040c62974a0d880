"""Texts become the networks that they say, and everything wrong with them is said at once."""

from hypothesis import given
from strategies import networks

from cnndsl.ir.text import format_graph
from cnndsl.ir.verify import verify


@given(networks())
def test_a_random_valid_text_becomes_a_valid_graph(network):
    verify(network.ir)
    assert format_graph(network.ir).count("\n") == len(network.ir.nodes)
