"""A plan keeps live values apart, and gives every reader the layout it asked for."""

from dataclasses import replace

import pytest
from graphs import graph_of
from hypothesis import given
from hypothesis import strategies as st

import cnndsl
from cnndsl.compiler import Compilation
from cnndsl.ir.node import Folded
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.conv import Conv
from cnndsl.passes.fuse_residual import FuseResidual
from cnndsl.plan import build
from cnndsl.plan.arena import Lifetime, assign_offsets, most_at_once
from cnndsl.plan.build import make_plan
from cnndsl.plan.plan import COPY, ZERO_HALO, Plan
from cnndsl.plan.strategy import Choice
from cnndsl.plan.text import format_plan, plan_from_json, plan_to_json
from cnndsl.types import f32


def strategy(node, operands):
    """As a target would choose: convolutions want halos, dense layers compact operands."""
    if isinstance(node.op, Conv):
        (top, bottom), (left, right) = node.op.window.sides(operands[0].height_width)
        return Choice("conv", (top, bottom, left, right))
    return {
        "dense": Choice("dense", contiguous=True),
        "activation": Choice("activation", in_place=True),
        "add": Choice("add", in_place=True),
        "mul": Choice("mul", in_place=True),
        "reshape": Choice("", view=True),
    }.get(node.op.row_type, Choice(node.op.row_type))


def plan_of(*rows: tuple[str, str, str]) -> Plan:
    return make_plan(graph_of(*rows), strategy)


