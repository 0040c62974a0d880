"""Which lane holds what of a tensor core's factors, and how they are rounded, without a GPU."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnndsl.backends.cuda.rounding import factors, rounded_words
from cnndsl.backends.cuda.shapes.tensor_core import COLUMNS, INSTRUCTIONS, LANES, ROWS

# The formulas of the PTX ISA, sections "Matrix Fragments for mma.m16n8k8" and "... mma.m16n8k16
# with floating point type": row and column of element i, of a lane's group and member of it.
# In the left factor columns are k, in the right one rows are.
ISA_LEFT = {
    "tf32": lambda group, member, i: (
        group if i in (0, 2) else group + 8,
        member if i in (0, 1) else member + 4,
    ),
    "float16_short": lambda group, member, i: (
        group if i in (0, 1) else group + 8,
        member * 2 + (i & 1),
    ),
    "float16": lambda group, member, i: (
        group if 0 <= i < 2 or 4 <= i < 6 else group + 8,
        member * 2 + (i & 1) + (0 if i < 4 else 8),
    ),
}
ISA_RIGHT = {
    "tf32": lambda group, member, i: (member if i == 0 else member + 4, group),
    "float16_short": lambda group, member, i: (member * 2 + i, group),
    "float16": lambda group, member, i: (member * 2 + (i & 1) + (0 if i < 2 else 8), group),
}
for table in (ISA_LEFT, ISA_RIGHT):
    table["bfloat16"] = table["float16"]


def isa_sum(group: int, member: int, i: int) -> tuple[int, int]:
    return group if i < 2 else group + 8, member * 2 + (i & 1)


def elements(words: int, each: int) -> list[tuple[int, int, int]]:
    """Number, word and half of each element of a fragment."""
    return [(word * each + half, word, half) for word in range(words) for half in range(each)]


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_fragments_are_those_of_the_instruction_set(name):
    instruction = INSTRUCTIONS[name]
    for lane in range(LANES):
        place = lane >> 2, lane % 4
        for i, word, half in elements(instruction.left_words, instruction.factors):
            assert instruction.left_cell(lane, word, half) == ISA_LEFT[name](*place, i)
        for i, word, half in elements(instruction.right_words, instruction.factors):
            assert instruction.right_cell(lane, word, half) == ISA_RIGHT[name](*place, i)
        for i in range(4):
            assert instruction.sum_cell(lane, i) == isa_sum(*place, i)


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_every_cell_of_the_matrices_is_in_one_lane(name):
    instruction, depth = INSTRUCTIONS[name], INSTRUCTIONS[name].depth
    lanes = range(LANES)
    left = elements(instruction.left_words, instruction.factors)
    right = elements(instruction.right_words, instruction.factors)
    for cells, shape in (
        ([instruction.left_cell(lane, w, h) for lane in lanes for _, w, h in left], (ROWS, depth)),
        (
            [instruction.right_cell(lane, w, h) for lane in lanes for _, w, h in right],
            (depth, COLUMNS),
        ),
        ([instruction.sum_cell(lane, i) for lane in lanes for i in range(4)], (ROWS, COLUMNS)),
    ):
        assert sorted(cells) == list(np.ndindex(shape))


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_a_warp_that_holds_its_fragments_multiplies_the_matrices(name):
    """The whole of `mma.sync` by the formulas of the ISA, over words loaded as the kernels do."""
    instruction = INSTRUCTIONS[name]
    rng = np.random.default_rng(0)
    a = rng.integers(-4, 5, (ROWS, instruction.depth)).astype(np.float32)
    b = rng.integers(-4, 5, (instruction.depth, COLUMNS)).astype(np.float32)
    left_read, right_read = np.full(a.shape, np.nan), np.full(b.shape, np.nan)
    for lane in range(LANES):
        place = lane >> 2, lane % 4
        for matrix, read, words, cell_of, isa in (
            (a, left_read, instruction.left_words, instruction.left_cell, ISA_LEFT[name]),
            (b, right_read, instruction.right_words, instruction.right_cell, ISA_RIGHT[name]),
        ):
            for word in range(words):
                halves = [cell_of(lane, word, half) for half in range(instruction.factors)]
                low, high = (np.array([matrix[cell]]) for cell in (halves[0], halves[-1]))
                held = factors(instruction.format, rounded_words(instruction.format, low, high))
                for half, number in enumerate(held[0]):
                    read[isa(*place, word * instruction.factors + half)] = number
    product = left_read @ right_read
    for lane in range(LANES):
        for i in range(4):
            want = (a.astype(float) @ b)[instruction.sum_cell(lane, i)]
            assert product[isa_sum(lane >> 2, lane % 4, i)] == want


@pytest.mark.parametrize("form", ["float16", "bfloat16"])
def test_every_half_survives_its_word(form):
    words = np.arange(2**16, dtype=np.uint32) | np.arange(2**16, dtype=np.uint32)[::-1] << 16
    numbers = factors(form, words)
    there = ~np.isnan(numbers).any(1)
    np.testing.assert_array_equal(
        rounded_words(form, numbers[:, 0], numbers[:, 1])[there], words[there]
    )


UNITS = {"tf32": 2.0**-11, "float16": 2.0**-11, "bfloat16": 2.0**-8}


@pytest.mark.parametrize("form", UNITS)
@given(value=st.floats(2.0**-14, 60000.0, width=32), sign=st.sampled_from([1.0, -1.0]))
def test_rounding_goes_to_the_nearest(form, value, sign):
    number = np.array([sign * value], np.float32)
    near = factors(form, rounded_words(form, number, number))[0, 0]
    assert abs(float(near) - sign * value) <= UNITS[form] * value * (1 + 2 * UNITS[form])
    again = rounded_words(form, np.array([near]), np.array([near]))
    assert factors(form, again)[0, 0] == near


@pytest.mark.parametrize("form", UNITS)
def test_what_is_infinite_or_no_number_stays_so(form):
    low_payload = np.array([0x7F800001], np.uint32).view(np.float32)
    for number in (np.inf, -np.inf, np.nan, low_payload[0]):
        value = np.array([number], np.float32)
        rounded = factors(form, rounded_words(form, value, value))[0, 0]
        np.testing.assert_array_equal(rounded, number)


def test_ties_go_away_from_zero_in_tf32_and_to_even_in_halves():
    ties = np.array([1 + 2.0**-11, 1 + 3 * 2.0**-11], np.float32)
    assert factors("tf32", rounded_words("tf32", ties, ties))[:, 0].tolist() == [
        1 + 2.0**-10,
        1 + 2 * 2.0**-10,
    ]
    halves = factors("float16", rounded_words("float16", ties, ties))[:, 0]
    assert halves.tolist() == [1.0, 1 + 2 * 2.0**-10]
    brains = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8], np.float32)
    rounded = factors("bfloat16", rounded_words("bfloat16", brains, brains))[:, 0]
    assert rounded.tolist() == [1.0, 1 + 2 * 2.0**-7]
