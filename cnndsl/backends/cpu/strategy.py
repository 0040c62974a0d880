"""Which kernel runs a node, and what it asks of its operand's memory."""

from __future__ import annotations

from cnndsl.backends.cpu.conv_choice import ConvChooser
from cnndsl.backends.cpu.lowering.candidates import ConvWork
from cnndsl.backends.cpu.lowering.dense_images import images_fill_lanes
from cnndsl.backends.cpu.lowering.transposed import transposed_halo
from cnndsl.backends.cpu.times import NOTHING_MEASURED, Times
from cnndsl.backends.filters import as_conv
from cnndsl.backends.usual import usual_choice
from cnndsl.ir.node import Node
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.separable import Separable
from cnndsl.plan.strategy import Choice
from cnndsl.types import USUAL, Options, TensorType


def choose(
    node: Node,
    operands: tuple[TensorType, ...],
    options: Options = USUAL,
    times: Times = NOTHING_MEASURED,
) -> Choice:
    """
    How to run a node. `times` are what was measured on this machine.

    Raises `TargetError` for an operator without a kernel.
    """
    match node.op:
        case Conv() | Depthwise() | Separable():
            work = conv_work(node, operands)
            assert work is not None
            return ConvChooser(options, times).chosen(work).choice
        case ConvTranspose() as op:
            return Choice("conv_transpose", halo=transposed_halo(op, operands[0].height_width))
        case Dense():
            return Choice(_dense(options), contiguous=True)
        case MaxPool() | GlobalMaxPool():
            return Choice("max_pool")
        case AvgPool() | GlobalAvgPool():
            return Choice("avg_pool")
        case LayerNorm() as norm if not (norm.over == "image" and operands[0].is_image):
            return Choice("normalise_pixels", in_place=True)
        case Rbf():
            return Choice("rbf", contiguous=True)
        case _:
            return usual_choice("cpu", node, operands)


def _dense(options: Options) -> str:
    """The kernel of a dense row."""
    if options.dense_weights != "float32":
        return f"dense_{options.dense_weights}"
    return "dense_images" if images_fill_lanes(options.batch) else "dense"


def conv_work(node: Node, operands: tuple[TensorType, ...]) -> ConvWork | None:
    """The convolution that a node is, if it is one."""
    if not operands or not operands[0].is_image:
        return None
    (height, width), maps = operands[0].height_width, operands[0].maps
    conv = as_conv(node.op, maps)
    return ConvWork.of(conv, (height, width, maps)) if conv else None
