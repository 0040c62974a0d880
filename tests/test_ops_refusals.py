"""What operators refuse, and what they say then."""

import pytest
from graphs import graph_of

from cnndsl.errors import CnnError
from cnndsl.ir.infer import infer_types
from cnndsl.ops.text import parse_op
from cnndsl.types import f32

IMAGE, VECTOR = f32(8, 6, 4), f32(12)


@pytest.mark.parametrize(
    ("op", "operands", "column", "message"),
    [
        (
            "add",
            (IMAGE, f32(8, 6, 5)),
            "from",
            "add reads rows of one shape, and 8x6 with 5 maps is not 8x6 with 4 maps",
        ),
        (
            "mul",
            (IMAGE, f32(2, 2, 4)),
            "from",
            "2x2 with 4 maps does not go with 8x6 with 4 maps: each side must be the same, or 1",
        ),
        ("mul", (IMAGE, VECTOR), "from", "each side must be the same, or 1"),
        (
            "concat",
            (IMAGE, f32(7, 6, 4)),
            "from",
            "7x6 with 4 maps does not go with 8x6 with 4 maps: rows that are put together along "
            "their maps agree in all else",
        ),
        ("concat", (IMAGE, VECTOR), "from", "12 features does not go with 8x6 with 4 maps"),
        ("groupnorm groups=3 epsilon=1", (IMAGE,), "groups", "4 maps do not divide into 3 groups"),
        (
            "layernorm epsilon=1",
            (IMAGE,),
            "over",
            "frameworks normalize different cells of an image together: name which",
        ),
        ("concat axis=width", (VECTOR, VECTOR), "axis", "a vector has no width"),
    ],
)
def test_an_operator_refuses_what_it_cannot_do(op, operands, column, message):
    with pytest.raises(CnnError) as caught:
        parse_op(op).infer(*operands)
    assert message in caught.value.diagnostics[0].message
    assert caught.value.diagnostics[0].column == column


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("S", "add", "In")], "add reads 2 or more rows, and 1 is named"),
        ([("S", "flatten", "In In")], "flatten reads 1 row, and 2 are named"),
        ([("S", "input maps=1 size=1", "In")], "input reads 0 rows, and 1 is named"),
    ],
)
def test_a_row_names_as_many_rows_as_its_operator_reads(rows, message):
    with pytest.raises(CnnError) as caught:
        infer_types(graph_of(("In", "input maps=4 size=8", ""), *rows))
    assert f"row S, column from: {message}" in str(caught.value)
