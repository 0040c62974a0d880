"""Attributes read what they write, and refuse the rest as a user's error."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from op_cases import functions, parts

from cnndsl.errors import CnnError, ValueRefused
from cnndsl.ops.attributes import attributes_of
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.connections import MOST_LINKS, ConnectionsKind
from cnndsl.ops.function_kind import FunctionKind
from cnndsl.ops.kinds import (
    LARGEST_COUNT,
    Choice,
    Count,
    Extent,
    Flag,
    Number,
    Numbers,
    Range,
    Step,
    Text,
    parse_count,
)
from cnndsl.ops.norm_kind import NormKind
from cnndsl.ops.pad import SidesKind
from cnndsl.ops.padding import Padding, PaddingKind
from cnndsl.ops.registry import OPERATORS
from cnndsl.ops.reshape import ShapeKind
from cnndsl.ops.slice import PartKind
from cnndsl.ops.text import parse_op

COUNTS = st.integers(1, LARGEST_COUNT)
PAIRS = st.tuples(COUNTS, COUNTS)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SIDES = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))
LINKS = st.lists(st.integers(0, 40), min_size=1, unique=True).map(sorted).map(tuple)

VALUES = [
    (Count(), COUNTS),
    (Count(0), st.integers(0, 9)),
    (Extent(), PAIRS),
    (Step(), PAIRS),
    (Number(), FLOATS),
    (Number(least=0.0, below=1.0), st.floats(0, 1, exclude_max=True)),
    (Numbers(), st.lists(FLOATS, min_size=1).map(tuple)),
    (Range(), st.tuples(FLOATS, FLOATS).filter(lambda pair: pair[0] < pair[1])),
    (Choice(("one", "two")), st.sampled_from(["one", "two"])),
    (Flag(), st.booleans()),
    (Text(), st.text(min_size=1)),
    (
        PaddingKind(),
        st.builds(Padding, st.sampled_from(["valid", "same", "same_upper", "same_lower"]))
        | st.builds(Padding, st.just("explicit"), st.tuples(SIDES, SIDES)),
    ),
    (ConnectionsKind(), st.lists(LINKS, min_size=1).map(tuple)),
    (FunctionKind(), functions().map(lambda op: op.activation)),
    (SidesKind(), st.tuples(SIDES, SIDES)),
    (PartKind(), st.integers(1, 9).flatmap(parts)),
    (ShapeKind(), st.tuples(COUNTS, COUNTS, COUNTS) | st.tuples(COUNTS)),
    (NormKind(), st.builds(BatchNorm, st.floats(0, 1, exclude_min=True))),
]
ATTRIBUTES = [
    pytest.param(attribute.kind, id=f"{row_type}-{attribute.name}")
    for row_type, operator in OPERATORS.items()
    for attribute in attributes_of(operator)
]
NEARLY = st.text(st.sampled_from("0123456789+-.,xX×eE infvaldsmeup_yo"), max_size=12)


@pytest.mark.parametrize(("kind", "values"), VALUES, ids=lambda v: type(v).__name__)
@given(data=st.data())
def test_a_kind_reads_what_it_writes(kind, values, data):
    value = data.draw(values)
    assert kind.parse(kind.format(value)) == value


def test_every_kind_of_attribute_is_tried():
    tried = {type(kind) for kind, _ in VALUES}
    assert {type(parameter.values[0]) for parameter in ATTRIBUTES} <= tried


@pytest.mark.parametrize("kind", ATTRIBUTES)
@given(text=st.text() | NEARLY)
@example(text="")
@example(text="-")
@example(text="?")
@example(text="nan")
@example(text="-1")
@example(text="٣")
@example(text="1\n")
@example(text="9" * 5000)
@example(text="1e999")
@example(text="0-99999," * 1000 + "0")
def test_any_text_is_a_value_or_refused(kind, text):
    try:
        value = kind.parse(text)
    except ValueRefused as error:
        refusal = error
    else:
        assert kind.parse(kind.format(value)) == value
        return
    assert refusal.code == "E108"
    assert len(str(refusal)) < 400


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Count(), "1,000", 1000),
        (Extent(), "11×5", (11, 5)),
        (Extent(), "1,024x7", (1024, 7)),
        (Step(), "2", (2, 2)),
        (Number(), ".5", 0.5),
        (Number(), "2e-5", 2e-5),
        (Range(), "-1..1", (-1.0, 1.0)),
        (Range(), "0...5", (0.0, 0.5)),
        (Numbers(), "1,-2.5", (1.0, -2.5)),
        (PaddingKind(), "VALID", Padding("valid")),
        (PaddingKind(), "2x1", Padding("explicit", ((2, 2), (1, 1)))),
        (PaddingKind(), "0+1", Padding("explicit", ((0, 1), (0, 1)))),
        (Choice(("relu",), (("rectifier", "relu"),)), "Rectifier", "relu"),
        (ConnectionsKind(), "0-2,0+4-5", ((0, 1, 2), (0, 4, 5))),
    ],
)
def test_texts_that_people_write_are_read(kind, text, value):
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Count(), "0", "'0' will not do: it must lie in 1..1000000000"),
        (Count(), "1.5", "'1.5' is not a positive whole number"),
        (Count(0), "-1", "'-1' is not a whole number"),
        (Count(), "1,00", "'1,00' is not a positive whole number"),
        (Extent(), "3x3x3", "'3x3x3' is not a height and width such as 3x3"),
        (Step(), "0", "'0' will not do: each side must lie"),
        (Number(), "inf", "'inf' is not a number such as 0.75 or 2e-5"),
        (Number(), "1e400", "will not do: it is too large"),
        (Number(above=0.0), "0", "will not do: it must be greater than 0"),
        (Number(least=0.0, below=1.0), "1", "will not do: it must lie in 0 <= value < 1"),
        (Range(), "1..0", "will not do: the first number must be the smaller one"),
        (Range(), "1..1", "will not do: the first number must be the smaller one"),
        (PaddingKind(), "smae", "'smae' is not valid, same, same_upper, same_lower, or cells"),
        (PaddingKind(), "1+2+3", "'1+2+3' is not valid, same"),
        (Choice(("relu", "tanh")), "rleu", "'rleu' is not one of relu, tanh"),
        (ConnectionsKind(), "2-1", "will not do: '2-1' names no maps"),
        (SidesKind(), "same", "'same' is not cells such as 2, 2x1 or 0+1x0+1 (begin+end)"),
        (PartKind(), "3", "'3' is not a part such as 0:32 (the first 32), 2:-2, 16: or ::2"),
        (PartKind(), "0:9:0", "will not do: the step must be positive"),
        (PartKind(), f"0:{10**15}", "will not do: a place is too large"),
        (ShapeKind(), "7x7", "'7x7' is not a shape such as 7x7x30 (height x width x maps) or 1470"),
        (ShapeKind(), "0", "'0' is not a shape"),
        (ShapeKind(), "1x2x2000000000", "will not do: each side must lie in 1..1000000000"),
        (NormKind(), "batch", "write batch(epsilon): epsilon is added to the variance: 1e-5 in"),
        (NormKind(), "batch(0)", "'0' will not do: it must be greater"),
        (NormKind(), "layer(1)", "is not a normalization with its epsilon such as batch(1e-5)"),
        (ConnectionsKind(), "1+0", "will not do: the maps of '1+0' must increase"),
        (
            ConnectionsKind(),
            "0-50000,0-50000",
            f"will not do: it has more than {MOST_LINKS:,} links",
        ),
        (
            ConnectionsKind(),
            "0-50000+50001-100000",
            f"will not do: it has more than {MOST_LINKS:,} links",
        ),
        (ConnectionsKind(), "1+1", "will not do: the maps of '1+1' must increase"),
    ],
)
def test_a_refusal_says_what_is_expected(kind, text, message):
    with pytest.raises(ValueRefused) as caught:
        kind.parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"), [(2.0, "2"), (-0.5, "-0.5"), (2e-5, "2e-05"), (1e6, "1000000.0")]
)
def test_a_number_is_written_briefly(value, text):
    assert Number().format(value) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv maps=1 maps=2 kernel=1", "maps is given twice"),
        ("conv maps=1 stride=1", "conv lacks kernel"),
        ("conv width=1", "'width' is not an attribute of conv"),
        ("convolution maps=1", "'convolution' is not an operator"),
        ("dropout rate=1", "must lie in 0 <= value < 1"),
        ("dropout rate=-0.5", "must lie in 0 <= value < 1"),
    ],
)
def test_an_operators_text_is_refused_by_name(text, message):
    with pytest.raises(ValueRefused) as caught:
        parse_op(text)
    assert message in str(caught.value)


@given(st.integers(0, 10**12 - 1))
def test_a_count_is_read_with_and_without_commas(count):
    assert parse_count(str(count)) == count
    assert parse_count(f"{count:,}") == (count if count < 10**12 else None)


@given(
    text=st.text()
    | st.sampled_from(sorted(OPERATORS)).flatmap(lambda op: NEARLY.map(f"{op} {{}}".format))
)
@example(text="")
@example(text="conv maps='1")
@example(text="conv maps=1 maps=2 kernel=1")
@example(text="dropout")
def test_any_text_is_an_operator_or_a_users_error(text):
    try:
        parse_op(text)
    except CnnError:
        return


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "is given by nothing"),
        ("r=2 n=5", "is given twice: r=2 and n=5"),
        ("r=3", "r must be even"),
        ("size=4", "place a window of an even size 4 differently"),
        ("n=5 align=torch", "align goes with size="),
    ],
)
def test_lrn_names_exactly_one_window(options, message):
    op = parse_op(f"lrn alpha=1e-4 beta=0.75 k=1 {options}".strip())
    with pytest.raises(CnnError, match=message) as caught:
        op.neighbours()
    assert caught.value.code == "E205"
