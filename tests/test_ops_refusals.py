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
        (
            "convtranspose maps=2 kernel=2 stride=3",
            (IMAGE,),
            "padding",
            "frameworks read `valid` differently where the stride is larger than the kernel",
        ),
        (
            "convtranspose maps=2 kernel=2 stride=3 padding=same",
            (IMAGE,),
            "padding",
            "with a kernel smaller than the stride, or output_padding, write cells",
        ),
        (
            "convtranspose maps=2 kernel=3 padding=same_lower stride=2 output_padding=1",
            (IMAGE,),
            "padding",
            "same_lower makes the output 2x2 times as large by itself",
        ),
        (
            "convtranspose maps=2 kernel=3 stride=2 padding=same",
            (IMAGE,),
            "padding",
            "frameworks read `same` differently here: an odd number of cells is cut off",
        ),
        (
            "convtranspose maps=2 kernel=3 stride=2 padding=1 output_padding=2",
            (IMAGE,),
            "output_padding",
            "output_padding must be smaller than the stride or the dilation",
        ),
        (
            "convtranspose maps=2 kernel=3 padding=6",
            (IMAGE,),
            "padding",
            "the padding cuts off all of the output: 8x6 through 3x3 transposed stride 1 padding 6 "
            "is -2x-4: (8 - 1) * 1 + 3 - 6 - 6 = -2; (6 - 1) * 1 + 3 - 6 - 6 = -4",
        ),
        (
            "convtranspose maps=2 kernel=3 groups=3",
            (IMAGE,),
            "groups",
            "4 input maps do not divide",
        ),
        ("input maps=3 size=4 mean=1,2", (), "mean", "mean has 2 numbers, and the image 3 maps"),
        ("input maps=3 size=4 std=1,2", (), "std", "std has 2 numbers, and the image 3 maps"),
        ("conv maps=2 kernel=1 groups=3", (IMAGE,), "groups", "4 input maps do not divide"),
        ("conv maps=6 kernel=1 groups=4", (IMAGE,), "groups", "6 output maps do not divide"),
        (
            "conv maps=2 kernel=1 groups=2 connect=0-1,2-3",
            (IMAGE,),
            "groups",
            "connect and groups exclude each other",
        ),
        (
            "conv maps=3 kernel=1 connect=0-1,2-3",
            (IMAGE,),
            "connect",
            "connect lists 2 output maps, and the row has 3",
        ),
        (
            "conv maps=2 kernel=1 connect=0,4",
            (IMAGE,),
            "connect",
            "connect names input map 4, and the input's are 0..3",
        ),
        ("dense maps=2", (IMAGE,), None, "dense reads a vector, and 8x6 with 4 maps is an image"),
        (
            "rbf maps=2 distance=squared",
            (IMAGE,),
            None,
            "rbf reads a vector, and 8x6 with 4 maps is an image",
        ),
        ("depthwise kernel=9", (IMAGE,), "kernel", "a 9x9 window does not fit into 8x6"),
        ("separable maps=2 kernel=9", (IMAGE,), "kernel", "a 9x9 window does not fit into 8x6"),
        ("pad padding=1 mode=constant", (IMAGE,), "value", "value goes with mode=constant"),
        ("pad padding=1 value=2", (IMAGE,), "value", "value goes with mode=constant"),
        (
            "pad padding=1x6 mode=reflect",
            (IMAGE,),
            "padding",
            "reflect mirrors cells inside the image, and 8x6 with 4 maps has fewer than padded",
        ),
        ("slice map_range=0:5", (IMAGE,), "map_range", "0:5 is no part of 4 maps"),
        ("slice row_range=5:5", (IMAGE,), "row_range", "5:5 is no part of 8 rows"),
        ("slice map_range=-13:", (VECTOR,), "map_range", "-13: is no part of 12 features"),
        ("slice row_range=1:", (VECTOR,), "row_range", "a vector has no rows"),
        ("shuffle groups=3", (IMAGE,), "groups", "4 maps do not divide into 3 groups"),
        (
            "reshape to=7x7x4",
            (IMAGE,),
            "to",
            "8x6 with 4 maps has 192 cells, and 7x7x4 has 7 * 7 * 4 = 196",
        ),
        ("reshape to=13", (VECTOR,), "to", "12 features has 12 cells, and 13 has 13"),
        ("resize mode=nearest factor=2 to=16", (IMAGE,), "to", "exactly one of factor= and to="),
        ("resize mode=nearest", (IMAGE,), None, "and neither is given"),
        (
            "resize mode=bilinear factor=2 rounding=floor coordinates=half_pixel",
            (IMAGE,),
            "rounding",
            "rounding goes with mode=nearest and coordinates",
        ),
        (
            "resize mode=nearest to=5 coordinates=half_pixel",
            (IMAGE,),
            "rounding",
            "frameworks take different cells here: name the rounding",
        ),
        ("concat axis=width", (VECTOR, VECTOR), "axis", "a vector has no width"),
    ],
)
def test_an_operator_refuses_what_it_cannot_do(op, operands, column, message):
    with pytest.raises(CnnError) as caught:
        parse_op(op).infer(*operands)
    assert message in caught.value.diagnostics[0].message
    assert caught.value.diagnostics[0].column == column


def test_what_reads_images_refuses_vectors():
    for row_type, options in {
        "conv": "maps=1 kernel=1",
        "maxpool": "kernel=1 stride=1",
        "avgpool": "kernel=1 stride=1",
        "subsample": "kernel=1 stride=1",
        "globalavgpool": "",
        "globalmaxpool": "",
        "lrn": "n=1 alpha=1 beta=1 k=1",
        "depthwise": "kernel=1",
        "separable": "maps=1 kernel=1",
        "convtranspose": "maps=1 kernel=1",
        "lppool": "kernel=1 stride=1",
        "pad": "padding=1",
        "shuffle": "groups=1",
        "resize": "mode=nearest factor=1",
        "groupnorm": "groups=1 epsilon=1",
        "instancenorm": "affine=no epsilon=1",
    }.items():
        with pytest.raises(CnnError) as caught:
            parse_op(f"{row_type} {options}".strip()).infer(VECTOR)
        message = f"{row_type} reads an image, and 12 features is a vector"
        assert caught.value.diagnostics[0].message == message


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