@given(
    st.lists(
        st.builds(
            lambda size, first, length: Lifetime(size, first, first + length),
            st.integers(1, 300),
            st.integers(0, 12),
            st.integers(0, 5),
        ),
        max_size=20,
    )
)
def test_values_alive_together_never_overlap(values):
    offsets, arena = assign_offsets(values)
    spans = [(o, o + v.size, v) for o, v in zip(offsets, values, strict=True)]
    for i, (begin, end, one) in enumerate(spans):
        assert begin % 16 == 0
        assert end <= arena
        for other_begin, other_end, other in spans[i + 1 :]:
            together = one.first <= other.last and other.first <= one.last
            assert not (together and begin < other_end and other_begin < end)
    lines = [-(-v.size // 16) * 16 for v in values]
    alive = [
        sum(n for n, v in zip(lines, values, strict=True) if v.first <= t <= v.last)
        for t in range(20)
    ]
    assert most_at_once(values) == max(alive)
    assert max(alive) <= arena <= sum(lines)


@pytest.mark.parametrize("spec", ["resnet50", "unet", "resnext50", "se_resnet50", "densenet121"])
def test_real_networks_waste_little_of_their_arena(spec):
    """At most a sixteenth more than what is alive at once."""
    lives: list[list[Lifetime]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "assign_offsets", lambda v: (lives.append(v), assign_offsets(v))[1])
        plan = Compilation(cnndsl.parse(spec)).plan
    assert most_at_once(lives[0]) <= plan.arena <= most_at_once(lives[0]) * 17 / 16


def test_a_padded_convolution_gets_a_zeroed_halo():
    plan = plan_of(
        ("In", "input maps=3 size=8", ""), ("C1", "conv maps=4 kernel=3 padding=1", "In")
    )
    assert [step.kernel for step in plan.steps] == [ZERO_HALO, COPY, "conv"]
    conv = plan.steps[-1]
    assert conv.x[0].halo == (1, 1, 1, 1)
    assert conv.x[0].image_stride == 10 * 10 * 3
    assert conv.x[0].origin == 10 * 3 + 3
    assert conv.y.place == "output"


def test_an_unpadded_network_reads_and_writes_the_caller_s_arrays():
    plan = plan_of(("In", "input maps=1 size=8", ""), ("C1", "conv maps=4 kernel=3", "In"))
    (step,) = plan.steps
    assert step.x[0].place == "input"
    assert step.y.place == "output"
    assert plan.arena == 0


def test_flatten_in_hwc_order_costs_nothing_and_in_chw_order_a_copy():
    rows = [("In", "input maps=2 size=4", ""), ("C1", "conv maps=3 kernel=2", "In")]
    free = plan_of(*rows, ("F", "flatten", "C1"), ("D", "dense maps=5", "F"))
    assert [step.kernel for step in free.steps] == ["conv", "dense"]
    assert free.steps[1].x[0].shape == (27,)
    turned = plan_of(*rows, ("F", "flatten order=chw", "C1"), ("D", "dense maps=5", "F"))
    assert [step.kernel for step in turned.steps] == ["conv", COPY, "dense"]
    assert turned.steps[1].y.layout == "nchw"


def test_a_value_with_a_halo_is_copied_for_a_reader_that_wants_none():
    plan = plan_of(
        ("In", "input maps=2 size=4", ""),
        ("C1", "conv maps=3 kernel=1", "In"),
        ("C2", "conv maps=3 kernel=3 padding=same", "C1"),
        ("F", "flatten", "C1"),
        ("D", "dense maps=5", "F"),
    )
    dense = plan.steps[-1]
    assert dense.x[0].halo == (0, 0, 0, 0)
    assert COPY in [step.kernel for step in plan.steps]


def test_an_activation_takes_its_operand_s_memory_unless_another_reads_it():
    rows = [("In", "input maps=2 size=4", ""), ("P", "maxpool kernel=2 stride=2", "In")]
    relu, last = "activation activation=relu", ("L", "lrn r=2 alpha=1 beta=1 k=1", "A")
    plan = plan_of(*rows, ("A", relu, "P"), last)
    assert plan.steps[1].x[0].offset == plan.steps[1].y.offset
    graph = graph_of(*rows, ("A", relu, "P"), ("B", relu, "P"), last)
    shared = make_plan(replace(graph, outputs=("L",)), strategy)
    writes = [step.y.offset for step in shared.steps[:3]]
    assert len(set(writes)) == 3


def test_a_sum_takes_its_first_operand_s_memory_and_a_gate_smaller_than_its_result_does_not():
    rows = [("In", "input maps=2 size=4", ""), ("P", "maxpool kernel=2 stride=2", "In")]
    last = ("L", "lrn r=2 alpha=1 beta=1 k=1", "A")
    plan = plan_of(*rows, ("Q", "avgpool kernel=2 stride=2", "In"), ("A", "add", "P Q"), last)
    assert plan.steps[2].x[0].offset == plan.steps[2].y.offset != plan.steps[2].x[1].offset
    plan = plan_of(*rows, ("G", "globalavgpool", "P"), ("A", "mul", "G P"), last)
    assert len({buffer.offset for buffer in (*plan.steps[2].x, plan.steps[2].y)}) == 3


def test_a_sum_behind_a_convolution_takes_the_memory_of_a_value_that_nobody_reads_later():
    rows = [
        ("In", "input maps=2 size=4", ""),
        ("A", "conv maps=2 kernel=1", "In"),
        ("B", "maxpool kernel=1 stride=1", "A"),
        ("C", "conv maps=2 kernel=1", "B"),
        ("S", "add", "C A"),
        ("L", "lrn r=2 alpha=1 beta=1 k=1", "S"),
    ]

    def sums(*rows: tuple[str, str, str], outputs=("L",)) -> list[bool]:
        graph = FuseResidual().run(replace(graph_of(*rows), outputs=outputs))
        plan = make_plan(graph, lambda *node: replace(strategy(*node), accumulates=True))
        return [step.accumulates for step in plan.steps if len(step.x) > len(step.operands)]

    assert sums(*rows) == [True]
    read_again = ("M", "maxpool kernel=1 stride=1", "A")
    assert sums(*rows, read_again, outputs=("L", "M")) == [False]
    assert sums(*rows[:4], read_again, *rows[4:], outputs=("L", "M")) == [True]
    assert sums(*rows, outputs=("L", "A")) == [False]
    assert sums(*rows[:2], ("C", "conv maps=2 kernel=1", "A"), *rows[4:]) == [False]
    of_one_row = ("A", "globalavgpool", "In")
    assert sums(rows[0], of_one_row, ("C", "conv maps=2 kernel=1", "In"), *rows[4:]) == [False]
    padded = ("L", "conv maps=2 kernel=3 padding=1", "S")
    assert sums(*rows[:-1], padded) == [False]


def test_a_view_costs_nothing_unless_its_reader_wants_a_halo():
    rows = [("In", "input maps=8 size=1", ""), ("C1", "conv maps=8 kernel=1", "In")]
    view = ("R", "reshape to=2x2x2", "C1")
    free = plan_of(*rows, view, ("C2", "conv maps=3 kernel=2", "R"))
    assert [step.kernel for step in free.steps] == ["conv", "conv"]
    assert free.steps[1].x[0].shape == (2, 2, 2)
    assert free.steps[1].x[0].offset == free.steps[0].y.offset
    padded = plan_of(*rows, view, ("C2", "conv maps=3 kernel=3 padding=1", "R"))
    assert [step.kernel for step in padded.steps] == ["conv", ZERO_HALO, COPY, "conv"]


def test_nchw_images_come_and_go_through_a_copy():
    plan = plan_of(
        ("In", "input maps=2 size=4 layout=nchw", ""), ("P", "maxpool kernel=2 stride=2", "In")
    )
    assert [step.kernel for step in plan.steps] == [COPY, "maxpool", COPY]
    assert (plan.inputs[0].layout, plan.outputs[0].layout) == ("nchw", "nchw")
    (given,) = plan.inputs
    assert [given.map_stride, given.row_stride, given.pixel_stride] == [16, 4, 1]


def test_outputs_are_computed_in_the_caller_s_arrays_and_others_may_read_them_there():
    graph = graph_of(
        ("In", "input maps=2 size=4", ""),
        ("C1", "conv maps=3 kernel=1", "In"),
        ("P", "maxpool kernel=2 stride=2", "C1"),
        ("D", "globalavgpool", "P"),
    )
    plan = make_plan(replace(graph, outputs=("D", "C1")), strategy)
    assert [step.kernel for step in plan.steps] == ["conv", "maxpool", "globalavgpool"]
    assert [(y.name, y.place, y.port) for y in plan.outputs] == [
        ("D", "output", 0),
        ("C1", "output", 1),
    ]
    assert plan.steps[1].x == (plan.outputs[1],)
    assert plan_from_json(plan_to_json(plan)) == plan


def test_a_value_that_is_needed_elsewhere_is_copied_for_the_caller():
    graph = graph_of(
        ("In", "input maps=2 size=4", ""),
        ("C1", "conv maps=3 kernel=1", "In"),
        ("C2", "conv maps=3 kernel=3 padding=same", "C1"),
        ("F", "flatten", "C1"),
        ("D", "dense maps=5", "F"),
    )
    # As an input, with a halo, for a second time, and as a vector in the same memory.
    names = ("In", "C1", "C1", "F", "D")
    plan = make_plan(replace(graph, outputs=names), strategy)
    copies = [step for step in plan.steps if step.kernel == COPY]
    assert [(y.place, y.port) for y in plan.outputs] == [("output", i) for i in range(5)]
    assert [step.y for step in copies] == list(plan.outputs[:4])
    assert plan.steps[-1].x[0].port == 1  # the dense row reads the copy without a halo


def test_a_function_does_not_overwrite_an_output():
    graph = graph_of(
        ("In", "input maps=2 size=4", ""),
        ("P", "maxpool kernel=2 stride=2", "In"),
        ("A", "activation activation=relu", "P"),
        ("L", "lrn r=2 alpha=1 beta=1 k=1", "A"),
    )
    plan = make_plan(replace(graph, outputs=("P", "L")), strategy)
    assert plan.steps[1].x[0].place == "output"
    assert plan.steps[1].y.place == "arena"


def test_every_input_has_its_layout_and_outputs_have_the_first_one_s():
    graph = graph_of(
        ("A", "input maps=2 size=4", ""),
        ("B", "input maps=2 size=4 layout=nchw", ""),
        ("S", "add", "A B"),
    )
    plan = make_plan(graph, strategy)
    assert [(x.layout, x.port) for x in plan.inputs] == [("nhwc", 0), ("nchw", 1)]
    assert plan.outputs[0].layout == "nhwc"
    assert format_plan(plan).splitlines()[1:4] == [
        "input  A[4x4x2]@input",
        "input  B[4x4x2 nchw]@input1",
        "output S[4x4x2]@output",
    ]


def test_a_plan_survives_json():
    plan = plan_of(
        ("In", "input maps=3 size=8 labels='a b.txt'", ""),
        ("C1", "conv maps=4 kernel=3 padding=1", "In"),
        ("F", "flatten order=chw", "C1"),
        ("D", "dense maps=5", "F"),
    )
    assert plan_from_json(plan_to_json(plan)) == plan


def test_a_plan_carries_what_is_folded_into_parameters():
    graph = graph_of(("In", "input maps=3 size=8", ""), ("C1", "conv maps=4 kernel=3", "In"))
    folded = (Folded("B1", BatchNorm(1e-5)), Folded("C1.norm", BatchNorm(1e-3, scale=False)))
    conv = replace(graph["C1"], part="pointwise", folded=folded)
    plan = make_plan(replace(graph, nodes=(graph.nodes[0], conv)), strategy)
    (step,) = plan.steps
    assert (step.prefix, step.folded, step.operands) == ("C1.pointwise", folded, (f32(8, 8, 3),))
    assert plan_from_json(plan_to_json(plan)) == plan
    assert format_plan(plan).endswith("C1[6x6x4]@output <- In[8x8x3]@input * B1 * C1.norm")


def test_only_a_normalization_can_be_folded():
    graph = graph_of(("In", "input maps=3 size=8", ""), ("C1", "conv maps=4 kernel=3", "In"))
    conv = replace(graph["C1"], folded=(Folded("B1", BatchNorm(1e-5)),))
    text = plan_to_json(make_plan(replace(graph, nodes=(graph.nodes[0], conv)), strategy))
    with pytest.raises(ValueError, match="globalavgpool cannot be folded"):
        plan_from_json(text.replace("batchnorm epsilon=1e-05", "globalavgpool"))


def test_a_plan_reads_as_text():
    plan = plan_of(
        ("In", "input maps=3 size=8", ""), ("C1", "conv maps=4 kernel=3 padding=1", "In")
    )
    assert format_plan(plan) == (
        "arena: 304 floats an image\n"
        "input  In[8x8x3]@input\n"
        "output C1[8x8x4]@output\n"
        "\n"
        "  0 zero_halo In[8x8x3 halo 1,1,1,1]@arena+0 <- zeros\n"
        "  1 copy      In[8x8x3 halo 1,1,1,1]@arena+0 <- In[8x8x3]@input\n"
        "  2 conv      C1[8x8x4]@output <- In[8x8x3 halo 1,1,1,1]@arena+0"
    )
