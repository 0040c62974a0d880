"""Formatting changes no meaning, is done at once, and moves as little as can be."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from near_misses import mutated
from strategies import texts

from cnndsl.errors import SpecError
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.format import format_text
from cnndsl.frontend.load import load_network, read_source
from cnndsl.frontend.parse import parse
from cnndsl.frontend.syntax import BadLine
from cnndsl.ir.text import format_graph
from cnndsl.resources import resource, shipped_specs
from cnndsl.source import Source


def formatted(text: str, *, fill: bool = False) -> str:
    return format_text(Source("t.cnn", text), fill=fill)


def graph(text: str) -> str:
    return format_graph(load_network(Source("t.cnn", text)).ir)


def changed_lines(before: str, after: str) -> list[str]:
    difference = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line[2:] for line in difference if line.startswith("+ ")]


TABLE = """\
cnn 1
network T

layer  type     maps  size   kernel  stride  padding  activation
In     input    1     28x28                                       range=0..1
C1     conv     6     24x24  5x5     1       valid    tanh
S2     maxpool  6     12x12  2x2     2       valid    -
F3     dense    10    -      -       -       -        softmax     dropout=0.5
"""


@pytest.mark.parametrize("name", shipped_specs())
def test_a_shipped_spec_is_formatted_and_filled(name):
    source = read_source(resource("specs", f"{name}.cnn"))
    assert format_text(source) == source.text
    assert format_text(source, fill=True) == source.text


def test_a_table_with_single_blanks_gets_columns():
    text = "cnn 1\nnetwork T\nlayer type maps size\nIn input 1 28x28\nConv1 conv 6 ? kernel=5x5\n"
    assert formatted(text) == (
        "cnn 1\n"
        "network T\n"
        "layer  type   maps  size\n"
        "In     input  1     28x28\n"
        "Conv1  conv   6     ?      kernel=5x5\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("C1     conv     6 ", "C1     conv     64 "),  # longer, and it fits
        ("C1     conv     6 ", "C1  conv  6 "),  # out of line
        ("C1     conv     6 ", "C1     conv     1,024 "),  # as long as the column is wide
        ("12x12  2x2 ", "12x12   2x2 "),
        ("tanh", "scaled_tanh"),  # the last column, where no row is behind it
        ("F3     dense    10", "F3\tdense\t10"),
    ],
)
def test_an_edit_that_fits_moves_its_own_line_only(before, after):
    edited = TABLE.replace(before, after)
    assert edited != TABLE
    assert len(changed_lines(TABLE, formatted(edited))) <= 1


def test_a_cell_that_outgrows_its_column_moves_what_is_behind_it():
    after = formatted(TABLE.replace("24x24 ", "1024x1024 "))
    assert after.splitlines()[3:6] == [
        "layer  type     maps  size       kernel  stride  padding  activation",
        "In     input    1     28x28                                           range=0..1",
        "C1     conv     6     1024x1024  5x5     1       valid    tanh",
    ]


def test_a_cell_that_outgrows_its_column_moves_its_own_block_only():
    text = TABLE + "\nC4     conv     6     24x24  5x5\nC5     conv     6     20x20  5x5\n"
    after = formatted(text.replace("F3     dense    10 ", "F3     dense    1,000,000 "))
    assert "\nC4     conv     6     24x24  5x5\n" in after
    assert "\nIn     input    1          28x28" in after


def test_a_new_block_falls_into_line_with_the_one_above():
    assert formatted(TABLE + "\nC4 conv 6 24x24\n").endswith("\nC4     conv     6     24x24\n")


def test_a_column_keeps_its_width_when_its_longest_cell_is_gone():
    assert formatted(TABLE.replace("maxpool", "conv   ")) == TABLE.replace("maxpool", "conv   ")


def test_a_wide_script_is_aligned_as_a_terminal_shows_it():
    text = "cnn 1\nlayer type maps\n입력 input 1\nC1 conv 6\n"
    assert formatted(text).splitlines()[1:] == [
        "layer  type   maps",
        "입력   input  1",
        "C1     conv   6",
    ]


def test_comments_stay_where_they_are():
    text = (
        "# first\n"
        "cnn 1  # version\n"
        "\n"
        "# above the table\n"
        "layer  type   maps  size   # header\n"
        "In     input  1     28x28    # far\n"
        "    # indented\n"
        "C1     conv   6     24x24  kernel=5x5 # near\n"
        "# last\n"
    )
    expected = text.replace("# near", " # near")
    assert formatted(text) == expected


def test_a_comment_makes_room_for_a_longer_row_only():
    text = "cnn 1\nlayer  type   maps\nIn     input  1     # a\nC1     conv   6     # b\n"
    after = formatted(text.replace("conv   6     #", "conv   6  kernel=5x5 stride=2 #"))
    assert changed_lines(text, after) == ["C1     conv   6     kernel=5x5 stride=2  # b"]


def test_words_become_canonical_and_numbers_stay():
    text = (
        "CNN 1\nLayer Type Maps Kernel\nIn Input 1,0 –\n"
        'C1 CONV 1,024 5×5 Padding = SAME_Upper labels="A×b"\n'
    )
    assert formatted(text) == (
        "cnn 1\n"
        "layer  type   maps   kernel\n"
        "In     input  1,0    -\n"
        'C1     conv   1,024  5x5     padding=same_upper labels="A×b"\n'
    )


def test_options_on_their_own_lines_stay_there():
    text = "cnn 1\nlayer  type\nIn     input\n  range = 0..1\nfit=pad  layout=nchw\n"
    assert formatted(text).splitlines()[3:] == ["  range=0..1", "    fit=pad layout=nchw"]


def test_blank_lines_are_single_and_none_stand_at_the_ends():
    assert formatted("\n\ncnn 1\n\n\n\nlayer type\n\n") == "cnn 1\n\nlayer  type\n"


def test_line_ends_stay_and_a_byte_order_mark_goes():
    assert formatted("\ufeffcnn 1\r\nlayer type\r\n") == "cnn 1\r\nlayer  type\r\n"


def test_a_line_that_cannot_be_read_is_left_alone():
    bad = 'C2 conv   a==b   "  '
    assert bad in formatted(f"{TABLE}{bad}\nC3 conv 6\n").splitlines()


def test_a_text_with_errors_is_formatted_but_not_filled():
    text = TABLE.replace("24x24", "23x23")
    assert formatted(text) == text
    with pytest.raises(SpecError):
        formatted(text, fill=True)


def test_filling_writes_what_is_inferred():
    text = (
        "cnn 1\n"
        "layer type maps size kernel stride padding activation params macs\n"
        "In input 1 28x28\n"
        "C1 conv 6 ? 5x5 1 valid tanh ? ?\n"
        "S2 maxpool ? ? 2x2 2\n"
        "C3 conv 6 ? 3x3 bias=no padding=1\n"
        "F4 dense 10 size=? params=?\n"
        "F5 flatten\n"
    )
    assert formatted(text.replace(" size=?", ""), fill=True) == (
        "cnn 1\n"
        "layer  type     maps  size   kernel  stride  padding  activation  params  macs\n"
        "In     input    1     28x28  -       -       -        -           -       -\n"
        "C1     conv     6     24x24  5x5     1       valid    tanh        156     86,400\n"
        "S2     maxpool  6     12x12  2x2     2       valid    -           -       -\n"
        "C3     conv     6     12x12  3x3     1       -        -           324     46,656   "
        "bias=no padding=1\n"
        "F4     dense    10    -      -       -       -        -           -       8,640    "
        "params=8,650\n"
        "F5     flatten  10    -      -       -       -        -           -       -\n"
    ).replace("46,656   ", "46,656  ").replace("8,640    ", "8,640   ")


@given(texts())
def test_formatting_keeps_the_graph(text):
    assert graph(formatted(text)) == graph(text)


@given(texts())
def test_formatting_twice_changes_nothing_more(text):
    once = formatted(text)
    assert formatted(once) == once


@given(texts())
def test_filling_keeps_the_graph_and_leaves_no_question(text):
    filled = formatted(text, fill=True)
    assert graph(filled) == graph(text)
    assert "?" not in filled
    assert formatted(filled, fill=True) == filled


@given(texts().flatmap(mutated))
def test_formatting_a_broken_text_is_done_at_once_and_keeps_its_bad_lines(text):
    once = formatted(text)
    assert formatted(once) == once
    bad = [
        x.span.text for x in parse(Source("t", text), Findings()).lines if isinstance(x, BadLine)
    ]
    assert set(bad) <= set(once.split("\n"))


@given(st.text())
def test_any_text_is_formatted_at_once(text):
    once = formatted(text)
    assert formatted(once) == once


@given(texts().flatmap(mutated))
def test_formatting_keeps_every_word_and_comment(text):
    def words(text: str) -> list[str]:
        text = text.replace("×", "x").replace("–", "-")
        return sorted(text.lower().replace(" ", "").replace("\n", ""))

    assert words(formatted(text)) == words(text)
