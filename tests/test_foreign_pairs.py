"""Pairs of rows and layers that a user writes: refused where they are none, or do not fit."""

import contextlib

import pytest
from foreign_files import (
    TWO_BRANCHES,
    branches,
    foreign,
    random_weights,
    table,
    tensors_of,
    torch_layers,
)
from hypothesis import given
from hypothesis import strategies as st

from cnndsl.errors import WeightsError
from cnndsl.interop.foreign.converting import convert_weights
from cnndsl.interop.foreign.pairs import parse_pairs


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a", "line 1 of the map is neither"),
        ("a =", "line 1 of the map is neither"),
        ("a = x\na = y", "line 2 of the map pairs a again"),
    ],
)
def test_a_line_that_is_no_pair_is_refused(line, message):
    with pytest.raises(WeightsError, match=message):
        parse_pairs(line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("c = left", "'c', which the table does not have"),
        ("a = middle", "'middle', which the file does not have"),
        ("- = middle", "leaves out 'middle', which the file does not have"),
    ],
)
def test_a_pair_of_what_is_not_there_is_refused(line, message):
    with pytest.raises(WeightsError, match=message):
        convert_weights(branches("left", "right"), table(TWO_BRANCHES), parse_pairs(line))


def test_a_pair_that_does_not_fit_is_refused():
    network = table("In input 3 8\nC1 conv 4 ? 3x3\nC2 conv 5 ? 3x3\n")
    arrays = tensors_of(torch_layers(network, random_weights(network)))
    with pytest.raises(WeightsError, match=r"C2 .* does not fit C1"):
        convert_weights(foreign(arrays), network, parse_pairs("C1 = C2"))


@given(st.text(max_size=80))
def test_any_text_is_pairs_or_a_planned_error(text):
    with contextlib.suppress(WeightsError):
        parse_pairs(text)
